using System.Text.Json;
using LoraFactory.Cli.Demo;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>The whole stage against the real demo web on loopback.</summary>
[Collection("demo crawl")]
public sealed class CrawlStageTests(DemoCrawl crawl)
{
    [Fact]
    public void Every_picture_that_a_right_run_keeps_was_fetched()
    {
        var truth = File.ReadLines(Path.Combine(DemoCrawl.Folder, "truth.jsonl")).Select(l => JsonSerializer.Deserialize<JsonElement>(l)).Where(t => t.GetProperty("keep").GetBoolean()).ToList();
        var fetched = crawl.Pages.SelectMany(p => p.Pictures).Where(p => p.BlobHash is not null).Select(p => p.Url).ToHashSet(StringComparer.Ordinal);
        Assert.Equal(94, truth.Count);
        Assert.All(truth, t => Assert.Contains($"http://{t.GetProperty("host").GetString()}{t.GetProperty("image").GetString()}", fetched));
    }

    [Fact]
    public void Bytes_in_the_blob_store_are_the_served_files()
    {
        var pictures = crawl.Pages.SelectMany(p => p.Pictures).Where(p => p.BlobHash is not null).ToList();
        Assert.NotEmpty(pictures);
        foreach (var picture in pictures)
        {
            var url = new Uri(picture.Url);
            var (served, kept) = (Path.Combine(DemoCrawl.Folder, url.Host, url.AbsolutePath[1..]), crawl.Run.Blob(picture.BlobHash!));
            Assert.True(File.Exists(served) && File.Exists(kept), $"{picture.Url}: {served} is {(File.Exists(served) ? "there" : "gone")}, {kept} is {(File.Exists(kept) ? "there" : "gone")}");
            Assert.True(File.ReadAllBytes(served).AsSpan().SequenceEqual(File.ReadAllBytes(kept)), $"{picture.Url}: {new FileInfo(served).Length} bytes served, {new FileInfo(kept).Length} kept");
        }
    }

    [Fact]
    public void Nothing_that_robots_txt_denies_was_asked_for()
    {
        string[] mayAsk = ["/robots.txt"];
        Assert.All(crawl.Requests.Where(r => r.Host is "closed.test" or "ads.test" or "down.test"), r => Assert.Contains(r.Path, mayAsk));
        Assert.DoesNotContain(crawl.Requests, r => r.Path.StartsWith("/drafts/", StringComparison.Ordinal));
        Assert.Contains(crawl.Drops, d => d is { Reason: "robots-denied", What: "http://closed.test/", Detail: "Disallow: /" });
    }

    [Fact]
    public void An_unreachable_robots_txt_closes_its_host()
    {
        Assert.Contains(crawl.Drops, d => d is { Reason: "robots-unreachable", What: "http://down.test/" });
        Assert.Equal(["/robots.txt", "/robots.txt", "/robots.txt"], crawl.Requests.Where(r => r.Host == "down.test").Select(r => r.Path)); // asked again twice, later
    }

    [Fact]
    public void Opted_out_pages_are_recorded_and_their_pictures_left_alone()
    {
        var page = Assert.Single(crawl.Pages, p => new Uri(p.Url).Host == "optout.test");
        Assert.Equal("x-robots-tag:noai", page.OptOut);
        Assert.Equal(("refused", "x-robots-tag:noai", page.FinalUrl, page.FetchedAt), (page.Consent!.Verdict, page.Consent.Signal, page.Consent.Url, page.Consent.At));
        Assert.All(crawl.Pages.SelectMany(p => p.Pictures).Where(p => p.BlobHash is not null), p => Assert.Equal(("silent", p.Url), (p.Consent!.Verdict, p.Consent.Url)));
        Assert.Equal(3, page.Pictures.Count);
        Assert.All(page.Pictures, p => Assert.Equal(("opt-out:x-robots-tag:noai", null), (p.Refused, p.BlobHash)));
        Assert.DoesNotContain(crawl.Requests, r => r.Host == "optout.test" && r.Path.StartsWith("/img/", StringComparison.Ordinal));
    }

