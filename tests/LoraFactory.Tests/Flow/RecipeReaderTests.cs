using System.Text;
using LoraFactory.Flow;
using Xunit;

namespace LoraFactory.Tests.Flow;

/// <summary>A recipe that is wrong in any way says so, at the right key and line, and all at once.</summary>
public sealed class RecipeReaderTests
{
    private const string Good = """
        name: blueprint
        seed:
          topic: blueprint drawings
          urls: [http://drawings.test/]
        train:
          rank: 16
          learning_rate: 2e-3
        """;

    private static RecipeReading Read(string text, string[]? sets = null, Dictionary<string, string>? environment = null) =>
        RecipeReader.ReadBytes(Encoding.UTF8.GetBytes(text), "recipe.yaml", sets, environment ?? []);

    private static RecipeProblem Only(RecipeReading reading) => Assert.Single(reading.Problems);

    [Fact]
    public void A_tilde_is_the_home_directory_wherever_a_path_stands()
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var recipe = Read("base: {model: ~/sd15, clip: ~/clip}\nlabel: {source: folder, folder: ~/pictures, trigger: ~/x}\nseed: {concept_store: ~/c.db}", ["deploy.store=~/store"]).Recipe;
        Assert.Equal((home + "/sd15", home + "/clip", home + "/pictures", home + "/c.db", home + "/store"), (recipe.Base.Model, recipe.Base.Clip, recipe.Label.Folder, recipe.Seed.ConceptStore, recipe.Deploy.Store));
        Assert.Equal("~/x", recipe.Label.Trigger);
    }

    [Fact]
    public void The_projects_own_clip_beside_a_base_of_the_world_is_warned_of()
    {
        string? Broken(string model, string clip) => RecipeRules.All.Single(r => r.Id == "LR104").Broken(new Recipe { Base = new() { Model = model, Clip = clip } });
        Assert.Contains("stable-diffusion-v1-5", Broken("stable-diffusion-v1-5/stable-diffusion-v1-5", "pocket-clip"));
        Assert.Null(Broken("stable-diffusion-v1-5/stable-diffusion-v1-5", "openai/clip-vit-large-patch14"));
        Assert.Null(Broken("pocket-sd", "pocket-clip"));
        Assert.Null(Broken("/tmp", "pocket-clip")); // a folder may be one that lora pretrain made
    }

    [Fact]
    public void A_good_recipe_is_read_whole()
    {
        var reading = Read(Good);
        Assert.Empty(reading.Problems);
        Assert.Equal("blueprint drawings", reading.Recipe.Seed.Topic);
        Assert.Equal(["http://drawings.test/"], reading.Recipe.Seed.Urls);
        Assert.Equal(16, reading.Recipe.Train.Rank);
        Assert.Equal(0.002, reading.Recipe.Train.LearningRate);
        Assert.Equal(new TrainOptions().WarmupSteps, reading.Recipe.Train.WarmupSteps);
        Assert.Equal("recipe.yaml:6", reading.Origins["train.rank"]);
        Assert.False(reading.Origins.ContainsKey("train.warmup_steps"));
    }

    [Fact]
    public void Float16_is_no_precision_to_train_in_since_nothing_scales_its_loss()
    {
        var problem = Only(Read(Good.Replace("rank: 16", "precision: float16", StringComparison.Ordinal)));
        Assert.Equal("train.precision", problem.Key);
        Assert.Contains("bfloat16", problem.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("rank: 16", "rnak: 16", "LR010", "train.rnak", "Did you mean train.rank?")]
    [InlineData("train:", "trian:", "LR010", "trian", "Did you mean train?")]
    [InlineData("name: blueprint", "learning_rate: 1", "LR010", "learning_rate", "Did you mean train.learning_rate?")]
    [InlineData("learning_rate: 2e-3", "learning_rate: \"2e-3\"", "LR011", "train.learning_rate", "Write 2e-3 without quotes")]
    [InlineData("learning_rate: 2e-3", "learning_rate: fast", "LR011", "train.learning_rate", null)]
    [InlineData("rank: 16", "rank: 16.5", "LR011", "train.rank", null)]
    [InlineData("rank: 16", "rank: 1e2", "LR011", "train.rank", "Write 100")]
    [InlineData("rank: 16", "rank: 16px", "LR011", "train.rank", "Write the number alone, as in 16")]
    [InlineData("rank: 16", "rank: [16]", "LR011", "train.rank", null)]
    [InlineData("rank: 16", "rank: {a: 1}", "LR011", "train.rank", null)]
    [InlineData("rank: 16", "rank: -1", "LR012", "train.rank", null)]
    [InlineData("rank: 16", "rank: 99999999999999999999", "LR012", "train.rank", null)]
    [InlineData("rank: 16", "rank:", "LR015", "train.rank", "Delete the line to get the default 0")]
    [InlineData("rank: 16", "rank: ~", "LR015", "train.rank", null)]
    [InlineData("rank: 16", "flip: yes", "LR011", "train.flip", "Write true")]
    [InlineData("rank: 16", "schedule: cosin", "LR013", "train.schedule", "Did you mean cosine?")]
    [InlineData("learning_rate: 2e-3", "learning_rate: 3", "LR012", "train.learning_rate", null)]
    [InlineData("learning_rate: 2e-3", "learning_rate: .nan", "LR011", "train.learning_rate", null)]
    [InlineData("learning_rate: 2e-3", "rank: 8", "LR014", "train.rank", "Delete one")]
    [InlineData("topic: blueprint drawings", "topic: 1984", "LR011", "seed.topic", "Write \"1984\" in quotes")]
    [InlineData("urls: [http://drawings.test/]", "urls: http://drawings.test/", "LR011", "seed.urls", "Write [http://drawings.test/]")]
    [InlineData("urls: [http://drawings.test/]", "urls: [ftp://drawings.test/]", "LR112", "seed.urls", null)]
    [InlineData("urls: [http://drawings.test/]", "concept_api: api.conceptnet.io\n  urls: [http://drawings.test/]", "LR113", "seed.concept_api", null)]
    [InlineData("topic: blueprint drawings", "synonyms: [plan]", "LR110", "seed.topic", null)]
    [InlineData("name: blueprint", "name: ../up", "LR101", "name", null)]
    [InlineData("rank: 16", "resolution: 65", "LR141", "train.resolution", null)]
    [InlineData("name: blueprint", "name: !!python/object:os.system x", "LR006", "", "Remove it")]
    public void One_fault_is_one_error_at_its_key_and_line(string from, string to, string id, string key, string? fix)
    {
        var text = Good.Replace(from, to);
        Assert.NotEqual(Good, text);
        var problem = Only(Read(text));
        Assert.Equal(id, problem.Id);
        Assert.Equal(key, problem.Key);
        if (fix is not null) Assert.Equal(fix, problem.Fix);
        if (id != "LR110") Assert.Equal(1 + text[..text.IndexOf(to, StringComparison.Ordinal)].Count(c => c == '\n'), problem.Line);
        Assert.EndsWith($"recipe.yaml:{problem.Line}", problem.ToString());
    }

    [Fact]
    public void All_problems_come_at_once_in_the_order_of_the_file()
    {
        var reading = Read(Good.Replace("rank: 16", "rnak: 16\n  rank: 2000\n  flip: no\n  warmup_steps: 1.5"));
        Assert.Equal(["LR010", "LR012", "LR011", "LR011"], reading.Problems.Select(p => p.Id));
        var thrown = Assert.Throws<LoraException>(() => reading.OrThrow());
        Assert.Equal(ExitCode.BadUsage, thrown.Code);
        Assert.Equal(4, thrown.Message.Split('\n').Length);
        Assert.Contains("error LR012 train.rank: 2000 is out of range. Valid: a whole number 0..1024. recipe.yaml:7", thrown.Message);
    }

    [Fact]
    public void Later_layers_win_and_say_so()
    {
        var reading = Read(Good, ["train.rank=4", "seed.urls=http://a.test/, http://b.test/"], new() { ["LORA_TRAIN__RANK"] = "8", ["LORA_TRAIN__STEPS"] = "30", ["LORA_LIBTORCH"] = "/x" });
        Assert.Empty(reading.Problems);
        Assert.Equal(4, reading.Recipe.Train.Rank);
        Assert.Equal(30, reading.Recipe.Train.Steps);
        Assert.Equal(["http://a.test/", "http://b.test/"], reading.Recipe.Seed.Urls);
        Assert.Equal("--set", reading.Origins["train.rank"]);
        Assert.Equal("LORA_TRAIN__STEPS", reading.Origins["train.steps"]);
    }

    [Fact]
    public void Faults_of_overrides_name_the_variable_or_argument()
    {
        var reading = Read(Good, ["train.rnak=4", "train.rank", "train.steps=many"], new() { ["LORA_TRAIN__RNAK"] = "8" });
        Assert.Equal(4, reading.Problems.Count);
        Assert.Contains(reading.Problems, p => p is { Id: "LR010", Source: "LORA_TRAIN__RNAK", Fix: "Did you mean train.rank?" });
        Assert.Contains(reading.Problems, p => p is { Id: "LR010", Source: "--set", Key: "train.rnak" });
        Assert.Contains(reading.Problems, p => p is { Id: "LR008", Key: "train.rank" });
        Assert.Contains(reading.Problems, p => p is { Id: "LR011", Key: "train.steps" });
    }

    public static TheoryData<string, byte[], string> Hostile() => new()
    {
        { "tabs", "train:\n\trank: 3\n"u8.ToArray(), "LR002" },
        { "unclosed", "seed: [a, b\n"u8.ToArray(), "LR002" },
        { "two documents", "name: a\n---\nname: b\n"u8.ToArray(), "LR005" },
        { "a list", "- a\n- b\n"u8.ToArray(), "LR007" },
        { "UTF-16", Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes("name: a")).ToArray(), "LR004" },
        { "not UTF-8", [0x6E, 0x3A, 0x20, 0xFF, 0xFE], "LR004" },
        { "a zero byte", "name: a\0b"u8.ToArray(), "LR004" },
        { "a cycle", "seed: &a\n  urls: [*a]\n"u8.ToArray(), "LR003" },
        { "an unknown alias", "name: *nobody\n"u8.ToArray(), "LR002" },
        { "deep nesting", Encoding.ASCII.GetBytes(new string('[', 5000)), "LR003" },
        { "a bomb", Encoding.ASCII.GetBytes("a: &a [x,x,x,x,x,x,x,x,x,x]\n" + string.Concat(Enumerable.Range(1, 25).Select(i => $"{(char)('a' + i)}: &{(char)('a' + i)} [" + string.Join(',', Enumerable.Repeat("*" + (char)('a' + i - 1), 10)) + "]\n"))), "LR003" },
        { "too large", new byte[5_000_000], "LR003" },
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void Hostile_files_are_one_clear_error(string what, byte[] bytes, string id)
    {
        var started = System.Diagnostics.Stopwatch.StartNew();
        var reading = RecipeReader.ReadBytes(bytes, "recipe.yaml", environment: new Dictionary<string, string>());
        Assert.False(reading.IsValid, what);
        Assert.Equal(id, reading.Problems[0].Id);
        Assert.True(started.Elapsed < TimeSpan.FromSeconds(5), what);
    }

    [Fact]
    public void A_missing_file_is_one_clear_error()
    {
        var reading = RecipeReader.Read("/nowhere/recipe.yaml");
        Assert.Contains("does not exist", Only(reading).Message);
    }

    [Fact]
    public void Random_bytes_never_throw()
    {
        var random = new Random(1);
        var seed = Encoding.UTF8.GetBytes(RecipeText.Template());
        for (var round = 0; round < 300; round++)
        {
            var bytes = seed[..2000].ToArray();
            for (var i = 0; i < 8; i++) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            Assert.NotNull(RecipeReader.ReadBytes(bytes, "recipe.yaml", environment: new Dictionary<string, string>()).Recipe);
        }
    }
}
