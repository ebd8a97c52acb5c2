using LoraFactory.Cli;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Deploy;
using Xunit;
using Record = LoraFactory.Flow.Record;

namespace LoraFactory.Tests.Stages;

/// <summary>From an endpoint back to web pages, through the files that the stages write.</summary>
public sealed class LineageTests : IDisposable
{
    private readonly string folder = TestData.NewFolder();
    private readonly RunDirectory run;

    public LineageTests()
    {
        run = new RunDirectory(Path.Combine(folder, "run"));
        RunDirectory.WriteJson(run.File(StageName.Crawl, "seed.json"), new Seed("seed01", "blueprints", [], ["http://a.test/"]));
        RunDirectory.WriteLines(run.File(StageName.Crawl, "pages.jsonl"), Enumerable.Range(1, 3).Select(i => new Page
        {
            Id = $"page0{i}", SeedId = "seed01", Url = $"http://a.test/{i}", FinalUrl = $"http://a.test/{i}", Status = 200, FetchedAt = DateTimeOffset.UnixEpoch,
            Headers = new Dictionary<string, string>(), BlobHash = "b", MediaType = "text/html", Depth = 0, Licence = "CC0",
        }));
        RunDirectory.WriteLines(run.File(StageName.Clean, "records.jsonl"), Enumerable.Range(1, 3).Select(i => new Record
        {
            Id = $"record0{i}", PageId = $"page0{i}", PageUrl = $"http://a.test/{i}", PictureUrl = $"http://a.test/{i}.png", BlobHash = "b", Width = 64, Height = 64,
        }));
        RunDirectory.WriteLines(run.File(StageName.Label, "samples.jsonl"), Enumerable.Range(1, 3).Select(i => new Sample
        {
            Id = $"sample0{i}", RecordId = $"record0{i}", BlobHash = "b", Caption = "a blueprint", CaptionSource = "alt", Split = Split.Train, Cluster = i, EmbeddingRow = i, Width = 64, Height = 64,
        }));
        PlanFile.Write(run.File(StageName.Configure, "plan.yaml"), new TrainPlan
        {
            Id = "plan01", Train = new TrainOptions { Rank = 4, Steps = 9 }, BasePath = "x", BaseHash = "h", Values = [], EstimatedMemoryMiB = 1,
            TrainSampleIds = ["sample01"], ValidationSampleIds = ["sample02"],
        });
        RunDirectory.WriteJson(run.File(StageName.Train, "adapter.json"), new Adapter
        {
            Id = "adapter01", PlanId = "plan01", Path = "5-train/adapter.safetensors", Sha256 = "s", Steps = 9, BestStep = 6, FinalLoss = 1, ValidationLoss = 1, Seconds = 1, PeakMemoryMiB = 1,
        });
        RunDirectory.WriteJson(run.File(StageName.Evaluate, "report.json"), new Report("report01", "adapter01", true, "learnt", []));
        RunDirectory.WriteJson(run.File(StageName.Deploy, "endpoint.json"), new Endpoint("endpoint01", "report01", "blueprint", 1, "champion", "c", "b"));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void An_endpoint_traces_back_to_the_pages_that_its_samples_came_from_and_no_others()
    {
        var chain = new Lineage(run).Back();
        Assert.Equal(["endpoint01", "report01", "adapter01", "plan01", "sample01", "sample02", "record01", "record02", "page01", "page02", "seed01"], chain.Select(n => n.Id));
        Assert.Contains("  step 6 of 9 (best validation loss), sha256 s", chain.Single(n => n.Id == "adapter01").What);
        Assert.Contains("licence CC0", chain.Single(n => n.Id == "page01").What);
    }

    [Fact]
    public void A_variant_traces_back_to_the_sample_that_it_was_made_of()
    {
        var path = run.File(StageName.Label, "samples.jsonl");
        var samples = RunDirectory.ReadLines<Sample>(path).ToList();
        RunDirectory.WriteLines(path, [.. samples, samples[1] with { Id = "crop02", Variant = new("sample02", "crop", new Dictionary<string, string> { ["scale"] = "0.9" }, "variants/crop02.png") }]);
        var chain = new Lineage(run).Back("crop02");
        Assert.Equal(["crop02", "sample02", "record02", "page02", "seed01"], chain.Select(n => n.Id));
        Assert.Contains("train, crop scale 0.9", chain[0].What, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_noun_can_be_asked_for_also_by_the_start_of_its_id()
    {
        Assert.Equal(["sample03", "record03", "page03", "seed01"], new Lineage(run).Back("sample03").Select(n => n.Id));
        Assert.Equal(["adapter01", "plan01"], new Lineage(run).Back("adap").Select(n => n.Id).Take(2));
        Assert.Contains("several", Assert.Throws<LoraException>(() => new Lineage(run).Back("page")).Message);
        Assert.Contains("knows no id", Assert.Throws<LoraException>(() => new Lineage(run).Back("nothing")).Message);
    }

    [Fact]
    public void A_lost_stage_is_named_instead_of_passed_over()
    {
        File.Delete(run.File(StageName.Clean, "records.jsonl"));
        var chain = new Lineage(run).Back("sample01");
        Assert.Equal(("unknown", "record01"), (chain[1].Kind, chain[1].Id));
        Assert.Contains("removed", chain[1].What);
    }

    [Fact]
    public void Results_of_an_earlier_round_are_passed_over_while_a_later_one_is_being_made()
    {
        Assert.Empty(new Lineage(run).Outdated);
        File.Delete(run.File(StageName.Train, "adapter.json")); // the new training has begun
        var lineage = new Lineage(run);
        Assert.Equal("plan01", lineage.Back()[0].Id);
        Assert.DoesNotContain(lineage.Back(), n => n.Kind == "unknown");
        Assert.Equal(["endpoint01", "report01"], lineage.Outdated.Select(n => n.Id));
        File.Delete(run.File(StageName.Label, "samples.jsonl")); // the new label stage
        Assert.Equal(["record01", "record02", "record03", "page01"], new Lineage(run).Back().Select(n => n.Id).Take(4));
        File.Delete(run.File(StageName.Clean, "records.jsonl"));
        File.Delete(run.File(StageName.Crawl, "pages.jsonl"));
        File.Delete(run.File(StageName.Crawl, "seed.json"));
        Assert.Equal(["endpoint01", "report01", "adapter01"], new Lineage(run).Back().Select(n => n.Id)); // nothing new yet
    }

    [Fact]
    public async Task The_state_of_an_endpoint_is_the_one_that_the_store_has_now()
    {
        var store = new AdapterStore(Path.Combine(folder, "store"));
        var bundle = Directory.CreateDirectory(Path.Combine(folder, "bundle")).FullName;
        File.WriteAllText(Path.Combine(bundle, "adapter.safetensors"), "one");
        var stored = store.Add(new()
        {
            Name = "blueprint", Version = 0, State = "champion", Sha256 = "s", AdapterId = "adapter01", ReportId = "report01", Base = "pocket-sd", Run = run.Path, Why = "a test", StoredAt = DateTimeOffset.UnixEpoch,
        }, bundle);
        EndpointFile.Write(run, new Endpoint("endpoint01", "report01", "blueprint", 1, "candidate", Path.Combine(store.Bundle(stored), "certificate.json"), store.Bundle(stored)));
        async Task<string> FirstLine()
        {
            using var output = new StringWriter();
            Assert.Equal(0, await CommandLine.RunAsync(["lineage", run.Path], output, TextWriter.Null, TestContext.Current.CancellationToken));
            return output.ToString().Split('\n')[0].TrimEnd();
        }
        Assert.EndsWith("  blueprint version 1, champion (candidate when it was deployed)", await FirstLine(), StringComparison.Ordinal);
        File.Delete(Path.Combine(folder, "store", "blueprint", "versions.json"));
        Assert.EndsWith("  blueprint version 1, candidate", await FirstLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_run_says_so() =>
        Assert.Throws<LoraException>(() => new Lineage(new RunDirectory(Path.Combine(folder, "empty"))).Back());
}
