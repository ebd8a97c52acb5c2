using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>Connections that end: how often the host is asked for what was on them.</summary>
public sealed class BrokenConnectionTests
{
    private static readonly CrawlOptions Options = new() { DelaySeconds = 0, TimeoutSeconds = 5, AllowPrivateHosts = ["a.test"] };
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>
    /// A request that breaks off on a connection used before is not sent again without a pause, whether the host closes it (FIN) or resets it (RST).
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_request_that_breaks_off_is_sent_once(bool reset)
    {
        var asked = new ConcurrentQueue<string>();
        await using var server = new LoopbackServer(async (head, stream, token) =>
        {
            for (; head.Length > 0; head = await LoopbackServer.HeadAsync(stream, token))
            {
                var path = head.Split(' ')[1];
                asked.Enqueue(path);
                if (path == "/broken") break;
                await stream.WriteAsync(Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), token);
            }
            if (!reset) return;
            ((NetworkStream)stream).Socket.Close(0);
            throw new IOException("reset");
        });
        using var fetcher = new PageFetcher(Options, new AddressGuard(Options.AllowPrivateHosts, [$"a.test=127.0.0.1:{server.Port}"]), new HostGates(TimeProvider.System, TimeSpan.Zero), TimeProvider.System);
        Assert.Null((await fetcher.GetAsync(new("http://a.test/fine"), new("*/*", 100), Stop)).Refusal);
        Assert.Equal("unreachable", (await fetcher.GetAsync(new("http://a.test/broken"), new("*/*", 100), Stop)).Refusal?.Reason);
        Assert.Equal(["/fine", "/broken"], asked);
        Assert.Null((await fetcher.GetAsync(new("http://a.test/again"), new("*/*", 100), Stop)).Refusal);
    }
}
