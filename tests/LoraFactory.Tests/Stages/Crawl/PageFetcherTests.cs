using System.IO.Compression;
using System.Net;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class PageFetcherTests
{
    private static readonly CrawlOptions Options = new() { DelaySeconds = 0, TimeoutSeconds = 1, AllowPrivateHosts = ["a.test", "b.test"], MaxRedirects = 3 };
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_page_comes_with_its_headers_and_no_cookie_goes_back()
    {
        await using var server = LoopbackServer.Saying(_ => "200 OK\nContent-Type: Text/HTML; charset=\"utf-8\"\nSet-Cookie: id=1\nX-Robots-Tag: noai\nX-Robots-Tag: nofollow\nContent-Length: 2", "hi"u8.ToArray());
        using var fetcher = Fetcher(server.Port);
        for (var i = 0; i < 2; i++)
        {
            var answer = await fetcher.GetAsync(new("http://a.test/x"), new("text/html", 100), Stop);
            Assert.Null(answer.Refusal);
            Assert.Equal(("text/html", "utf-8", 200), (answer.MediaType, answer.Charset, answer.Status));
            Assert.Equal(["noai", "nofollow"], answer.Headers.Where(h => h.Key == "x-robots-tag").Select(h => h.Value));
            Assert.Equal("hi"u8.ToArray(), answer.Body);
        }
        Assert.All(server.Heads, h => Assert.DoesNotContain("Cookie", h, StringComparison.OrdinalIgnoreCase));
        Assert.All(server.Heads, h => Assert.Contains("User-Agent: " + Options.UserAgent, h, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("302 Found\nLocation: http://169.254.169.254/latest/", "address-refused")]
    [InlineData("301 Moved\nLocation: http://127.0.0.1/", "address-refused")]
    [InlineData("307 Moved\nLocation: //[::1]/", "address-refused")]
    [InlineData("302 Found\nLocation: file:///etc/passwd", "address-refused")]
    [InlineData("302 Found\nLocation: http://inside.test/", "address-refused")]
    [InlineData("302 Found\nLocation: /x", "redirect-loop")]
    [InlineData("302 Found", "bad-status")]
    [InlineData("304 Not Modified", "bad-status")]
    [InlineData("200 OK\nContent-Length: 999999", "too-large")]
    [InlineData("200 OK\nContent-Encoding: compress", "unsupported-encoding")]
    [InlineData("200 OK\nContent-Encoding: gzip, gzip, gzip, gzip", "unsupported-encoding")]
    [InlineData("200 OK\nContent-Encoding: gzip", "bad-encoding")]
    [InlineData("200 OK\nContent-Encoding: br", "bad-encoding")]
    [InlineData("200 OK\nContent-Encoding: deflate", "bad-encoding")]
    [InlineData("200 OK\nContent-Encoding: br, gzip", "bad-encoding")]
    [InlineData("200 OK\nContent-Length: 50", "unreachable")]
    [InlineData("hello", "unreachable")]
    public async Task Bad_answers_have_a_reason(string head, string reason)
    {
        await using var server = LoopbackServer.Saying(_ => head, "no gzip at all, plain text"u8.ToArray());
        using var fetcher = Fetcher(server.Port);
        var answer = await fetcher.GetAsync(new("http://a.test/x"), new("text/html", 1000), Stop);
        Assert.Equal(reason, answer.Refusal?.Reason);
        Assert.Equal(head.Contains("Location:", StringComparison.Ordinal) && !head.Contains("file:", StringComparison.Ordinal), answer.Redirects > 0); // file: is refused where it is named
        Assert.Empty(answer.Body);
    }

    [Fact]
    public async Task Redirects_are_counted_and_each_hop_is_asked_about()
    {
        await using var server = LoopbackServer.Saying(path => $"302 Found\nLocation: /{int.Parse(path[1..]) + 1}");
        using var fetcher = Fetcher(server.Port);
        var answer = await fetcher.GetAsync(new("http://a.test/0"), new("text/html", 1000), Stop);
        Assert.Equal("too-many-redirects", answer.Refusal?.Reason);
        Assert.Equal(4, server.Heads.Count);

        var asked = new List<string>();
        answer = await fetcher.GetAsync(new("http://a.test/0"), new("text/html", 1000, (url, _) =>
        {
            asked.Add(url.AbsolutePath);
            return ValueTask.FromResult(url.AbsolutePath == "/2" ? new Refusal("robots-denied") : null);
        }), Stop);
        Assert.Equal("robots-denied", answer.Refusal?.Reason);
        Assert.Equal(["/0", "/1", "/2"], asked);
        Assert.Equal(6, server.Heads.Count);
    }

    [Fact]
    public async Task A_server_that_hangs_costs_one_time_out()
    {
        await using var server = new LoopbackServer(async (head, stream, token) =>
        {
            if (head.StartsWith("GET /slow", StringComparison.Ordinal))
            {
                await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"u8.ToArray(), token);
                for (var i = 0; i < 1000; i++)
                {
                    await stream.WriteAsync("x"u8.ToArray(), token);
                    await Task.Delay(50, token);
                }
            }
            await Task.Delay(Timeout.Infinite, token);
        });
        using var fetcher = Fetcher(server.Port);
        var clock = TimeProvider.System.GetTimestamp();
        Assert.Equal("timeout", (await fetcher.GetAsync(new("http://a.test/silent"), new("*/*", 1000), Stop)).Refusal?.Reason);
        Assert.Equal("timeout", (await fetcher.GetAsync(new("http://a.test/slow"), new("*/*", 1000), Stop)).Refusal?.Reason);
        Assert.InRange(TimeProvider.System.GetElapsedTime(clock).TotalSeconds, 1.9, 6);
    }

    [Fact]
    public async Task A_bomb_is_refused_before_it_is_unpacked()
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
            for (var i = 0; i < 200; i++) gzip.Write(new byte[1 << 20]);
        await using var server = LoopbackServer.Saying(_ => "200 OK\nContent-Type: text/html\nContent-Encoding: gzip", packed.ToArray());
        using var fetcher = Fetcher(server.Port);
        Assert.Equal("too-large", (await fetcher.GetAsync(new("http://a.test/"), new("*/*", 100_000), Stop)).Refusal?.Reason);
        Assert.Equal("too-compressed", (await fetcher.GetAsync(new("http://a.test/"), new("*/*", 1 << 30), Stop)).Refusal?.Reason);
    }

    [Fact]
    public async Task A_header_that_is_not_wanted_spares_the_body()
    {
        var sent = 0;
        await using var server = new LoopbackServer(async (_, stream, token) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n"u8.ToArray(), token);
            for (; sent < 5000; sent++) await stream.WriteAsync(new byte[64 * 1024], token);
        });
        using var fetcher = Fetcher(server.Port);
        var answer = await fetcher.GetAsync(new("http://a.test/"), new("image/*", 1 << 30, Judge: a => PictureType.JudgeHeader(a.MediaType)), Stop);
        Assert.Equal(new Refusal("not-a-picture", "video/mp4"), answer.Refusal);
        Assert.True(sent < 2000, $"{sent} blocks were read");
    }

    [Fact]
    public async Task Names_without_an_address_and_closed_ports_have_their_reason()
    {
        using var fetcher = new PageFetcher(
            Options, new AddressGuard(Options.AllowPrivateHosts, ["a.test=127.0.0.1:1"], (_, _) => Task.FromResult<IPAddress[]>([])), new HostGates(TimeProvider.System, TimeSpan.Zero), TimeProvider.System);
        Assert.Equal(new Refusal("unreachable", "ConnectionRefused"), (await fetcher.GetAsync(new("http://a.test/"), new("*/*", 1000), Stop)).Refusal);
        Assert.Equal("dns", (await fetcher.GetAsync(new("http://none.test/"), new("*/*", 1000), Stop)).Refusal?.Reason);
    }

    [Theory]
    [InlineData("200 OK\nContent-Type: text/plain", "User-agent: *\nDisallow: /private", null, "robots-denied")]
    [InlineData("404 Not Found", "", null, null)]
    [InlineData("403 Forbidden", "", null, null)]
    [InlineData("429 Too Many", "", "robots-unreachable", "robots-unreachable")]
    [InlineData("500 Oops", "", "robots-unreachable", "robots-unreachable")]
    [InlineData("302 Found\nLocation: /robots.txt", "", "robots-unreachable", "robots-unreachable")]
    [InlineData("302 Found\nLocation: http://10.0.0.1/robots.txt", "", "address-refused", "address-refused")]
    [InlineData("200 OK", "User-agent: *\nCrawl-delay: 31", "crawl-delay", "crawl-delay")]
    public async Task Robots_txt_fails_closed(string head, string body, string? open, string? secret)
    {
        await using var server = LoopbackServer.Saying(path => path == "/robots.txt" ? head : "404 Not Found", Encoding.UTF8.GetBytes(body));
        var gates = new HostGates(TimeProvider.System, TimeSpan.Zero);
        using var fetcher = Fetcher(server.Port, gates);
        var robots = new RobotsCache(Options, fetcher, gates, TimeProvider.System);
        Assert.Equal(open, (await robots.JudgeAsync(new("http://a.test/open"), Stop))?.Reason);
        Assert.Equal(secret, (await robots.JudgeAsync(new("http://a.test/private/x"), Stop))?.Reason);
        Assert.Single(server.Heads, h => h.StartsWith("GET /robots.txt ", StringComparison.Ordinal) || open == "robots-unreachable");
    }

    [Theory]
    [InlineData("120", 120.0)]
    [InlineData(" 1.2 ", 2.0)]
    [InlineData("99999999999999999999", 365 * 86400.0)]
    [InlineData("Sun, 22 Nov 2026 12:02:00 GMT", 120.0)]
    [InlineData("Sunday, 22-Nov-26 12:02:00 GMT", 120.0)]
    [InlineData("Sun, 22 Nov 2026 11:00:00 GMT", 0.0)]
    [InlineData("soon", null)]
    [InlineData("-5", null)]
    [InlineData("", null)]
    public void Retry_after_is_read_leniently(string text, double? seconds) =>
        Assert.Equal(seconds, RetryAfter.Of(text, new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero))?.TotalSeconds);

    [Fact]
    public async Task What_is_dialled_is_the_address_whose_turn_it_is()
    {
        // the name's answers turn round, as many names' do
        var turn = 0;
        var dialled = new List<string>();
        await using var server = LoopbackServer.Saying(_ => "404 Not Found", null);
        var guard = new AddressGuard(["a.test"], [], (_, _) => Task.FromResult<IPAddress[]>(Interlocked.Increment(ref turn) % 2 == 0 ? [IPAddress.Loopback, IPAddress.Parse("127.0.0.2")] : [IPAddress.Parse("127.0.0.2"), IPAddress.Loopback]));
        var gates = new HostGates(TimeProvider.System, TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
        using var fetcher = new PageFetcher(Options with { AllowPrivateHosts = ["a.test"] }, guard, gates, TimeProvider.System);
        for (var i = 0; i < 4; i++)
        {
            var answer = await fetcher.GetAsync(new($"http://a.test:{server.Port}/{i}"), new("*/*", 1000), Stop);
            Assert.Equal(i == 0 ? "unreachable" : "bad-status", answer.Refusal?.Reason); // the second address has its own turn, when the host is asked again
            dialled.Add($"{await guard.AddressAsync("a.test", server.Port, Stop)}");
        }
        Assert.True(turn >= 4); // looked up anew for each connection, since that is what is judged
        Assert.Equal("127.0.0.1", Assert.Single(dialled.Distinct())); // only there does somebody listen
        Assert.Equal(3, server.Heads.Count);
    }

    [Fact]
    public async Task A_pause_counts_from_the_end_of_one_request_to_the_start_of_the_next()
    {
        var gates = new HostGates(TimeProvider.System, TimeSpan.FromMilliseconds(80));
        gates.SetPause("slow.test", TimeSpan.FromMilliseconds(200));
        gates.SetPause("quick.test", TimeSpan.Zero);
        foreach (var (host, pause) in new[] { ("slow.test", 200), ("quick.test", 80), ("other.test", 80) })
        {
            var inside = 0;
            var ends = new List<long>();
            var starts = new List<long>();
            await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
            {
                using var turn = await gates.EnterAsync(host, null, Stop);
                Assert.Equal(1, Interlocked.Increment(ref inside));
                starts.Add(TimeProvider.System.GetTimestamp());
                await Task.Delay(20, Stop);
                ends.Add(TimeProvider.System.GetTimestamp());
                Interlocked.Decrement(ref inside);
            }));
            Assert.All(ends.Zip(starts.Skip(1)), p => Assert.True(TimeProvider.System.GetElapsedTime(p.First, p.Second).TotalMilliseconds >= pause));
        }
    }

    private static PageFetcher Fetcher(int port, HostGates? gates = null) => new(
        Options, new AddressGuard(Options.AllowPrivateHosts, [$"a.test=127.0.0.1:{port}", $"inside.test=127.0.0.1:{port}"]),
        gates ?? new HostGates(TimeProvider.System, TimeSpan.Zero), TimeProvider.System);
}
