using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Tests.Stages.Deploy;

public sealed class ModelCardTests
{
    [Fact]
    public void A_licence_that_nobody_chose_is_not_claimed()
    {
        var card = Card(new DeployOptions(), null, null, "CC-BY-4.0");
        Assert.Contains("\nlicense: \"unknown\"\n", card, StringComparison.Ordinal);
        Assert.Contains("\n- 2: licence not stated\n- 1 under CC-BY-4.0\n", card, StringComparison.Ordinal);
        Assert.Contains("No licence is stated for the adapter: `deploy.licence` was not set", card, StringComparison.Ordinal);
        Assert.DoesNotContain("cc0", card, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_chosen_licence_stands_beside_what_the_pictures_say()
    {
        var card = Card(new DeployOptions { Licence = "CC-BY-NC-4.0" }, null, "CC0-1.0", "CC0-1.0");
        Assert.Contains("\nlicense: \"cc-by-nc-4.0\"\n", card, StringComparison.Ordinal);
        Assert.Contains("\n- 2 under CC0-1.0\n- 1: licence not stated\n", card, StringComparison.Ordinal);
        Assert.Contains("under CC-BY-NC-4.0, as its maker chose (`deploy.licence`). 1 of 3 pictures state no licence", card, StringComparison.Ordinal);
        Assert.DoesNotContain("cannot be told", Card(new DeployOptions { Licence = "MIT" }, "CC0-1.0"), StringComparison.Ordinal);
    }

    [Fact]
    public void The_step_that_the_file_holds_is_named_beside_the_steps_taken()
    {
        Assert.Contains("held out), step 7 of 9 (best validation loss), final loss", Card(new DeployOptions()), StringComparison.Ordinal);
        var before = JsonSerializer.Deserialize<Adapter>("""{"id": "a", "plan_id": "p", "path": "x", "sha256": "s", "steps": 9, "final_loss": 1, "validation_loss": 1, "seconds": 1, "peak_memory_mib": 1}""", RunDirectory.Json)!;
        Assert.Equal("9 steps", before.Trained.ToString()); // adapter.json of a run from before
    }

    [Fact]
    public void A_run_on_a_folder_without_a_topic_says_how_many_pictures()
    {
        Assert.Contains("trained on 3 pictures of a folder.\n", Card(new Recipe { Label = new() { Source = "folder" } }), StringComparison.Ordinal);
        Assert.Contains("trained on \"kittens\". Write **k**", Card(new Recipe { Label = new() { Source = "folder", Trigger = "k" }, Seed = new() { Topic = "kittens" } }), StringComparison.Ordinal);
    }

    [Fact]
    public void Variants_are_no_pictures()
    {
        var sample = new Sample { Id = "1", RecordId = "r0", BlobHash = "b", Caption = "c", CaptionSource = "alt", Split = Split.Train, Cluster = 0, EmbeddingRow = 0, Width = 1, Height = 1 };
        Sample Variant(string id, string operation) => sample with { Id = id, Variant = new("1", operation, new Dictionary<string, string>(), null) };
        var recipe = new Recipe { Label = new() { Source = "folder" } };
        var card = Card(recipe, [sample, Variant("2", "flip"), Variant("3", "crop")], null, null);
        Assert.Contains("trained on 1 picture of a folder.\n", card, StringComparison.Ordinal);
        Assert.Contains("1 pictures and what was made of them: 1 crop, 1 flip (0 held out)", card, StringComparison.Ordinal);
        Assert.Contains("Captions come from: alt 1.", card, StringComparison.Ordinal);
    }

    private static string Card(DeployOptions deploy, params string?[] licences) => Card(new Recipe { Deploy = deploy }, licences);

    private static string Card(Recipe recipe, params string?[] licences) => Card(recipe, [], licences);

    private static string Card(Recipe recipe, IReadOnlyList<Sample> samples, params string?[] licences)
    {
        var records = licences.Select((l, i) => new LoraFactory.Flow.Record { Id = $"r{i}", PageId = "", PageUrl = "", PictureUrl = $"{i}.png", BlobHash = "b", Width = 1, Height = 1, Licence = l }).ToList();
        var plan = new TrainPlan { Id = "p", Train = new(), BasePath = "/b", BaseHash = "h", Values = [], EstimatedMemoryMiB = 1, TrainSampleIds = ["1", "2", "3"], ValidationSampleIds = [] };
        var adapter = new Adapter { Id = "a", PlanId = "p", Path = "x", Sha256 = "s", Steps = 9, BestStep = 7, FinalLoss = 1, ValidationLoss = 1, Seconds = 1, PeakMemoryMiB = 1 };
        return ModelCard.Of(recipe, plan, adapter, new Report("i", "a", true, "Passed.", []), samples, records);
    }
}
