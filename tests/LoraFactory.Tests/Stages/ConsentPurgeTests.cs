using LoraFactory.Cli;
using LoraFactory.Cli.Demo;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Crawl;
using LoraFactory.Tests.Stages.Crawl;
using Record = LoraFactory.Flow.Record;

namespace LoraFactory.Tests.Stages;

/// <summary>lora consent purge on a crawl of the demo web.</summary>
public sealed class ConsentPurgeTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("example.org", "https://example.org/a", true)]
    [InlineData("example.org", "https://cdn.example.org/a.png", true)]
    [InlineData("example.org", "https://notexample.org/a", false)]
    [InlineData("http://a.test/x", "http://a.test/x#part", true)]
    [InlineData("http://a.test/x", "http://a.test/x/y", false)]
    [InlineData("http://a.test/x/", "http://a.test/x/y", true)]
    public void A_withdrawal_covers_a_host_with_its_subdomains_an_address_or_all_below_one(string target, string address, bool covered) =>
        Assert.Equal(covered, new Withdrawal(target, default).Covers(address));

    [Fact]
    public async Task What_was_withdrawn_goes_from_every_file_with_its_bytes_and_is_not_fetched_again()
    {
        await using var web = await DemoWeb.StartAsync(DemoCrawl.Folder);
        var context = DemoCrawl.Context(web, folder.File("runs/one"));
        context = context with { Recipe = context.Recipe with { Seed = context.Recipe.Seed with { Urls = ["http://drawings.test/", "http://notes.test/"] }, Crawl = context.Recipe.Crawl with { SeedHostsOnly = true, MaxPages = 40 } } };
        await new CrawlStage().RunAsync(context, Stop);
        var run = context.Run;
        var before = Pages(run);
        var gone = before.Where(p => new Uri(p.Url).Host == "drawings.test").ToList();
        Assert.NotEmpty(gone);
        Assert.True(before.Count > gone.Count);
        var picture = gone.SelectMany(p => p.Pictures).First(p => p.BlobHash is not null);
        RunDirectory.WriteLines(run.File(StageName.Clean, "records.jsonl"), new[] { Of(gone[0], picture, "r1"), Of(before.Except(gone).First(), picture with { Url = "http://notes.test/own.png", BlobHash = new string('a', 64) }, "r2") });
        RunDirectory.WriteLines(run.File(StageName.Label, "samples.jsonl"), new[] { SampleOf("s1", "r1"), SampleOf("s2", "r2"), VariantOf("s1", "r1"), VariantOf("s2", "r2") });
        foreach (var id in new[] { "s1", "s2" }) AtomicFile.WriteText(run.File(StageName.Label, $"variants/{id}.png"), "a picture");
        File.WriteAllText(run.File(StageName.Label, "metadata.csv"), "of both");

        var (code, output) = await LoraAsync("consent", "purge", "drawings.test", "--runs-dir", folder.File("runs"), "--store", folder.File("store"), "--dry-run");
        Assert.Equal(0, code);
        Assert.Contains($"{gone.Count} pages", output, StringComparison.Ordinal);
        Assert.Equal(before.Count, Pages(run).Count);
        Assert.False(File.Exists(Path.Combine(run.Path, "consent.jsonl")));

        (code, output) = await LoraAsync("consent", "purge", "drawings.test", "--runs-dir", folder.File("runs"), "--store", folder.File("store"));
        Assert.Equal(0, code);
        Assert.Contains($"{gone.Count} pages, 0 pictures of other pages, 1 records, 2 samples", output, StringComparison.Ordinal);
        Assert.Equal(before.Except(gone).Select(p => p.Url), Pages(run).Select(p => p.Url));
        Assert.Equal("r2", Assert.Single(RunDirectory.ReadLines<Record>(run.File(StageName.Clean, "records.jsonl"))).Id);
        Assert.Equal(["s2", "s2-flip"], RunDirectory.ReadLines<Sample>(run.File(StageName.Label, "samples.jsonl")).Select(s => s.Id));
        Assert.Equal(["s2.png"], Directory.GetFiles(run.File(StageName.Label, "variants")).Select(Path.GetFileName)); // what was made of a picture goes with it
        Assert.False(File.Exists(run.File(StageName.Label, "metadata.csv")));
        var shared = Pages(run).SelectMany(p => p.Pictures.Select(i => i.BlobHash).Append(p.BlobHash)).ToHashSet(StringComparer.Ordinal);
        Assert.All(gone.SelectMany(p => p.Pictures.Select(i => i.BlobHash).Append(p.BlobHash)).OfType<string>().Where(h => !shared.Contains(h)), h => Assert.False(File.Exists(run.Blob(h))));

        var asked = web.Requests.Count;
        await new CrawlStage().RunAsync(context, Stop); // what the frontier still holds, and the seeds
        Assert.DoesNotContain(web.Requests.Skip(asked), r => r.Host == "drawings.test" && r.Path != "/robots.txt" && !r.Path.StartsWith("/.well-known/", StringComparison.Ordinal));
        Assert.DoesNotContain(Pages(run), p => new Uri(p.Url).Host == "drawings.test");
        Assert.Contains(RunDirectory.ReadLines<Drop>(run.File(StageName.Crawl, "dropped.jsonl")), d => d is { Reason: "withdrawn", What: "http://drawings.test/" });
    }

    [Fact]
    public async Task A_run_that_is_being_worked_on_is_named_and_the_others_are_purged()
    {
        var (busy, free) = (new RunDirectory(folder.File("runs/a")), new RunDirectory(folder.File("runs/b")));
        using (RunLock.Take(busy))
        {
            var (code, output) = await LoraAsync("consent", "purge", "example.org", "--runs-dir", folder.File("runs"), "--store", folder.File("store"));
            Assert.Equal(1, code);
            Assert.Contains(busy.Path, output, StringComparison.Ordinal);
        }
        Assert.NotNull(new ConsentLedger(free).Of("http://example.org/"));
        Assert.Null(new ConsentLedger(busy).Of("http://example.org/"));
        Assert.Equal(0, (await LoraAsync("consent", "purge", "example.org", "--runs-dir", folder.File("runs"), "--store", folder.File("store"))).Code);
        Assert.NotNull(new ConsentLedger(busy).Of("http://example.org/"));
    }

    [Fact]
    public async Task What_is_neither_address_nor_host_is_refused()
    {
        var (code, _) = await LoraAsync("consent", "purge", "what is this/", "--runs-dir", folder.Path);
        Assert.Equal(2, code);
    }

    private static async Task<(int Code, string Output)> LoraAsync(params string[] arguments)
    {
        using var output = new StringWriter();
        var code = await CommandLine.RunAsync(arguments, output, output);
        return (code, output.ToString());
    }

    private static List<Page> Pages(RunDirectory run) => [.. RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl"))];

    private static Record Of(Page page, PagePicture picture, string id) => new() { Id = id, PageId = page.Id, PageUrl = page.Url, PictureUrl = picture.Url, BlobHash = picture.BlobHash!, Width = 64, Height = 64 };

    private static Sample VariantOf(string id, string record) => SampleOf($"{id}-flip", record) with { Variant = new(id, "flip", new Dictionary<string, string>(), $"variants/{id}.png") };

    private static Sample SampleOf(string id, string record) => new() { Id = id, RecordId = record, BlobHash = new string('a', 64), Caption = "x", CaptionSource = "alt", Split = Split.Train, Cluster = 0, EmbeddingRow = 0, Width = 64, Height = 64 };
}
