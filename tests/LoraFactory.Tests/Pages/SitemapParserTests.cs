using System.Text;
using LoraFactory.Pages;

namespace LoraFactory.Tests.Pages;

public sealed class SitemapParserTests
{
    private static readonly Uri At = new("http://a.test/maps/sitemap.xml");

    [Fact]
    public void Entries_carry_what_is_said_of_them()
    {
        var map = Parse("""
            <?xml version="1.0"?>
            <s:urlset xmlns:s="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1" xmlns:xhtml="http://www.w3.org/1999/xhtml">
              <s:url><s:lastmod>2024-05-06</s:lastmod><s:loc> /one?b=1&amp;a=2 </s:loc><s:changefreq> Weekly</s:changefreq><s:priority>0.7</s:priority>
                <image:image><image:loc>/one.png</image:loc></image:image><xhtml:link rel="alternate" hreflang="de" href="/de/one"/></s:url>
              <s:url><s:loc>/two</s:loc><s:lastmod>soon</s:lastmod><s:priority>7</s:priority></s:url>
              <s:url><s:loc></s:loc></s:url>
            </s:urlset>
            """);
        Assert.Equal((SitemapKind.UrlSet, null), (map.Kind, map.Fault));
        Assert.Equal(["http://a.test/one?b=1&a=2", "http://a.test/two"], map.Urls.Select(u => u.AbsoluteUri));
        var one = map.Entries[0];
        Assert.Equal((new DateTimeOffset(2024, 5, 6, 0, 0, 0, TimeSpan.Zero), "weekly", 0.7), (one.Modified, one.ChangeFrequency, one.Priority));
        Assert.Equal("http://a.test/one.png", Assert.Single(one.Pictures).AbsoluteUri);
        Assert.Equal("http://a.test/de/one", Assert.Single(one.Alternates).AbsoluteUri);
        Assert.Equal((null, null, null), (map.Entries[1].Modified, map.Entries[1].ChangeFrequency, map.Entries[1].Priority));
        Assert.Empty(map.Entries[1].Pictures);
        Assert.Empty(map.Sitemaps);
    }

    [Theory]
    [InlineData("<rss version='0.91'><channel><link>/</link><item><link>/a</link></item></channel></rss>", "http://a.test/a")]
    [InlineData("<!DOCTYPE rss PUBLIC '-//Netscape Communications//DTD RSS 0.91//EN' 'http://my.netscape.com/publish/formats/rss-0.91.dtd'><rss><channel><item><link>/a</link></item></channel></rss>", "http://a.test/a")]
    [InlineData("<rss version='2.0'><channel><item><guid>http://a.test/g</guid></item><item><guid isPermaLink='false'>http://a.test/h</guid></item></channel></rss>", "http://a.test/g")]
    [InlineData("<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'><channel><link>/</link></channel><item><link>/a</link></item></rdf:RDF>", "http://a.test/a")]
    [InlineData("<feed xmlns='http://www.w3.org/2005/Atom'><link href='/'/><entry><link rel='edit' href='/edit'/><link href='/a'/><link href='/b'/></entry></feed>", "http://a.test/a")]
    public void Feeds_list_their_items(string xml, string expected)
    {
        var feed = Parse(xml);
        Assert.Equal(SitemapKind.Feed, feed.Kind);
        Assert.Equal([expected], feed.Urls.Select(u => u.AbsoluteUri));
    }