    [Fact]
    public void Traps_are_recorded_and_end()
    {
        Assert.Contains(crawl.Drops, d => d is { Reason: "redirect-loop", What: "http://notes.test/loop/a" });
        Assert.Contains(crawl.Drops, d => d.Reason == "address-refused" && d.What == "http://notes.test/inside" && d.Detail!.Contains("169.254.169.254", StringComparison.Ordinal));
        Assert.Contains(crawl.Drops, d => d is { Reason: "duplicate-content", Detail: "http://drawings.test/plans/01.html" });
        Assert.Contains(crawl.Drops, d => d.Reason == "depth" && d.What.Contains("/calendar/", StringComparison.Ordinal));
        Assert.InRange(crawl.Requests.Count(r => r.Path.StartsWith("/calendar/", StringComparison.Ordinal)), 1, 4);
        Assert.Contains(crawl.Drops, d => d is { Reason: "picture:bad-status", What: "http://notes.test/bad/missing.png", Detail: "404" });
        Assert.Contains(crawl.Drops, d => d is { Reason: "robots-unreachable", What: "http://nowhere.test/" });
        Assert.Contains(crawl.Drops, d => d is { Reason: "address-refused", What: "http://inside.test/" });
    }

    [Fact]
    public void Words_near_a_picture_are_kept_with_it()
    {
        var page = Assert.Single(crawl.Pages, p => p.Url == "http://drawings.test/plans/01.html");
        Assert.Equal("Schematic no. 1: a brown flower at night", page.Title);
        Assert.Equal("https://creativecommons.org/publicdomain/zero/1.0/", page.Licence);
        var second = page.Pictures[1];
        Assert.Equal("Drafting: three purple trees in a green field.", second.Caption);
        Assert.Equal("blueprint of three purple trees in a green field", second.Alt);
        Assert.Contains("Our reader asked", second.Context, StringComparison.Ordinal);
        Assert.Contains("The sheet is drawn in white lines", second.Context, StringComparison.Ordinal);
        Assert.Equal(page.Licence, second.Licence);
    }

    [Fact]
    public void Hosts_are_asked_one_request_at_a_time_with_their_pause()
    {
        foreach (var host in crawl.Requests.GroupBy(r => r.Host))
        {
            // Crawl-delay: 1 at printroom.test; the recipe's pause elsewhere. The server sees an answer end a little before the crawl does.
            var pause = host.Key == "printroom.test" ? 1.0 : DemoCrawl.Delay;
            var ordered = host.OrderBy(r => r.Started).ToList();
            foreach (var (before, after) in ordered.Zip(ordered.Skip(1)))
                Assert.True(TimeProvider.System.GetElapsedTime(before.Ended, after.Started).TotalSeconds >= pause - 0.015, $"{host.Key}{after.Path} came too soon after {before.Path}");
        }
    }

    [Fact]
    public void The_request_says_who_asks() => Assert.All(crawl.Requests, r => Assert.Equal(new CrawlOptions().UserAgent, r.UserAgent));

    [Fact]
    public void Relevant_pages_come_before_the_rest()
    {
        var plans = crawl.Pages.Where(p => p.Url.StartsWith("http://drawings.test/plans/", StringComparison.Ordinal)).ToList();
        Assert.Equal(30, plans.Count);
        Assert.True(plans.Average(p => p.Relevance) > 0.5);
        Assert.All(crawl.Pages.Where(p => p.Url.Contains("/calendar/", StringComparison.Ordinal)), p => Assert.True(p.Relevance < 0.1));
    }

    [Fact]
    public void Each_url_ends_once_and_the_counts_agree()
    {
        var outcome = crawl.Outcome;
        Assert.Equal(crawl.Pages.Count, outcome.Out);
        Assert.Equal(outcome.In, outcome.Out + outcome.Dropped.Where(d => !d.Key.Contains(':', StringComparison.Ordinal)).Sum(d => d.Value));
        Assert.Equal(crawl.Drops.Count, outcome.Dropped.Values.Sum());
        Assert.Equal(crawl.Pages.Select(p => p.Url).Order(StringComparer.Ordinal), crawl.Pages.Select(p => p.Url));
    }

