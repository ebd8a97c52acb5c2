using System.Text;
using LoraFactory.Cli;
using LoraFactory.Cli.Engine.Bench.Web;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>A crawl that waits says for whom, and how often that host was tried, where its lines go to a file too.</summary>
public sealed class CrawlWaitsTests : IDisposable
{
    private const double Speedup = 10, Often = 5, Timeout = 20;
    private readonly TemporaryFolder folder = new();
    private readonly StringWriter said = new();

    public void Dispose()
    {
        folder.Dispose();
        said.Dispose();
    }

    [Fact]
    public async Task Hosts_that_answer_nothing_are_named_with_each_try_and_each_rest()
    {
        await using var server = new LoopbackServer(async (head, stream, token) =>
        {
            var host = head.Split('\n').First(l => l.StartsWith("Host:", StringComparison.OrdinalIgnoreCase))[5..].Trim();
            if (host == "closed.test" || (host == "slow.test" && head.Split(' ')[1] == "/"))
            {
                while (await stream.ReadAsync(new byte[1], token) > 0) { }
                return;
            }
            var (status, body) = head.Split(' ')[1] == "/" ? ("200 OK", "<title>drawings</title><p>drawings of a house") : ("404 Not Found", "");
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"), token);
        });
        string[] hosts = ["fine.test", "closed.test", "slow.test"];
        var clock = new FastClock(Speedup);
        using var board = new LineProgress(TextWriter.Synchronized(said), clock, TimeSpan.FromSeconds(Often));
        var context = new StageContext
        {
            Run = new RunDirectory(folder.Path),
            Progress = board,
            Clock = clock,
            Seed = 1,
            Recipe = new Recipe
            {
                Seed = new() { Topic = "drawings", ExpandDepth = 0, Urls = [.. hosts.Select(h => $"http://{h}/")] },
                Crawl = new() { TimeoutSeconds = Timeout, AddressDelaySeconds = 0, AllowPrivateHosts = hosts, Resolve = [.. hosts.Select(h => $"{h}=127.0.0.1:{server.Port}")] },
            },
        };
        var began = clock.GetTimestamp();
        var crawl = new CrawlStage().RunAsync(context, TestContext.Current.CancellationToken);
        var status = new HashSet<string>(StringComparer.Ordinal);
        while (!crawl.IsCompleted)
        {
            if (CrawlStatus.Of(context.Run)?.WaitsFor is { } waits) status.Add(waits);
            await Task.WhenAny(crawl, Task.Delay(50, TestContext.Current.CancellationToken));
        }
        await crawl;
        var lines = said.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        foreach (var tried in (int[])[1, 2, 3]) Assert.Contains(lines, l => l.Contains($"closed.test (robots.txt, try {tried} of 3)", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.Contains("slow.test (try 1 of 3)", StringComparison.Ordinal));
        // which of its two rests is seen beside slow.test's depends on how the tries fall
        Assert.Contains(lines.Concat(status), l => l.Contains("waiting for closed.test: asked again in ", StringComparison.Ordinal) && (l.EndsWith(" s (robots.txt, try 2 of 3)", StringComparison.Ordinal) || l.EndsWith(" s (robots.txt, try 3 of 3)", StringComparison.Ordinal)));
        Assert.InRange(lines.Length, 5, clock.GetElapsedTime(began).TotalSeconds / Often + 2); // one when it ends
        Assert.Contains(status, w => w.StartsWith("waiting for closed.test (robots.txt, try 1 of 3)", StringComparison.Ordinal)); // while nothing else is done yet
        Assert.Null(CrawlStatus.Of(context.Run)!.WaitsFor);
    }
}
