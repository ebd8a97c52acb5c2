using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using LoraFactory.Cli.Demo;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Cli.Demo;

public sealed class DemoWebTests
{
    private static readonly string Folder = Path.Combine(TestData.Root, "demo", "web");

    [Theory]
    [InlineData("drawings.test", "/", 200)]
    [InlineData("drawings.test", "/plans/01.html", 200)]
    [InlineData("DRAWINGS.test", "/img/blueprint-01-0.png?x", 200)]
    [InlineData("drawings.test", "/none", 404)]
    [InlineData("drawings.test", "/plans", 404)]
    [InlineData("notes.test", "/calendar/999999.html", 200)]
    [InlineData("drawings.test", "/calendar/1.html", 404)]
    [InlineData("notes.test", "/loop/a", 302)]
    [InlineData("down.test", "/robots.txt", 503)]
    [InlineData("unknown.test", "/", 404)]
    [InlineData("drawings.test", "/../server.json", 404)]
    [InlineData("drawings.test", "/..%2fserver.json", 404)]
    [InlineData("drawings.test", "/%2e%2e/server.json", 404)]
    [InlineData("drawings.test", "/img/../../server.json", 404)]
    [InlineData("drawings.test", "//etc/passwd", 404)]
    [InlineData("drawings.test", "/..\\server.json", 404)]
    [InlineData("drawings.test", "/%00", 404)]
    [InlineData("..", "/server.json", 404)]
    [InlineData(".", "/server.json", 404)]
    [InlineData("", "/server.json", 404)]
    public async Task Files_of_the_hosts_are_served_and_nothing_else(string host, string path, int status)
    {
        await using var web = await DemoWeb.StartAsync(Folder);
        var answer = await AskAsync(web.Port, host, path);
        if (status == 404) Assert.Contains(answer.Split(' ')[1], (string[])["404", "400"]);
        else Assert.Equal(status.ToString(), answer.Split(' ')[1]);
        Assert.DoesNotContain("169.254.169.254/latest", answer.Split("\r\n\r\n", 2)[1], StringComparison.Ordinal); // words of server.json
        Assert.DoesNotContain("root:", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_and_calendar_follow_the_script()
    {
        await using var web = await DemoWeb.StartAsync(Folder);
        Assert.Contains("X-Robots-Tag: noai, noimageai", await AskAsync(web.Port, "optout.test", "/img/blueprint-01-0.png"), StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("X-Robots-Tag", await AskAsync(web.Port, "drawings.test", "/"), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("/calendar/1001.html", await AskAsync(web.Port, "notes.test", "/calendar/1000.html"), StringComparison.Ordinal);
        Assert.Contains("Location: http://169.254.169.254/latest/meta-data/", await AskAsync(web.Port, "notes.test", "/inside"), StringComparison.Ordinal);
        Assert.Equal(8, web.Hosts.Count);
        Assert.All(web.Resolve, r => Assert.EndsWith($"=127.0.0.1:{web.Port}", r, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_port_in_use_is_one_clear_error()
    {
        await using var web = await DemoWeb.StartAsync(Folder);
        var error = await Assert.ThrowsAsync<LoraException>(() => DemoWeb.StartAsync(Folder, web.Port));
        Assert.Contains("in use", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_web_of_the_same_layout_is_crawled_the_same_way()
    {
        using var folder = new TemporaryFolder();
        var png = await File.ReadAllBytesAsync(Path.Combine(Folder, "drawings.test", "img", "blueprint-01-0.png"), TestContext.Current.CancellationToken);
        void Put(string path, string text) => AtomicFile.WriteText(folder.File(Path.Combine("web", path)), text);
        void Picture(string path, int twist) => AtomicFile.Write(folder.File(Path.Combine("web", path)), s => s.Write([.. png, (byte)twist]));
        Put("cuts.example/index.html", "<title>Woodcuts</title><p>woodcut prints <a href=a.html>woodcut of a cat</a> <a href=http://cdn.example/b.html>b</a></p>");
        Put("cuts.example/a.html", "<title>Cat</title><p>woodcut</p><img src=1.png alt=one><img src=http://cdn.example/2.png alt=two><img src=http://cdn.example/no/3.png>");
        Put("cdn.example/robots.txt", "User-agent: *\nDisallow: /no/\n");
        Put("cdn.example/b.html", "<title>B</title><p>other</p>");
        Put("server.json", """{"headers": {"http://cdn.example/2.png": {"X-Robots-Tag": "noai"}}, "redirects": {}, "status": {}, "delay_ms": {}}""");
        Picture("cuts.example/1.png", 1);
        Picture("cdn.example/2.png", 2);
        Picture("cdn.example/no/3.png", 3);
        await using var web = await DemoWeb.StartAsync(folder.File("web"));
        var context = new StageContext
        {
            Run = new RunDirectory(folder.File("run")),
            Progress = new SilentProgress(),
            Seed = 1,
            Recipe = new Recipe { Seed = new() { Topic = "woodcut", Urls = ["http://cuts.example/"] }, Crawl = new() { DelaySeconds = 0, AllowPrivateHosts = web.Hosts, Resolve = web.Resolve } },
        };
        var outcome = await new CrawlStage().RunAsync(context, TestContext.Current.CancellationToken);
        Assert.Equal(3, outcome.Out);
        var page = Assert.Single(RunDirectory.ReadLines<Page>(context.Run.File(StageName.Crawl, "pages.jsonl")), p => p.Url.EndsWith("/a.html", StringComparison.Ordinal));
        Assert.Equal([null, "opt-out:x-robots-tag:noai", "robots-denied"], page.Pictures.Select(p => p.Refused));
        Assert.Equal([null, "x-robots-tag:noai", null], page.Pictures.Select(p => p.OptOut));
        Assert.Null(page.OptOut);
        Assert.DoesNotContain(web.Requests, r => r.Path.StartsWith("/no/", StringComparison.Ordinal));
        Assert.Equal("woodcut", RunDirectory.ReadJson<Seed>(context.Run.File(StageName.Crawl, "seed.json")).Topic);
        Assert.NotEmpty(JsonSerializer.Serialize(outcome, RunDirectory.Json));
    }

    private static async Task<string> AskAsync(int port, string host, string path)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes($"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync();
    }
}
