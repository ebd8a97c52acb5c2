using System.Net;
using LoraFactory.Cli.Engine.Bench.Web;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Cli.Engine;

/// <summary>The web that lora bench crawl measures on, crawled for real with failures and traps.</summary>
public sealed class GeneratedWebTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_same_seed_makes_the_same_web_and_another_another()
    {
        var shape = new WebShape(500, 7, 3) { FailureRate = 0.1, TrapRate = 0.1 };
        var (one, two, other) = (new GeneratedWeb(shape), new GeneratedWeb(shape), new GeneratedWeb(shape with { Seed = 4 }));
        for (var page = 0; page < 500; page += 49)
        {
            var path = new Uri(one.Url(page)).AbsolutePath;
            Assert.Equal(one.Answer(page % 7, path, first: false).Body, two.Answer(page % 7, path, first: false).Body);
            Assert.NotEqual(one.Answer(page % 7, path, first: false).Body, other.Answer(page % 7, path, first: false).Body);
            Assert.Contains(one.Title(page), System.Text.Encoding.UTF8.GetString(one.Answer(page % 7, path, first: false).Body), StringComparison.Ordinal);
        }
        Assert.Equal(404, one.Answer(0, "/a/p100.html", first: false).Status);
    }

    [Fact]
    public async Task A_web_that_fails_and_traps_is_crawled_whole_and_politely()
    {
        var shape = new WebShape(220, 8, 5) { FailureRate = 0.04, TrapRate = 0.1, Pause = 0.04 };
        var (web, seen, run) = await CrawlAsync(shape, shape.Pause);
        var titles = RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl")).ToDictionary(p => p.Url, p => p.Title, StringComparer.Ordinal);
        for (var page = 0; page < shape.Pages; page++) Assert.Equal(web.Title(page), titles.GetValueOrDefault(web.Url(page)));
        Assert.Equal((0, seen), (seen.Violations, seen));
        Assert.InRange(seen.Beside, 1, shape.Pages); // traps end
        var reasons = RunDirectory.ReadLines<Drop>(run.File(StageName.Crawl, "dropped.jsonl")).Select(d => d.Reason).ToHashSet(StringComparer.Ordinal);
        foreach (var reason in (string[])["robots-denied", "soft-404", "trap", "near-identical", "unreachable", "bad-status"]) Assert.Contains(reason, reasons);
    }

    [Fact]
    public async Task A_crawler_that_rests_less_than_it_promised_is_seen()
    {
        var (_, seen, _) = await CrawlAsync(new WebShape(30, 2, 5) { Pause = 30 }, 0.001);
        Assert.Equal((seen.Requests - 2, 0), (seen.TooSoon, seen.AtOnce)); // every request but the first of each host
    }

    private async Task<(GeneratedWeb Web, WebWitness Seen, RunDirectory Run)> CrawlAsync(WebShape shape, double delay)
    {
        await using var server = await WebServer.StartAsync(shape);
        var web = new GeneratedWeb(shape);
        var context = new StageContext
        {
            Run = new RunDirectory(folder.Path),
            Progress = new SilentProgress(),
            Seed = 1,
            Recipe = new Recipe
            {
                Seed = new() { Topic = "anything", ExpandDepth = 0, Urls = [web.Url(0)] },
                Crawl = new()
                {
                    MaxDepth = 100, MaxPictures = 0, HostPatience = 0, DelaySeconds = delay, TimeoutSeconds = 1, MaxPages = 5000, MaxPagesPerHost = 5000,
                    AllowPrivateHosts = [.. Enumerable.Range(0, shape.Hosts).Select(GeneratedWeb.HostName)], Resolve = [.. web.Resolve(server.Port)],
                },
            },
        };
        await new CrawlStage().RunAsync(context, TestContext.Current.CancellationToken);
        return (web, server.Witness, context.Run);
    }

    [Fact]
    public void Each_host_has_an_address_of_its_own_on_loopback()
    {
        var addresses = Enumerable.Range(0, 1000).Select(GeneratedWeb.Address).ToList();
        Assert.Equal(1000, addresses.Distinct().Count());
        Assert.All(addresses, a => Assert.True(IPAddress.IsLoopback(a)));
    }
}
