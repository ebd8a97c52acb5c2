using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using LoraFactory.Pages.Html;
using Xunit;

namespace LoraFactory.Tests.Pages.Html;

public partial class MainTextTests
{
    private static readonly Uri Address = new("http://example.test/a/b.html");

    [Fact]
    public void The_article_is_found_among_menus_advertisements_and_comments()
    {
        var reading = Read("""
            <html lang="en-GB"><head><title>t</title><script>var x = "not text";</script></head><body>
            <nav><a href="/">Home</a> <a href="/a">About us and everything else that we do</a></nav>
            <div class="cookie-banner">We use cookies to make this site better for you and for others, truly.</div>
            <div id="content"><h1>The mill</h1><p>The mill stands by the river, and its wheel has turned since the year in which it was built.</p>
            <div class="ad-slot"><img src="/ads/banner.png"><p>Buy flour now, the best flour at the best price, only today and only here!</p></div>
            <figure><img src="mill.png" alt="mill"><figcaption>The wheel, seen from the bridge.</figcaption></figure>
            <p>In winter, when the water freezes, the miller rests; <b>in spring</b> he mends what the ice has broken.</p></div>
            <div class="sidebar"><ul><li><a href="/1">Ten other mills that you will not believe</a></li></ul><img srcset="/side/a.png 1x, /side/b.png 2x"></div>
            <div class="comments"><p>What a lovely mill, I would like to live there with all of my geese.</p></div>
            <footer><p>All rights reserved, the millers of the valley, since the year 1900.</p></footer></body></html>
            """);
        Assert.Contains("The mill stands by the river", reading.MainText);
        Assert.Contains("in spring he mends", reading.MainText);
        Assert.Contains("The wheel, seen from the bridge.", reading.MainText);
        foreach (var other in (string[])["Home", "cookies", "Buy flour", "Ten other mills", "lovely mill", "rights reserved", "not text"])
            Assert.DoesNotContain(other, reading.MainText);
        Assert.Equal("en-gb", reading.DeclaredLanguage);
        Assert.Equal("advertisement", reading.Furniture["http://example.test/ads/banner.png"]);
        Assert.Equal("site-furniture", reading.Furniture["http://example.test/side/b.png"]);
        Assert.False(reading.Furniture.ContainsKey("http://example.test/a/mill.png"));
        Assert.InRange(reading.LinkDensity, 0.05, 0.4);
    }

