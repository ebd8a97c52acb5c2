using System.Text;
using LoraFactory.Flow;
using LoraFactory.Pages;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class PageParserTests
{
    private static readonly Uri At = new("http://a.test/dir/page.html");

    [Theory]
    [InlineData("<img src=s.png srcset='m.png 400w, l.png 800w'>", "http://a.test/dir/l.png")]
    [InlineData("<img src=s.png srcset='s.png 1x, big(1,2).png 2x'>", "http://a.test/dir/big(1,2).png")]
    [InlineData("<img src='data:image/gif;base64,AAAA' data-src='/real.jpg'>", "http://a.test/real.jpg")]
    [InlineData("<img src=blank.gif data-original=real.jpg>", "http://a.test/dir/real.jpg")]
    [InlineData("<picture><source type='image/avif' srcset='a.avif 900w'><source srcset='b.webp 700w'><img src=c.png></picture>", "http://a.test/dir/b.webp")]
    [InlineData("<noscript><img src=plain.png></noscript>", "http://a.test/dir/plain.png")]
    [InlineData("<base href='http://cdn.test/x/'><img src=y.png>", "http://cdn.test/x/y.png")]
    [InlineData("<img src='//b.test/z.png#part'>", "http://b.test/z.png")]
    public void The_best_source_of_a_picture_is_taken(string html, string url) => Assert.Equal(url, Assert.Single(Parse(html).Pictures).Url);

    [Theory]
    [InlineData("<img src='javascript:alert(1)'>")]
    [InlineData("<img src='data:image/png;base64,AAAA'>")]
    [InlineData("<img alt=none>")]
    [InlineData("<img src='http://[bad/'>")]
    public void What_cannot_be_fetched_is_no_picture(string html) => Assert.Empty(Parse(html).Pictures);

    [Fact]
    public void Captions_and_context_are_those_of_the_picture()
    {
        var page = Parse("""
            <h2>Boats</h2><p>Before   the
            first.</p><figure><a href=1.html><img src=1.png alt=" a  boat " title=T></a><figcaption>First <b>boat</b></figcaption></figure>
            <p>Between.</p><div><img src=2.png></div><script>var x = "no";</script><p>After.</p>
            <p>Inline <img src=3.png> words.</p>
            """);
        Assert.Equal(["First boat", "", ""], page.Pictures.Select(p => p.Caption));
        Assert.Equal(("a boat", "T"), (page.Pictures[0].Alt, page.Pictures[0].Title));
        Assert.Equal("Before the first. Between.", page.Pictures[0].Context);
        Assert.Equal("Between. After.", page.Pictures[1].Context);
        Assert.Contains("Inline words.", page.Pictures[2].Context, StringComparison.Ordinal);
    }

    [Fact]
    public void Links_are_canonical_once_each_and_not_those_marked_nofollow()
    {
        var page = Parse("<a href='B.html#x'>b</a><a href='/dir/B.html?utm_source=1'>again</a><a rel='nofollow' href=c>c</a><a href='mailto:x@a.test'>m</a><a href='HTTP://A.TEST:80/d/../e'><img alt=pic></a><link rel=next href=2>");
        Assert.Equal([("http://a.test/dir/B.html", "b"), ("http://a.test/e", "pic"), ("http://a.test/dir/2", "")], page.Links.Select(l => (l.Url.AbsoluteUri, l.Text)));
    }

    [Theory]
    [InlineData("<link rel=license href='https://creativecommons.org/licenses/by/4.0/'>", "https://creativecommons.org/licenses/by/4.0/")]
    [InlineData("<meta name='dcterms.rights' content='All rights reserved'>", "All rights reserved")]
    [InlineData("<a href='https://creativecommons.org/publicdomain/zero/1.0/'>cc</a>", "https://creativecommons.org/publicdomain/zero/1.0/")]
    [InlineData("<a href='https://creativecommons.org/about'>cc</a>", null)]
    public void The_licence_that_a_page_states_is_found(string html, string? licence) => Assert.Equal(licence, Parse(html).Licence);

    [Fact]
    public void A_picture_s_own_licence_comes_before_the_page_s()
    {
        var page = Parse("<link rel=license href=/l><figure><img src=1.png><figcaption>x <a rel=license href=/own>l</a></figcaption></figure><img src=2.png>");
        Assert.Equal(["http://a.test/own", "http://a.test/l"], page.Pictures.Select(p => p.Licence));
    }

    [Theory]
    [InlineData("<meta name=robots content='index, NOAI'>", "robots-meta:noai")]
    [InlineData("<meta name=lorafactory content=noimageai>", "robots-meta:noimageai")]
    [InlineData("<meta name=otherbot content=noai>", null)]
    [InlineData("<meta name='tdm-reservation' content=1>", "tdmrep-meta:tdm-reservation=1")]
    public void Meta_elements_refuse_training(string html, string? signal)
    {
        var page = Parse("<title>x</title>" + html);
        Assert.Equal(signal, new OptOuts("LoraFactory/1").Find(At, new() { Rules = RobotsRules.Empty }, [], page.Statements, image: true));
    }

    [Theory]
    [InlineData("<div>", 800_000)]
    [InlineData("<b>", 800_000)]
    [InlineData("<p><b>", 500_000)]
    [InlineData("<table><td>", 300_000)]
    [InlineData("<svg><g>", 300_000)]
    public void Markup_that_nests_without_end_is_refused_at_once(string unit, int times)
    {
        var html = string.Concat(Enumerable.Repeat(unit, times));
        var clock = TimeProvider.System.GetTimestamp();
        foreach (var (bytes, charset) in new[] { (Encoding.UTF8.GetBytes(html), null), (Encoding.Unicode.GetBytes(html), "utf-16le"), (Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes(html)).ToArray(), (string?)null) })
            Assert.Equal("bad-html", new PageParser("x").Parse(bytes, charset, At).Refusal?.Reason);
        Assert.True(TimeProvider.System.GetElapsedTime(clock).TotalSeconds < 10);
    }

    [Fact]
    public void A_tag_of_half_a_million_attributes_is_refused() =>
        Assert.Equal("bad-html", new PageParser("x").Parse(Encoding.UTF8.GetBytes("<a " + string.Join(' ', Enumerable.Range(0, 500_000).Select(i => "a" + i)) + ">"), null, At).Refusal?.Reason);

    [Theory]
    [InlineData("<p>one<p>two", 3000)]
    [InlineData("<li>x", 5000)]
    [InlineData("<br><img src=x.png alt='a b > c'>", 3000)]
    [InlineData("<tr><td>x", 3000)]
    [InlineData("<i>x</i><!-- <div><div> --><script>'<div>'</script>", 3000)]
    public void Long_honest_pages_are_read(string unit, int times) =>
        Assert.NotNull(new PageParser("x").Parse(Encoding.UTF8.GetBytes("<html><body>" + string.Concat(Enumerable.Repeat(unit, times))), null, At).Page);

    [Theory]
    [InlineData("windows-1251", null, "Чертёж")]
    [InlineData("gb18030", "<meta charset=gb2312>", "蓝图")]
    [InlineData("utf-8", null, "蓝图")]
    [InlineData("utf-8", "<meta charset=utf-16>", "蓝图")]
    [InlineData("iso-8859-1", null, "façade")]
    [InlineData("shift_jis", "<meta http-equiv=content-type content='text/html; charset=Shift_JIS'>", "青写真")]
    public void The_encoding_is_found(string encoding, string? meta, string title)
    {
        PageEncoding.Decode([], null);
        var bytes = Encoding.GetEncoding(encoding).GetBytes($"<html><head>{meta}<title>{title}</title>");
        Assert.Equal(title, new PageParser("x").Parse(bytes, encoding == "windows-1251" ? encoding : null, At).Page!.Title);
    }

    private static ParsedPage Parse(string html) => new PageParser("LoraFactory/0.1").Parse(Encoding.UTF8.GetBytes(html), "utf-8", At).Page!;
}
