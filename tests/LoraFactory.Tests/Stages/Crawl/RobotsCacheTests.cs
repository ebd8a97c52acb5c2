using System.Net;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>One reading of robots.txt serves all who wait for it, and ends with the last of them.</summary>
public sealed class RobotsCacheTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_asked_first_and_goes_leaves_the_answer_to_the_others()
    {
        var (asked, answer) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var server = Serving(async (path, token) =>
        {
            if (path != "/robots.txt") return "404 Not Found";
            asked.TrySetResult();
            await answer.Task.WaitAsync(token);
            return "200 OK\nContent-Type: text/plain\n\nUser-agent: *\nDisallow: /private";
        });
        var options = Options(server);
        var gates = new HostGates(TimeProvider.System, TimeSpan.Zero);
        using var fetcher = new PageFetcher(options, new AddressGuard(options.AllowPrivateHosts, options.Resolve), gates, TimeProvider.System);
        var robots = new RobotsCache(options, fetcher, gates, TimeProvider.System);
        using var tab = new CancellationTokenSource();
        var first = robots.OfAsync(new("http://a.test/data.json"), tab.Token);
        var second = robots.JudgeAsync(new("http://a.test/private/x"), Stop).AsTask();
        await asked.Task.WaitAsync(Stop);
        await tab.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        var third = robots.JudgeAsync(new("http://a.test/open"), Stop).AsTask();
        answer.SetResult();
        Assert.Equal("robots-denied", (await second)?.Reason);
        Assert.Null(await third);
        Assert.Single(server.Heads, h => h.StartsWith("GET /robots.txt ", StringComparison.Ordinal)); // asked for once, whoever went
    }

    [Fact]
    public async Task A_reading_that_nobody_waits_for_ends_and_is_no_failure_of_the_hosts()
    {
        var (hangs, asked) = (true, new SemaphoreSlim(0));
        await using var server = Serving(async (_, token) =>
        {
            asked.Release();
            if (hangs) await Task.Delay(Timeout.Infinite, token);
            return "503 Busy";
        });
        var options = Options(server);
        var gates = new HostGates(TimeProvider.System, TimeSpan.Zero);
        using var fetcher = new PageFetcher(options, new AddressGuard(options.AllowPrivateHosts, options.Resolve), gates, TimeProvider.System);
        var robots = new RobotsCache(options, fetcher, gates, TimeProvider.System);
        for (var i = 0; i < 4; i++)
        {
            using var tab = new CancellationTokenSource();
            var (one, other) = (robots.OfAsync(new("http://a.test/"), tab.Token), robots.OfAsync(new("http://a.test/"), tab.Token));
            await asked.WaitAsync(Stop); // the host's turn is free: the reading before was broken off
            await tab.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => other);
        }
        hangs = false;
        var closed = (await robots.OfAsync(new("http://a.test/"), Stop)).Closed;
        Assert.Equal("robots-unreachable", closed?.Reason);
        Assert.Equal(TimeSpan.FromSeconds(0.25), closed?.Wait); // the wait after a first failure
    }

    private static CrawlOptions Options(LoopbackServer server) =>
        new() { DelaySeconds = 0, TimeoutSeconds = 60, AllowPrivateHosts = ["a.test"], Resolve = [$"a.test={IPAddress.Loopback}:{server.Port}"] };

    private static LoopbackServer Serving(Func<string, CancellationToken, Task<string>> answer) => new(async (head, stream, token) =>
    {
        var parts = (await answer(head.Split(' ')[1], token)).Split("\n\n", 2);
        await stream.WriteAsync(Encoding.Latin1.GetBytes($"HTTP/1.1 {parts[0].ReplaceLineEndings("\r\n")}\r\nConnection: close\r\n\r\n{(parts.Length > 1 ? parts[1] : "")}"), token);
    });
}
