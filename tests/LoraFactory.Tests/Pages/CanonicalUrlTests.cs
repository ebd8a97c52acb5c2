using LoraFactory.Pages;

namespace LoraFactory.Tests.Pages;

public sealed class CanonicalUrlTests
{
    private static readonly Uri Page = new("http://a.test/dir/page?x=1");

    [Theory]
    [InlineData("HTTP://A.test.:80/%7euser/%c3%bc?b=2&a=1&utm_source=x&=&#frag", "http://a.test/~user/%C3%BC?b=2&a=1&=")]
    [InlineData("next", "http://a.test/dir/next")]
    [InlineData("?utm%5Fsource=x", "http://a.test/dir/page")]
    [InlineData("?GCLID=1&q=a+b", "http://a.test/dir/page?q=a+b")]
    [InlineData("a|b[c]%", "http://a.test/dir/a%7Cb%5Bc%5D%25")]
    [InlineData("http://u:p@a.test/x//y", "http://a.test/x//y")]
    [InlineData("/shop/item;jsessionid=1F3C!-12?a=1", "http://a.test/shop/item?a=1")]
    [InlineData("/shop;JSESSIONID=1;jsessionid=2;x=3;%6Asessionid=4", "http://a.test/shop;JSESSIONID=1;jsessionid=2;x=3")]
    [InlineData("/a;jsessionid=1/b", "http://a.test/a;jsessionid=1/b")]
    [InlineData("//[::1]:8080/", "http://[::1]:8080/")]
    [InlineData("/a%2e%2E/b%2F..%2f", "http://a.test/a../b%2F..%2F")]
    [InlineData("http://xn--bcher-kva.test/", "http://xn--bcher-kva.test/")]
    public void One_spelling_and_the_same_again(string link, string expected)
    {
        var once = CanonicalUrl.Parse(link, Page);
        Assert.Equal(expected, once?.AbsoluteUri);
        Assert.Equal(expected, CanonicalUrl.Parse(expected)?.AbsoluteUri);
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData("javascript:void(0)")]
    [InlineData("mailto:a@b.test")]
    [InlineData("data:image/png;base64,AA==")]
    [InlineData("ftp://a.test/")]
    [InlineData("http://a..test/")]
    [InlineData("http://a.test:0/")]
    [InlineData("http://a!b.test/")]
    public void What_cannot_be_asked_for_is_refused(string link) => Assert.Null(CanonicalUrl.Parse(link, Page));

    [Fact]
    public void Longer_than_the_most_is_refused_before_and_after_escaping()
    {
        Assert.Null(CanonicalUrl.Parse("http://a.test/" + new string('a', CanonicalUrl.MaxLength)));
        Assert.Null(CanonicalUrl.Parse("http://a.test/" + new string('ü', CanonicalUrl.MaxLength / 2)));
        Assert.NotNull(CanonicalUrl.Parse("http://a.test/" + new string('a', CanonicalUrl.MaxLength - 14)));
    }

    [Fact]
    public void Origins_name_scheme_host_and_port()
    {
        Assert.Equal("http://a.test:81", CanonicalUrl.Origin(new Uri("http://a.test:81/x")));
        Assert.Equal("https://a.test", CanonicalUrl.Origin(new Uri("https://a.test:443/x")));
    }
}
