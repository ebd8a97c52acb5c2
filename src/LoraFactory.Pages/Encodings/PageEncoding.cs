using System.Text;

namespace LoraFactory.Pages;

/// <summary>
/// Finds the encoding of a page as browsers do (HTML Living Standard §13.2.3): byte-order mark, then the header's charset, then a meta element or an XML
/// declaration; else UTF-8 where the bytes are valid UTF-8, and windows-1252 where not. Labels are those of the WHATWG Encoding Standard.
/// </summary>
public static class PageEncoding
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>The text; bytes that mean nothing become U+FFFD.</summary>
    public static string Decode(ReadOnlySpan<byte> body, string? headerCharset)
    {
        var (encoding, mark) = Of(body, headerCharset);
        return encoding.GetString(body[mark..]);
    }

    /// <summary>What decodes the page, and how many bytes of a byte-order mark stand before the text.</summary>
    public static (Encoding Encoding, int MarkLength) Of(ReadOnlySpan<byte> body, string? headerCharset)
    {
        if (MarkOf(body) is var (label, length)) return (OfLabel(label)!, length);
        return (OfLabel(headerCharset) ?? OfLabel(EncodingPrescan.Find(body)) ?? Guess(body), 0);
    }

    /// <summary>The name of the encoding that bytes, header or markup state, as the Encoding Standard writes it ("windows-1252"); null when nothing is said.</summary>
    public static string? Stated(ReadOnlySpan<byte> body, string? headerCharset)
    {
        if (MarkOf(body) is var (label, _)) return NameOf(label);
        return NameOf(headerCharset) ?? NameOf(EncodingPrescan.Find(body));
    }

    /// <summary>The encoding's name for one of its labels ("latin1" → "windows-1252"); null for an unknown one.</summary>
    public static string? NameOf(string? label) => label is null ? null : EncodingLabels.Name(label);

    /// <summary>The encoding that a label names (WHATWG Encoding Standard §4.2), null for an unknown one and for those that the runtime does not decode.</summary>
    public static Encoding? OfLabel(string? label) => label is null ? null : EncodingLabels.Decoder(label);

    private static (string Label, int Length)? MarkOf(ReadOnlySpan<byte> body) => body switch
    {
        [0xEF, 0xBB, 0xBF, ..] => ("utf-8", 3),
        [0xFE, 0xFF, ..] => ("utf-16be", 2),
        [0xFF, 0xFE, ..] => ("utf-16le", 2),
        _ => null,
    };

    private static Encoding Guess(ReadOnlySpan<byte> body)
    {
        try
        {
            StrictUtf8.GetCharCount(body);
            return Encoding.UTF8;
        }
        catch (DecoderFallbackException)
        {
            return OfLabel("windows-1252")!;
        }
    }
}
