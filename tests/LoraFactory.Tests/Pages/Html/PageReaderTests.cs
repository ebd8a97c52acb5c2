using LoraFactory.Pages.Html;
using Xunit;

namespace LoraFactory.Tests.Pages.Html;

public class PageReaderTests
{
    private static readonly Uri Address = new("http://a.test/dir/page.html");

    private const string Article = """
        <html lang="en"><head><title>The mill - Valley News</title>HEAD</head><body><nav><a href="/">Home</a></nav><article><h1>The mill</h1>
        <p>The mill stands by the river, and its wheel has turned since the year in which it was built, by hand and without a plan.</p>
        FIGURE
        <p>In winter, when the water freezes, the miller rests; in spring he mends what the ice has broken, and then it turns again.</p></article>
        <footer><img src="/logo.png">All rights reserved.</footer></body></html>
        """;

    [Theory]
    [InlineData("<img srcset='s.png 400w, l.png 1600w' sizes='(max-width: 600px) 400px, 1600px' src=s.png>", "http://a.test/dir/l.png", FigureSource.Picture)]
    [InlineData("<img src=/blank.gif data-lazy-srcset='m.jpg 600w, l.jpg 1200w' class=lazy>", "http://a.test/dir/l.jpg", FigureSource.Picture)]
    [InlineData("<img src='data:image/gif;base64,AAAA' data-unheard-of='/deep/real.jpeg?w=9'>", "http://a.test/deep/real.jpeg?w=9", FigureSource.Picture)]
    [InlineData("<picture><source type=image/avif srcset='a.avif 2000w'><source type=image/webp srcset='b.webp 900w'><img src=c.png></picture>", "http://a.test/dir/b.webp", FigureSource.Picture)]
    [InlineData("<img class=lazy src=/placeholder.png><noscript><img src=real.png></noscript>", "http://a.test/dir/real.png", FigureSource.Picture)]
    [InlineData("<img class=lazy src='data:image/gif;base64,AAAA'> <noscript><img srcset='n.png 1x, n2.png 2x'></noscript>", "http://a.test/dir/n2.png", FigureSource.Picture)]
    [InlineData("<div role=img aria-label='the wheel' style=\"color: red; background-image: url( 'wheel (1).jpg' )\"></div>", "http://a.test/dir/wheel%20(1).jpg", FigureSource.Background)]
    [InlineData("<div style='background:#fff url(wheel.png) no-repeat'></div>", "http://a.test/dir/wheel.png", FigureSource.Background)]
    public void Each_way_to_show_a_picture_gives_its_best_source_and_its_place_in_the_text(string markup, string url, FigureSource source)
    {
        var reading = Read(Article.Replace("FIGURE", markup, StringComparison.Ordinal));
        var figure = reading.Figures[0];
        Assert.Equal((url, source), (figure.Url.AbsoluteUri, figure.Source));
        Assert.StartsWith("In winter", reading.MainText[figure.Position..], StringComparison.Ordinal);
        Assert.Contains("by hand and without a plan.", figure.Context, StringComparison.Ordinal);
        Assert.Equal(["http://a.test/logo.png"], reading.Figures.Skip(1).Select(f => f.Url.AbsoluteUri));
        Assert.Equal(-1, reading.Figures[1].Position);
    }

    [Theory]
    [InlineData("<meta property='og:image' content='/og.jpg'><meta property='og:image:alt' content='a mill'>", "http://a.test/og.jpg", "a mill")]
    [InlineData("<meta name='twitter:image' content='http://cdn.test/t.jpg'>", "http://cdn.test/t.jpg", "")]
    [InlineData("<link rel=image_src href='i.jpg'>", "http://a.test/dir/i.jpg", "")]
    [InlineData("<script type='application/ld+json'>{\"@context\":\"https://schema.org\",\"@graph\":[{\"@type\":[\"NewsArticle\"],\"image\":{\"@type\":\"ImageObject\",\"url\":\"/ld.jpg\"}}]}</script>", "http://a.test/ld.jpg", "")]
    public void What_a_page_shows_of_itself_is_a_figure_without_a_place(string head, string url, string alt)
    {
        var figure = Read(Article.Replace("HEAD", head, StringComparison.Ordinal).Replace("FIGURE", "", StringComparison.Ordinal)).Figures[^1];
        Assert.Equal((url, alt, FigureSource.Metadata, -1), (figure.Url.AbsoluteUri, figure.Alt, figure.Source, figure.Position));
    }

