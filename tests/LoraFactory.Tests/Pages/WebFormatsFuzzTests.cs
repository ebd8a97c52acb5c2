using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using LoraFactory.Pages;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Pages;

/// <summary>
/// Hostile input to everything that reads the web's formats: honest examples mutated by bytes, spliced and repeated, from fixed seeds. Nothing throws,
/// nothing hangs, caps hold, and what is canonical stays so.
/// </summary>
public sealed class WebFormatsFuzzTests
{
    private const int Rounds = 6000;
    private static readonly Uri Page = new("http://a.test/dir/page");

    private static readonly string[] Urls =
    [
        "http://user:p%61ss@Example.COM:8080/a/./b/../c%7e;x?q=ü&utm_source=y&&b=%zz#frag", "//[2001:db8::1.2.3.4]:443/x", "https:\\\\bücher.example\\%2e%2E/", "data:text/html;base64,PGI+",
        "http://0x7f.1/..//..%2f", "?a[]=1|2&amp;b", "mailto:a@b", "http://xn--a-ä.test/", "\u0001 http://a\tb/ \n", "file:///c:/x", "javascript:alert(1)//http://a/", "http://a.%E3%80%82.test./%", "http://1.2.3.4.5/",
    ];

    private static readonly string[] Markup =
    [
        "<?xml version='1.0' encoding='iso-8859-2'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>/a?x=1&amp;y=2</loc><lastmod>2024-01-02T03:04:05+01:00</lastmod><priority>0.5</priority></url></urlset>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><rss><channel><item><link>/x</link><pubDate>Tue, 6 Feb 2024 10:00 EST</pubDate><guid isPermaLink='false'>&a;</guid></item></channel></rss>",
        "<feed><entry><link rel='alternate' href='/y'/><updated>2024</updated></entry></feed>", "http://a.test/one\nhttp://a.test/two",
        "<!-- <meta charset=x> --><meta http-equiv=Content-Type content=\"text/html; charset='utf-8'\"><meta charset=big5 x=y/><p title='>'>",
    ];

    private static readonly string[] Robots =
    [
        "User-agent: *\nDisallow: /a*b$\nAllow: /%7e\nCrawl-delay: 1e9\nSitemap: /s.xml\nContent-Signal: ai-train=no\nContent-Usage: /x/ train-ai=n;q=\"\\\"\"\n\nUser-agent: testbot\nDisallow: /***/*\n",
        "\uFEFFuser-agent : a\r\rdisallow : /\u0000", "Disallow: /\nUser-agent:\nAllow:", "User-agent: *\nDisallow: /" + "*a*",
    ];

    private static readonly string[] Headers =
    [
        "otherbot: noai, noindex, unavailable_after: 25 Jun 2010 15:00:00 PST, testbot: none", "train-ai=n, search;x=\"y,z\", genai=?0", "text/html;charset=\"ut\\f-8\";charset=x;;=;a", "max-snippet:20,,:,*:noimageai",
        "ai-train = no , search=yes", "1", "image/svg+xml; q=\"", "*/*",
    ];

    private static readonly string[] Reservations =
    [
        "[{\"location\":\"/a*\",\"tdm-reservation\":1,\"tdm-policy\":\"x\"},{\"location\":\"/b$\",\"tdm-reservation\":\"0\"},7,null,[]]", "{\"location\":\"/\"}", "[[[[[[[[[[[[[[[[[[[[", "[{\"location\":\"\\ud800\",\"tdm-reservation\":1}]",
    ];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void Urls_never_throw_and_canonical_ones_stay_as_they_are()
    {
        var canonical = 0;
        foreach (var text in Mutants(Urls, 1))
        {
            foreach (var from in (Uri?[])[null, Page])
            {
                if (CanonicalUrl.Parse(text, from) is not { } url) continue;
                canonical++;
                Assert.InRange(url.AbsoluteUri.Length, 1, CanonicalUrl.MaxLength);
                Assert.True(url.AbsoluteUri.All(c => c is > ' ' and <= '~'), url.AbsoluteUri);
                Assert.Equal(url.AbsoluteUri, CanonicalUrl.Parse(url.AbsoluteUri)?.AbsoluteUri);
                Assert.Equal(url.AbsoluteUri, new Uri(url.AbsoluteUri).AbsoluteUri); // as it comes back from the frontier
            }
            if (WebUrl.Parse(text, WebUrl.Parse(Page.AbsoluteUri)) is { } web) Assert.Equal(web.Href, WebUrl.Parse(web.Href)?.Href);
            _ = DataUrl.Parse(text);
        }
        Assert.True(canonical > Rounds / 4, $"only {canonical} were URLs");
    }

