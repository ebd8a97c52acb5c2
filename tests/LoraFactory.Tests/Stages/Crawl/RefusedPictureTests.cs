using LoraFactory.Cli.Demo;
using LoraFactory.Flow;
using LoraFactory.Stages.Clean;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>Which pictures a page's refusal of training reaches: those of its own site, wherever they stand, and no other site's.</summary>
public sealed class RefusedPictureTests : IDisposable
{
    private const string Refused = "opt-out:robots-meta:noai";
    private readonly TemporaryFolder folder = new();
    private int twist;

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_one_page_of_a_site_refuses_is_refused_on_its_other_pages_whichever_comes_first(bool refusingFirst)
    {
        // the one that is met later hangs at the end of a row of pages, so that the pictures of the first are there by then
        var (first, last) = refusingFirst ? ("closed", "open") : ("open", "closed");
        Page("art.example/index.html", "", "<a href=" + first + ".html>blueprint drawings</a>");
        Page("art.example/between.html", "", $"nothing much <a href={last}.html>go on</a>");
        Page("art.example/open.html", "", "blueprint drawings <img src=1.png><img src=2.png><img src=http://img.art.example/3.png><img src=http://pool.example/4.png>" + Link("open"));
        Page("art.example/closed.html", "<meta name=robots content='noindex, noai'>", "blueprint drawings of others <img src=1.png><img src=http://img.art.example/3.png><img src=http://pool.example/4.png>" + Link("closed"));
        foreach (var picture in (string[])["art.example/1.png", "art.example/2.png", "img.art.example/3.png", "pool.example/4.png"]) Picture(picture);
        var (run, asked, status) = await CrawlAsync();

        var open = Assert.Single(Pages(run), p => p.Url.EndsWith("/open.html", StringComparison.Ordinal));
        Assert.Equal([Refused, null, Refused, null], open.Pictures.Select(p => p.Refused));
        Assert.Equal([true, false, true, false], open.Pictures.Select(p => p.BlobHash is null));
        Assert.Equal(("refused", "robots-meta:noai", "http://art.example/closed.html"), (open.Pictures[0].Consent!.Verdict, open.Pictures[0].Consent!.Signal, open.Pictures[0].Consent!.Url));
        Assert.Equal(refusingFirst ? 0 : 1, asked.Count(p => p.EndsWith("/1.png", StringComparison.Ordinal)));
        var drops = RunDirectory.ReadLines<Drop>(run.File(StageName.Crawl, "dropped.jsonl")).Where(d => d.Reason.StartsWith("picture:", StringComparison.Ordinal)).Select(d => (d.Reason, d.What, d.Detail));
        Assert.Equal([("picture:" + Refused, "http://art.example/1.png", "said by http://art.example/closed.html"), ("picture:" + Refused, "http://img.art.example/3.png", "said by http://art.example/closed.html")], drops);
        Assert.Equal((2L, 2L), (status.Pictures, status.Dropped["picture:" + Refused]));
        Assert.Equal(Sums(status), Sums(await AgainAsync(run)));

        string Link(string page) => page == first ? "<a href=between.html>between</a>" : "";
    }

    [Fact]
    public async Task Another_site_and_a_word_to_search_engines_opt_no_picture_out()
    {
        Page("art.example/index.html", "", "blueprint drawings <img src=1.png><img src=2.png><a href=list.html>blueprint list</a><a href=http://envy.example/>blueprint</a>");
        Page("art.example/list.html", "<meta name=robots content=noindex>", "blueprint list <img src=1.png>");
        Page("envy.example/index.html", "<meta name=robots content='noai, noimageai'>", "blueprint drawings elsewhere <img src=http://art.example/2.png><img src=5.png>");
        foreach (var picture in (string[])["art.example/1.png", "art.example/2.png", "envy.example/5.png"]) Picture(picture);
        var (run, _, _) = await CrawlAsync();
        var pictures = Pages(run).ToDictionary(p => new Uri(p.Url).Host + new Uri(p.Url).AbsolutePath, p => p.Pictures.Select(i => i.Refused));
        Assert.Equal([null, null], pictures["art.example/"]);
        Assert.Equal(["opt-out:robots-meta:noindex"], pictures["art.example/list.html"]);
        Assert.Equal([Refused, Refused], pictures["envy.example/"]);
    }