    [Fact]
    public void A_picture_is_counted_once_however_often_it_is_named()
    {
        var reading = Read(Article.Replace("HEAD", "<meta property=og:image content='w.png'>", StringComparison.Ordinal).Replace("FIGURE", "<img src=w.png alt=first><img src='w.png#again'><div style='background:url(w.png)'></div>", StringComparison.Ordinal));
        Assert.Equal("first", Assert.Single(reading.Figures, f => f.Url.AbsolutePath == "/dir/w.png").Alt);
    }

    [Fact]
    public void Figures_within_figures_and_many_beside_each_other_have_their_own_licence_and_caption()
    {
        var nested = string.Concat(Enumerable.Range(0, 200).Select(i => $"<figure><img src=n{i}.png>")) + "<figcaption>the innermost</figcaption><a rel=license href=/deep>x</a>" + string.Concat(Enumerable.Repeat("</figure>", 200));
        var beside = string.Concat(Enumerable.Range(0, 200).Select(i => $"<figure><img src=b{i}.png><figcaption>number {i}</figcaption><a href='https://creativecommons.org/licenses/by/{i % 4 + 1}.0/'>x</a></figure>"));
        var reading = PageReader.Read($"<!doctype html><body><article>{nested}{beside}<figure><img src=last.png></figure></article>", Address);
        var figures = reading.Figures.ToDictionary(f => f.Url.AbsolutePath[5..], StringComparer.Ordinal);
        Assert.Equal(401, figures.Count);
        Assert.All(Enumerable.Range(0, 200), i => Assert.Equal(("the innermost", "http://a.test/deep"), (figures[$"n{i}.png"].Caption, figures[$"n{i}.png"].Licence)));
        Assert.All(Enumerable.Range(0, 200), i => Assert.Equal(($"number {i}", $"https://creativecommons.org/licenses/by/{i % 4 + 1}.0/"), (figures[$"b{i}.png"].Caption, figures[$"b{i}.png"].Licence)));
        Assert.Equal(("", reading.Licence), (figures["last.png"].Caption, figures["last.png"].Licence));
    }

    [Fact]
    public void Captions_are_in_the_main_text_and_not_in_the_prose()
    {
        var reading = Read(Article.Replace("FIGURE", "<figure><img src=w.png><figcaption>The wheel, seen from the bridge.</figcaption></figure><div class=wp-caption><img src=x.png><p class=wp-caption-text>The weir</p></div>", StringComparison.Ordinal));
        Assert.Equal(["The wheel, seen from the bridge.", "The weir"], reading.Figures.Take(2).Select(f => f.Caption));
        Assert.Contains("The wheel, seen from the bridge.\n", reading.MainText, StringComparison.Ordinal);
        Assert.DoesNotContain("bridge", reading.Prose, StringComparison.Ordinal);
        Assert.DoesNotContain("The weir", reading.Prose, StringComparison.Ordinal);
        Assert.True(reading.Figures[0].Position < reading.MainText.IndexOf("In winter", StringComparison.Ordinal));
    }

    [Fact]
    public void Author_dates_site_and_title_are_those_that_the_page_states()
    {
        var linked = Read(Article.Replace("HEAD", """
            <script type="application/ld+json">{"@type":"NewsArticle","headline":"The mill by the river","author":[{"name":"A. Miller"},{"name":"B. Baker"}],
            "datePublished":"2024-05-06T07:08:09Z","dateModified":"2024-05-07","publisher":{"name":"Valley"}}</script>
            """, StringComparison.Ordinal));
        Assert.Equal(("The mill by the river", "2024-05-06T07:08:09Z", "2024-05-07", "Valley"), (linked.Headline, linked.Published, linked.Modified, linked.SiteName));
        Assert.Equal(["A. Miller", "B. Baker"], linked.Authors);
        var plain = Read(Article.Replace("HEAD", "<meta name=author content='C. Cook'><meta property='article:published_time' content='2020-01-02'><meta property=og:site_name content='Valley News'><meta name=description content='Of a  mill.'>", StringComparison.Ordinal));
        Assert.Equal(("The mill", "2020-01-02", null, "Valley News", "Of a mill."), (plain.Headline, plain.Published, plain.Modified, plain.SiteName, plain.Description));
        Assert.Equal(["C. Cook"], plain.Authors);
        Assert.Equal("The mill - Valley News", plain.Title);
    }