    [Fact]
    public void Sitemaps_encodings_and_types_never_throw_and_keep_to_their_caps()
    {
        var entries = 0;
        foreach (var text in Mutants(Markup, 2))
        {
            var body = Encoding.Latin1.GetBytes(text);
            var map = SitemapParser.Parse(body, Page);
            entries += map.Entries.Count;
            Assert.InRange(map.Entries.Count, 0, SitemapParser.MaxEntries);
            Assert.NotNull(PageEncoding.Decode(body, "no such name"));
            _ = PageEncoding.Stated(body, null);
            Assert.Contains('/', MediaSniffing.Compute(body, null));
            Assert.Contains('/', MediaSniffing.Compute(body, "text/html"));
        }
        Assert.True(entries > Rounds / 10, $"only {entries} entries were read");
    }

    [Fact]
    public void Robots_headers_and_reservations_never_throw()
    {
        var denied = 0;
        foreach (var text in Mutants(Robots, 3))
        {
            var rules = RobotsRules.Parse(Encoding.UTF8.GetBytes(text), "testbot/1.0 (+http://a.test/)");
            if (!rules.Allows("http://a.test/aaaaaaaaaaaaaaaaaaaaaaaaaaab/%7e", out _)) denied++;
            foreach (var sitemap in rules.Sitemaps) _ = CanonicalUrl.Parse(sitemap, Page);
            _ = new OptOuts("testbot").Find(Page, new OriginPolicy { Rules = rules }, [], PageStatements.None, image: true);
        }
        Assert.True(denied > 100, $"only {denied} denied");
        var optOuts = new OptOuts("testbot");
        foreach (var text in Mutants(Headers, 4))
        {
            KeyValuePair<string, string>[] headers = [.. new[] { "x-robots-tag", "content-usage", "content-signal", "tdm-reservation" }.Select(n => new KeyValuePair<string, string>(n, text))];
            _ = optOuts.Find(Page, new OriginPolicy { Rules = RobotsRules.Empty }, headers, new PageStatements([text], text), image: false);
            if (MediaType.Parse(text) is { } type) Assert.Equal(type.ToString(), MediaType.Parse(type.ToString())?.ToString());
            _ = MediaType.OfFields([text, text]);
            _ = FeedDate.Parse(text);
            _ = PageEncoding.OfLabel(text);
        }
        foreach (var text in Mutants(Reservations, 5)) Assert.InRange(TdmReservation.Parse(Encoding.UTF8.GetBytes(text)).Count, 0, 10_000);
    }