    [Fact]
    public async Task Clean_calls_an_opt_out_by_its_name_and_says_whose_it_is()
    {
        Page("art.example/index.html", "", "blueprint drawings <img src=1.png><img src=own.png><img src=gone.png><img src=2.png><a href=closed.html>blueprint drawings</a>");
        Page("art.example/closed.html", "<meta name=robots content=noai>", "blueprint drawings of others <img src=1.png>");
        foreach (var picture in (string[])["art.example/1.png", "art.example/2.png", "art.example/own.png"]) Picture(picture);
        Put("server.json", """{"headers": {"http://art.example/own.png": {"X-Robots-Tag": "noimageai"}}, "redirects": {}, "status": {}, "delay_ms": {}}""");
        var (run, _, _) = await CrawlAsync();
        var clean = new CleanOptions { MinSide = 16, MinRelevance = 0, MinTextQuality = 0, MinKept = 1, MinKeptShare = 0.9 }; // what was not fetched counts in no share
        var outcome = await new CleanStage().RunAsync(new StageContext { Run = run, Progress = new SilentProgress(), Seed = 1, Recipe = new Recipe { Clean = clean } }, TestContext.Current.CancellationToken);
        Assert.Equal(1, outcome.Out);
        Assert.Equal(new Dictionary<string, int> { ["not-fetched"] = 1, ["opted-out"] = 3 }, outcome.Dropped.ToDictionary());
        var drops = RunDirectory.ReadLines<Drop>(run.File(StageName.Clean, "dropped.jsonl")).Where(d => d.Kind is null).Select(d => (d.Reason, d.What, d.Detail, d.Page));
        Assert.Equal(
        [
            ("opted-out", "http://art.example/1.png", "robots-meta:noai", "http://art.example/closed.html"),
            ("opted-out", "http://art.example/1.png", "robots-meta:noai, said by http://art.example/closed.html", "http://art.example/"),
            ("not-fetched", "http://art.example/gone.png", "bad-status", "http://art.example/"),
            ("opted-out", "http://art.example/own.png", "x-robots-tag:noimageai", "http://art.example/"),
        ], drops.OrderBy(d => d.What, StringComparer.Ordinal).ThenBy(d => d.Detail, StringComparer.Ordinal));
    }

    private static object Sums(CrawlStatus status) => System.Text.Json.JsonSerializer.Serialize(new { status.Pictures, status.Outcomes, status.Dropped, status.Waiting, status.OptedOut });

    private static List<Page> Pages(RunDirectory run) => [.. RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl"))];

    private void Put(string path, string text) => AtomicFile.WriteText(folder.File(Path.Combine("web", path)), text);

    private void Page(string path, string head, string body) => Put(path, $"<!doctype html><title>{path}</title>{head}<body>{body}");

    private void Picture(string path)
    {
        var png = File.ReadAllBytes(Path.Combine(DemoCrawl.Folder, "drawings.test", "img", $"blueprint-0{++twist}-0.png"));
        AtomicFile.Write(folder.File(Path.Combine("web", path)), s => s.Write(png));
    }

    private async Task<(RunDirectory Run, IReadOnlyList<string> Asked, CrawlStatus Status)> CrawlAsync()
    {
        await using var web = await DemoWeb.StartAsync(folder.File("web"));
        var run = new RunDirectory(folder.File("run"));
        await new CrawlStage().RunAsync(Context(run, web), TestContext.Current.CancellationToken);
        return (run, [.. web.Requests.Select(r => r.Path)], CrawlStatus.Of(run)!);
    }

    // Nothing is left to ask: the counts are those of the frontier's tables.
    private async Task<CrawlStatus> AgainAsync(RunDirectory run)
    {
        await using var web = await DemoWeb.StartAsync(folder.File("web"));
        await new CrawlStage().RunAsync(Context(run, web), TestContext.Current.CancellationToken);
        Assert.DoesNotContain(web.Requests, r => r.Path != "/robots.txt");
        return CrawlStatus.Of(run)!;
    }

    private static StageContext Context(RunDirectory run, DemoWeb web) => new()
    {
        Run = run,
        Progress = new SilentProgress(),
        Seed = 1,
        Recipe = new Recipe { Seed = new() { Topic = "blueprint drawings", Urls = ["http://art.example/"] }, Crawl = new() { DelaySeconds = 0, AllowPrivateHosts = web.Hosts, Resolve = web.Resolve } },
    };
}
