using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Stages;
using Xunit;

namespace LoraFactory.Tests.Stages;

/// <summary>What lora run --continue makes of a decision: other numbers, prompts and words to look for, a larger crawl, and a trace of it.</summary>
public sealed class RetrainingTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private static readonly Recipe Crawling = new() { RandomSeed = 40, Seed = new() { Topic = "ink", Urls = ["http://ink.example/"] }, Evaluate = new() { Prompts = ["a tree"] } };

    private readonly TemporaryFolder folder = new();
    private readonly RunDirectory run;

    public RetrainingTests() => run = new RunDirectory(folder.File("style"));

    public void Dispose() => folder.Dispose();

    private void Decide(object decision) => File.WriteAllText(run.File(StageName.Feedback, "decision.json"), JsonSerializer.Serialize(decision));

    private void Low(int? version = 2, params string[] prompts) => Decide(new { adapter = "style", retrain = true, from = "crawl", version, why = "the mean is low", worst_prompts = prompts });

    private void Ran(StageName stage, DateTimeOffset at) => RunDirectory.WriteJson(run.File(stage, StageRecord.FileName), new StageRecord
    {
        Stage = stage, Hash = "h", Version = "v", Runtime = "r", Started = at, Finished = at, Seconds = 0, Attempts = 1, In = 0, Out = 0, Dropped = new Dictionary<string, int>(), Summary = "", Inputs = [], Outputs = [],
    });

    private static RecipeReading Reading(Recipe recipe) => new(recipe, [], new Dictionary<string, string> { ["random_seed"] = "recipe.yaml:2" });

    [Fact]
    public void A_new_version_begins_with_other_numbers_looks_for_what_was_rated_worst_and_is_judged_on_it()
    {
        Low(2, "a pink  cat <lora:style:0.8>", "two keys", "<lora:style:1>", "a pink cat");
        var continuation = Retraining.Begin(run, Crawling, Now)!;
        Assert.Equal((2, 1, StageName.Crawl, 2), (continuation.Parent, continuation.Round, continuation.From, continuation.SeedOffset));
        Assert.Equal(["a pink cat", "two keys"], continuation.Prompts);
        var (recipe, origins) = continuation.Applied(Reading(Crawling)) is var applied ? (applied.Recipe, applied.Origins) : default;
        Assert.Equal(42, recipe.RandomSeed);
        Assert.Equal(["a tree"], recipe.Evaluate.Prompts);
        Assert.Equal(["a pink cat", "two keys"], recipe.Evaluate.Also);
        Assert.Equal(["a pink cat", "two keys"], recipe.Seed.Also);
        Assert.Equal((750, 300, 3000), (recipe.Crawl.MaxPages, recipe.Crawl.MaxPagesPerHost, recipe.Crawl.MaxPictures));
        Assert.All(new[] { "random_seed", "seed.also", "crawl.max_pages" }, key => Assert.Contains(continuation.Decision, origins[key], StringComparison.Ordinal));
        Assert.Equal(Crawling.Train, recipe.Train);
    }

    [Fact]
    public void A_decision_waits_for_what_the_run_is_doing()
    {
        Low();
        using (RunLock.Take(run)) Assert.Contains("being worked on", Assert.Throws<LoraException>(() => Retraining.Begin(run, Crawling, Now)).Message);
        Assert.Null(Retraining.Of(run));
        Assert.NotNull(Retraining.Begin(run, Crawling, Now));
    }

    [Fact]
    public void A_folder_of_own_pictures_is_trained_on_again_with_other_numbers_and_prompts()
    {
        Low(1, "a pink cat");
        var own = Crawling with { Label = new() { Source = "folder", Folder = folder.Path } };
        var recipe = Retraining.Begin(run, own, Now)!.Applied(Reading(own)).Recipe;
        Assert.Equal((41, own.Seed, own.Crawl), (recipe.RandomSeed, recipe.Seed, recipe.Crawl));
        Assert.Equal(["a pink cat"], recipe.Evaluate.Also);
    }

    [Fact]
    public void The_same_decision_is_carried_out_once_and_the_next_one_goes_further()
    {
        Low(1, "a cat");
        var first = Retraining.Begin(run, Crawling, Now)!;
        var again = Retraining.Begin(run, Crawling, Now.AddDays(1))!;
        Assert.Equal((first.Decision, first.At, 1), (again.Decision, again.At, again.Round));
        Low(1, "a dog"); // version 1 is still the champion
        var second = Retraining.Begin(run, Crawling, Now.AddDays(2))!;
        Assert.Equal((2, 2), (second.Round, second.SeedOffset));
        Assert.Equal(42, second.Applied(Reading(Crawling)).Recipe.RandomSeed);
        Assert.Equal(1000, second.Applied(Reading(Crawling)).Recipe.Crawl.MaxPages);
        Low(null, "a dog");
        Assert.Equal((3, null), (Retraining.Begin(run, Crawling, Now)!.SeedOffset, Retraining.Of(run)!.Parent));
    }

    [Fact]
    public void It_begins_at_its_stage_unless_that_has_run_since_and_marks_what_was_made_by_it()
    {
        Assert.Null(Retraining.Pending(run));
        Ran(StageName.Crawl, Now.AddHours(-1));
        Ran(StageName.Train, Now.AddHours(-1));
        Low(1);
        Retraining.Begin(run, Crawling, Now);
        Assert.Equal(StageName.Crawl, Retraining.Pending(run));
        Assert.Null(Retraining.Behind(run, StageName.Train));
        Ran(StageName.Crawl, Now.AddSeconds(1));
        Assert.Null(Retraining.Pending(run));
        Assert.Equal(1, Retraining.Behind(run, StageName.Crawl)!.Parent);
        Assert.Null(Retraining.Behind(run, StageName.Train));
    }

    [Fact]
    public void A_web_that_only_the_demo_plays_is_refused_before_anything_is_cleared()
    {
        Low(1);
        var demo = Crawling with { Seed = Crawling.Seed with { Urls = ["http://drawings.test/", "http://notes.test/x"] } };
        var e = Assert.Throws<LoraException>(() => Retraining.Begin(run, demo, Now));
        Assert.Equal(ExitCode.BadUsage, e.Code);
        Assert.Contains("lora demo --continue", e.Message, StringComparison.Ordinal);
        Assert.Null(Retraining.Of(run));
        Assert.NotNull(Retraining.Begin(run, demo with { Crawl = new() { Resolve = ["drawings.test=127.0.0.1:80", "notes.test=127.0.0.1:80"] } }, Now));
        Assert.Contains("lora demo --continue", Assert.Throws<LoraException>(() => Retraining.Begin(run, demo, Now)).Message, StringComparison.Ordinal); // what the demo began, too
    }

    [Fact]
    public void A_no_changes_nothing()
    {
        Decide(new { retrain = false, why = "fine" });
        Assert.Null(Retraining.Begin(run, Crawling, Now));
        Assert.Null(Retraining.Of(run));
    }

    [Fact]
    public void Lineage_names_the_decision_and_the_version_that_was_rated()
    {
        Low(3, "a cat");
        RunDirectory.WriteJson(run.File(StageName.Crawl, "seed.json"), new Seed("seed01", "ink", [], []));
        RunDirectory.WriteJson(run.File(StageName.Train, "adapter.json"), new Adapter { Id = "adapter01", PlanId = "plan01", Path = "x", Sha256 = "s", Steps = 1, FinalLoss = 1, ValidationLoss = 1, Seconds = 1, PeakMemoryMiB = 1 });
        var decision = Retraining.Begin(run, Crawling, Now)!.Decision;
        Ran(StageName.Train, Now.AddHours(-1));
        Assert.DoesNotContain(new Lineage(run).Back("adapter01"), n => n.Kind == "decision");
        Ran(StageName.Train, Now.AddHours(1));
        var node = new Lineage(run).Back("adapter01").Single(n => n.Kind == "decision");
        Assert.Equal((decision, "train style version 3 again: the mean is low, decided 2026-01-02 03:04:05Z"), (node.Id, node.What));
        Ran(StageName.Crawl, Now.AddHours(1));
        Assert.Equal([decision], new Lineage(run).Nodes["seed01"].Parents);
    }
}
