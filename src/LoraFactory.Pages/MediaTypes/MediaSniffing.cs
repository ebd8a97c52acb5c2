namespace LoraFactory.Pages;

/// <summary>
/// What a response holds, judged by its first bytes as far as its stated type may be doubted (MIME Sniffing Standard §7). Stated types of style sheets,
/// scripts, XML and others are kept; text/plain never becomes markup.
/// </summary>
public static class MediaSniffing
{
    /// <summary>Bytes that are looked at.</summary>
    public const int HeaderLength = 1445;

    private static readonly string[] ApacheDefaults = ["text/plain", "text/plain; charset=ISO-8859-1", "text/plain; charset=iso-8859-1", "text/plain; charset=UTF-8"];

    /// <summary>The computed type's essence, e.g. "text/html".</summary>
    /// <param name="body">The body, or at least its first <see cref="HeaderLength"/> bytes.</param>
    /// <param name="contentType">Content-Type as sent, null when there is none.</param>
    /// <param name="noSniff">Whether the response asks that its stated type be taken (X-Content-Type-Options: nosniff).</param>
    public static string Compute(ReadOnlySpan<byte> body, string? contentType, bool noSniff = false)
    {
        var head = body[..Math.Min(body.Length, HeaderLength)];
        var stated = contentType is null ? null : MediaType.Parse(contentType);
        if (stated is null || stated.Essence is "unknown/unknown" or "application/unknown" or "*/*") return Unknown(head, scriptable: !noSniff);
        if (noSniff) return stated.Essence;
        if (Array.IndexOf(ApacheDefaults, contentType) >= 0) return TextOrBinary(head);
        if (stated.IsXml) return stated.Essence;
        if (stated.Essence == "text/html") return FeedOrHtml(head);
        if (stated.Type == "image") return MediaSignatures.Image(head) ?? stated.Essence;
        if (stated.Type is "audio" or "video" || stated.Essence == "application/ogg") return MediaSignatures.AudioOrVideo(head) ?? stated.Essence;
        return stated.Essence;
    }

    private static string Unknown(ReadOnlySpan<byte> head, bool scriptable)
    {
        if (scriptable)
        {
            var text = head.TrimStart(" \t\n\r\f"u8);
            if (MediaSignatures.IsHtml(text)) return "text/html";
            if (text.StartsWith("<?xml"u8)) return "text/xml";
            if (head.StartsWith("%PDF-"u8)) return "application/pdf";
        }
        if (head.StartsWith("%!PS-Adobe-"u8)) return "application/postscript";
        if (HasTextMark(head)) return "text/plain";
        return MediaSignatures.Image(head) ?? MediaSignatures.AudioOrVideo(head) ?? MediaSignatures.Archive(head) ?? (IsBinary(head) ? "application/octet-stream" : "text/plain");
    }

    private static string TextOrBinary(ReadOnlySpan<byte> head)
    {
        if (HasTextMark(head)) return "text/plain";
        if (!IsBinary(head)) return "text/plain";
        return head.StartsWith("%!PS-Adobe-"u8) ? "application/postscript" : MediaSignatures.Image(head) ?? MediaSignatures.AudioOrVideo(head) ?? MediaSignatures.Archive(head) ?? "application/octet-stream";
    }

    private static bool HasTextMark(ReadOnlySpan<byte> head) =>
        head.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]) || head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || head.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]);

    private static bool IsBinary(ReadOnlySpan<byte> head)
    {
        foreach (var b in head)
            if (b is <= 0x08 or 0x0B or (>= 0x0E and <= 0x1A) or (>= 0x1C and <= 0x1F)) return true;
        return false;
    }

    // A feed that its server calls HTML: its root element stands behind declarations and comments only.
    private static string FeedOrHtml(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF])) text = text[3..];
        while (true)
        {
            text = text.TrimStart(" \t\n\r"u8);
            if (text.IsEmpty || text[0] != '<') return "text/html";
            text = text[1..];
            var end = text.StartsWith("!--"u8) ? After(text, 3, "-->"u8) : text.StartsWith("!"u8) ? After(text, 1, ">"u8) : text.StartsWith("?"u8) ? After(text, 1, "?>"u8) : 0;
            if (end == 0) break;
            text = text[end..];
        }
        if (text.StartsWith("rss"u8)) return "application/rss+xml";
        if (text.StartsWith("feed"u8)) return "application/atom+xml";
        var isRss1 = text.StartsWith("rdf:RDF"u8) && text.IndexOf("http://purl.org/rss/1.0/"u8) >= 0 && text.IndexOf("http://www.w3.org/1999/02/22-rdf-syntax-ns#"u8) >= 0;
        return isRss1 ? "application/rss+xml" : "text/html";
    }

    private static int After(ReadOnlySpan<byte> text, int from, ReadOnlySpan<byte> mark)
    {
        var found = text[from..].IndexOf(mark);
        return found < 0 ? text.Length : from + found + mark.Length;
    }
}
