using LoraFactory.Cli;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Feedback;
using Xunit;

namespace LoraFactory.Tests.Stages.Feedback;

/// <summary>Ratings are kept, the seed rule decides, and lora run --continue reads what lora feedback wrote.</summary>
public sealed class FeedbackTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static List<Rating> Ratings(params double[] values) => [.. values.Select((v, i) => new Rating($"g{i}", v, "", "style", 1, $"prompt {v}", DateTimeOffset.UnixEpoch))];

    [Theory]
    [InlineData(0.69, 20, true)]
    [InlineData(0.7, 20, false)]
    [InlineData(0.2, 19, false)]
    public void Low_means_of_enough_ratings_call_for_training(double value, int count, bool expected)
    {
        var decision = RetrainDecision.Of("style", Ratings([.. Enumerable.Repeat(value, count)]), new FeedbackOptions(), DateTimeOffset.UnixEpoch);
        Assert.Equal((expected, count, expected ? StageName.Crawl : (StageName?)null), (decision.Retrain, decision.Count, decision.From));
    }

    [Fact]
    public void Intervals_are_students_and_the_worst_prompts_come_first()
    {
        var decision = RetrainDecision.Of("style", Ratings(0.2, 0.4, 0.6, 0.8), new FeedbackOptions(), DateTimeOffset.UnixEpoch);
        Assert.Equal(0.5, decision.Mean, 9);
        Assert.Equal(0.5 - 3.182446 * 0.2581989 / 2, decision.Low, 5); // t(3, 0.975) · s / √n
        Assert.Equal(["prompt 0.2", "prompt 0.4", "prompt 0.6"], decision.WorstPrompts); // 0.8 is well rated
        List<Rating> mixed = [.. Ratings(0.1), .. Ratings(0.9).Select(r => r with { Prompt = "prompt 0.1" }), .. Ratings(0.5)];
        Assert.Equal(["prompt 0.1", "prompt 0.5"], RetrainDecision.Of("style", mixed, new FeedbackOptions { MinMean = 0.55 }, DateTimeOffset.UnixEpoch).WorstPrompts);
        Assert.True(double.IsNaN(RetrainDecision.Interval([0.5]).Low) && double.IsNaN(RetrainDecision.Interval([]).Mean));
    }

    [Fact]
    public void A_rating_belongs_to_a_picture_and_the_last_one_counts()
    {
        using var store = new FeedbackStore(folder.File("feedback.db"));
        store.AddGeneration("a", "style", 1, "a cat", DateTimeOffset.UnixEpoch);
        store.AddGeneration("b", "style", 2, "a dog", DateTimeOffset.UnixEpoch);
        Assert.False(store.Rate("unknown", 1, "", DateTimeOffset.UnixEpoch));
        foreach (var bad in new[] { -0.1, 2, double.NaN }) Assert.Contains("valid: 0 to 1", Assert.Throws<LoraException>(() => store.Rate("a", bad, "", DateTimeOffset.UnixEpoch)).Message);
        Assert.True(store.Rate("a", 0.1, "meh", DateTimeOffset.UnixEpoch));
        Assert.True(store.Rate("b", 0.5, "", DateTimeOffset.UnixEpoch));
        Assert.True(store.Rate("a", 0.9, "it's fine", DateTimeOffset.UnixEpoch));
        using var again = new FeedbackStore(folder.File("feedback.db"));
        Assert.Equal([("a", 0.9, "it's fine", 1), ("b", 0.5, "", 2)], again.Latest("style", 10).Select(r => (r.Generation, r.Value, r.Comment, r.Version)));
        Assert.Equal("b", Assert.Single(again.Latest("style", 10, 2)).Generation);
        Assert.Empty(again.Latest("other", 10));
        File.WriteAllText(folder.File("text.db"), new string('x', 5000));
        Assert.Contains("cannot be opened", Assert.Throws<LoraException>(() => new FeedbackStore(folder.File("text.db"))).Message);
    }

    private async Task<(int Code, string Out, string Error)> Lora(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        string[] all = [args[0], folder.File("style.yaml"), "--set", $"deploy.store={folder.File("store")}", "--runs-dir", folder.File("runs"), .. args[1..]];
        var code = await CommandLine.RunAsync(all, output, error, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }

    [Fact]
    public async Task Without_ratings_the_command_says_how_to_get_them_and_makes_nothing()
    {
        File.WriteAllText(folder.File("style.yaml"), "name: style\nseed:\n  topic: ink\n  urls: [http://a.test/]\n");
        foreach (var json in new[] { false, true })
        {
            var (code, text, error) = await Lora(json ? ["feedback", "--json"] : ["feedback"]);
            Assert.True(code == 0, error);
            if (json) Assert.Equal(0, System.Text.Json.JsonDocument.Parse(text).RootElement.GetProperty("count").GetInt32());
            else Assert.Contains($"there are no ratings of style yet. Serve it with lora serve {folder.File("style.yaml")}", text);
            Assert.Equal(["style.yaml"], Directory.EnumerateFileSystemEntries(folder.Path).Select(f => Path.GetFileName(f)));
        }
    }

    [Fact]
    public async Task The_store_lies_among_the_runs_unless_another_is_named()
    {
        File.WriteAllText(folder.File("style.yaml"), "name: style\nseed:\n  topic: ink\n  urls: [http://a.test/]\n");
        using (var store = new FeedbackStore(FeedbackStore.PathIn(folder.File("runs/store")))) Rate(store, 1, 0.25);
        using (var store = new FeedbackStore(FeedbackStore.PathIn(folder.File("other")))) Rate(store, 1, 0.75);
        string[] call = ["feedback", folder.File("style.yaml"), "--runs-dir", folder.File("runs")];
        async Task<string> Say(params string[] more)
        {
            using var output = new StringWriter();
            Assert.Equal(0, await CommandLine.RunAsync([.. call, .. more], output, output, TestContext.Current.CancellationToken));
            return output.ToString();
        }

        Assert.Contains("1 rating, 0.25", await Say());
        Assert.Contains("1 rating, 0.75", await Say("--set", $"deploy.store={folder.File("other")}"));
    }

    [Fact]
    public async Task One_rating_has_no_interval()
    {
        File.WriteAllText(folder.File("style.yaml"), "name: style\nseed:\n  topic: ink\n  urls: [http://a.test/]\n");
        using (var store = new FeedbackStore(FeedbackStore.PathIn(folder.File("store")))) Rate(store, 1, 0.25);
        var (code, text, error) = await Lora("feedback");
        Assert.True(code == 0, error);
        Assert.Contains("1 rating, 0.25; one rating has no interval", text);
        Assert.DoesNotContain("?", text);
    }

    [Fact]
    public async Task Of_a_web_that_only_the_demo_plays_the_next_step_is_the_demo()
    {
        File.WriteAllText(folder.File("style.yaml"), "name: style\nseed:\n  topic: ink\n  urls: [http://a.test/]\nfeedback: {min_count: 1}\n");
        using var store = new FeedbackStore(FeedbackStore.PathIn(folder.File("store")));
        Rate(store, 1, 0.1);
        Rate(store, 2, 0.1);
        var (_, said, _) = await Lora("feedback");
        Assert.EndsWith(". Next: lora demo --continue\n", said.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        var run = new RunDirectory(folder.File("runs/style"));
        var played = RecipeReader.Read(folder.File("style.yaml"), ["crawl.resolve=[\"a.test=127.0.0.1:80\"]"], new Dictionary<string, string>()).OrThrow();
        Assert.NotNull(Retraining.Begin(run, played, DateTimeOffset.UtcNow)); // as lora demo --continue does
        Assert.Contains("lora demo goes on where it stopped", (await Lora("feedback")).Out, StringComparison.Ordinal);
        foreach (var more in (string[][])[["run"], ["run", "--continue"], ["crawl"]])
        {
            var (code, _, error) = await Lora(more);
            Assert.Equal((2, true), (code, error.Contains("seed.urls: a web that is there only while the demo plays it (a.test is a name that no server knows): use lora demo", StringComparison.Ordinal)));
        }
        Assert.False(Directory.Exists(folder.File("runs/style/1-crawl")));
    }

    [Fact]
    public async Task Asked_again_without_new_ratings_a_decision_begins_no_further_round()
    {
        File.WriteAllText(folder.File("style.yaml"), "name: style\nseed:\n  topic: ink\n  urls: [http://a.test/]\ncrawl: {resolve: [\"a.test=127.0.0.1:80\"]}\nfeedback: {min_count: 3}\n");
        var (run, recipe) = (new RunDirectory(folder.File("runs/style")), RecipeReader.Read(folder.File("style.yaml"), environment: new Dictionary<string, string>()).OrThrow());
        using var store = new FeedbackStore(FeedbackStore.PathIn(folder.File("store")));
        for (var i = 0; i < 3; i++) Rate(store, i, 0.4);
        async Task<(string Said, Continuation Begun)> Asked(params string[] more)
        {
            var (code, text, error) = await Lora(["feedback", .. more]);
            Assert.True(code == 0, error);
            return (text, Retraining.Begin(run, recipe, DateTimeOffset.UtcNow)!);
        }
        var (said, first) = await Asked();
        Assert.Contains("Next: lora run", said);
        foreach (var more in (string[][])[[], ["--set", "feedback.window=50"], ["--set", "feedback.min_mean=0.9"]])
        {
            var (repeated, again) = await Asked(more); // the new version ended as a candidate: the same champion, the same ratings
            Assert.Equal((first.Decision, first.At, 1), (again.Decision, again.At, again.Round));
            Assert.Contains("a further round needs new ratings", repeated);
        }
        Assert.Equal(1, (await Asked("--set", "feedback.min_count=2")).Begun.Round);
        Rate(store, 0, 0.4); // thought over again, and as low
        Assert.Equal(2, (await Asked()).Begun.Round);
        Rate(store, 3, 0.4);
        Assert.Equal(3, (await Asked()).Begun.Round);

        // a decision from before it held its id is known by its bytes
        var decision = run.File(StageName.Feedback, "decision.json");
        var old = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(decision))!.AsObject();
        Assert.True(old.Remove("id"));
        File.WriteAllText(decision, old.ToJsonString());
        Assert.Null(RunDirectory.ReadJson<RetrainDecision>(decision).Id);
        Assert.Equal((4, ContentId.OfFile(decision)[..16]), (Retraining.Begin(run, recipe, DateTimeOffset.UtcNow)!.Round, Retraining.Of(run)!.Decision));
        Assert.Equal(4, Retraining.Begin(run, recipe, DateTimeOffset.UtcNow)!.Round);
    }

    [Fact]
    public async Task The_command_writes_what_continue_reads()
    {
        File.WriteAllText(folder.File("style.yaml"), "name: style\nseed:\n  topic: ink\n  urls: [http://a.test/]\n");
        var run = new RunDirectory(folder.File("runs/style"));
        Assert.Contains("Run lora feedback first", Assert.Throws<LoraException>(() => Retraining.Wanted(run)).Message);
        using (var store = new FeedbackStore(FeedbackStore.PathIn(folder.File("store"))))
        {
            for (var i = 0; i < 19; i++) Rate(store, i, 0.4);
            var (code, text, error) = await Lora("feedback");
            Assert.True(code == 0, error);
            Assert.Contains("only 19 ratings", text);
            Assert.Null(Retraining.Wanted(run));
            var (done, _, why) = await Lora("run", "--continue");
            Assert.Equal(0, done);
            Assert.Contains("decided not to train again: only 19 ratings", why);
            Rate(store, 19, 0.4);
        }
        var (_, low, _) = await Lora("feedback");
        Assert.Contains("mean 0.40, 95 % interval 0.40 to 0.40  (decides)", low);
        Assert.Contains("train again", low);
        Assert.Equal(StageName.Crawl, Retraining.Wanted(run));
        Assert.Equal(20, RunDirectory.ReadLines<Rating>(run.File(StageName.Feedback, "ratings.jsonl")).Count());
        foreach (var bad in new[] { "[]", "{", "{\"retrain\": 1}", "{\"retrain\": true, \"from\": 99}", "{\"retrain\": true, \"from\": \"99\"}" })
        {
            File.WriteAllText(run.File(StageName.Feedback, "decision.json"), bad);
            Assert.Contains("Run lora feedback again", Assert.Throws<LoraException>(() => Retraining.Wanted(run)).Message);
        }
    }

    private int rated;

    private void Rate(FeedbackStore store, int i, double value)
    {
        store.AddGeneration($"g{i}", "style", 1, "a cat", DateTimeOffset.UnixEpoch);
        store.Rate($"g{i}", value, "", DateTimeOffset.UnixEpoch.AddSeconds(rated++));
    }
}
