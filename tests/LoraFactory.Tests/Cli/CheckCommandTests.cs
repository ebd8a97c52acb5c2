using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using LoraFactory.Cli;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Models.Weights;

namespace LoraFactory.Tests.Cli;

/// <summary>lora check says before a run what the run would meet on this machine, in the run's own sentences.</summary>
public sealed class CheckCommandTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task What_this_machine_lacks_is_a_warning_each_in_the_words_of_the_run()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        Pictures("pictures", [(80, 80), (80, 40), (80, 80), (300, 80)]);
        File.WriteAllText(folder.File("pictures/p9.png"), "no picture");
        File.WriteAllText(folder.File("a-file"), "");
        var recipe = Recipe($"""
            base:
              model: {folder.File("nowhere.safetensors")}
              clip: somebody/no-clip
            deploy:
              store: {folder.File("a-file")}/store
              port: {((IPEndPoint)taken.LocalEndpoint).Port}
            evaluate: {"{prompts: [a, b, c, d, e, f, g, h]}"}
            """);
        var (code, text, _) = await Run("check", recipe);
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal((0, "LR205 LR206 LR202 LR201 LR208 LR209"), (code, string.Join(' ', lines[..^1].Select(l => l.Split(' ')[1]))));
        Assert.Equal($"{recipe}: the recipe is valid, but a run would stop on this machine: 4 findings above (LR206, LR202, LR201, LR208)", lines[^1]);
        Assert.Equal("note LR205 label.folder: 5 pictures, 1 with a caption beside them. r.yaml:5", lines[0]);
        Assert.StartsWith("warning LR206 label.folder: by their headers clean would keep at most 2 of 5 pictures (40.0%), but a run needs 8 (clean.min_kept) and 5% (clean.min_kept_share). Commonest reasons: ", lines[1].Replace(" %", "%", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("too-small 1 (lower clean.min_side below 64)", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("note LR209 deploy.port: ", lines[5], StringComparison.Ordinal); // lora run never listens
        Assert.Contains("nor in the Hugging Face cache (", lines[2], StringComparison.Ordinal); // where it looked, and how to get one
        Assert.Contains("hf download somebody/no-clip", lines[2], StringComparison.Ordinal);
        Assert.Contains("lora pretrain sd", lines[3], StringComparison.Ordinal);
        Assert.DoesNotContain("hf download", lines[3], StringComparison.Ordinal); // a path is no name of a model

        Assert.Equal(2, (await Run("check", recipe, "--strict")).Code);
        var (_, json, _) = await Run("check", recipe, "--json");
        using var parsed = JsonDocument.Parse(json);
        Assert.Equal((true, false), (parsed.RootElement.GetProperty("ok").GetBoolean(), parsed.RootElement.GetProperty("runs_here").GetBoolean()));
        var clip = parsed.RootElement.GetProperty("problems").EnumerateArray().Single(p => p.GetProperty("id").GetString() == "LR202");
        Assert.Equal(("warning", "base.clip", 9), (clip.GetProperty("severity").GetString(), clip.GetProperty("key").GetString(), clip.GetProperty("line").GetInt32()));

        // the run says the same, all at once, before its first stage
        var (ran, _, error) = await Run("run", recipe, "--runs-dir", folder.File("runs"));
        Assert.Equal(2, ran);
        foreach (var line in lines[1..5]) Assert.Contains(line[14..line.LastIndexOf(" r.yaml:", StringComparison.Ordinal)].TrimEnd('.'), error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("runs/r/1-crawl")));
    }

    [Fact]
    public async Task A_concept_store_that_is_none_is_said_before_the_run()
    {
        File.WriteAllText(folder.File("csv"), "/a/1\t/r/RelatedTo\t/c/en/ink\t/c/en/pen\t{\"weight\": 1.0, \"license\": \"cc:by-sa/4.0\"}\n");
        LoraFactory.Stages.Crawl.ConceptStore.Import(folder.File("csv"), folder.File("concepts.db"), token: TestContext.Current.CancellationToken);
        File.WriteAllText(folder.File("other.txt"), new string('x', 5000));
        File.WriteAllText(folder.File("half.db.importing"), "");
        var recipe = folder.File("r.yaml");
        File.WriteAllText(recipe, "name: r\nseed:\n  topic: ink\n  urls: [http://a.example/]\nlabel: {trigger: ink}\ndeploy: {port: 0}\n");
        async Task<string> Say(string store) => (await Run("check", recipe, "--set", $"seed.concept_store={folder.File(store)}")).Output;

        Assert.DoesNotContain("LR236", await Say("concepts.db"), StringComparison.Ordinal);
        var said = await Say("concept.db");
        Assert.Contains($"warning LR236 seed.concept_store: There is no ConceptNet store at {folder.File("concept.db")}: make one with lora concepts import FILE --to {folder.File("concept.db")}, or leave seed.concept_store empty. Did you mean {folder.File("concepts.db")}? --set", said, StringComparison.Ordinal);
        Assert.EndsWith("a run would stop on this machine: 1 finding above (LR236)\n", said, StringComparison.Ordinal);
        Assert.Contains("is no ConceptNet store of this version, or cannot be read", await Say("other.txt"), StringComparison.Ordinal);
        Assert.Contains("has not come to its end: the same lora concepts import goes on with it", await Say("half.db"), StringComparison.Ordinal);

        var (ran, _, error) = await Run("run", recipe, "--runs-dir", folder.File("runs"), "--set", $"seed.concept_store={folder.File("concept.db")}");
        Assert.Equal(2, ran);
        Assert.StartsWith($"seed.concept_store: There is no ConceptNet store at {folder.File("concept.db")}", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mistyped_path_is_mended_wherever_one_stands()
    {
        Pictures("pictures", [.. Enumerable.Repeat((80, 80), 9)]);
        File.CreateSymbolicLink(folder.File("my-base"), Path.Combine(TestData.Root, "assets", "pocket-sd"));
        File.CreateSymbolicLink(folder.File("my-clip"), Path.Combine(TestData.Root, "assets", "pocket-clip"));
        var recipe = Recipe($"base: {{model: {folder.File("my-bsae")}, clip: {folder.File("mi-clip")}}}\ndeploy: {{port: 0}}");
        var (_, text, _) = await Run("check", recipe, "--set", $"label.folder={folder.File("picture")}");
        var lines = text.Split('\n');
        foreach (var (id, meant) in ((string, string)[])[("LR201", "my-base"), ("LR202", "my-clip"), ("LR204", "pictures")])
            Assert.Contains($". Did you mean {folder.File(meant)}?", Assert.Single(lines, l => l.StartsWith($"warning {id} ", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.EndsWith($"(LR204, LR202, LR201){'\n'}", text, StringComparison.Ordinal);

        Directory.CreateDirectory(folder.File("store"));
        Assert.EndsWith($" Did you mean {folder.File("my-base")}?\n", (await Run("serve", "--store", folder.File("store"), "--port", "0", "--base", folder.File("my-bsae"))).Error, StringComparison.Ordinal);
        Assert.Contains($"Did you mean {recipe}? lora init FILE writes a commented one.", (await Run("run", folder.File("r.yml"))).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_recipe_that_init_writes_for_a_folder_runs_as_it_is()
    {
        Pictures("my pictures: 2026", [.. Enumerable.Repeat((300, 300), 9)]);
        var path = folder.File("ink.yaml");
        var (mistyped, _, refusal) = await Run("init", path, "--pictures", folder.File("my picture: 2026"));
        Assert.Equal((2, false), (mistyped, File.Exists(path)));
        Assert.Equal($"--pictures {folder.File("my picture: 2026")} is not a folder; name the one that holds your pictures. Did you mean {folder.File("my pictures: 2026")}?\n", refusal);

        var (code, said, _) = await Run("init", path, "--pictures", folder.File("my pictures: 2026") + "/.");
        Assert.Equal(0, code);
        Assert.Contains($"pictures from {folder.File("my pictures: 2026")}, name and trigger ink (label.trigger: better a rare word that your captions do not use otherwise). Next: ", said, StringComparison.Ordinal);
        var recipe = RecipeReader.Read(path, environment: new Dictionary<string, string>()).OrThrow();
        Assert.Equal(new Recipe().Label with { Source = "folder", Folder = folder.File("my pictures: 2026"), Trigger = "ink", TriggerForms = recipe.Label.TriggerForms }, recipe.Label);
        Assert.Equal(("ink", 8), (recipe.Name, recipe.Evaluate.Prompts.Count));
        var (_, text, _) = await Run("check", path, "--strict", "--set", "deploy.port=0");
        Assert.Equal($"note LR205 label.folder: 9 pictures, 1 with a caption beside them. ink.yaml:{Array.FindIndex(File.ReadAllLines(path), l => l.StartsWith("  folder:", StringComparison.Ordinal)) + 1}\n{path}: ok\n", text);
    }

    [Theory]
    [InlineData("ink.yaml", "ink")]
    [InlineData("two words.yaml", "run")]
    [InlineData("a-name-of-more-than-sixty-four-characters-cannot-name-a-run-so-it-is.yaml", "run")]
    public async Task Init_names_a_run_as_its_file_where_one_can_be_called_so(string file, string name)
    {
        var (code, said, _) = await Run("init", folder.File(file));
        Assert.Equal((0, true), (code, said.Contains($"lora init {folder.File(file)} --force --pictures DIR", StringComparison.Ordinal)));
        var reading = RecipeReader.Read(folder.File(file), environment: new Dictionary<string, string>());
        Assert.Equal((name, "seed.topic seed.urls evaluate.prompts"), (reading.Recipe.Name, string.Join(' ', reading.Problems.Select(p => p.Key)))); // what it asks to be set; the prompts hold {trigger}
        Assert.Contains("Next: set seed.topic, seed.urls and label.trigger, then", said, StringComparison.Ordinal);
        var example = RecipeReader.Read(Path.Combine(TestData.Root, "recipes", "sd15.yaml"), environment: new Dictionary<string, string>()).OrThrow();
        Assert.Equal((8, string.Join('\n', example.Evaluate.Prompts)), (reading.Recipe.Evaluate.Prompts.Count, string.Join('\n', reading.Recipe.Evaluate.Prompts)));
        Assert.Contains($"\n  prompts:\n    - \"{example.Evaluate.Prompts[0]}\"\n", File.ReadAllText(folder.File(file)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pictures_that_clean_will_drop_are_counted_and_enough_others_let_the_run_begin()
    {
        Pictures("pictures", [.. Enumerable.Repeat((80, 80), 9), (63, 80)]);
        var (code, text, _) = await Run("check", Recipe("deploy: {port: 0}"), "--strict");
        Assert.Equal(2, code);
        Assert.Contains("warning LR207 label.folder: 1 of 10 pictures will be dropped: too-small 1 (lower clean.min_side below 64). r.yaml:5", text, StringComparison.Ordinal);
        var (fine, said, _) = await Run("check", Recipe("deploy: {port: 0}"), "--set", "clean.min_side=60", "--strict");
        Assert.Equal((0, true), (fine, said.EndsWith(": ok\n", StringComparison.Ordinal)));
        var (_, json, _) = await Run("check", Recipe("deploy: {port: 0}"), "--json"); // a warning that a run only repeats
        Assert.Contains("\"ok\":true,\"runs_here\":true,", json, StringComparison.Ordinal);
        Assert.Contains("\"ok\":false,\"runs_here\":false,", (await Run("check", Recipe("train: {rank: none}\ndeploy: {port: 0}"), "--json")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_beginning_of_a_file_does_not_tell_is_left_to_clean_and_the_rest_is_found()
    {
        Pictures("pictures", [.. Enumerable.Repeat((80, 80), 9)]);
        byte[] jpeg = [0xFF, 0xD8, .. Enumerable.Repeat((byte[])[0xFF, 0xE2, 0xFF, 0xFF, .. new byte[65_533]], 2).SelectMany(b => b)]; // behind a large profile
        File.WriteAllBytes(folder.File("pictures/large.jpg"), jpeg);
        Tiff("scan.tif", 70 << 20, 200);
        var (_, text, _) = await Run("check", Recipe("deploy: {port: 0}"));
        Assert.Contains("note LR205 label.folder: 11 pictures", text, StringComparison.Ordinal);
        Assert.DoesNotContain("LR207", text, StringComparison.Ordinal);

        Tiff("scan.tif", 70 << 20, 40);
        Assert.Contains("1 of 11 pictures will be dropped: too-small 1 ", (await Run("check", Recipe("deploy: {port: 0}"))).Output, StringComparison.Ordinal);

        void Tiff(string name, int directory, byte side)
        {
            using var file = File.Create(Path.Combine(folder.File("pictures"), name));
            file.Write([(byte)'I', (byte)'I', 42, 0, .. BitConverter.GetBytes(directory)]);
            file.Position = directory; // what lies before takes no room on the disk
            file.Write([2, 0, 0, 1, 4, 0, 1, 0, 0, 0, side, 0, 0, 0, 1, 1, 4, 0, 1, 0, 0, 0, side, 0, 0, 0, 0, 0, 0, 0]);
        }
    }

    [Fact]
    public async Task A_picture_that_cannot_be_read_is_named_by_check_and_run_alike_and_repeats_are_said()
    {
        Pictures("pictures", [.. Enumerable.Repeat((80, 80), 9)]);
        Pictures("pictures/500_flowers", [(80, 80)]);
        File.CreateSymbolicLink(folder.File("pictures/gone.png"), folder.File("nowhere.png")); // root reads whatever its mode is
        var recipe = Recipe("deploy: {port: 0}");
        var (code, text, _) = await Run("check", recipe);
        Assert.Equal(0, code);
        var line = Assert.Single(text.Split('\n'), l => l.StartsWith($"warning LR210 label.folder: {folder.File("pictures/gone.png")} cannot be read: ", StringComparison.Ordinal));
        Assert.Contains("Make it readable or take it out of the folder.", line, StringComparison.Ordinal);
        Assert.DoesNotContain("LR207", text, StringComparison.Ordinal);
        Assert.Contains("note LR211 label.folder: folder 500_flowers: 1 pictures, each seen 500 times as often as one of a plain folder, captioned \"flowers\" where no caption lies beside them (0).", text, StringComparison.Ordinal);
        var (ran, _, error) = await Run("run", recipe, "--runs-dir", folder.File("runs"));
        Assert.Equal(2, ran);
        Assert.Contains(line[14..line.LastIndexOf(" r.yaml:", StringComparison.Ordinal)].TrimEnd('.'), error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_base_that_is_there_but_no_base_is_said_and_so_is_a_half_loaded_one()
    {
        var assets = Path.Combine(TestData.Root, "assets");
        var half = Directory.CreateDirectory(folder.File("half")).FullName;
        foreach (var part in (string[])["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
            Directory.CreateSymbolicLink(Path.Combine(half, part), Path.Combine(assets, "pocket-sd", part));
        File.Copy(Path.Combine(assets, "pocket-sd", "model_index.json"), Path.Combine(half, "model_index.json"));
        Pictures("pictures", [.. Enumerable.Repeat((80, 80), 9)]);
        async Task<string> Check(string model, string clip = "pocket-clip") => (await Run("check", Recipe($"base: {{model: {model}, clip: {clip}}}\ndeploy: {{port: 0}}"))).Output;

        Assert.DoesNotContain("LR201", await Check(half), StringComparison.Ordinal);
        Directory.Delete(Path.Combine(half, "vae"));
        Directory.CreateDirectory(Path.Combine(half, "vae"));
        File.Copy(Path.Combine(assets, "pocket-sd", "vae", "config.json"), Path.Combine(half, "vae", "config.json"));
        Assert.Contains("holds no weights", await Check(half), StringComparison.Ordinal);
        Assert.Contains("it has no model_index.json", await Check(Path.Combine(assets, "pocket-clip")), StringComparison.Ordinal);
        Assert.Contains("LR202 base.clip:", await Check("pocket-sd", half), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_of_another_kind_is_no_clip_and_is_named_with_its_path()
    {
        var captioner = Path.Combine(TestData.Root, "assets", "pocket-captioner");
        Pictures("pictures", [.. Enumerable.Repeat((80, 80), 9)]);
        var recipe = Recipe($"base: {{clip: {captioner}}}\ndeploy: {{port: 0}}");
        Assert.Contains($"warning LR202 base.clip: {captioner} is a blip model, not CLIP; name a full CLIP", (await Run("check", recipe)).Output, StringComparison.Ordinal);
        var untyped = Directory.CreateDirectory(folder.File("untyped")).FullName;
        foreach (var (config, found) in ((string, string)[])[("{\"architectures\": [\"SiglipModel\"]}", "is a SiglipModel model, not CLIP"), ("{\"architectures\": [\"CLIPModel\"]}", "untyped"), ("{}", "untyped")])
        {
            File.WriteAllText(Path.Combine(untyped, "config.json"), config);
            var line = Assert.Single((await Run("check", recipe, "--set", $"base.clip={untyped}")).Output.Split('\n'), l => l.StartsWith("warning LR202 ", StringComparison.Ordinal));
            Assert.Equal((true, found != "untyped"), (line.Contains(found, StringComparison.Ordinal), line.Contains("not CLIP", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task The_recipe_of_the_demo_would_stop_where_nothing_plays_its_web()
    {
        var demo = Path.Combine(TestData.Root, "recipes", "demo.yaml");
        var (code, text, _) = await Run("check", demo, "--set", $"deploy.store={folder.File("store")}", "--set", "deploy.port=0");
        Assert.Equal(0, code);
        Assert.Contains("warning LR214 seed.urls: a web that is there only while the demo plays it (drawings.test is a name that no server knows): use lora demo, or say in crawl.resolve where it is.", text, StringComparison.Ordinal);
        Assert.EndsWith("the recipe is valid, but a run would stop on this machine: 1 finding above (LR214)\n", text, StringComparison.Ordinal);
        var (_, somewhere, _) = await Run("check", demo, "--set", "seed.urls=[\"http://drawings.test/\", \"not a url\"]");
        Assert.DoesNotContain("LR214", somewhere, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(7, true)]
    [InlineData(8, false)]
    [InlineData(0, false)] // made from the captions
    public async Task Too_few_prompts_are_a_warning(int prompts, bool warned)
    {
        Pictures("pictures", [.. Enumerable.Repeat((80, 80), 9)]);
        var (code, text, _) = await Run("check", Recipe($"deploy: {{port: 0}}\nevaluate:\n  prompts: [{string.Join(", ", Enumerable.Range(0, prompts).Select(i => $"\"thing {i}\""))}]"));
        Assert.Equal((0, warned), (code, text.Contains("warning LR153 evaluate.prompts: ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(0, "somebody/clip", 2)] // one picture's and the trigger alone
    [InlineData(6, "somebody/clip", 8)]
    [InlineData(0, "pocket-clip", 9)] // the captioner describes them
    public async Task Too_few_different_captions_are_a_warning_where_they_become_the_prompts(int captions, string clip, int prompts)
    {
        Pictures("pictures", [.. Enumerable.Repeat((80, 80), 9)]);
        for (var i = 1; i <= captions; i++) File.WriteAllText(folder.File($"pictures/p{i}.txt"), $"thing {i}");
        var recipe = Recipe($"base: {{clip: {clip}}}\ndeploy: {{port: 0}}");
        var (_, text, _) = await Run("check", recipe);
        Assert.Equal(prompts < 8, text.Contains("warning LR212 evaluate.prompts: none are named, and the captions that would be drawn instead make 2: 2 prompts are too few", StringComparison.Ordinal));
        Assert.Equal(prompts < 8, text.Contains("LR212", StringComparison.Ordinal));
        Assert.DoesNotContain("LR212", (await Run("check", recipe, "--set", "evaluate.prompts=[a, b, c, d, e, f, g, h]")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_model_is_said_with_where_it_was_looked_for_and_how_to_get_one()
    {
        var message = Assert.Throws<LoraFactory.Models.ModelException>(() => ModelLocator.Find("somebody/something")).Message;
        Assert.All(HuggingFaceCache.FromEnvironment().Folders, f => Assert.Contains(f, message, StringComparison.Ordinal));
        Assert.Contains("hf download somebody/something", message, StringComparison.Ordinal);
        Assert.Contains("lora pretrain sd", message, StringComparison.Ordinal);
        Assert.DoesNotContain("hf download", Assert.Throws<LoraFactory.Models.ModelException>(() => ModelLocator.Find("./no/such.safetensors")).Message, StringComparison.Ordinal);
    }

    private string Recipe(string rest)
    {
        var path = folder.File("r.yaml");
        File.WriteAllText(path, $"name: r\nclean: {{min_side: 64}}\nlabel:\n  source: folder\n  folder: {folder.File("pictures")}\n  trigger: x\n{rest}\n");
        return path;
    }

    private void Pictures(string name, (int Width, int Height)[] sizes)
    {
        var at = Directory.CreateDirectory(folder.File(name)).FullName;
        for (var i = 0; i < sizes.Length; i++) File.WriteAllBytes(Path.Combine(at, $"p{i}.png"), PictureWriter.Png(Picture.Filled(sizes[i].Width, sizes[i].Height, (byte)i, 9, 9)));
        File.WriteAllText(Path.Combine(at, "p0.txt"), "a caption");
    }

    private static async Task<(int Code, string Output, string Error)> Run(params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var code = await CommandLine.RunAsync(args, output, error, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }
}