    [Fact]
    public void A_picture_that_also_stands_in_the_text_is_no_furniture_but_an_advertisement_stays_one()
    {
        var reading = Read("""
            <html><body><article><p>The mill stands by the river, and its wheel has turned since the year in which it was built.</p>
            <img src="/mill.png"><img src="/buy.png"><img srcset="/large.png 2x, /small.png 1x"></article>
            <aside><img src="/mill.png"><img src="/other.png"><img src="/small.png"></aside><div class="ad-slot"><img src="/buy.png"></div></body></html>
            """);
        Assert.Equal(["http://example.test/buy.png", "http://example.test/other.png"], reading.Furniture.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("advertisement", reading.Furniture["http://example.test/buy.png"]);
    }

    [Fact]
    public void Chinese_text_is_found()
    {
        var reading = Read("<html lang=zh><body><nav><a href=/>首页</a></nav><main><p>蓝图是一种用白线画在蓝色底子上的工程图。绘图员先在透明纸上描好线条，再把它放在感光纸上晒。</p></main></body></html>");
        Assert.StartsWith("蓝图是一种", reading.MainText, StringComparison.Ordinal);
        Assert.DoesNotContain("首页", reading.MainText);
    }

    [Fact]
    public void The_header_s_charset_goes_before_the_page_s_own()
    {
        var bytes = Encoding.Latin1.GetBytes("<html><head><meta charset=utf-8></head><body><p>Die Mühle steht am Fluß, und ihr Rad dreht sich seit vielen Jahren.</p></body></html>");
        Assert.Contains("Mühle steht am Fluß", PageReader.Read(bytes, "iso-8859-1", Address).MainText);
        foreach (var label in new[] { "utf-7", "gb2312", "x-user-defined" }) // refused by .NET, a page's name for gb18030, not an encoding
            Assert.Contains("le steht am", PageReader.Read(bytes, label, Address).MainText);
        Assert.Contains("M\ufffdhle", PageReader.Read(bytes, "no-such-charset", Address).MainText);
    }

    [Fact]
    public void Deep_and_empty_pages_are_read_without_a_crash()
    {
        Assert.Equal("", Read("").MainText);
        Assert.Equal("", Read("<html><head><title>x</title></head></html>").MainText);
        var deep = string.Concat(Enumerable.Repeat("<div>", 20_000)) + "The innermost text of a page that is nested deeper than anyone would write by hand." + string.Concat(Enumerable.Repeat("</div>", 20_000));
        Assert.Contains("innermost", Read(deep).MainText);
    }

    // Pages of publishers, kept beside the repository. Floors are what this extractor reaches, so that it never gets worse unseen.
    [Theory]
    [InlineData("trafilatura", 100, 0.94)]
    [InlineData("article-benchmark", 30, 0.98)]
    [InlineData("readability", 20, 0.987)]
    public void Extraction_holds_its_score_on_pages_of_the_web(string set, int documents, double floor)
    {
        if (TestData.Shared($"conformance/extraction/{set}") is not { } folder)
        {
            Assert.Skip("conformance/extraction is not there");
            return;
        }
        var cases = File.ReadLines(Path.Combine(folder, "cases.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(documents, cases.Count);
        var (precision, recall) = set == "trafilatura" ? WithWithout(folder, cases) : Shingles(folder, cases);
        var f1 = 2 * precision * recall / (precision + recall);
        TestContext.Current.TestOutputHelper?.WriteLine($"{set}: precision {precision:0.0000}, recall {recall:0.0000}, F1 {f1:0.0000}");
        Assert.True(f1 >= floor, $"{set}: F1 {f1:0.0000}");
    }

    private static (double Precision, double Recall) WithWithout(string folder, List<JsonElement> cases)
    {
        double found = 0, missed = 0, wrong = 0;
        foreach (var one in cases)
        {
            var text = Blanks().Replace(Extract(folder, one.GetProperty("file").GetString()!, one), " ");
            bool Has(JsonElement wanted) => text.Contains(Blanks().Replace(wanted.GetString()!, " ").Trim(), StringComparison.Ordinal);
            var with = one.GetProperty("with").EnumerateArray().Count(Has);
            found += with;
            missed += one.GetProperty("with").GetArrayLength() - with;
            wrong += one.GetProperty("without").EnumerateArray().Count(Has);
        }
        return (found / (found + wrong), found / (found + missed));
    }

    private static (double Precision, double Recall) Shingles(string folder, List<JsonElement> cases)
    {
        List<double> precisions = [], recalls = [];
        foreach (var one in cases)
        {
            var isReadability = one.TryGetProperty("source", out var source);
            var expected = Grams(one.GetProperty(isReadability ? "expected_text" : "text").GetString()!);
            var actual = Grams(Extract(folder, (isReadability ? source : one.GetProperty("file")).GetString()!, one));
            double both = expected.Sum(gram => Math.Min(gram.Value, actual.GetValueOrDefault(gram.Key)));
            double surplus = actual.Values.Sum() - both, missing = expected.Values.Sum() - both;
            var all = both + surplus + missing;
            precisions.Add(both + surplus == 0 ? 1 : both / all / ((both + surplus) / all));
            recalls.Add(both + missing == 0 ? 1 : both / (both + missing));
        }
        return (precisions.Average(), recalls.Average());
    }

    private static Dictionary<string, int> Grams(string text)
    {
        var tokens = Words().Matches(text).Select(match => match.Value).ToList();
        if (tokens.Count == 0) return [];
        var length = Math.Min(4, tokens.Count);
        return Enumerable.Range(0, tokens.Count - length + 1).Select(i => string.Join(' ', tokens.Skip(i).Take(length))).GroupBy(gram => gram).ToDictionary(group => group.Key, group => group.Count());
    }

    private static string Extract(string folder, string file, JsonElement one)
    {
        using var gzip = new GZipStream(File.OpenRead(Path.Combine(folder, file)), CompressionMode.Decompress);
        using var html = new MemoryStream();
        gzip.CopyTo(html);
        return PageReader.Read(html.ToArray(), null, new Uri(one.GetProperty("url").GetString()!.Trim())).Prose;
    }

    private static PageReading Read(string html) => PageReader.Read(Encoding.UTF8.GetBytes(html), "utf-8", Address);

    [GeneratedRegex(@"\s+", RegexOptions.NonBacktracking)]
    private static partial Regex Blanks();

    [GeneratedRegex(@"\w+", RegexOptions.NonBacktracking)]
    private static partial Regex Words();
}
