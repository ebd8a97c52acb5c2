using System.Text;
using LoraFactory.Pages;
using LoraFactory.Pages.Html;
using Xunit;

namespace LoraFactory.Tests.Pages.Html;

/// <summary>Pages made at random from a seed, hostile ones too: nothing crashes or hangs, and what is read keeps to its limits.</summary>
public class PageReaderFuzzTests
{
    private static readonly Uri Address = new("http://a.test/dir/page.html");

    private static readonly string[] Names =
    [
        "a", "b", "i", "font", "p", "div", "section", "article", "table", "tr", "td", "th", "ul", "li", "dl", "dt", "figure", "figcaption", "picture", "img", "source", "h1", "h2", "form", "input",
        "select", "option", "noscript", "template", "svg", "math", "iframe", "object", "textarea", "title", "script", "style", "base", "meta", "link", "body", "head", "html", "frameset", "frame",
        "nobr", "button", "applet", "marquee", "caption", "colgroup", "plaintext", "xmp", "br", "hr", "time", "header", "footer", "nav", "aside", "x-own",
    ];

    private static readonly string[] Attributes =
    [
        "class='comment share byline'", "class=article", "id=content", "style='background:url(x.png'", "style=\"background-image:url('y.png')\"", "style='display : none'", "href=/a", "href='http://[b/'", "href=javascript:x",
        "src=p.png", "srcset='a.png 1w, , b.png 99999999999999999999w,(('", "data-src=\"/l.jpg\"", "rel='nofollow  next license'", "hidden", "aria-hidden=true", "role=navigation", "lang=xx", "dir=rtl", "itemprop=articleBody",
        "content='noai; {0} \uD800'", "name=robots", "property=og:image", "type='application/ld+json'", "datetime=now", "alt='\0\u200B\u00AD'", "=", "\"", "'", "<", "a=1 a=2 a=3",
    ];

    private static readonly string[] Texts =
    [
        "Words, and more words, as in any sentence that is long enough to count as one. ", "<", "&", "&#xFFFFFFF;", "&amp", "]]>", "<!--", "-->", "<!-", "<![CDATA[", "<?php", "</", "\0", "\uFEFF", "\uD83D", "一句话，说了很多，也没有说完。", "{\"@type\":\"Article\",\"author\":[[[[",
        "{\"@type\":\"Article\",\"headline\":\"\\ud800\",\"image\":[\"i.png\",{\"url\":3}]}", "Read more: ", "12 May 2024", "\r\n\t ",
    ];

    [Theory]
    [InlineData(1, 400)]
    [InlineData(2, 400)]
    [InlineData(3, 400)]
    public void Random_markup_is_read_within_limits_and_alike_each_time(int seed, int pages)
    {
        var random = new Random(seed);
        var read = 0;
        for (var page = 0; page < pages; page++)
        {
            var html = Markup(random);
            if (MarkupLimits.Judge(html) is not null) continue;
            read++;
            var reading = PageReader.Read(html, Address);
            Assert.InRange(reading.Links.Count, 0, 5000);
            Assert.InRange(reading.Figures.Count, 0, 1004);
            Assert.InRange(reading.LinkDensity, 0, 1);
            Assert.InRange(reading.AdRatio, 0, 1);
            Assert.All(reading.Figures, figure =>
            {
                Assert.InRange(figure.Position, -1, reading.MainText.Length);
                Assert.InRange(figure.Caption.Length, 0, 1000);
                Assert.InRange(figure.Context.Length, 0, 600);
                Assert.True(figure.Url.Scheme is "http" or "https");
            });
            Assert.InRange(reading.Title.Length, 0, 500);
            Assert.InRange(reading.Authors.Count, 0, 20);
            var again = PageReader.Read(html, Address);
            Assert.Equal((reading.MainText, reading.Prose, reading.Gist), (again.MainText, again.Prose, again.Gist));
            Assert.Equal(reading.Figures, again.Figures);
        }
        Assert.InRange(read, pages / 2, pages);
    }

