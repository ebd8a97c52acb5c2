using System.Text;
using LoraFactory.Pages;

namespace LoraFactory.Tests.Pages;

public sealed class MediaTypeTests
{
    [Theory]
    [InlineData(" Text/HTML ; Charset=\"utf-8\" ; x=1", "text/html;charset=utf-8;x=1")]
    [InlineData("image/png", "image/png")]
    [InlineData("a/b;c=\"d\\\"e f\"", "a/b;c=\"d\\\"e f\"")]
    [InlineData("a/b;c=;d=e;d=f;=g;h", "a/b;d=e")]
    [InlineData("a/b;c=\"\"", "a/b;c=\"\"")]
    [InlineData("text", null)]
    [InlineData("text/", null)]
    [InlineData("te xt/html", null)]
    [InlineData("", null)]
    public void Content_types_are_read_and_written(string text, string? expected)
    {
        Assert.Equal(expected, MediaType.Parse(text)?.ToString());
        if (expected is not null) Assert.Equal(expected, MediaType.Parse(expected)?.ToString());
    }

    [Theory]
    [InlineData(new[] { "text/html;charset=gbk", "text/html" }, "text/html;charset=gbk")]
    [InlineData(new[] { "text/html;charset=gbk", "text/plain" }, "text/plain")]
    [InlineData(new[] { "text/html;a=\",\", image/png" }, "image/png")]
    [InlineData(new[] { "text/html", "*/*", "broken" }, "text/html")]
    [InlineData(new string[0], null)]
    public void Several_fields_state_one_type(string[] fields, string? expected) => Assert.Equal(expected, MediaType.OfFields(fields)?.ToString());

    [Theory]
    [InlineData("data:image/gif;base64,R0lG", "image/gif", "GIF")]
    [InlineData("data:,a%20b#c", "text/plain;charset=US-ASCII", "a b")]
    [InlineData("data:text/plain;x=y,%zz", "text/plain;x=y", "%zz")]
    [InlineData("data:;base64,Q Q", "text/plain;charset=US-ASCII", "A")]
    [InlineData("data:;base64,QQ=", null, null)]
    [InlineData("data:;base64,Q", null, null)]
    [InlineData("data:nothing", null, null)]
    [InlineData("http://a.test/,x", null, null)]
    public void Data_urls_hold_bytes(string url, string? type, string? body)
    {
        var data = DataUrl.Parse(url);
        Assert.Equal(type, data?.Type.ToString());
        Assert.Equal(body, data is null ? null : Encoding.Latin1.GetString(data.Body));
    }

    [Theory]
    [InlineData("<!-- x -->\n<?xml version='1.0'?><rss version='2.0'>", "text/html", "application/rss+xml")]
    [InlineData("<feed xmlns='http://www.w3.org/2005/Atom'>", "text/html;charset=utf-8", "application/atom+xml")]
    [InlineData("<html><rss>", "text/html", "text/html")]
    [InlineData("<html><p>", "text/plain; charset=UTF-8", "text/plain")]
    [InlineData("<html>", null, "text/html")]
    [InlineData("<htm>", null, "text/plain")]
    [InlineData("GIF89a,,,", "text/css", "text/css")]
    [InlineData("GIF89a,,,", "image/png", "image/gif")]
    [InlineData("RIFF....WEBPVP8 ", null, "image/webp")]
    [InlineData("\0\0\0\u0014ftypisom\0\0\0\u0001mp42", null, "video/mp4")]
    [InlineData("\0\0\0\u0014ftypavif\0\0\0\u0001mif1", "image/avif", "image/avif")]
    [InlineData("Rar!\u001A\u0007\u0001\0", null, "application/x-rar-compressed")]
    [InlineData("\0\0\0", "application/pdf", "application/pdf")]
    [InlineData("", null, "text/plain")]
    public void First_bytes_correct_what_is_stated(string head, string? stated, string expected) =>
        Assert.Equal(expected, MediaSniffing.Compute(Encoding.Latin1.GetBytes(head), stated));

    [Fact]
    public void What_asks_not_to_be_sniffed_is_taken_as_stated()
    {
        Assert.Equal("image/png", MediaSniffing.Compute("GIF89a"u8, "image/png", noSniff: true));
        Assert.Equal("text/plain", MediaSniffing.Compute("<html>"u8, null, noSniff: true));
    }

    [Fact]
    public void Frames_of_mpeg_audio_follow_one_another()
    {
        var frame = new byte[417];
        (frame[0], frame[1], frame[2]) = (0xFF, 0xFB, 0x90); // version 1, layer 3, 128 kbit/s, 44.1 kHz
        Assert.Equal("audio/mpeg", MediaSniffing.Compute([.. frame, .. frame], null));
        Assert.Equal("application/octet-stream", MediaSniffing.Compute([.. frame, 0], null));
    }
}
