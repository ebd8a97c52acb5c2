using LoraFactory.Pages;

namespace LoraFactory.Tests.Pages;

public sealed class PublicSuffixesTests
{
    private static readonly PublicSuffixes List = PublicSuffixes.Read(
    [
        "// ===BEGIN ICANN DOMAINS===", "com", "uk  // a remark", "co.uk", "*.ck", "!www.ck", "*.kobe.jp", "jp", "", "香港", "公司.香港",
        "// ===BEGIN PRIVATE DOMAINS===", "pages.com",
    ]);

    [Theory]
    [InlineData("www.example.CO.uk", "example.co.uk")]
    [InlineData("example.uk", "example.uk")]
    [InlineData("co.uk", null)]
    [InlineData("com", null)]
    [InlineData("a.b.c.ck", "b.c.ck")]
    [InlineData("c.ck", null)]
    [InlineData("www.ck", "www.ck")]
    [InlineData("a.www.ck", "www.ck")]
    [InlineData("a.b.kobe.jp", "a.b.kobe.jp")]
    [InlineData("kobe.jp", "kobe.jp")]
    [InlineData("me.pages.com", "me.pages.com")]
    [InlineData("pages.com", null)]
    [InlineData("x.y.unlisted", "y.unlisted")]
    [InlineData("x.例子.公司.香港", "例子.公司.香港")]
    [InlineData("x.xn--fsqu00a.xn--55qx5d.xn--j6w193g", "xn--fsqu00a.xn--55qx5d.xn--j6w193g")]
    [InlineData("例子。公司。香港", "例子。公司。香港")]
    [InlineData("a.com.", "a.com")]
    [InlineData(".com", null)]
    [InlineData("a..com", null)]
    [InlineData("127.0.0.1", null)]
    [InlineData("[::1]", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void The_registered_domain_is_one_label_more_than_the_suffix(string? host, string? expected)
    {
        Assert.SkipWhen(DomainToAscii.Library is null && host?.Any(c => c > 127) == true, "Neither libicu nor libidn2 is installed.");
        Assert.Equal(expected, List.Registrable(host));
    }

    [Fact]
    public void Private_names_may_be_left_out()
    {
        var registries = PublicSuffixes.Read(["// ===BEGIN ICANN DOMAINS===", "com", "// ===BEGIN PRIVATE DOMAINS===", "pages.com"], withPrivate: false);
        Assert.Equal("pages.com", registries.Registrable("me.pages.com"));
        Assert.Equal(1, registries.Count);
        Assert.Null(PublicSuffixes.Open("/nonexistent"));
    }
}
