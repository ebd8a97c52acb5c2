using System.Buffers;
using System.Globalization;
using System.Text;

namespace LoraFactory.Pages;

/// <summary>Percent-encoding of the URL Standard (§1.3): the sets of what is written as %XX in each part, in UTF-8 or in a page's own encoding.</summary>
public static class PercentEncoding
{
    // What needs no escape in each part: all of ASCII from "!" to "~" but the set's own members.
    internal static readonly SearchValues<char> C0 = Plain("", space: true), Fragment = Plain("\"<>`"), Query = Plain("\"#<>"), SpecialQuery = Plain("\"#<>'"),
        Path = Plain("\"#<>?^`{}"), UserInfo = Plain("\"#<>?^`{}/:;=@[\\]|");

    /// <summary>Text as it stands in the query of an http(s) URL on a page in <paramref name="encoding"/>: what the encoding cannot say becomes %26%23…%3B.</summary>
    public static string OfQuery(ReadOnlySpan<char> text, Encoding encoding)
    {
        var url = new UrlText(stackalloc char[256]);
        AppendQuery(ref url, text, SpecialQuery, encoding);
        var encoded = url.ToString();
        url.Dispose();
        return encoded;
    }

    /// <summary>The octets that percent-encoded text stands for; other characters as UTF-8, a "%" without two hex digits as it stands.</summary>
    public static byte[] Decode(ReadOnlySpan<char> text)
    {
        var octets = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        var n = 0;
        while (!text.IsEmpty)
        {
            var percent = text.IndexOf('%');
            var plain = percent < 0 ? text : text[..percent];
            n += Encoding.UTF8.GetBytes(plain, octets.AsSpan(n));
            if (percent < 0) break;
            if (IsEscape(text[percent..])) octets[n++] = byte.Parse(text.Slice(percent + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            else octets[n++] = (byte)'%';
            text = text[(percent + (IsEscape(text[percent..]) ? 3 : 1))..];
        }
        return octets[..n];
    }

    /// <summary>Does the text begin with "%" and two hex digits?</summary>
    internal static bool IsEscape(ReadOnlySpan<char> text) => text.Length > 2 && text[0] == '%' && char.IsAsciiHexDigit(text[1]) && char.IsAsciiHexDigit(text[2]);

    internal static void Append(ref UrlText url, scoped ReadOnlySpan<char> text, SearchValues<char> plain)
    {
        Span<byte> octets = stackalloc byte[4];
        while (true)
        {
            var stop = text.IndexOfAnyExcept(plain);
            if (stop < 0) break;
            url.Append(text[..stop]);
            text = text[stop..];
            if (char.IsAscii(text[0]))
            {
                url.AppendEscaped((byte)text[0]);
                text = text[1..];
                continue;
            }
            Rune.DecodeFromUtf16(text, out var rune, out var length); // half a pair is U+FFFD
            foreach (var octet in octets[..rune.EncodeToUtf8(octets)]) url.AppendEscaped(octet);
            text = text[length..];
        }
        url.Append(text);
    }

    internal static void AppendQuery(ref UrlText url, scoped ReadOnlySpan<char> text, SearchValues<char> plain, Encoding encoding)
    {
        if (encoding is UTF8Encoding or UnicodeEncoding || encoding.CodePage is 12000 or 12001 || (text.IndexOfAnyExceptInRange(' ', '~') < 0 && encoding.CodePage is not (>= 50220 and <= 50222)))
        {
            Append(ref url, text, plain);
            return;
        }
        var writer = encoding.CodePage is >= 50220 and <= 50222 ? new Iso2022JpWriter() : null;
        var silent = Encoding.GetEncoding(encoding.CodePage, new EncoderReplacementFallback(""), DecoderFallback.ReplacementFallback);
        var octets = new List<byte>();
        while (!text.IsEmpty)
        {
            Rune.DecodeFromUtf16(text, out var rune, out var length); // half a pair is U+FFFD
            text = text[length..];
            if (writer?.Write(rune, octets) ?? Write(rune, silent, octets)) continue;
            Flush(ref url, octets, plain);
            url.Append(string.Create(CultureInfo.InvariantCulture, $"%26%23{(rune.Value is 0x0E or 0x0F or 0x1B ? 0xFFFD : rune.Value)}%3B"));
        }
        writer?.End(octets);
        Flush(ref url, octets, plain);
    }

    private static bool Write(Rune rune, Encoding silent, List<byte> octets)
    {
        if (OfStandard(rune, silent.CodePage) is not { } said || silent.GetBytes(said) is not { Length: > 0 } written) return false;
        octets.AddRange(written);
        return true;
    }

    private static void Flush(ref UrlText url, List<byte> octets, SearchValues<char> plain)
    {
        foreach (var octet in octets)
        {
            if (octet < 0x80 && plain.Contains((char)octet)) url.Append((char)octet);
            else url.AppendEscaped(octet);
        }
        octets.Clear();
    }

    // What to encode of a character where the Encoding Standard's encoders differ from the runtime's tables; null where it has no bytes.
    private static string? OfStandard(Rune rune, int codePage) => (codePage, rune.Value) switch
    {
        (932 or 51932, 0x2212) => "\uFF0D",
        (932 or 51932, 0xA5) => "\\",
        (932 or 51932, 0x203E) => "~",
        (54936 or 936, 0xE5E5) => null,
        _ => rune.ToString(),
    };

    private static SearchValues<char> Plain(string escaped, bool space = false) =>
        SearchValues.Create([.. Enumerable.Range(space ? ' ' : '!', space ? 95 : 94).Select(c => (char)c).Where(c => !escaped.Contains(c, StringComparison.Ordinal))]);
}
