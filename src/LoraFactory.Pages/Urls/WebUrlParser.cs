using System.Buffers;
using System.Text;

namespace LoraFactory.Pages;

/// <summary>The basic URL parser of the URL Standard (§4.4), by parts instead of by characters: each part's end is known from the characters that may end it.</summary>
internal static class WebUrlParser
{
    private static readonly SearchValues<char> SchemeChars = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    private static readonly SearchValues<char> Dropped = SearchValues.Create("\t\n\r");

    public static WebUrl? Parse(ReadOnlySpan<char> input, WebUrl? relativeTo, Encoding? queryEncoding)
    {
        input = Trim(input);
        if (!input.ContainsAny(Dropped)) return Read(input, relativeTo, queryEncoding);
        var clean = new char[input.Length];
        var n = 0;
        foreach (var c in input)
            if (c is not ('\t' or '\n' or '\r')) clean[n++] = c;
        return Read(clean.AsSpan(0, n), relativeTo, queryEncoding);
    }

    private static ReadOnlySpan<char> Trim(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty && text[0] <= ' ') text = text[1..];
        while (!text.IsEmpty && text[^1] <= ' ') text = text[..^1];
        return text;
    }

    private static WebUrl? Read(ReadOnlySpan<char> text, WebUrl? from, Encoding? queryEncoding)
    {
        var hash = text.IndexOf('#');
        var fragment = hash < 0 ? default : text[(hash + 1)..];
        if (hash >= 0) text = text[..hash];
        var url = Scheme(text) is { } scheme ? Absolute(scheme, text[(scheme.Length + 1)..], from, queryEncoding)
            : from is null || (from.IsOpaque && (hash < 0 || text.Length > 0)) ? null
            : from.IsOpaque ? Copy(from, path: true, query: true)
            : Relative(from.Scheme, text, from, queryEncoding);
        if (url is not null && hash >= 0) url.Fragment = Encoded(fragment, PercentEncoding.Fragment);
        return url;
    }

    private static string? Scheme(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || !char.IsAsciiLetter(text[0])) return null;
        var end = text.IndexOfAnyExcept(SchemeChars);
        if (end < 0 || text[end] != ':') return null;
        var scheme = text[..end];
        return scheme is "https" ? "https" : scheme is "http" ? "http" : scheme.ToString().ToLowerInvariant();
    }

    private static WebUrl? Absolute(string scheme, ReadOnlySpan<char> rest, WebUrl? from, Encoding? queryEncoding)
    {
        if (scheme == "file") return rest.IsEmpty || !IsSlash(rest[0], true) ? WithPath(new(scheme) { Host = "" }, "", rest, queryEncoding) : Relative(scheme, rest, new(scheme) { Host = "", Path = "/" }, queryEncoding);
        if (WebUrl.IsSpecialScheme(scheme))
        {
            if (from?.Scheme == scheme && !rest.StartsWith("//")) return Relative(scheme, rest, from, queryEncoding);
            return Authority(new(scheme), SkipSlashes(rest), queryEncoding);
        }
        if (rest.StartsWith("//")) return Authority(new(scheme), rest[2..], queryEncoding);
        if (rest.StartsWith("/")) return WithPath(new(scheme), "", rest[1..], queryEncoding);
        var url = new WebUrl(scheme) { IsOpaque = true };
        var mark = rest.IndexOf('?');
        var path = mark < 0 ? rest : rest[..mark];
        url.Path = Encoded(path, PercentEncoding.C0);
        // blanks before "?" or "#" would be lost when the URL is read again
        if (path.EndsWith(" ")) url.Path = string.Concat(url.Path.AsSpan(0, url.Path.Length - 1), "%20");
        if (mark >= 0) url.Query = Encoded(rest[(mark + 1)..], PercentEncoding.Query);
        return url;
    }

    private static WebUrl? Relative(string scheme, ReadOnlySpan<char> rest, WebUrl from, Encoding? queryEncoding)
    {
        var special = WebUrl.IsSpecialScheme(scheme);
        if (!rest.IsEmpty && IsSlash(rest[0], special))
        {
            if (rest.Length > 1 && IsSlash(rest[1], special)) return Authority(new(scheme), special && scheme != "file" ? SkipSlashes(rest) : rest[2..], queryEncoding);
            return WithPath(Copy(from, path: false, query: false), "", rest[1..], queryEncoding);
        }
        if (rest.IsEmpty) return Copy(from, path: true, query: true);
        if (rest[0] == '?') return WithQuery(Copy(from, path: true, query: false), rest[1..], queryEncoding);
        var folder = from.Path.AsSpan(0, Math.Max(0, from.Path.LastIndexOf('/')));
        return WithPath(Copy(from, path: false, query: false), folder, rest, queryEncoding);
    }

    private static WebUrl? Authority(WebUrl url, ReadOnlySpan<char> rest, Encoding? queryEncoding)
    {
        var special = url.IsSpecial;
        var end = special ? rest.IndexOfAny('/', '?', '\\') : rest.IndexOfAny('/', '?');
        var authority = end < 0 ? rest : rest[..end];
        var tail = end < 0 ? default : rest[end..];
        if (url.Scheme == "file")
        {
            if (authority.IsEmpty) url.Host = "";
            else if (authority.Contains('@') || (url.Host = UrlHost.Parse(authority, true)) is null) return null;
            if (url.Host == "localhost") url.Host = "";
        }
        else
        {
            var at = authority.LastIndexOf('@');
            if (at >= 0) Credentials(url, authority[..at]);
            authority = authority[(at + 1)..];
            if (authority.IsEmpty && (special || at >= 0)) return null;
            if (!HostAndPort(url, authority, special)) return null;
        }
        if (tail.IsEmpty || tail[0] == '?')
        {
            if (special) url.Path = "/";
            return tail.IsEmpty ? url : WithQuery(url, tail[1..], queryEncoding);
        }
        return WithPath(url, "", tail[1..], queryEncoding);
    }

    private static void Credentials(WebUrl url, ReadOnlySpan<char> text)
    {
        var colon = text.IndexOf(':');
        url.Username = Encoded(colon < 0 ? text : text[..colon], PercentEncoding.UserInfo);
        if (colon >= 0) url.Password = Encoded(text[(colon + 1)..], PercentEncoding.UserInfo);
    }

    private static bool HostAndPort(WebUrl url, ReadOnlySpan<char> text, bool special)
    {
        var (colon, inside) = (-1, false);
        for (var i = 0; i < text.Length && colon < 0; i++)
        {
            if (text[i] == '[') inside = true;
            else if (text[i] == ']') inside = false;
            else if (text[i] == ':' && !inside) colon = i;
        }
        var host = colon < 0 ? text : text[..colon];
        if (host.IsEmpty && (special || colon >= 0)) return false;
        url.Host = host.IsEmpty ? "" : UrlHost.Parse(host, special);
        if (url.Host is null) return false;
        if (colon < 0) return true;
        var port = 0;
        foreach (var digit in text[(colon + 1)..])
        {
            if (!char.IsAsciiDigit(digit) || (port = port * 10 + digit - '0') > ushort.MaxValue) return false;
        }
        if (colon + 1 < text.Length && port != WebUrl.OwnPort(url.Scheme)) url.Port = port;
        return true;
    }

    // What follows a slash that has been read, or stands in for the last segment of folder.
    private static WebUrl WithPath(WebUrl url, ReadOnlySpan<char> folder, ReadOnlySpan<char> rest, Encoding? queryEncoding)
    {
        var special = url.IsSpecial;
        var mark = rest.IndexOf('?');
        var segments = mark < 0 ? rest : rest[..mark];
        var path = new UrlText(stackalloc char[512]);
        path.Append(folder);
        while (true)
        {
            var end = special ? segments.IndexOfAny('/', '\\') : segments.IndexOf('/');
            var segment = end < 0 ? segments : segments[..end];
            var dots = Dots(segment);
            if (dots == 2) path.Length = Math.Max(0, path.Span.LastIndexOf('/'));
            if (dots == 0 || end < 0) path.Append('/');
            if (dots == 0) PercentEncoding.Append(ref path, segment, PercentEncoding.Path);
            if (end < 0) break;
            segments = segments[(end + 1)..];
        }
        url.Path = path.Length == 1 ? "/" : path.ToString();
        path.Dispose();
        return mark < 0 ? url : WithQuery(url, rest[(mark + 1)..], queryEncoding);
    }

    private static WebUrl WithQuery(WebUrl url, ReadOnlySpan<char> query, Encoding? encoding)
    {
        var text = new UrlText(stackalloc char[512]);
        var plain = url.IsSpecial ? PercentEncoding.SpecialQuery : PercentEncoding.Query;
        if (encoding is null || !url.IsSpecial || url.Scheme is "ws" or "wss") PercentEncoding.Append(ref text, query, plain);
        else PercentEncoding.AppendQuery(ref text, query, plain, encoding);
        url.Query = text.ToString();
        text.Dispose();
        return url;
    }

    // 1 for ".", 2 for "..", escaped or not; else 0.
    private static int Dots(ReadOnlySpan<char> segment)
    {
        var dots = 0;
        if (segment.IsEmpty || segment.Length > 6 || segment[0] is not ('.' or '%')) return 0;
        for (; !segment.IsEmpty; dots++)
        {
            if (segment[0] == '.') segment = segment[1..];
            else if (segment.StartsWith("%2e", StringComparison.OrdinalIgnoreCase)) segment = segment[3..];
            else return 0;
        }
        return dots <= 2 ? dots : 0;
    }

    private static string Encoded(ReadOnlySpan<char> text, SearchValues<char> plain)
    {
        if (!text.ContainsAnyExcept(plain)) return text.ToString();
        var encoded = new UrlText(stackalloc char[256]);
        PercentEncoding.Append(ref encoded, text, plain);
        var written = encoded.ToString();
        encoded.Dispose();
        return written;
    }

    private static WebUrl Copy(WebUrl from, bool path, bool query) => new(from.Scheme)
    {
        Username = from.Username,
        Password = from.Password,
        Host = from.Host,
        Port = from.Port,
        Path = path ? from.Path : "",
        IsOpaque = from.IsOpaque,
        Query = query ? from.Query : null,
    };

    private static ReadOnlySpan<char> SkipSlashes(ReadOnlySpan<char> text)
    {
        var start = text.IndexOfAnyExcept('/', '\\');
        return start < 0 ? default : text[start..];
    }

    private static bool IsSlash(char c, bool special) => c == '/' || (special && c == '\\');
}
