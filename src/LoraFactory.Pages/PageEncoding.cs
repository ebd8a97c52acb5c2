using System.Text;
using System.Text.RegularExpressions;

namespace LoraFactory.Pages;

/// <summary>
/// Finds the encoding of a page as browsers do (HTML Living Standard §13.2.3): byte-order mark, then the header's charset, then a meta element in the
/// first 1024 bytes; else UTF-8 where the bytes are valid UTF-8, and windows-1252 where not. Labels are those of the WHATWG Encoding Standard.
/// </summary>
public static partial class PageEncoding
{
    private const int Prescan = 1024;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    static PageEncoding() => Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);

    /// <summary>The text; bytes that mean nothing become U+FFFD.</summary>
    public static string Decode(ReadOnlySpan<byte> body, string? headerCharset)
    {
        var encoding = OfMark(body, out var skip) ?? OfLabel(headerCharset) ?? OfMeta(body) ?? Guess(body);
        return encoding.GetString(body[skip..]);
    }

    private static Encoding? OfMark(ReadOnlySpan<byte> body, out int skip)
    {
        skip = 0;
        if (body.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]))
        {
            skip = 3;
            return Encoding.UTF8;
        }
        if (body.Length < 2 || (body[0], body[1]) is not ((0xFE, 0xFF) or (0xFF, 0xFE))) return null;
        skip = 2;
        return body[0] == 0xFE ? Encoding.BigEndianUnicode : Encoding.Unicode;
    }

    /// <summary>The encoding that a label names (WHATWG Encoding Standard §4.2), null for an unknown one.</summary>
    public static Encoding? OfLabel(string? label)
    {
        var name = label?.Trim(' ', '\t', '\r', '\n', '\f', '"', '\'').ToLowerInvariant();
        try
        {
            return name switch
            {
                null or "" => null,
                "utf8" or "unicode-1-1-utf-8" => Encoding.UTF8,
                // Names that web pages use for a superset of what they say.
                "iso-8859-1" or "latin1" or "latin-1" or "ascii" or "us-ascii" or "l1" or "iso8859-1" or "cp1252" or "x-cp1252" => Encoding.GetEncoding(1252),
                "gb2312" or "gb_2312-80" or "chinese" or "csgb2312" or "x-gbk" or "gbk" => Encoding.GetEncoding("gb18030"),
                "ks_c_5601-1987" or "euc-kr" or "korean" or "ksc5601" => Encoding.GetEncoding(949),
                "x-sjis" or "shift_jis" or "sjis" or "shift-jis" or "windows-31j" or "ms_kanji" => Encoding.GetEncoding(932),
                "iso-8859-9" or "latin5" => Encoding.GetEncoding(1254),
                "iso-8859-11" or "tis-620" => Encoding.GetEncoding(874),
                "x-user-defined" or "utf-7" or "utf-32" or "utf-32le" or "utf-32be" => null,
                _ => Encoding.GetEncoding(name),
            };
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return null; // an unknown name says nothing
        }
    }

    // A meta element that can be read byte by byte cannot be in UTF-16, whatever it says.
    private static Encoding? OfMeta(ReadOnlySpan<byte> body)
    {
        var head = Comments().Replace(Encoding.Latin1.GetString(body[..Math.Min(body.Length, Prescan)]), "");
        foreach (Match match in Charset().Matches(head))
        {
            if (OfLabel(match.Groups["name"].Value) is not { } found) continue;
            return found is UnicodeEncoding ? Encoding.UTF8 : found;
        }
        return null;
    }

    private static Encoding Guess(ReadOnlySpan<byte> body)
    {
        try
        {
            StrictUtf8.GetCharCount(body);
            return Encoding.UTF8;
        }
        catch (DecoderFallbackException)
        {
            return Encoding.GetEncoding(1252);
        }
    }

    [GeneratedRegex(@"<!--[\s\S]*?(-->|$)", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Comments();

    [GeneratedRegex(@"<meta[\s/][^>]*?charset\s*=\s*[""']?\s*(?<name>[^\s""'/>;]+)", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase)]
    private static partial Regex Charset();
}
