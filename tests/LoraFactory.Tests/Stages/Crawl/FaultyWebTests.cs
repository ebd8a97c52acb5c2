using System.Collections.Concurrent;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>
/// A web of ten hosts of which each fails in its own way: the crawl ends, keeps every page that can be had, and asks nobody twice at once.
/// </summary>
public sealed class FaultyWebTests : IDisposable
{
    private const int Pages = 6;
    private static readonly string[] Kinds = ["fine", "hangs", "resets", "lies", "headers", "circles", "bursts", "busy", "late", "trickles"];
    private readonly TemporaryFolder folder = new();
    private readonly ConcurrentDictionary<string, int> asked = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, DateTimeOffset> begun = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> rude = new();
    private readonly ConcurrentDictionary<string, DateTimeOffset> notBefore = new(StringComparer.Ordinal);
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_crawl_of_a_faulty_web_ends_loses_nothing_and_violates_nothing()
    {
        await using var server = new LoopbackServer(AnswerAsync);
        var hosts = Kinds.Select(k => k + ".test").ToList();
        var context = new StageContext
        {
            Run = new RunDirectory(folder.File("run")),
            Progress = new SilentProgress(),
            Seed = 1,
            Recipe = new Recipe
            {
                Seed = new() { Topic = "drawings", ExpandDepth = 0, Urls = [.. hosts.Select(h => $"http://{h}/")] },
                Crawl = new() { DelaySeconds = 0, TimeoutSeconds = 2, Concurrency = 10, AllowPrivateHosts = hosts, Resolve = [.. hosts.Select(h => $"{h}=127.0.0.1:{server.Port}")] },
            },
        };
        var outcome = await new CrawlStage().RunAsync(context, Stop);
        Assert.True(rude.IsEmpty, string.Join("\n", rude));
        var kept = RunDirectory.ReadLines<Page>(context.Run.File(StageName.Crawl, "pages.jsonl")).Select(p => p.Url).ToHashSet(StringComparer.Ordinal);
        // Every page that is to be had is had, however the host failed before: bursts of 500 and 429, late answers, other pages that hang.
        foreach (var kind in Kinds)
            for (var page = 0; page < Pages; page++)
                if (!Fails(kind, page)) Assert.Contains(page == 0 ? $"http://{kind}.test/" : $"http://{kind}.test/{page}", kept);
        // And every other URL is accounted for, with a reason.
        var dropped = RunDirectory.ReadLines<Drop>(context.Run.File(StageName.Crawl, "dropped.jsonl")).ToDictionary(d => d.What, d => d.Reason, StringComparer.Ordinal);
        foreach (var kind in Kinds)
            for (var page = 1; page < Pages; page++)
                if (Fails(kind, page)) Assert.True(dropped.ContainsKey($"http://{kind}.test/{page}"), $"{kind} {page}");
        Assert.Equal(outcome.In, outcome.Out + outcome.Dropped.Where(d => !d.Key.Contains(':', StringComparison.Ordinal)).Sum(d => d.Value));
        Assert.All(asked.Where(a => !a.Key.EndsWith("/robots.txt", StringComparison.Ordinal)), a => Assert.InRange(a.Value, 1, 3)); // tried again, not for ever
    }

    private static bool Fails(string kind, int page) => page % 2 == 1 && kind is "hangs" or "resets" or "lies" or "headers" or "circles" or "trickles";

    private async Task AnswerAsync(string head, Stream stream, CancellationToken token)
    {
        var path = head.Split(' ')[1];
        var host = head.Split('\n').First(l => l.StartsWith("Host:", StringComparison.OrdinalIgnoreCase))[5..].Trim();
        var kind = host.Split('.')[0];
        // a crawler may give up after two seconds, which a server that goes on writing learns late
        if (begun.TryGetValue(host, out var other) && DateTimeOffset.UtcNow - other < TimeSpan.FromSeconds(1.5)) rude.Enqueue($"{host}{path}: two at once");
        begun[host] = DateTimeOffset.UtcNow;
        if (notBefore.TryGetValue(host, out var until) && DateTimeOffset.UtcNow < until - TimeSpan.FromMilliseconds(20)) rude.Enqueue($"{host}{path}: {until - DateTimeOffset.UtcNow} before Retry-After");
        var time = asked.AddOrUpdate(host + path, 1, (_, n) => n + 1);
        if (path is "/robots.txt" || path.StartsWith("/.well-known", StringComparison.Ordinal)) await SayAsync(host, stream, "404 Not Found", "", token);
        else await AnswerAsync(kind, host, path == "/" ? 0 : int.Parse(path[1..].TrimEnd('x')), path, time, stream, token);
    }

    private async Task AnswerAsync(string kind, string host, int page, string path, int time, Stream stream, CancellationToken token)
    {
        var odd = page % 2 == 1;
        var text = $"<!doctype html><title>drawings of {kind}, number {Words(page)}</title><h1>drawings</h1>" + string.Concat(Enumerable.Range(1, Pages - 1).Select(i => $"<a href=/{i}>drawings {i}</a>"));
        switch (kind)
        {
            case "hangs" when odd:
                await UntilHungUpAsync(stream, token);
                break;
            case "resets" when odd:
                begun.TryRemove(host, out _);
                break; // closes without a word
            case "lies" when odd:
                begun.TryRemove(host, out _);
                await WriteAsync(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n" + text, token);
                break;
            case "headers" when odd:
                begun.TryRemove(host, out _); // the crawl hangs up as soon as they are too long
                await WriteAsync(stream, "HTTP/1.1 200 OK\r\n", token);
                for (var i = 0; i < 200_000; i++) await WriteAsync(stream, $"X-{i}: {new string('x', 100)}\r\n", token);
                break;
            case "circles" when odd:
                await SayAsync(host, stream, $"302 Found\r\nLocation: {path}x", "", token);
                break;
            case "trickles" when odd:
                await WriteAsync(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", token);
                for (var i = 0; i < 100; i++)
                {
                    await WriteAsync(stream, "<", token);
                    await Task.Delay(100, token);
                }
                break;
            case "bursts" when time == 1:
                await SayAsync(host, stream, "500 Oops", "", token);
                break;
            case "busy" when time == 1:
                notBefore[host] = DateTimeOffset.UtcNow.AddSeconds(1);
                await SayAsync(host, stream, odd ? "429 Too Many\r\nRetry-After: 1" : $"503 Busy\r\nRetry-After: {DateTimeOffset.UtcNow.AddSeconds(2):R}", "", token);
                break;
            case "late":
                await Task.Delay(400, token);
                goto default;
            default:
                await SayAsync(host, stream, "200 OK", text, token);
                break;
        }
    }

    // near-identical pages are told apart by words, not by numbers
    private static string Words(int page) => new[] { "a house by the lake", "three trees in snow", "one red boat", "an old clock tower", "cats under the moon", "keys of the harbour" }[page];

    private static async Task UntilHungUpAsync(Stream stream, CancellationToken token)
    {
        while (await stream.ReadAsync(new byte[1], token) > 0) { }
    }

    private Task SayAsync(string host, Stream stream, string status, string text, CancellationToken token)
    {
        begun.TryRemove(host, out _); // the answer is out before the crawler can have read it
        return WriteAsync(stream, $"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {Encoding.UTF8.GetByteCount(text)}\r\nConnection: close\r\n\r\n{text}", token);
    }

    private static Task WriteAsync(Stream stream, string text, CancellationToken token) => stream.WriteAsync(Encoding.UTF8.GetBytes(text), token).AsTask();
}