    [Theory]
    [InlineData(4)]
    public void Random_bytes_are_read(int seed)
    {
        var random = new Random(seed);
        var charsets = new[] { null, "utf-8", "utf-16le", "gb18030", "shift_jis", "iso-2022-jp", "x" };
        for (var page = 0; page < 200; page++)
        {
            var bytes = new byte[random.Next(4000)];
            random.NextBytes(bytes);
            for (var i = 0; i < bytes.Length; i += random.Next(1, 30)) bytes[i] = (byte)"<>=\"'/!-&; pdiva"[random.Next(16)];
            var charset = charsets[random.Next(charsets.Length)];
            if (MarkupLimits.Judge(PageEncoding.Decode(bytes, charset)) is null) Assert.NotNull(PageReader.Read(bytes, charset, Address));
        }
    }

    // Each of these costs a reader that looks back or around without limit hours or gigabytes; the bound is far above what a slow machine takes.
    [Theory]
    [InlineData("<div><b a=1><b a=2><b a=3><b a=4><b a=5></div>", "<div>x</div>", 60_000)]
    [InlineData("", "<p>x, y<img src=a.png>", 40_000)]
    [InlineData("<figure>", "<i class=author></i><img>", 40_000)]
    [InlineData("", "<div class='comment content byline'><a href=/x>y</a></div>", 20_000)]
    [InlineData("<table><tr><td><table><tr><td><table><tr><td>", "<div class=comment>x</div>", 40_000)]
    [InlineData("", "<a href=/x><b><i>x</a></b></i>", 20_000)]
    [InlineData("", "<h1 class=byline>a</h1><time datetime=x></time>", 40_000)]
    [InlineData("", "<li>a<br>", 60_000)]
    [InlineData("<div style='", "background:url(", 60_000)]
    public void Long_markup_of_one_kind_ends(string start, string unit, int times)
    {
        var html = start + string.Concat(Enumerable.Repeat(unit, times));
        Assert.Null(MarkupLimits.Judge(html));
        var clock = TimeProvider.System.GetTimestamp();
        Assert.NotNull(PageReader.Read(html, Address));
        Assert.InRange(TimeProvider.System.GetElapsedTime(clock).TotalSeconds, 0, 120);
    }

    [Fact]
    public void Formatting_elements_that_multiply_without_end_are_refused()
    {
        var unclosed = string.Concat(Enumerable.Range(0, 400).Select(i => $"<b a={i}>"));
        Assert.NotNull(MarkupLimits.Judge($"<div>{unclosed}</div>" + string.Concat(Enumerable.Repeat("<div>x</div>", 50_000))));
        // a careless page that never closes its fonts, and a table with one in every cell
        Assert.Null(MarkupLimits.Judge(string.Concat(Enumerable.Repeat("<p><font size=2><b>x</p>", 400))));
        Assert.Null(MarkupLimits.Judge("<table>" + string.Concat(Enumerable.Repeat("<tr><td><font color=red>x", 900))));
    }

    private static string Markup(Random random)
    {
        var html = new StringBuilder();
        var open = new List<string>();
        for (var steps = random.Next(1, 400); steps > 0; steps--)
        {
            switch (random.Next(5))
            {
                case 0 or 1:
                    var name = Names[random.Next(Names.Length)];
                    html.Append('<').Append(name);
                    for (var n = random.Next(4); n > 0; n--) html.Append(' ').Append(Attributes[random.Next(Attributes.Length)]);
                    html.Append(random.Next(20) == 0 ? "" : ">");
                    open.Add(name);
                    break;
                case 2 when open.Count > 0:
                    var at = random.Next(3) == 0 ? random.Next(open.Count) : open.Count - 1;
                    html.Append("</").Append(open[at]).Append('>');
                    open.RemoveAt(at);
                    break;
                default:
                    for (var n = random.Next(1, 4); n > 0; n--) html.Append(Texts[random.Next(6) == 0 ? random.Next(Texts.Length) : 0]);
                    break;
            }
        }
        return html.ToString();
    }
}
