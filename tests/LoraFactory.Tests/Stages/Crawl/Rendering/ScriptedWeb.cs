using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;
using LoraFactory.Stages.Crawl.Rendering;

namespace LoraFactory.Tests.Stages.Crawl.Rendering;

/// <summary>A web on loopback whose pages are made by scripts, and a crawl of it with a real Chromium.</summary>
internal sealed class ScriptedWeb : IAsyncDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly LoopbackServer server;

    /// <summary>A web that answers a path with what is given; with 404 where nothing is. Lines of the head go before an empty line, after "~"; "Status: 302 Found" among them is its status.</summary>
    public ScriptedWeb(Func<string, string, string?> answer)
    {
        Assert.SkipWhen(ChromiumProgram.Find() is null, "there is no Chromium here");
        server = new LoopbackServer(async (head, stream, token) =>
        {
            var path = head.Split(' ')[1];
            var text = path.EndsWith("robots.txt", StringComparison.Ordinal) ? answer(Host(head), path) ?? "" : path.StartsWith("/.well-known", StringComparison.Ordinal) ? null : answer(Host(head), path);
            var (fields, body) = text?.Split("\n\n", 2) is [var before, var after] && before.StartsWith('~') ? (before[1..].ReplaceLineEndings("\r\n") + "\r\n", after) : ("", text);
            var status = fields.Split("\r\n").FirstOrDefault(f => f.StartsWith("Status: ", StringComparison.Ordinal))?[8..] ?? "200 OK";
            var type = path.EndsWith(".js", StringComparison.Ordinal) ? "text/javascript" : path.EndsWith(".json", StringComparison.Ordinal) ? "application/json" : "text/html; charset=utf-8";
            await stream.WriteAsync(Encoding.UTF8.GetBytes(body is null ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" : $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\n{fields}Connection: close\r\n\r\n{body}"), token);
        });
    }

    public int Port => server.Port;

    /// <summary>What was asked for but robots.txt and the like, as "METHOD host/path", in order.</summary>
    public IReadOnlyList<string> Asked => [.. server.Heads.Select(h => $"{h.Split(' ')[0]} {Host(h)}{h.Split(' ')[1]}").Where(a => !a.EndsWith("robots.txt", StringComparison.Ordinal) && !a.Contains("/.well-known", StringComparison.Ordinal))];

    /// <summary>Heads of requests, whole.</summary>
    public IEnumerable<string> Heads => server.Heads;

    public RunDirectory Run => new(folder.File("run"));

    public string Folder => folder.File("");

    public IReadOnlyList<Page> Pages => [.. RunDirectory.ReadLines<Page>(Path.Combine(folder.File("run"), "1-crawl", "pages.jsonl"))];

    public IReadOnlyList<Drop> Drops => [.. RunDirectory.ReadLines<Drop>(Path.Combine(folder.File("run"), "1-crawl", "dropped.jsonl"))];

    public string Text(Page page) => File.ReadAllText(Run.Blob(page.BlobHash));

    /// <summary>A page that a script fills.</summary>
    public static string Shell(string script) => $"<!DOCTYPE html><title>drawings</title><body><div id=root></div><script>{script}</script>";

    public static readonly string[] Hosts = ["a.test", "closed.test", "api.test"];

    public CrawlOptions Options(Func<CrawlOptions, CrawlOptions>? change = null)
    {
        var options = new CrawlOptions { DelaySeconds = 0, TimeoutSeconds = 20, AllowPrivateHosts = Hosts, Resolve = [.. Hosts.Select(h => $"{h}=127.0.0.1:{Port}")], Render = "auto", RenderSeconds = 5 };
        return change is null ? options : change(options);
    }

    public Task<StageOutcome> CrawlAsync(Func<CrawlOptions, CrawlOptions>? change = null) => new CrawlStage().RunAsync(new StageContext
    {
        Run = Run,
        Progress = new SilentProgress(),
        Seed = 1,
        Recipe = new Recipe { Seed = new() { Topic = "drawings", ExpandDepth = 0, Urls = ["http://a.test/"] }, Crawl = Options(change) },
    }, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        folder.Dispose();
    }

    private static string Host(string head) => head.Split("\r\n").First(l => l.StartsWith("Host:", StringComparison.OrdinalIgnoreCase))[5..].Trim().Split(':')[0];
}
