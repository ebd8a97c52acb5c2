using System.Text;
using LoraFactory.Pages;

namespace LoraFactory.Tests.Pages;

public sealed class WebUrlTests
{
    [Theory]
    [InlineData("HTTP://User:P%61ss@Example.COM:80/a/./b/../c%7e?q='x'#f g", "http://User:P%61ss@example.com/a/c%7e?q=%27x%27#f%20g")]
    [InlineData("https:\\\\example.org\\a\\b", "https://example.org/a/b")]
    [InlineData("  http://exa\tmple.org/\n ", "http://example.org/")]
    [InlineData("http://0x7f.1/", "http://127.0.0.1/")]
    [InlineData("http://3232235777/", "http://192.168.1.1/")]
    [InlineData("http://[0:0::0:1]/", "http://[::1]/")]
    [InlineData("http://[::ffff:1.2.3.4]:8080/", "http://[::ffff:102:304]:8080/")]
    [InlineData("http://a/%2E%2e/b/%2e", "http://a/b/")]
    [InlineData("http://a/b^c|d", "http://a/b%5Ec|d")]
    [InlineData("ws://a:80/x", "ws://a/x")]
    [InlineData("data:text/plain,a b#c", "data:text/plain,a b#c")]
    [InlineData("mailto:a@b.test?subject=x y", "mailto:a@b.test?subject=x%20y")]
    [InlineData("file:///etc/passwd", "file:///etc/passwd")]
    [InlineData("custom://Host/../a", "custom://Host/a")]
    public void Whole_urls_are_read_as_the_standard_says(string text, string href)
    {
        Assert.Equal(href, WebUrl.Parse(text)?.Href);
        Assert.Equal(href, WebUrl.Parse(href)?.Href);
    }

    [Theory]
    [InlineData("//other.test/x", "https://other.test/x")]
    [InlineData("?q", "https://a.test/b/c?q")]
    [InlineData("#f", "https://a.test/b/c?d#f")]
    [InlineData("", "https://a.test/b/c?d")]
    [InlineData("..", "https://a.test/")]
    [InlineData("e//f", "https://a.test/b/e//f")]
    [InlineData("https:g", "https://a.test/b/g")]
    [InlineData("http:g", "http://g/")]
    [InlineData("javascript:alert(1)", "javascript:alert(1)")]
    public void References_are_resolved(string reference, string href) => Assert.Equal(href, WebUrl.Parse(reference, WebUrl.Parse("https://a.test/b/c?d#e"))?.Href);

    [Theory]
    [InlineData("relative")]
    [InlineData("http://")]
    [InlineData("http://user@/")]
    [InlineData("http://a:65536/")]
    [InlineData("http://a:b/")]
    [InlineData("http://[::1")]
    [InlineData("http://[1:2:3:4:5:6:7:8:9]/")]
    [InlineData("http://1.2.3.256/")]
    [InlineData("http://a b/")]
    [InlineData("http://a%00b/")]
    [InlineData("data://a:b/,x")]
    public void What_is_no_url_is_refused(string text) => Assert.Null(WebUrl.Parse(text));

    [Fact]
    public void Names_beyond_ascii_are_mapped_where_a_library_is_there()
    {
        Assert.SkipWhen(DomainToAscii.Library is null, "Neither libicu nor libidn2 is installed.");
        Assert.Equal("xn--bcher-kva.example", DomainToAscii.Map("BÜCHER.example"));
        Assert.Equal("xn--fa-hia.de", DomainToAscii.Map("faß.de"));
        Assert.Null(DomainToAscii.Map("xn--a\u00df.de"));
        Assert.Equal("plain.example", DomainToAscii.Map("Plain.Example"));
        Assert.Null(DomainToAscii.Map(""));
        Assert.Null(DomainToAscii.Map(new string('ü', 3000)));
    }

    [Theory]
    [InlineData("windows-1252", "ü€", "%FC%80")]
    [InlineData("windows-1252", "Ж", "%26%231046%3B")]
    [InlineData("iso-8859-2", "Ł&=x", "%A3&=x")]
    [InlineData("utf-8", "ü", "%C3%BC")]
    [InlineData("utf-16", "ü", "%C3%BC")]
    public void Queries_are_written_in_the_page_s_encoding(string label, string text, string expected)
    {
        var encoding = PageEncoding.OfLabel(label) ?? Encoding.UTF8;
        Assert.Equal(expected, PercentEncoding.OfQuery(text, encoding));
        Assert.Equal("http://a.test/%C3%BC?" + expected, CanonicalUrl.Parse("/ü?" + text, new Uri("http://a.test/"), encoding)?.AbsoluteUri);
    }

    [Theory]
    [InlineData("iso-2022-jp", "日¥a\\b", "%1B$BF|%1B(J\\a%1B(B\\b")]
    [InlineData("iso-2022-jp", "ｱ†ü", "%1B$B%%22%22w%1B(B%26%23252%3B")]
    [InlineData("iso-2022-jp", "a\u000Eb", "a%26%2365533%3Bb")]
    [InlineData("shift_jis", "‾−", "~%81|")]
    [InlineData("euc-jp", "¥−", "\\%A1%DD")]
    public void Japanese_encodings_write_what_the_runtime_s_tables_lack(string label, string text, string expected) =>
        Assert.Equal(expected, PercentEncoding.OfQuery(text, PageEncoding.OfLabel(label)!));

    [Fact]
    public void Escapes_are_decoded_and_stray_ones_kept()
    {
        Assert.Equal("a/ü%z%"u8.ToArray(), PercentEncoding.Decode("a%2F%c3%BC%z%"));
        Assert.Equal([0xFF], PercentEncoding.Decode("%ff"));
    }
}
