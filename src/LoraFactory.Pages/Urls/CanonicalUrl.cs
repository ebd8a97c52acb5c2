using System.Text;

namespace LoraFactory.Pages;

/// <summary>
/// One spelling for all URLs of one resource (RFC 3986 §6.2): http(s) only, host in lower-case ASCII, no default port, no user info,
/// no fragment, dot segments resolved, percent-encoding normalised, parameters that only track the visitor dropped.
/// Order of query parameters and repeated slashes are kept: both mean something to some servers.
/// </summary>
public static class CanonicalUrl
{
    /// <summary>Longer URLs are refused, in characters.</summary>
    public const int MaxLength = 2048;

    private static readonly HashSet<string> Tracking = new(StringComparer.OrdinalIgnoreCase)
    {
        "gclid", "fbclid", "msclkid", "dclid", "yclid", "mc_cid", "mc_eid", "igshid", "phpsessid", "jsessionid", "aspsessionid",
    };

    /// <summary>Parses a link as it stands in a page, against the page's base. Null when it is no http(s) URL that can be asked for.</summary>
    public static Uri? Parse(string link, Uri? relativeTo = null)
    {
        var text = Strip(link);
        if (text.Length is 0 or > MaxLength) return null;
        Uri? raw;
        if (relativeTo is null ? !Uri.TryCreate(text, UriKind.Absolute, out raw) : !Uri.TryCreate(relativeTo, text, out raw)) return null;
        if (raw.Scheme is not ("http" or "https")) return null;
        var host = Host(raw);
        if (host is null || raw.Port is < 1 or > 65535) return null;
        var port = raw.IsDefaultPort ? "" : $":{raw.Port}";
        var path = Normalise(raw.GetComponents(UriComponents.Path | UriComponents.KeepDelimiter, UriFormat.UriEscaped));
        var query = Query(raw.GetComponents(UriComponents.Query, UriFormat.UriEscaped));
        var whole = $"{raw.Scheme}://{host}{port}{(path.Length == 0 ? "/" : path)}{query}";
        if (whole.Length > MaxLength) return null;
        return Uri.TryCreate(whole, UriKind.Absolute, out var canonical) ? canonical : null;
    }

    /// <summary>Key of politeness and of robots.txt: scheme, host and port.</summary>
    public static string Origin(Uri url) => $"{url.Scheme}://{url.Authority}";

    private static string Strip(string link)
    {
        var trimmed = link.AsSpan().Trim(" \t\r\n\f\0");
        if (trimmed.IndexOfAny('\t', '\r', '\n') < 0) return trimmed.ToString();
        var builder = new StringBuilder(trimmed.Length);
        foreach (var c in trimmed)
            if (c is not ('\t' or '\r' or '\n')) builder.Append(c);
        return builder.ToString();
    }

    private static string? Host(Uri url)
    {
        string host;
        try
        {
            host = url.IdnHost.ToLowerInvariant().TrimEnd('.');
        }
        catch (UriFormatException)
        {
            return null;
        }
        if (url.HostNameType == UriHostNameType.IPv6) return $"[{host.Trim('[', ']')}]";
        if (host.Length is 0 or > 253) return null;
        foreach (var c in host)
            if (!(char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_')) return null;
        return host.Contains("..", StringComparison.Ordinal) ? null : host;
    }

    private static string Query(string query)
    {
        if (query.Length == 0) return "";
        var kept = query.Split('&').Where(p => p.Length > 0 && !Tracks(p));
        var joined = Normalise(string.Join('&', kept));
        return joined.Length == 0 ? "" : "?" + joined;
    }

    private static bool Tracks(string parameter)
    {
        var end = parameter.IndexOf('=');
        var name = end < 0 ? parameter : parameter[..end];
        return name.StartsWith("utm_", StringComparison.OrdinalIgnoreCase) || Tracking.Contains(name);
    }

    // %xx of an unreserved character is that character; other escapes are written in upper case; a stray % is escaped.
    private static string Normalise(string text)
    {
        var builder = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '%' && i + 2 < text.Length && char.IsAsciiHexDigit(text[i + 1]) && char.IsAsciiHexDigit(text[i + 2]))
            {
                var octet = (char)Convert.ToInt32(text.Substring(i + 1, 2), 16);
                if (char.IsAsciiLetterOrDigit(octet) || octet is '-' or '.' or '_' or '~') builder.Append(octet);
                else builder.Append('%').Append(char.ToUpperInvariant(text[i + 1])).Append(char.ToUpperInvariant(text[i + 2]));
                i += 2;
            }
            else if (c == '%') builder.Append("%25");
            else if (c is '[' or ']' or '|' or '`' or '{' or '}' or '"' or '<' or '>' or '^' or '\\') builder.Append('%').Append(((int)c).ToString("X2"));
            else builder.Append(c);
        }
        return builder.ToString();
    }
}
