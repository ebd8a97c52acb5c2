using System.Text;
using System.Text.Json;
using LoraFactory.Cli;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>A crawl says how it stands while it goes on and when it has ended, and can be paused without loss.</summary>
public sealed class CrawlStatusTests : IDisposable
{
    private const int Pages = 60;
    private readonly TemporaryFolder folder = new();
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task The_counts_are_those_of_the_files_and_the_same_when_they_are_read_again()
    {
        await using var server = Web();
        var (line, run) = (new FactoryLine([new CrawlStage()]), new RunDirectory(folder.File("run")));
        await line.RunAsync(Context(server.Port), new(), new Dictionary<string, string>(), token: Stop);
        var status = CrawlStatus.Of(run)!;
        Assert.Equal("ended", status.State);
        Assert.Equal(RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl")).Count(), status.Pages);
        var drops = RunDirectory.ReadLines<Drop>(run.File(StageName.Crawl, "dropped.jsonl")).ToList();
        Assert.Equal(drops.GroupBy(d => d.Reason).ToDictionary(g => g.Key, g => g.LongCount()), status.Dropped.ToDictionary());
        Assert.Equal(new Dictionary<string, long> { ["404"] = 2, ["kept"] = Pages + 1, ["opt-out:x-robots-tag:noai"] = 1, ["robots-denied"] = 1 }, status.Outcomes.ToDictionary());
        Assert.Equal((1L, 1L), (status.RobotsDenied, status.OptedOut));
        var host = Assert.Single(status.Hosts);
        Assert.Equal(("a.test", status.Outcomes.Values.Sum()), (host.Host, host.Urls));

        File.Delete(run.File(StageName.Crawl, CrawlStatus.FileName));
        await line.RunAsync(Context(server.Port), new(StageName.Crawl), new Dictionary<string, string>(), token: Stop);
        var again = CrawlStatus.Of(run)!;
        static string Text(CrawlStatus s) => JsonSerializer.Serialize(s with { At = default, PagesPerSecond = 0, Hosts = [.. s.Hosts.Select(h => h with { PauseSeconds = 0 })] }, RunDirectory.Json);
        Assert.Equal(Text(status), Text(again));

        using var output = new StringWriter();
        Assert.Equal(0, await CommandLine.RunAsync(["crawl", "status", folder.File("run"), "--json"], output, TextWriter.Null, Stop));
        Assert.Equal(status.Pages, JsonSerializer.Deserialize<CrawlStatus>(output.ToString(), RunDirectory.Json)!.Pages);
        using var error = new StringWriter();
        Assert.NotEqual(0, await CommandLine.RunAsync(["crawl", "pause", folder.File("run")], TextWriter.Null, error, Stop));
        Assert.Contains("no crawl is at work", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_paused_crawl_asks_nothing_and_goes_on_where_it_was()
    {
        await using var server = Web();
        var run = new RunDirectory(folder.File("run"));
        var crawl = new FactoryLine([new CrawlStage()]).RunAsync(Context(server.Port, 0.02), new(), new Dictionary<string, string>(), token: Stop);
        while (server.Heads.Count < 10) await Task.Delay(10, Stop);
        Assert.Equal(0, await CommandLine.RunAsync(["crawl", "pause", folder.File("run")], TextWriter.Null, TextWriter.Null, Stop));
        while (CrawlStatus.Of(run)!.State != "paused") await Task.Delay(20, Stop);
        var asked = server.Heads.Count;
        await Task.Delay(1000, Stop);
        Assert.Equal(asked, server.Heads.Count);
        Assert.False(crawl.IsCompleted);
        Assert.InRange(asked, 10, Pages);
        Assert.Equal(0, await CommandLine.RunAsync(["crawl", "resume", folder.File("run")], TextWriter.Null, TextWriter.Null, Stop));
        await crawl;
        Assert.Equal(Pages, RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl")).Count());
        Assert.All(server.Heads.GroupBy(h => h.Split(' ')[1]), g => Assert.Single(g));
    }

    [Fact]
    public async Task A_crawl_that_is_interrupted_says_so()
    {
        await using var server = Web();
        var run = new RunDirectory(folder.File("run"));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var crawl = new FactoryLine([new CrawlStage()]).RunAsync(Context(server.Port, 0.02), new(), new Dictionary<string, string>(), token: stop.Token);
        while (server.Heads.Count < 10) await Task.Delay(10, Stop);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => crawl);
        using var output = new StringWriter();
        Assert.Equal(0, await CommandLine.RunAsync(["crawl", "status", run.Path, "--watch"], output, TextWriter.Null, Stop)); // and does not wait for what is over
        Assert.StartsWith("interrupted: ", output.ToString().TrimStart(), StringComparison.Ordinal);
    }

    // Pages in a row, each of which leads to the next; of pictures one is there, one refuses training and one is missing.
    private static LoopbackServer Web() => new(async (head, stream, token) =>
    {
        var path = head.Split(' ')[1];
        var number = int.TryParse(path.AsSpan(1), out var n) ? n : 0;
        var words = string.Join(' ', Enumerable.Range(0, 30).Select(i => Word((number + 7) * (i + 3) % 9973)));
        var body = path switch
        {
            "/robots.txt" => "User-agent: *\nDisallow: /secret",
            "/" => $"<title>drawings</title><p>{words}</p><a href=/1>drawings</a><a href=/secret>drawings</a><img src=/a.png alt=drawing><img src=/noai.png alt=drawing><img src=/gone.png alt=drawing>",
            _ when number is > 0 and < Pages => $"<title>drawings {number}</title><p>{words}</p><a href=/{number + 1}>drawings</a>",
            "/a.png" or "/noai.png" => "\u0089PNG",
            _ => null,
        };
        var type = path.EndsWith(".png", StringComparison.Ordinal) ? "image/png" : "text/html";
        var more = path == "/noai.png" ? "X-Robots-Tag: noai\r\n" : "";
        var text = body is null ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" : $"HTTP/1.1 200 OK\r\nContent-Type: {type}\r\n{more}Connection: close\r\n\r\n{body}";
        await stream.WriteAsync(Encoding.Latin1.GetBytes(text), token);
    });

    private static string Word(int n) => string.Concat(Enumerable.Range(0, 4).Select(i => (char)('a' + n / (int)Math.Pow(11, i) % 11 + i * 2)));

    private StageContext Context(int port, double delay = 0) => new()
    {
        Run = new RunDirectory(folder.File("run")),
        Progress = new SilentProgress(),
        Seed = 1,
        Recipe = new Recipe
        {
            Seed = new() { Topic = "drawings", ExpandDepth = 0, Urls = ["http://a.test/"] },
            Crawl = new() { DelaySeconds = delay, MaxDepth = 100, TimeoutSeconds = 5, AllowPrivateHosts = ["a.test"], Resolve = [$"a.test=127.0.0.1:{port}"] },
        },
    };
}
