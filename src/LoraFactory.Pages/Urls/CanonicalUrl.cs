using System.Buffers;
using System.Globalization;
using System.Text;

namespace LoraFactory.Pages;

/// <summary>
/// One spelling for all URLs of one resource (RFC 3986 §6.2, on top of the URL Standard's parser): http(s) only, host in lower-case ASCII, no default port,
/// no user info, no fragment, dot segments resolved, percent-encoding normalised, parameters that only track the visitor dropped.
/// Order of query parameters and repeated slashes are kept: both mean something to some servers. Canonical URLs are their own canonical form.
/// </summary>
public static class CanonicalUrl
{
    /// <summary>Longer URLs are refused, in characters.</summary>
    public const int MaxLength = 2048;

    private const int MaxHostLength = 253;

    private static readonly HashSet<string> Tracking = new(StringComparer.OrdinalIgnoreCase)
    {
        "gclid", "fbclid", "msclkid", "dclid", "yclid", "mc_cid", "mc_eid", "igshid", "phpsessid", "jsessionid", "aspsessionid",
    };

    private static readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> TrackingNames = Tracking.GetAlternateLookup<ReadOnlySpan<char>>();

    // Names that the DNS can carry; the URL Standard knows more.
    private static readonly SearchValues<char> HostChars = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-._");

    // What stands as it is in a path or query; all else is written as an escape.
    private static readonly SearchValues<char> Settled = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/?");

    // The page whose links this thread resolved last, so that it is not read again for each of them.
    [ThreadStatic]
    private static (Uri Uri, WebUrl? Url) lastBase;

    // System.Uri takes the canonical text as it is.
    private static readonly UriCreationOptions AsWritten = new() { DangerousDisablePathAndQueryCanonicalization = true };

    /// <summary>Parses a link as it stands in a page, against the page's base. Null when it is no http(s) URL that can be asked for.</summary>
    /// <param name="link">The link.</param>
    /// <param name="relativeTo">Base of the page, null to read whole URLs only.</param>
    /// <param name="queryEncoding">Encoding of the page, in which its links' queries are written; null is UTF-8.</param>
    public static Uri? Parse(string link, Uri? relativeTo = null, Encoding? queryEncoding = null)
    {
        ArgumentNullException.ThrowIfNull(link);
        if (link.Length > MaxLength) return null;
        if (string.IsNullOrWhiteSpace(link)) return null;
        var url = WebUrl.Parse(link, relativeTo is null ? null : Base(relativeTo), queryEncoding);
        if (url is null || Write(url) is not { } text) return null;
        return Uri.TryCreate(text, AsWritten, out var canonical) ? canonical : null;
    }

    /// <summary>Key of politeness and of robots.txt: scheme, host and port.</summary>
    public static string Origin(Uri url) => $"{url.Scheme}://{url.Authority}";

    private static WebUrl? Base(Uri uri)
    {
        if (!ReferenceEquals(lastBase.Uri, uri)) lastBase = (uri, WebUrl.Parse(uri.AbsoluteUri));
        return lastBase.Url;
    }

    private static string? Write(WebUrl url)
    {
        if (url.Scheme is not ("http" or "https") || url.Port == 0) return null;
        var host = url.Host.AsSpan().TrimEnd('.');
        if (host.Length is 0 or > MaxHostLength || (host[0] != '[' && (host.ContainsAnyExcept(HostChars) || host.Contains("..", StringComparison.Ordinal)))) return null;
        var text = new UrlText(stackalloc char[512]);
        text.Append(url.Scheme);
        text.Append("://");
        text.Append(host);
        if (url.Port is { } port) text.Append(string.Create(CultureInfo.InvariantCulture, $":{port}"));
        var path = text.Length;
        Settle(ref text, url.Path);
        DropSession(ref text, path);
        if (url.Query is { Length: > 0 } query) AppendQuery(ref text, query);
        var written = text.Length > MaxLength ? null : text.ToString();
        text.Dispose();
        return written;
    }

    // Servlets write the session behind the path: /a;jsessionid=1F3C.
    private static void DropSession(ref UrlText text, int path)
    {
        while (text.Span[path..].LastIndexOf(';') is >= 0 and var at && text.Span[(path + at + 1)..] is var parameter
            && parameter.StartsWith("jsessionid=", StringComparison.OrdinalIgnoreCase) && !parameter.Contains('/')) text.Length = path + at;
    }

    private static void AppendQuery(ref UrlText text, ReadOnlySpan<char> query)
    {
        var mark = '?';
        while (true)
        {
            var end = query.IndexOf('&');
            var parameter = end < 0 ? query : query[..end];
            if (!parameter.IsEmpty)
            {
                var start = text.Length;
                text.Append(mark);
                Settle(ref text, parameter);
                if (Tracks(text.Span[(start + 1)..])) text.Length = start;
                else mark = '&';
            }
            if (end < 0) return;
            query = query[(end + 1)..];
        }
    }

    private static bool Tracks(ReadOnlySpan<char> parameter)
    {
        var end = parameter.IndexOf('=');
        var name = end < 0 ? parameter : parameter[..end];
        return name.StartsWith("utm_", StringComparison.OrdinalIgnoreCase) || TrackingNames.Contains(name);
    }

    // %xx of an unreserved character is that character; other escapes are written in upper case; a stray % is escaped.
    private static void Settle(ref UrlText text, ReadOnlySpan<char> part)
    {
        while (true)
        {
            var stop = part.IndexOfAnyExcept(Settled);
            if (stop < 0) break;
            text.Append(part[..stop]);
            part = part[stop..];
            if (!PercentEncoding.IsEscape(part))
            {
                text.AppendEscaped((byte)part[0]);
                part = part[1..];
                continue;
            }
            var octet = byte.Parse(part[1..3], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (char.IsAsciiLetterOrDigit((char)octet) || octet is (byte)'-' or (byte)'.' or (byte)'_' or (byte)'~') text.Append((char)octet);
            else text.AppendEscaped(octet);
            part = part[3..];
        }
        text.Append(part);
    }
}
