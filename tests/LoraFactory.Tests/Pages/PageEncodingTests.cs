using System.Text;
using LoraFactory.Pages;

namespace LoraFactory.Tests.Pages;

public sealed class PageEncodingTests
{
    [Theory]
    [InlineData("<meta charset=latin1>", "windows-1252")]
    [InlineData("<meta charset='Shift_JIS'>", "Shift_JIS")]
    [InlineData("<META CHARSET = \" koi8-r \">", "KOI8-R")]
    [InlineData("<meta content='text/html; charset=\"gb2312\"' http-equiv=Content-Type>", "GBK")]
    [InlineData("<meta content='text/html; charset=gb2312'>", null)]
    [InlineData("<meta charset=utf-16>", "UTF-8")]
    [InlineData("<meta charset=nonsense><meta charset=big5>", "Big5")]
    [InlineData("<!-- <meta charset=big5> --><p>", null)]
    [InlineData("<!--><meta charset=big5>", "Big5")]
    [InlineData("<p title='<meta charset=big5>'>", null)]
    [InlineData("<metacharset=big5>", null)]
    [InlineData("<meta charset=big5", null)]
    [InlineData("<meta charset=x charset=big5>", null)]
    [InlineData("<?xml version='1.0' encoding='iso-8859-5'?><x/>", "ISO-8859-5")]
    [InlineData("<?xml version='1.0' encoding='utf-16'?><x/>", "UTF-8")]
    [InlineData("plain text, charset=big5", null)]
    public void Markup_states_its_encoding(string markup, string? expected) => Assert.Equal(expected, PageEncoding.Stated(Encoding.Latin1.GetBytes(markup), null));

    [Fact]
    public void A_statement_far_down_is_found_and_the_look_ends()
    {
        var late = new string(' ', 9000) + "<meta charset=big5>";
        Assert.Equal("Big5", PageEncoding.Stated(Encoding.Latin1.GetBytes(late), null));
        Assert.Null(PageEncoding.Stated(Encoding.Latin1.GetBytes(new string(' ', 70_000) + late), null));
    }

    [Fact]
    public void Mark_comes_before_header_and_header_before_markup()
    {
        byte[] page = [.. "<meta charset=big5>"u8];
        Assert.Equal("KOI8-R", PageEncoding.Stated(page, "koi8-r"));
        Assert.Equal("UTF-8", PageEncoding.Stated([0xEF, 0xBB, 0xBF, .. page], "koi8-r"));
        Assert.Equal("UTF-16LE", PageEncoding.Stated([0xFF, 0xFE, .. page], "koi8-r"));
        Assert.Equal("Big5", PageEncoding.Stated(page, "no such name"));
        Assert.Equal("ä", PageEncoding.Decode([0xE4], null));
        Assert.Equal("ä", PageEncoding.Decode([0xC3, 0xA4], null));
        Assert.Equal("ä", PageEncoding.Decode([0xFE, 0xFF, 0, 0xE4], "utf-8"));
    }

    [Theory]
    [InlineData("ascii", "windows-1252", 1252)]
    [InlineData(" ISO-8859-9\n", "windows-1254", 1254)]
    [InlineData("logical", "ISO-8859-8-I", 38598)]
    [InlineData("gbk", "GBK", 54936)]
    [InlineData("ks_c_5601-1987", "EUC-KR", 949)]
    [InlineData("x-user-defined", "x-user-defined", null)]
    [InlineData("utf-7", null, null)]
    [InlineData("", null, null)]
    [InlineData("'utf-8'", null, null)]
    public void Labels_name_encodings(string label, string? name, int? codePage)
    {
        Assert.Equal(name, PageEncoding.NameOf(label));
        Assert.Equal(codePage, PageEncoding.OfLabel(label)?.CodePage);
    }
}