    [Fact]
    public async Task An_interrupted_crawl_goes_on_where_it_was_and_ends_in_the_same_pages()
    {
        var stop = TestContext.Current.CancellationToken;
        await using var web = await DemoWeb.StartAsync(DemoCrawl.Folder);
        using var straight = new TemporaryFolder();
        using var cut = new TemporaryFolder();
        var whole = Two(DemoCrawl.Context(web, straight.Path));
        await new CrawlStage().RunAsync(whole, stop);
        var asked = web.Requests.Count;

        var pieces = Two(DemoCrawl.Context(web, cut.Path));
        for (var i = 0; i < 3; i++)
        {
            using var interrupt = new CancellationTokenSource(TimeSpan.FromMilliseconds(900));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new CrawlStage().RunAsync(pieces, interrupt.Token));
        }
        await new CrawlStage().RunAsync(pieces, stop);
        Assert.Equal(Lines(whole, "pages.jsonl"), Lines(pieces, "pages.jsonl"));
        Assert.Equal(File.ReadAllText(whole.Run.File(StageName.Crawl, "dropped.jsonl")), File.ReadAllText(pieces.Run.File(StageName.Crawl, "dropped.jsonl")));
        // Only the rounds that a cut fell into are asked for again, and robots.txt by each start.
        Assert.InRange(web.Requests.Count - asked, asked, asked + 3 * (2 * 32 + 8));
    }

    [Fact]
    public async Task A_host_without_the_topic_is_left()
    {
        await using var web = await DemoWeb.StartAsync(DemoCrawl.Folder);
        using var folder = new TemporaryFolder();
        var context = DemoCrawl.Context(web, folder.Path);
        context = context with
        {
            Recipe = context.Recipe with
            {
                Seed = context.Recipe.Seed with { Urls = ["http://notes.test/calendar/1.html"] },
                Crawl = context.Recipe.Crawl with { HostPatience = 3, MaxDepth = 100, SeedHostsOnly = true },
            },
        };
        await new CrawlStage().RunAsync(context, TestContext.Current.CancellationToken);
        Assert.InRange(web.Requests.Count(r => r.Path.StartsWith("/calendar/", StringComparison.Ordinal)), 3, 3 + 32);
        Assert.Contains(RunDirectory.ReadLines<Drop>(context.Run.File(StageName.Crawl, "dropped.jsonl")), d => d.Reason == "host-off-topic");
    }

    private static StageContext Two(StageContext context) => context with
    {
        Recipe = context.Recipe with
        {
            Seed = context.Recipe.Seed with { Urls = ["http://drawings.test/", "http://notes.test/"] },
            Crawl = context.Recipe.Crawl with { SeedHostsOnly = true },
        },
    };

    /// <summary>A page without the times at which it and its pictures came.</summary>
    internal static Page Timeless(Page page) => page with
    {
        FetchedAt = default,
        Consent = page.Consent! with { At = default },
        Pictures = [.. page.Pictures.Select(p => p.Consent is null ? p : p with { Consent = p.Consent with { At = default } })],
    };

    private static IEnumerable<string> Lines(StageContext context, string name) =>
        RunDirectory.ReadLines<Page>(context.Run.File(StageName.Crawl, name)).Select(p => JsonSerializer.Serialize(Timeless(p), RunDirectory.Json));
}

/// <summary>One crawl of the demo web, looked at by many tests.</summary>
public sealed class DemoCrawl : IAsyncLifetime
{
    public const double Delay = 0.02;
    private readonly TemporaryFolder folder = new();

    public static string Folder { get; } = Path.Combine(TestData.Root, "demo", "web");
    public RunDirectory Run { get; private set; } = null!;
    public StageOutcome Outcome { get; private set; } = null!;
    public IReadOnlyList<Page> Pages { get; private set; } = [];
    public IReadOnlyList<Drop> Drops { get; private set; } = [];
    public IReadOnlyList<DemoRequest> Requests { get; private set; } = [];

    public async ValueTask InitializeAsync()
    {
        await using var web = await DemoWeb.StartAsync(Folder);
        var context = Context(web, folder.Path);
        Run = context.Run;
        Outcome = await new CrawlStage().RunAsync(context, CancellationToken.None);
        Pages = [.. RunDirectory.ReadLines<Page>(Run.File(StageName.Crawl, "pages.jsonl"))];
        Drops = [.. RunDirectory.ReadLines<Drop>(Run.File(StageName.Crawl, "dropped.jsonl"))];
        Requests = web.Requests;
    }

    public ValueTask DisposeAsync()
    {
        folder.Dispose();
        return ValueTask.CompletedTask;
    }

    public static StageContext Context(DemoWeb web, string path) => new()
    {
        Run = new RunDirectory(path),
        Progress = new SilentProgress(),
        Seed = 42,
        Recipe = new Recipe
        {
            Seed = new()
            {
                Topic = "blueprint drawings",
                Urls = ["http://drawings.test/", "http://notes.test/inside", "http://down.test/", "http://ads.test/banner.png", "http://drawings.test/drafts/secret.html", "http://nowhere.test/", "http://inside.test/"],
            },
            Crawl = new() { DelaySeconds = Delay, AllowPrivateHosts = [.. web.Hosts, "nowhere.test"], Resolve = [.. web.Resolve, "nowhere.test=127.0.0.1:1", "inside.test=127.0.0.1:1"] },
        },
    };
}
