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
        var (web, seen, run) = await CrawlAsync(shape, Options(shape.Pause));
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
        var (_, seen, _) = await CrawlAsync(new WebShape(30, 2, 5) { Pause = 30 }, Options(0.001));
        Assert.Equal((seen.Requests - 2, 0), (seen.TooSoon, seen.AtOnce)); // every request but the first of each host
    }

    [Fact]
    public async Task A_web_that_moves_refuses_and_keeps_its_robots_txt_to_itself_is_crawled_whole_and_politely()
    {
        var shape = Grudging with { FailureRate = 0.02, TrapRate = 0.05, Pause = 0.02 };
        var (web, seen, run) = await CrawlAsync(shape, Options(shape.Pause) with { MaxPictures = 5000 });
        Assert.Equal((0, seen), (seen.Violations, seen));
        var pages = RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl")).ToList();
        var found = pages.Where(p => new Uri(p.FinalUrl).AbsolutePath.StartsWith("/a/p", StringComparison.Ordinal)).ToList(); // the others are of traps
        Assert.Equal(Enumerable.Range(0, shape.Pages).Select(p => (web.Url(p), web.Title(p))).Order(), found.Select(p => (p.FinalUrl, p.Title)).Order());
        Assert.Equal(0, web.OptedOutKept(pages));
        Assert.Equal(Enumerable.Range(0, shape.Pages).Where(web.OptsOut).Select(web.Url).Order(StringComparer.Ordinal), found.Where(p => p.OptOut is not null).Select(p => p.FinalUrl).Order(StringComparer.Ordinal));
        Assert.Equal(4, found.Select(p => p.OptOut).OfType<string>().Distinct().Count()); // each of the four ways
        var pictures = pages.Where(p => p.OptOut is null).SelectMany(p => p.Pictures).ToList();
        Assert.All(pictures, p => Assert.Equal(web.PictureOptsOut(p.Url), p.BlobHash is null));
        Assert.Contains(pictures, p => p.BlobHash is null);
        Assert.Contains(pictures, p => p.BlobHash is not null);

        // by a former address, from the same host and another, at once and by a second one
        var moves = found.Where(p => p.Url != p.FinalUrl).Select(p => (Move: web.MoveOf(web.PageAt(p.FinalUrl)!.Value)!.Value, Within: new Uri(p.Url).Host == new Uri(p.FinalUrl).Host)).ToList();
        Assert.Equal([(false, false), (false, true), (true, false)], moves.Select(m => (m.Move.Second is not null, m.Within && m.Move.Second is null)).Distinct().Order());
        Assert.Equal([301, 302, 303, 307, 308], moves.Select(m => m.Move.Status).Distinct().Order());
        var drops = RunDirectory.ReadLines<Drop>(run.File(StageName.Crawl, "dropped.jsonl")).ToList();
        Assert.Contains(drops, d => d.Reason == "duplicate-url"); // an address more of what another link leads to
        var closed = drops.Where(d => d.Reason == "robots-unreachable").ToList();
        foreach (var host in Enumerable.Range(shape.Hosts, web.HostCount - shape.Hosts)) Assert.Contains(closed, d => new Uri(d.What).Host == GeneratedWeb.HostName(host));
        Assert.Contains(closed, d => GeneratedWeb.IsFormer(new Uri(d.What).AbsolutePath)); // a redirect leads there too
    }

    [Fact]
    public void What_is_not_asked_for_leaves_the_web_as_it_was()
    {
        var (plain, whole) = (new GeneratedWeb(new WebShape(Grudging.Pages, Grudging.Hosts, Grudging.Seed)), new GeneratedWeb(Grudging));
        byte[] Body(GeneratedWeb web, int page) => web.Answer(page % Grudging.Hosts, new Uri(web.Url(page)).AbsolutePath, first: false).Body;
        var pages = Enumerable.Range(0, Grudging.Pages).ToList();
        // as it was before there were such things: figures of one version can be compared with those of another
        Assert.Equal("ceb1d8409e51d5e72c0c72e3e3604e00436234f47a9de47a17b4c9d1224c847f", Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(pages.SelectMany(p => Body(plain, p)).ToArray())));
        Assert.Contains(pages, p => Body(plain, p).SequenceEqual(Body(whole, p)));
        Assert.Contains(pages, p => !Body(plain, p).SequenceEqual(Body(whole, p)));
        Assert.Equal(pages.Select(plain.Title), pages.Select(whole.Title));
        Assert.Equal(8, plain.HostCount);
    }

    [Fact]
    public async Task A_crawler_that_ignores_opt_outs_and_robots_txt_is_seen()
    {
        await using var server = await WebServer.StartAsync(Grudging);
        var web = new GeneratedWeb(Grudging);
        using var http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (context, token) =>
            {
                var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
                await socket.ConnectAsync(GeneratedWeb.Address(int.Parse(context.DnsEndPoint.Host[1..^".bench.test".Length])), server.Port, token);
                return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
            },
        });
        var (waiting, known, pages) = (new Queue<Uri>([new Uri(web.Url(0))]), new HashSet<string>(StringComparer.Ordinal), new List<Page>());
        while (pages.Count < 100 && waiting.TryDequeue(out var url))
        {
            using var answer = await http.GetAsync(url, TestContext.Current.CancellationToken);
            var at = answer.RequestMessage!.RequestUri!;
            var links = System.Text.RegularExpressions.Regex.Matches(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), @"(?<kind>href|src)=""(?<url>[^""#]*)""", System.Text.RegularExpressions.RegexOptions.NonBacktracking | System.Text.RegularExpressions.RegexOptions.ExplicitCapture).Select(m => (Picture: m.Groups["kind"].Value == "src", Url: new Uri(at, m.Groups["url"].Value))).Where(l => l.Url.Scheme == "http").ToList();
            foreach (var link in links.Where(l => !l.Picture && known.Add(l.Url.AbsoluteUri))) waiting.Enqueue(link.Url);
            foreach (var picture in links.Where(l => l.Picture)) (await http.GetAsync(picture.Url, TestContext.Current.CancellationToken)).Dispose();
            var pictures = links.Where(l => l.Picture).Select(l => new PagePicture { Url = l.Url.AbsoluteUri, BlobHash = ContentId.Of(l.Url.AbsoluteUri) });
            pages.Add(new()
            {
                Id = ContentId.Of(url.AbsoluteUri), SeedId = "seed", Url = url.AbsoluteUri, FinalUrl = at.AbsoluteUri, Status = 200, FetchedAt = DateTimeOffset.UnixEpoch, Headers = new Dictionary<string, string>(),
                BlobHash = ContentId.Of(at.AbsoluteUri), MediaType = "text/html", Depth = 0, Pictures = [.. pictures],
            });
        }
        var seen = server.Witness;
        Assert.Equal(seen.Requests, seen.BeforeRobots); // it reads none
        Assert.InRange(seen.Denied, pages.Count(p => p.FinalUrl.Contains("/private/", StringComparison.Ordinal)) + 1, 100); // pages of hosts that keep theirs to themselves
        var refusing = pages.Where(p => web.PageAt(p.FinalUrl) is { } page && web.OptsOut(page)).ToList();
        Assert.NotEmpty(refusing);
        Assert.Equal(refusing.Sum(p => p.Pictures.Count), seen.OptedOutAsked);
        Assert.Equal(refusing.Select(p => p.FinalUrl).Concat(pages.SelectMany(p => p.Pictures).Select(p => p.Url).Where(web.PictureOptsOut)).Distinct().Count(), web.OptedOutKept(pages));
        Assert.Equal(seen.BeforeRobots + seen.Denied + seen.OptedOutAsked, seen.Violations);
    }

    private static WebShape Grudging => new(200, 8, 5) { RedirectRate = 0.4, OptOutRate = 0.2, RobotsFailureRate = 0.25 };

    private static CrawlOptions Options(double delay) => new() { MaxDepth = 100, MaxPictures = 0, HostPatience = 0, DelaySeconds = delay, TimeoutSeconds = 1, MaxPages = 5000, MaxPagesPerHost = 5000 };

    private async Task<(GeneratedWeb Web, WebWitness Seen, RunDirectory Run)> CrawlAsync(WebShape shape, CrawlOptions options)
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
                Crawl = options with { AllowPrivateHosts = [.. web.HostNames], Resolve = [.. web.Resolve(server.Port)] },
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
