using LoraFactory.Cli;
using LoraFactory.Cli.Demo;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Crawl;
using LoraFactory.Stages.Deploy;
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
    [InlineData("https://a.test/x", "http://a.test/x", true)]
    [InlineData("http://a.test/x/", "https://a.test/x/y", true)]
    [InlineData("https://a.test/x/", "http://a.test/x", false)]
    [InlineData("https://a.test/x", "http://a.test:8080/x", false)]
    public void A_withdrawal_covers_a_host_with_its_subdomains_an_address_or_all_below_one(string target, string address, bool covered) =>
        Assert.Equal(covered, new Withdrawals([new(target, default)]).Of(address) is not null);

    [Fact]
    public void A_withdrawal_of_one_address_alone_leaves_what_lies_below_it()
    {
        var alone = new Withdrawal("http://a.test/x/", default) { Exact = true };
        var withdrawn = new Withdrawals([alone]);
        Assert.NotNull(withdrawn.Of("https://a.test/x/"));
        Assert.Null(withdrawn.Of("http://a.test/x/y"));
        Assert.False(withdrawn.Add(alone));
        Assert.True(withdrawn.Add(alone with { Exact = false }));
        Assert.NotNull(withdrawn.Of("http://a.test/x/y"));
    }

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
        var (busy, free) = (RunAt("runs/a"), RunAt("runs/b"));
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
    public async Task A_name_below_which_anybody_may_have_one_stands_for_itself_alone()
    {
        var run = RunAt("runs/a");
        var (code, output) = await PurgeAsync("test");
        Assert.Equal(0, code);
        Assert.Contains("the host test alone is meant", output, StringComparison.Ordinal);
        Assert.NotNull(new ConsentLedger(run).Of("http://test/"));
        Assert.Null(new ConsentLedger(run).Of("http://drawings.test/"));
        Assert.Equal(0, (await PurgeAsync("drawings.test")).Code);
        Assert.NotNull(new ConsentLedger(run).Of("http://www.drawings.test/"));
    }

    [Theory]
    [InlineData("1-crawl")]
    [InlineData("1-crawl.before")]
    [InlineData("1-crawl.unfinished")]
    public async Task Of_a_crawl_that_came_to_no_end_the_bytes_go_too_and_what_stays_keeps_its_own(string place)
    {
        var run = RunAt("runs/killed");
        var path = Path.Combine(run.Path, place, "frontier.db");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var blobs = new[] { "gone", "shown there alone", "stays", "its own", "withdrawn from it", "shown by both", "of a page that was dropped", "of a visit" }.ToDictionary(b => b, b => run.PutBlob(System.Text.Encoding.UTF8.GetBytes(b)));
        var gone = PageOf("http://gone.test/", blobs["gone"], "http://cdn.test/alone.png", "http://cdn.test/both.png");
        var stays = PageOf("http://stays.test/", blobs["stays"], "http://stays.test/own.png", "http://pics.gone.test/a.png", "http://cdn.test/both.png");
        var visited = new FrontierUrl(new Uri("http://gone.test/visited"), UrlKind.Page, 1, 0.5);
        using (var frontier = Frontier.Open(path, "k"))
        {
            frontier.Commit(() =>
            {
                foreach (var page in (Page[])[gone, stays]) Put(frontier, page);
                foreach (var (url, bytes) in new[] { ("http://cdn.test/alone.png", "shown there alone"), ("http://stays.test/own.png", "its own"), ("http://pics.gone.test/a.png", "withdrawn from it"), ("http://cdn.test/both.png", "shown by both") })
                {
                    frontier.PutPicture(url, new(blobs[bytes], null, "image/png", null));
                    frontier.Done(PictureAt(url));
                }
                frontier.Add(visited);
            });
            frontier.KeepVisit(visited, [1, 2, 3]);
        }
        var (_, dry) = await PurgeAsync("gone.test", "--dry-run");
        Assert.Equal(blobs.Count, BlobsOf(run).Count);

        var (code, output) = await PurgeAsync("gone.test");
        Assert.Equal(0, code);
        Assert.Contains("1 pages, 1 pictures of other pages, 0 records, 0 samples and 5 files removed", output, StringComparison.Ordinal);
        Assert.Contains("1 pages, 1 pictures of other pages, 0 records, 0 samples and 5 files would go", dry, StringComparison.Ordinal);
        Assert.Equal(new[] { "stays", "its own", "shown by both" }.Select(b => blobs[b]).Order(StringComparer.Ordinal), BlobsOf(run));
        using var left = Frontier.Open(path, "k");
        var page1 = Assert.Single(left.AllPages());
        Assert.Equal(["http://stays.test/own.png", "http://cdn.test/both.png"], page1.Pictures.Select(p => p.Url));
        Assert.Equal([blobs["its own"], blobs["shown by both"]], page1.Pictures.Select(p => p.BlobHash));
        Assert.False(left.HasKeptVisits);
        Assert.Equal(0, left.Queued);
        left.Commit(() => left.Add(PictureAt("http://cdn.test/alone.png"))); // another page may show it
        Assert.Equal(1, left.Queued);
        Assert.Contains("nothing of gone.test is in 1 runs", (await PurgeAsync("gone.test", "--dry-run")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_shows_measures_or_encodes_the_pictures_goes_from_every_folder_of_a_stage()
    {
        var run = RunAt("runs/one");
        var (gone, stays) = (run.PutBlob("gone"u8), run.PutBlob("stays"u8));
        Page[] pages = [PageOf("http://gone.test/", run.PutBlob("page"u8), "http://gone.test/a.png"), PageOf("http://stays.test/", run.PutBlob("other"u8), "http://stays.test/a.png")];
        pages = [.. pages.Zip([gone, stays], (p, blob) => p with { Pictures = [p.Pictures[0] with { BlobHash = blob }] })];
        RunDirectory.WriteLines(run.File(StageName.Crawl, "pages.jsonl"), pages);
        string[] calculated = ["metadata.csv", "variants.png", "embeddings.safetensors"], places = ["", ".before", ".unfinished"];
        foreach (var place in places)
        {
            foreach (var file in calculated) AtomicFile.WriteText(Path.Combine(run.Path, $"3-label{place}", file), "of both");
            AtomicFile.WriteText(Path.Combine(run.Path, $"6-evaluate{place}", "report.html"), "pictures");
            AtomicFile.WriteText(Path.Combine(run.Path, $"6-evaluate{place}", "grid.png"), "drawn");
            RunDirectory.WriteLines(Path.Combine(run.Path, $"2-clean{place}", "measured.jsonl"), new[] { new { Blob = gone }, new { Blob = stays } });
            RunDirectory.WriteLines(Path.Combine(run.Path, $"2-clean{place}", "dropped.jsonl"), pages.Select(p => new Drop("d", "blurred", p.Pictures[0].Url) { Page = p.Url, Blob = p.Pictures[0].BlobHash }));
            // of an earlier clean: no record tells where they come from
            RunDirectory.WriteLines(Path.Combine(run.Path, $"3-label{place}", "samples.jsonl"), new[] { SampleOf("s1", "old1") with { BlobHash = gone }, SampleOf("s2", "old2") with { BlobHash = stays }, VariantOf("s1", "old1"), VariantOf("s2", "old2") });
            foreach (var id in new[] { "s1", "s2", "left-by-an-earlier-label" }) AtomicFile.WriteText(Path.Combine(run.Path, $"3-label{place}", "variants", $"{id}.png"), "a picture");
        }
        AtomicFile.WriteText(Path.Combine(run.Path, "clean-report.html"), "pictures");
        AtomicFile.WriteText(folder.File("runs/.cache/train/latents/ab/abc.safetensors"), "latents");

        Assert.Equal(0, (await PurgeAsync("gone.test")).Code);
        Assert.False(File.Exists(Path.Combine(run.Path, "clean-report.html")));
        Assert.False(Directory.Exists(folder.File("runs/.cache/train")));
        foreach (var place in places)
        {
            Assert.All(calculated, file => Assert.False(File.Exists(Path.Combine(run.Path, $"3-label{place}", file))));
            Assert.Equal(["grid.png"], Directory.GetFiles(Path.Combine(run.Path, $"6-evaluate{place}")).Select(Path.GetFileName));
            Assert.Equal(["s2", "s2-flip"], RunDirectory.ReadLines<Sample>(Path.Combine(run.Path, $"3-label{place}", "samples.jsonl")).Select(s => s.Id));
            Assert.Equal(["s2.png"], Directory.GetFiles(Path.Combine(run.Path, $"3-label{place}", "variants")).Select(Path.GetFileName));
            foreach (var file in new[] { "measured.jsonl", "dropped.jsonl" }) Assert.Contains(stays, Assert.Single(File.ReadAllLines(Path.Combine(run.Path, $"2-clean{place}", file))), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_frontier_of_an_older_form_is_deleted_and_the_rest_of_the_run_is_purged()
    {
        var run = RunAt("runs/old");
        var path = run.File(StageName.Crawl, "frontier.db");
        using (var db = Sqlite.Open(path)) Sqlite.Run(db, "CREATE TABLE url(url TEXT PRIMARY KEY, state TEXT); CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL); INSERT INTO meta VALUES ('crawl', 'k'); INSERT INTO url VALUES ('http://gone.test/', 'done')");
        File.WriteAllText(path + "-visits", "what was fetched");
        RunDirectory.WriteLines(run.File(StageName.Crawl, "pages.jsonl"), new[] { PageOf("http://gone.test/", run.PutBlob("page"u8)) });

        Assert.Contains("would be deleted", (await PurgeAsync("gone.test", "--dry-run")).Output, StringComparison.Ordinal);
        Assert.True(File.Exists(path));
        var (code, output) = await PurgeAsync("gone.test");
        Assert.Equal(0, code);
        Assert.Contains("1 pages", output, StringComparison.Ordinal);
        Assert.Contains("1-crawl/frontier.db is damaged or of an older form and was deleted: the next crawl begins anew", output, StringComparison.Ordinal);
        Assert.Equal(["pages.jsonl"], Directory.GetFiles(run.Of(StageName.Crawl)).Select(Path.GetFileName));
        Assert.Empty(BlobsOf(run));
    }

    [Fact]
    public async Task A_damaged_run_is_named_the_others_are_purged_and_the_adapters_named()
    {
        var (damaged, whole) = (RunAt("runs/a"), RunAt("runs/b"));
        AtomicFile.WriteText(damaged.File(StageName.Crawl, "pages.jsonl"), "no page\n");
        RunDirectory.WriteLines(whole.File(StageName.Crawl, "pages.jsonl"), new[] { PageOf("http://gone.test/", whole.PutBlob("page"u8)) });
        AtomicFile.WriteText(folder.File("store/broken/versions.json"), "no list");
        RunDirectory.WriteJson(folder.File("store/style/versions.json"), new[] { new StoredAdapter { Name = "style", Version = 1, State = "champion", Sha256 = new string('b', 64), AdapterId = "a1", ReportId = "r1", Base = "pocket", Run = "runs/b", Why = "all gates hold", StoredAt = DateTimeOffset.UnixEpoch } });
        RunDirectory.WriteLines(folder.File("store/style/v1/data.jsonl"), new[] { new DataRow("http://gone.test/a.png", "http://gone.test/", null, new string('a', 64), "x", Split.Train) });

        var (code, output) = await PurgeAsync("gone.test");
        Assert.Equal(1, code);
        Assert.Contains(damaged.Path, output, StringComparison.Ordinal);
        Assert.Contains(folder.File("store/broken"), output, StringComparison.Ordinal);
        Assert.Contains("style v1 (champion) was trained on 1 pictures", output, StringComparison.Ordinal);
        Assert.Empty(Pages(whole));
    }

    [Fact]
    public async Task Only_directories_of_runs_are_written_to()
    {
        foreach (var file in new[] { "runs/.cache/train/x", "runs/store/style/versions.json", "runs/notes/a.txt" }) AtomicFile.WriteText(folder.File(file), "[]");
        var run = new RunDirectory(folder.File("runs/one"));
        run.Of(StageName.Crawl);
        var (code, output) = await PurgeAsync("gone.test");
        Assert.Equal(0, code);
        Assert.Contains("is in 1 runs", output, StringComparison.Ordinal);
        Assert.Equal([folder.File("runs/one/consent.jsonl")], Directory.GetFiles(folder.File("runs"), "consent.jsonl", SearchOption.AllDirectories));
        Assert.Equal([folder.File("runs/one/.lock")], Directory.GetFiles(folder.File("runs"), ".lock", SearchOption.AllDirectories));
        Assert.True(File.Exists(folder.File("runs/.cache/train/x"))); // nothing of it was there
    }

    [Fact]
    public void Pages_that_are_written_down_leave_out_what_the_run_has_withdrawn()
    {
        var run = RunAt("runs/one");
        new ConsentLedger(run).Add([new("gone.test", default)]);
        using var frontier = Frontier.Open(run.File(StageName.Crawl, "frontier.db"), "k");
        frontier.Commit(() =>
        {
            Put(frontier, PageOf("http://gone.test/", new string('a', 64)));
            Put(frontier, PageOf("http://stays.test/", new string('b', 64), "http://gone.test/a.png", "http://stays.test/a.png"));
        });
        Assert.Equal("http://stays.test/a.png", Assert.Single(Assert.Single(frontier.AllPages(new ConsentLedger(run))).Pictures).Url);
    }

    [Theory]
    [InlineData("drawing.test", "did you mean drawings.test (4 pages and pictures in RUNS/one, RUNS/two)?")]
    [InlineData("www.drawings.test", "did you mean drawings.test (4 pages and pictures in RUNS/one, RUNS/two)?")]
    [InlineData("elsewhere.example", "there are 3 hosts: drawings.test (4 pages and pictures in RUNS/one, RUNS/two), cdn.example.net (1 pages and pictures in STORE/style/v1/data.jsonl), notes.test (1 pages and pictures in RUNS/one)")]
    [InlineData("https://drawings.test/b/x.html", "of its host drawings.test there are 4 addresses, the likest http://drawings.test/b/1, http://drawings.test/b/2, http://drawings.test/")]
    public async Task Of_an_address_that_no_run_knows_it_says_which_there_are(string target, string said)
    {
        var (one, two) = (RunAt("runs/one"), RunAt("runs/two"));
        RunDirectory.WriteLines(one.File(StageName.Crawl, "pages.jsonl"), new[] { PageOf("http://drawings.test/", new string('a', 64)) with { Pictures = [new() { Url = "http://drawings.test/b/1", BlobHash = new string('e', 64) }, new() { Url = "http://lost.test/1" }] }, PageOf("http://notes.test/", new string('b', 64)) });
        using (var frontier = Frontier.Open(two.File(StageName.Crawl, "frontier.db"), "k")) // a crawl that was cut off
        {
            frontier.Commit(() =>
            {
                Put(frontier, PageOf("http://drawings.test/b/2", new string('c', 64)));
                Put(frontier, PageOf("http://drawings.test/c", new string('d', 64)));
                frontier.AddDropped(new(new Uri("http://refused.test/"), UrlKind.Page, 1, 0.5), new("robots-denied"));
            });
        }
        RunDirectory.WriteJson(folder.File("runs/store/style/versions.json"), new[] { new StoredAdapter { Name = "style", Version = 1, State = "champion", Sha256 = new string('b', 64), AdapterId = "a1", ReportId = "r1", Base = "pocket", Run = "runs/b", Why = "all gates hold", StoredAt = DateTimeOffset.UnixEpoch } });
        RunDirectory.WriteLines(folder.File("runs/store/style/v1/data.jsonl"), new[] { new DataRow("http://cdn.example.net/a.png", null, null, new string('a', 64), "x", Split.Train) });
        foreach (var dry in new[] { true, false })
        {
            var (code, output) = await LoraAsync(["consent", "purge", target, "--runs-dir", folder.File("runs"), .. dry ? (string[])["--dry-run"] : []]);
            Assert.Equal((0, said.Replace("RUNS", folder.File("runs"), StringComparison.Ordinal).Replace("STORE", folder.File("runs/store"), StringComparison.Ordinal)), (code, output.Split(Environment.NewLine)[^2]));
        }
        Assert.EndsWith($"in 2 runs or in the store; it will not be fetched for them again{Environment.NewLine}", (await LoraAsync("consent", "purge", target, "--runs-dir", folder.File("runs"))).Output, StringComparison.Ordinal); // it was withdrawn before
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

    private Task<(int Code, string Output)> PurgeAsync(params string[] more) => LoraAsync(["consent", "purge", .. more, "--runs-dir", folder.File("runs"), "--store", folder.File("store")]);

    private RunDirectory RunAt(string place)
    {
        var run = new RunDirectory(folder.File(place));
        AtomicFile.WriteText(Path.Combine(run.Path, "recipe.yaml"), "name: one");
        return run;
    }

    private static List<string?> BlobsOf(RunDirectory run) => [.. Directory.GetFiles(Path.Combine(run.Path, "blobs"), "*", SearchOption.AllDirectories).Select(Path.GetFileName).Order(StringComparer.Ordinal)];

    private static FrontierUrl PictureAt(string url) => new(new Uri(url), UrlKind.Picture, 1, 0.5);

    private static void Put(Frontier frontier, Page page)
    {
        var item = new FrontierUrl(new Uri(page.Url), UrlKind.Page, page.Depth, 0.5);
        frontier.Add(item);
        frontier.Done(item);
        frontier.PutPage(page, item.Url.Host, miss: false);
        foreach (var picture in page.Pictures) frontier.Add(PictureAt(picture.Url));
    }

    private static Page PageOf(string url, string blob, params string[] pictures) => new()
    {
        Id = ContentId.Of(url, blob), SeedId = "seed", Url = url, FinalUrl = url, Status = 200, FetchedAt = DateTimeOffset.UnixEpoch, Headers = new Dictionary<string, string>(), BlobHash = blob,
        MediaType = "text/html", Depth = 0, Pictures = [.. pictures.Select(p => new PagePicture { Url = p })],
    };

    private static List<Page> Pages(RunDirectory run) => [.. RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl"))];

    private static Record Of(Page page, PagePicture picture, string id) => new() { Id = id, PageId = page.Id, PageUrl = page.Url, PictureUrl = picture.Url, BlobHash = picture.BlobHash!, Width = 64, Height = 64 };

    private static Sample VariantOf(string id, string record) => SampleOf($"{id}-flip", record) with { Variant = new(id, "flip", new Dictionary<string, string>(), $"variants/{id}.png") };

    private static Sample SampleOf(string id, string record) => new() { Id = id, RecordId = record, BlobHash = new string('a', 64), Caption = "x", CaptionSource = "alt", Split = Split.Train, Cluster = 0, EmbeddingRow = 0, Width = 64, Height = 64 };
}