    [Fact]
    public void Entities_and_inclusions_give_nothing()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("secret"), "http://a.test/secret");
        var file = "file://" + folder.File("secret");
        string[] documents =
        [
            $"<!DOCTYPE urlset [<!ENTITY x SYSTEM '{file}'>]><urlset><url><loc>http://a.test/ok</loc></url><url><loc>&x;</loc></url></urlset>",
            $"<!DOCTYPE urlset [<!ENTITY % p SYSTEM '{file}'> %p;]><urlset><url><loc>&x;</loc></url></urlset>",
            $"<!DOCTYPE urlset SYSTEM '{file}'><urlset/>",
            $"<urlset xmlns:xi='http://www.w3.org/2001/XInclude'><url><loc><xi:include href='{file}' parse='text'/></loc></url></urlset>",
            "<!DOCTYPE urlset [<!ENTITY a 'http://a.test/secret'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><urlset><url><loc>&b;</loc></url></urlset>",
        ];
        foreach (var document in documents) Assert.DoesNotContain(Parse(document).Urls, u => u.AbsoluteUri.Contains("secret", StringComparison.Ordinal));
        Assert.Equal(["http://a.test/ok"], Parse(documents[0]).Urls.Select(u => u.AbsoluteUri));
    }

    [Fact]
    public void A_broken_document_gives_what_stands_before_the_break()
    {
        var map = Parse("<urlset><url><loc>/a</loc></url><url><loc>/b</lo");
        Assert.Equal(["http://a.test/a", "http://a.test/b"], map.Urls.Select(u => u.AbsoluteUri));
        Assert.NotNull(map.Fault);
        Assert.Equal(["http://a.test/a"], Parse("<urlset><url><loc>/a</loc></url><url><loc>/b").Urls.Select(u => u.AbsoluteUri));
        Assert.Equal(["http://a.test/a"], Parse("<sitemapindex><sitemap><loc>/a</loc></sitemap></wrong>").Sitemaps.Select(u => u.AbsoluteUri));
        Assert.Equal(SitemapKind.None, Parse("<html><body><url><loc>/a</loc></url></body></html>").Kind);
        Assert.Equal(SitemapKind.None, Parse("").Kind);
        Assert.Equal(SitemapKind.None, Parse("no url here\nnor here").Kind);
        Assert.NotNull(Parse("<urlset>" + string.Concat(Enumerable.Repeat("<a>", 10_000))).Fault);
    }

    [Fact]
    public void Lists_and_encodings_are_read()
    {
        Assert.Equal(["http://a.test/x", "http://b.test/"], Parse("\uFEFF http://a.test/x\r\nftp://a.test/\nrelative\nHTTP://b.test").Urls.Select(u => u.AbsoluteUri));
        var latin = Encoding.Latin1.GetBytes("<?xml version='1.0' encoding='iso-8859-1'?><urlset><url><loc>/ü</loc></url></urlset>");
        Assert.Equal("http://a.test/%C3%BC", Assert.Single(SitemapParser.Parse(latin, At).Urls).AbsoluteUri);
        var wide = Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes(" <urlset><url><loc>/ü</loc></url></urlset>")).ToArray();
        Assert.Equal("http://a.test/%C3%BC", Assert.Single(SitemapParser.Parse(wide, At).Urls).AbsoluteUri);
        Assert.Equal("http://a.test/%D0%B6", Assert.Single(SitemapParser.Parse(Encoding.Latin1.GetBytes("<urlset><url><loc>/\u00C6</loc></url></urlset>").Select(b => b == 0xC6 ? (byte)0xE6 : b).ToArray(), At, "windows-1251").Urls).AbsoluteUri);
    }

    [Fact]
    public void Entries_end_at_the_limit()
    {
        var many = new StringBuilder("<urlset>");
        for (var i = 0; i < SitemapParser.MaxEntries + 10; i++) many.Append($"<url><loc>/{i}</loc></url>");
        Assert.Equal(SitemapParser.MaxEntries, Parse(many.Append("</urlset>").ToString()).Entries.Count);
    }

    [Theory]
    [InlineData("2024-02-30", null)]
    [InlineData("2024-02-29T23:30:00-01:00", "2024-03-01T00:30:00Z")]
    [InlineData("2024-02-29T23:30", null)]
    [InlineData("2024", "2024-01-01T00:00:00Z")]
    [InlineData("20240229", null)]
    [InlineData("Tue, 6 Feb 2024 10:00 EST", "2024-02-06T15:00:00Z")]
    [InlineData("06-Feb-99 10:00:00 GMT", "1999-02-06T10:00:00Z")]
    [InlineData("06 Feb 2024 10:00:00", null)]
    [InlineData("06 Foo 2024 10:00:00 GMT", null)]
    [InlineData("", null)]
    public void Dates_are_instants(string text, string? expected) =>
        Assert.Equal(expected is null ? null : DateTimeOffset.Parse(expected, System.Globalization.CultureInfo.InvariantCulture), FeedDate.Parse(text));

    [Theory]
    [InlineData("http://a.test/maps/x", true)]
    [InlineData("http://a.test/other", false)]
    [InlineData("https://a.test/maps/x", false)]
    [InlineData("http://a.test:81/maps/x", false)]
    public void A_sitemap_speaks_of_its_folder(string url, bool within) => Assert.Equal(within, SitemapDocument.IsInScope(At, new Uri(url)));

    private static SitemapDocument Parse(string text) => SitemapParser.Parse(Encoding.UTF8.GetBytes(text), At);
}
