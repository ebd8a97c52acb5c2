using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>A crawl ends on a web without end, survives answers that no library reads, and can be tried again where it found nothing.</summary>
public sealed class CrawlLimitsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_crawl_that_found_no_network_is_tried_again_by_the_same_command()
    {
        var port = 1; // nobody listens there
        var line = new FactoryLine([new CrawlStage()]);
        StageContext Now() => Context(port, c => c);
        for (var i = 0; i < 2; i++)
        {
            var failed = await Assert.ThrowsAsync<LoraException>(() => line.RunAsync(Now(), new(), new Dictionary<string, string>(), token: Stop));
            Assert.Contains("Not one page could be fetched", failed.Message, StringComparison.Ordinal);
        }
        await using var server = LoopbackServer.Saying(path => path == "/" ? "200 OK\nContent-Type: text/html" : "404 Not Found", "<title>drawings</title>"u8.ToArray());
        port = server.Port;
        var result = Assert.Single(await line.RunAsync(Now(), new(), new Dictionary<string, string>(), token: Stop));
        Assert.Equal(1, result.Record.Out);
    }

    [Fact]
    public async Task Answers_that_cannot_be_unpacked_cost_themselves_alone()
    {
        await using var server = LoopbackServer.Saying(path => path switch
        {
            "/" => "200 OK\nContent-Type: text/html",
            "/robots.txt" => "404 Not Found",
            "/good" => "200 OK\nContent-Type: text/html",
            _ => "200 OK\nContent-Type: text/html\nContent-Encoding: br",
        }, "<title>drawings</title><a href=/garbage>drawings</a><a href=/good>drawings</a>"u8.ToArray());
        await new CrawlStage().RunAsync(Context(server.Port, c => c), Stop);
        Assert.Contains(Drops(), d => d is { Reason: "bad-encoding", What: "http://a.test/garbage" });
    }

    [Fact]
    public async Task Sitemaps_without_end_are_left_after_a_hundred_and_when_the_pages_are_full()
    {
        var made = 0;
        string Index(string path) => $"<sitemapindex>{string.Concat(Enumerable.Range(0, 60).Select(i => $"<sitemap><loc>http://a.test/s/{Interlocked.Increment(ref made)}.xml</loc></sitemap>"))}</sitemapindex>";
        await using var server = Web(path => path switch
        {
            "/robots.txt" => "Sitemap: http://a.test/s/first.xml\n",
            "/" => "<title>drawings</title>",
            _ when path.StartsWith("/s/", StringComparison.Ordinal) => Index(path),
            _ => null,
        });
        await new CrawlStage().RunAsync(Context(server.Port, c => c), Stop);
        Assert.Equal(100, server.Heads.Count(h => h.StartsWith("GET /s/", StringComparison.Ordinal)));

        Directory.Delete(folder.File("run"), recursive: true);
        server.Heads.Clear();
        await new CrawlStage().RunAsync(Context(server.Port, c => c with { MaxPages = 1 }), Stop);
        Assert.InRange(server.Heads.Count(h => h.StartsWith("GET /s/", StringComparison.Ordinal)), 0, 32); // the round in which the page came
    }

    [Fact]
    public async Task A_web_of_broken_links_ends_at_a_few_times_the_budget()
    {
        await using var server = Web(path => path switch
        {
            "/robots.txt" => "",
            "/" => "<title>drawings</title>" + string.Concat(Enumerable.Range(0, 900).Select(i => $"<a href=/gone/{i}>drawings</a><img src=/gone/{i}.png alt=drawing>")),
            _ => null,
        });
        await new CrawlStage().RunAsync(Context(server.Port, c => c with { MaxPages = 20, MaxPictures = 15 }), Stop);
        Assert.Equal(79, server.Heads.Count(h => h.StartsWith("GET /gone/", StringComparison.Ordinal) && !h.Contains(".png ", StringComparison.Ordinal))); // and the seed
        Assert.Equal(60, server.Heads.Count(h => h.Contains(".png ", StringComparison.Ordinal)));
        Assert.Contains(Drops(), d => d.Reason == "not-reached");
    }

    [Fact]
    public async Task A_domain_that_makes_up_hosts_is_left_when_it_gave_its_share()
    {
        var names = Enumerable.Range(0, 40).Select(i => $"h{i}.spam.test").ToList();
        await using var server = Web(path => path == "/robots.txt" ? "" : $"<title>drawings of {path}</title>" + string.Concat(names.Select(n => $"<a href=http://{n}/{n}>drawings</a>")));
        await new CrawlStage().RunAsync(Context(server.Port, c => c with { MaxPagesPerSite = 6, AllowPrivateHosts = ["a.test", .. names], Resolve = [.. c.Resolve, .. names.Select(n => $"{n}=127.0.0.1:{server.Port}")] }), Stop);
        var kept = RunDirectory.ReadLines<Page>(Path.Combine(folder.File("run"), "1-crawl", "pages.jsonl")).Count(p => new Uri(p.Url).Host != "a.test");
        Assert.InRange(kept, 1, 6 + 8 * 4 * 4); // of the round in which it was full
        Assert.Contains(Drops(), d => d.Reason == "site-full" && d.Detail == "spam.test gave 6 pages");
    }

    [Fact]
    public async Task A_robots_txt_that_answers_late_costs_its_host_nothing()
    {
        var asked = 0;
        await using var server = new LoopbackServer(async (head, stream, token) =>
        {
            var busy = head.StartsWith("GET /robots.txt ", StringComparison.Ordinal) && Interlocked.Increment(ref asked) < 3;
            var body = head.StartsWith("GET /robots.txt ", StringComparison.Ordinal) ? "User-agent: *\nDisallow: /no\nSitemap: http://a.test/map.xml\n"
                : head.StartsWith("GET /map.xml ", StringComparison.Ordinal) ? "<urlset><url><loc>http://a.test/mapped</loc></url></urlset>" : "<title>drawings</title><a href=/no>drawings</a>" + head.Split(' ')[1];
            await stream.WriteAsync(Encoding.UTF8.GetBytes($"HTTP/1.1 {(busy ? "503 Busy" : "200 OK")}\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{body}"), token);
        });
        await new CrawlStage().RunAsync(Context(server.Port, c => c), Stop);
        Assert.Equal(["http://a.test/", "http://a.test/mapped"], Pages());
        Assert.Equal(3, asked);
        Assert.Contains(Drops(), d => d is { Reason: "robots-denied", What: "http://a.test/no" });
    }

    [Fact]
    public async Task Hosts_that_ask_for_too_long_a_pause_are_deferred_and_taken_up_when_more_is_waited()
    {
        await using var server = Web(path => path == "/robots.txt" ? "User-agent: *\nCrawl-delay: 1\n" : path.Length <= 2 ? $"<title>drawings {path}</title><a href=/1>drawings</a><img src=/1.png alt=drawings>" : null);
        var failed = await Assert.ThrowsAsync<LoraException>(() => new CrawlStage().RunAsync(Context(server.Port, c => c with { MaxCrawlDelaySeconds = 0.5 }), Stop));
        Assert.Contains("crawl-delay (1)", failed.Message, StringComparison.Ordinal);
        var deferred = Assert.Single(Drops());
        Assert.Equal(("crawl-delay", "http://a.test/", 1.0, 0.5), (deferred.Reason, deferred.What, deferred.Value, deferred.Threshold));
        await new CrawlStage().RunAsync(Context(server.Port, c => c with { MaxCrawlDelaySeconds = 2 }), Stop);
        Assert.Equal(["http://a.test/", "http://a.test/1"], Pages());
    }

    [Fact]
    public async Task Of_two_hosts_the_deferred_one_is_taken_up_and_the_other_is_not_asked_again()
    {
        await using var server = new LoopbackServer(async (head, stream, token) =>
        {
            var slow = head.Contains("Host: b.test", StringComparison.OrdinalIgnoreCase);
            var body = head.StartsWith("GET /robots.txt ", StringComparison.Ordinal) ? slow ? "User-agent: *\nCrawl-delay: 1\n" : "" : $"<title>drawings {slow}</title><a href=http://b.test/>drawings</a>";
            await stream.WriteAsync(Encoding.UTF8.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{body}"), token);
        });
        StageContext With(double cap) => Context(server.Port, c => c with { MaxCrawlDelaySeconds = cap, AllowPrivateHosts = ["a.test", "b.test"], Resolve = [.. c.Resolve, $"b.test=127.0.0.1:{server.Port}"] });
        await new CrawlStage().RunAsync(With(0), Stop);
        Assert.Equal(["http://a.test/"], Pages());
        Assert.Contains(Drops(), d => d is { Reason: "crawl-delay", What: "http://b.test/", Value: 1, Threshold: 0 });
        await new CrawlStage().RunAsync(With(5), Stop);
        Assert.Equal(["http://a.test/", "http://b.test/"], Pages());
        Assert.Single(server.Heads, h => h.StartsWith("GET / ", StringComparison.Ordinal) && h.Contains("Host: a.test", StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain(Drops(), d => d.Reason == "crawl-delay");
        Assert.Equal(2, server.Heads.Count(h => h.StartsWith("GET /robots.txt ", StringComparison.Ordinal))); // kept with the frontier
    }

    private IEnumerable<string> Pages() => RunDirectory.ReadLines<Page>(Path.Combine(folder.File("run"), "1-crawl", "pages.jsonl")).Select(p => p.Url);

    // Answers 200 with the text, and 404 where there is none.
    private static LoopbackServer Web(Func<string, string?> text) => new(async (head, stream, token) =>
    {
        var answer = text(head.Split(' ')[1]);
        var type = answer?.StartsWith("<sitemap", StringComparison.Ordinal) == true ? "application/xml" : "text/html";
        await stream.WriteAsync(Encoding.UTF8.GetBytes(answer is null ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" : $"HTTP/1.1 200 OK\r\nContent-Type: {type}\r\nConnection: close\r\n\r\n{answer}"), token);
    });

    private IEnumerable<Drop> Drops() => RunDirectory.ReadLines<Drop>(Path.Combine(folder.File("run"), "1-crawl", "dropped.jsonl"));

    private StageContext Context(int port, Func<CrawlOptions, CrawlOptions> crawl) => new()
    {
        Run = new RunDirectory(folder.File("run")),
        Progress = new SilentProgress(),
        Seed = 1,
        Recipe = new Recipe
        {
            Seed = new() { Topic = "drawings", ExpandDepth = 0, Urls = ["http://a.test/"] },
            Crawl = crawl(new() { DelaySeconds = 0, TimeoutSeconds = 5, AllowPrivateHosts = ["a.test"], Resolve = [$"a.test=127.0.0.1:{port}"] }),
        },
    };
}