    [Fact]
    public void Parts_that_are_not_asked_for_are_empty_and_cost_no_others()
    {
        var html = Article.Replace("FIGURE", "<img src=w.png>", StringComparison.Ordinal);
        var all = Read(html);
        var crawl = PageReader.Read(html, Address, PageParts.Links | PageParts.Figures | PageParts.Gist);
        Assert.Equal(("", "", 0.0), (crawl.MainText, crawl.Prose, crawl.LinkDensity));
        Assert.Equal(all.Links, crawl.Links);
        Assert.Equal(all.Figures.Select(f => f with { Position = -1 }), crawl.Figures);
        var text = PageReader.Read(html, Address, PageParts.Text);
        Assert.Equal((all.MainText, all.Prose), (text.MainText, text.Prose));
        Assert.Empty(text.Links);
        Assert.Empty(text.Figures);
    }

    [Theory]
    [InlineData("<p>Read more: <a href=/x>Ten other mills of the valley</a></p>", "Ten other mills")]
    [InlineData("<div class='newsletter-signup'><p>Get our best stories by mail, every day, before you have had your coffee.</p></div>", "coffee")]
    [InlineData("<ul><li><a href=/1>Another mill, in another valley</a></li><li><a href=/2>Yet another mill</a></li></ul>", "another mill")]
    [InlineData("<div class=byline>By A. Miller</div><time>6 May 2024</time>", "Miller")]
    [InlineData("<aside><p>The valley has nine mills, of which only this one still grinds any flour at all.</p></aside>", "nine mills")]
    [InlineData("<p style='display: none'>Hidden words that nobody is meant to read, and nobody does.</p>", "Hidden")]
    public void What_stands_in_an_article_and_is_not_of_it_is_left_out(string markup, string words)
    {
        var text = Read(Article.Replace("FIGURE", markup, StringComparison.Ordinal)).Prose;
        Assert.DoesNotContain(words, text, StringComparison.Ordinal);
        Assert.StartsWith("The mill stands", text, StringComparison.Ordinal);
        Assert.EndsWith("it turns again.", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<ul><li>the wheel, of oak</li><li>the stones, of basalt</li></ul>", "the wheel, of oak\nthe stones, of basalt")]
    [InlineData("<table><tr><th>part</th><th>age</th></tr><tr><td>wheel</td><td>40</td></tr></table>", "part\nage\nwheel\n40")]
    [InlineData("<h2>The wheel</h2><p>It is <b>of oak</b>, and<br>heavy, as anyone who has tried to turn it by hand will say.</p>", "The wheel\nIt is of oak, and\nheavy, as")]
    [InlineData("<p>Soft\u00ADhyphens, and <a href=/w>links in a sentence</a>, belong to the words that they stand among.</p>", "Softhyphens, and links in a sentence, belong")]
    public void Lists_tables_headings_and_links_of_the_article_stay(string markup, string lines) =>
        Assert.Contains(lines, Read(Article.Replace("FIGURE", markup, StringComparison.Ordinal)).Prose, StringComparison.Ordinal);

    [Fact]
    public void A_statement_about_use_is_heard_after_any_number_of_others()
    {
        var others = string.Concat(Enumerable.Range(0, 3000).Select(i => $"<meta name=m{i} content=x><meta property=p{i} content=x>"));
        Assert.Contains(("robots", "noai"), Read($"<head>{others}<meta name=Robots content=noai></head>").Metas);
        Assert.Contains(("robots", "noai"), Read($"<body><p>x</p>{others}<noscript><meta name=robots content=noai></noscript></body>").Metas);
    }

    private static PageReading Read(string html) => PageReader.Read(html, Address);
}
