using System.IO.Compression;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>A seed may be a sitemap or a feed instead of a page.</summary>
public sealed class SeedListTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("application/xml", "<urlset><url><loc>/one</loc></url><url><loc>/two</loc></url></urlset>", false)]
    [InlineData("application/gzip", "<urlset><url><loc>/one</loc></url><url><loc>/two</loc></url></urlset>", true)]
    [InlineData("application/rss+xml", "<rss><channel><item><link>/one</link></item><item><link>/two</link></item></channel></rss>", false)]
    [InlineData("text/html", "<?xml version='1.0'?><feed><entry><link href='/one'/></entry><entry><link href='/two'/></entry></feed>", false)]
    [InlineData("text/plain", "http://a.test/one\nhttp://a.test/two\n", false)]
    [InlineData("text/xml", "<sitemapindex><sitemap><loc>/further.xml</loc></sitemap></sitemapindex>", false)]
    public async Task Its_pages_are_fetched(string type, string list, bool packed)
    {
        await using var server = Web(type, packed ? Gzip(list) : Encoding.UTF8.GetBytes(list));
        await new CrawlStage().RunAsync(Context(server.Port), TestContext.Current.CancellationToken);
        var pages = RunDirectory.ReadLines<Page>(Path.Combine(folder.File("run"), "1-crawl", "pages.jsonl")).Select(p => p.Url);
        Assert.Equal(["http://a.test/one", "http://a.test/two"], pages);
    }

    [Fact]
    public async Task What_lists_nothing_is_refused_as_before()
    {
        await using var server = Web("application/xml", "<config><loc>/one</loc></config>"u8.ToArray());
        var failed = await Assert.ThrowsAsync<LoraException>(() => new CrawlStage().RunAsync(Context(server.Port), TestContext.Current.CancellationToken));
        Assert.Contains("not-html", failed.Message, StringComparison.Ordinal);
    }

    private static LoopbackServer Web(string type, byte[] list) => new(async (head, stream, token) =>
    {
        var (status, media, body) = head.Split(' ')[1] switch
        {
            "/list" => ("200 OK", type, list),
            "/further.xml" => ("200 OK", "text/xml", "<urlset><url><loc>/one</loc></url><url><loc>/two</loc></url></urlset>"u8.ToArray()),
            "/one" => ("200 OK", "text/html", "<title>drawings of one</title><p>A first page about drawings of houses and trees."u8.ToArray()),
            "/two" => ("200 OK", "text/html", "<title>drawings of two</title><p>Another text altogether: ships, harbours and how drawings show the sea."u8.ToArray()),
            _ => ("404 Not Found", "text/html", []),
        };
        await stream.WriteAsync(Encoding.Latin1.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n"), token);
        await stream.WriteAsync(body, token);
    });

    private static byte[] Gzip(string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest)) gzip.Write(Encoding.UTF8.GetBytes(text));
        return packed.ToArray();
    }

    private StageContext Context(int port) => new()
    {
        Run = new RunDirectory(folder.File("run")),
        Progress = new SilentProgress(),
        Seed = 1,
        Recipe = new Recipe
        {
            Seed = new() { Topic = "drawings", ExpandDepth = 0, Urls = ["http://a.test/list"] },
            Crawl = new() { DelaySeconds = 0, TimeoutSeconds = 5, AllowPrivateHosts = ["a.test"], Resolve = [$"a.test=127.0.0.1:{port}"] },
        },
    };
}