    [Fact]
    public async Task Compressed_bodies_end_in_bytes_or_a_reason_and_never_beyond_the_cap()
    {
        const int Cap = 20_000;
        var random = new Random(6);
        var plain = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 3000).Select(i => $"line {i * i}\n")));
        string[] codings = ["gzip", "deflate", "br", "zstd", "gzip, br", "zstd, gzip"];
        var whole = 0;
        for (var round = 0; round < 1500; round++)
        {
            var coding = codings[round % codings.Length];
            var packed = coding.Split(", ")[^1] switch
            {
                "gzip" => Pack(s => new GZipStream(s, CompressionLevel.Fastest), plain[..random.Next(plain.Length)]),
                "br" => Pack(s => new BrotliStream(s, CompressionLevel.Fastest), plain[..random.Next(plain.Length)]),
                "deflate" => Pack(s => new ZLibStream(s, CompressionLevel.Fastest), plain[..random.Next(plain.Length)]),
                _ => Convert.FromBase64String("KLUv/QBo3QAAqFRoZSBxdWljayBicm93biBmb3guIAEAITSZ"),
            };
            for (var i = random.Next(4); i > 0; i--) packed[random.Next(packed.Length)] = (byte)random.Next(256);
            if (random.Next(4) == 0) packed = packed[..random.Next(packed.Length)];
            var (bytes, refusal) = await BoundedBody.ReadAsync(new MemoryStream(packed), coding.Split(", "), Cap, Stop);
            Assert.InRange(bytes.Length, 0, Cap);
            if (refusal is null) whole++;
            else Assert.Contains(refusal.Reason, (string[])["too-large", "too-compressed", "bad-encoding", "unsupported-encoding"]);
        }
        Assert.InRange(whole, 100, 1400);
    }

    [Fact]
    public void Repetition_costs_time_in_proportion_only()
    {
        string[] pieces = ["<", "<meta ", "<!--", "a=", "&a;", "%", "%2e/", "../", "@", ":", "[", "xn--", ".", "\"", ";a=b", "*a", "Disallow: /*a*a*a*a*a*a*b$\n", "User-agent: *\n", "<url><loc>", "\\", "?", "#", "ü", ","];
        foreach (var piece in pieces)
        {
            var (small, large) = (Cost(piece, 20_000), Cost(piece, 320_000));
            // sixteen times the text: quadratic work would be 256 times the time; far below it is room for a machine that is busy
            Assert.True(large < TimeSpan.FromMilliseconds(200) || large < 100 * small, $"\"{piece}\": {small} and {large}");
        }
    }

    // Processor time of this process while everything reads the repeated piece.
    private static TimeSpan Cost(string piece, int length)
    {
        var text = string.Concat(Enumerable.Repeat(piece, length / piece.Length + 1));
        var body = Encoding.UTF8.GetBytes(text);
        var clock = Stopwatch.StartNew();
        _ = WebUrl.Parse("http://a/" + text);
        _ = WebUrl.Parse("http://" + text);
        _ = CanonicalUrl.Parse(text, Page);
        _ = DataUrl.Parse("data:" + text);
        _ = MediaType.Parse("a/b;" + text);
        _ = MediaType.OfFields([text]);
        _ = PageEncoding.Stated(body, null);
        _ = SitemapParser.Parse([.. "<urlset>"u8, .. body], Page);
        _ = RobotsRules.Parse([.. "User-agent: *\nDisallow: /"u8, .. body], "testbot").Allows("http://a.test/" + text[..Math.Min(text.Length, 2000)], out _);
        _ = TdmReservation.Parse(body);
        _ = MediaSniffing.Compute(body, "text/html");
        return clock.Elapsed;
    }

    // Each example as it is, then with octets changed, cut out, doubled or taken from another; the same ones every time.
    private static IEnumerable<string> Mutants(string[] examples, int seed)
    {
        var random = new Random(seed);
        foreach (var example in examples) yield return example;
        const string Spice = "<>&\"'%/\\?#@:;=.,*$[]{}|^ \t\n\r\0\u00A0\u200D\u3002\uD800\uFFFFxn-0eE2";
        for (var round = 0; round < Rounds; round++)
        {
            var text = new StringBuilder(examples[random.Next(examples.Length)]);
            for (var i = random.Next(1, 8); i > 0 && text.Length > 0; i--)
            {
                var at = random.Next(text.Length);
                var length = Math.Min(random.Next(1, 12), text.Length - at);
                switch (random.Next(5))
                {
                    case 0: text[at] = Spice[random.Next(Spice.Length)]; break;
                    case 1: text.Insert(at, Spice[random.Next(Spice.Length)].ToString(), random.Next(1, 4)); break;
                    case 2: text.Remove(at, length); break;
                    case 3: text.Insert(at, text.ToString(at, length), random.Next(1, 40)); break;
                    default: text.Insert(at, examples[random.Next(examples.Length)].AsSpan()[..1]); break;
                }
            }
            yield return text.ToString();
        }
    }

    private static byte[] Pack(Func<Stream, Stream> packer, byte[] body)
    {
        using var packed = new MemoryStream();
        using (var stream = packer(packed)) stream.Write(body);
        return packed.ToArray();
    }
}
