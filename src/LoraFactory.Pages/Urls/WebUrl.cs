using System.Globalization;
using System.Text;

namespace LoraFactory.Pages;

/// <summary>
/// A URL as browsers read it: the URL Standard (url.spec.whatwg.org), all schemes, without the drive letters of file URLs. Hosts of http, https, ws, wss and
/// ftp are domains in ASCII or addresses; percent-escapes are kept as written.
/// </summary>
public sealed class WebUrl
{
    internal WebUrl(string scheme) => Scheme = scheme;

    /// <summary>In lower case, without the colon: "https".</summary>
    public string Scheme { get; }

    /// <summary>Percent-encoded; "" when there is none.</summary>
    public string Username { get; internal set; } = "";

    /// <summary>Percent-encoded; "" when there is none.</summary>
    public string Password { get; internal set; } = "";

    /// <summary>Null where the scheme has none ("data:…"); an IPv6 address in brackets.</summary>
    public string? Host { get; internal set; }

    /// <summary>0..65535, null where it is the scheme's own.</summary>
    public int? Port { get; internal set; }

    /// <summary>Percent-encoded, "/" at least where the scheme is special; with dots resolved.</summary>
    public string Path { get; internal set; } = "";

    /// <summary>Whether the path is one piece without slashes that mean anything ("data:…", "mailto:…").</summary>
    public bool IsOpaque { get; internal set; }

    /// <summary>Percent-encoded, without "?"; null when there is none, "" when there is only the mark.</summary>
    public string? Query { get; internal set; }

    /// <summary>Percent-encoded, without "#"; null when there is none.</summary>
    public string? Fragment { get; internal set; }

    /// <summary>Whether the scheme is one whose URLs have a domain and a path: http, https, ws, wss, ftp, file.</summary>
    public bool IsSpecial => IsSpecialScheme(Scheme);

    /// <summary>Host, and the port where it is not the scheme's own.</summary>
    public string Authority => Port is { } port ? string.Create(CultureInfo.InvariantCulture, $"{Host}:{port}") : Host ?? "";

    /// <summary>Scheme, host and port where pages of it belong together; "null" where they do not.</summary>
    public string Origin => Scheme is "http" or "https" or "ws" or "wss" or "ftp" ? $"{Scheme}://{Authority}" : "null";

    /// <summary>The whole, as it is written.</summary>
    public string Href => WithoutFragment + (Fragment is null ? "" : "#" + Fragment);

    /// <summary>The whole without "#…".</summary>
    public string WithoutFragment
    {
        get
        {
            var credentials = Username.Length + Password.Length == 0 ? "" : $"{Username}{(Password.Length > 0 ? ":" + Password : "")}@";
            var authority = Host is not null ? $"//{credentials}{Authority}" : !IsOpaque && Path.StartsWith("//", StringComparison.Ordinal) ? "/." : "";
            return $"{Scheme}:{authority}{Path}{(Query is null ? "" : "?" + Query)}";
        }
    }

    /// <summary>Reads a URL, or a reference to be resolved.</summary>
    /// <param name="input">The text, as it stands in an attribute.</param>
    /// <param name="relativeTo">The URL that a reference is relative to; null reads whole URLs only.</param>
    /// <param name="queryEncoding">Encoding of the page, in which browsers write queries; null is UTF-8.</param>
    /// <returns>The URL, null where the standard says failure.</returns>
    public static WebUrl? Parse(ReadOnlySpan<char> input, WebUrl? relativeTo = null, Encoding? queryEncoding = null) => WebUrlParser.Parse(input, relativeTo, queryEncoding);

    /// <summary>Is this a web page's (http, https, ws, wss) URL whose host is the domain or below it?</summary>
    /// <param name="domain">Any spelling of a domain, with or without a dot before it.</param>
    public bool IsWithin(string domain)
    {
        if (Scheme is not ("http" or "https" or "ws" or "wss") || DomainToAscii.Map(domain.TrimStart('.')) is not { } name) return false;
        var host = Host.AsSpan().TrimEnd('.');
        return host.EndsWith(name, StringComparison.Ordinal) && (host.Length == name.Length || host[^(name.Length + 1)] == '.');
    }

    /// <inheritdoc/>
    public override string ToString() => Href;

    internal static bool IsSpecialScheme(string scheme) => scheme is "http" or "https" or "ws" or "wss" or "ftp" or "file";

    internal static int? OwnPort(string scheme) => scheme switch { "http" or "ws" => 80, "https" or "wss" => 443, "ftp" => 21, _ => null };
}
