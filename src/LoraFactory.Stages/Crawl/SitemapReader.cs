using System.IO.Compression;
using System.Text;
using System.Xml;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>What a sitemap or feed lists.</summary>
/// <param name="Urls">Pages, in order.</param>
/// <param name="Sitemaps">Further sitemaps of an index, in order.</param>
public sealed record SitemapContent(IReadOnlyList<Uri> Urls, IReadOnlyList<Uri> Sitemaps);

/// <summary>Reads sitemaps.org XML (url set or index), RSS, Atom and plain lists of URLs, gzipped or not. DTDs are refused, so nothing expands and nothing else is opened; a broken document gives what stands before the break.</summary>
public static class SitemapReader
{
    /// <summary>Entries read from one document (sitemaps.org's own limit).</summary>
    public const int MaxEntries = 50_000;

    private const int MaxBytes = 50 * 1024 * 1024, MaxDepth = 64;

    /// <summary>Reads a document that came from <paramref name="url"/>.</summary>
    public static async Task<SitemapContent> ReadAsync(byte[] body, Uri url, CancellationToken token)
    {
        if (body is [0x1F, 0x8B, ..])
        {
            var (plain, refusal) = await BoundedBody.ReadAsync(new MemoryStream(body), ["gzip"], MaxBytes, token);
            if (refusal is not null) return new([], []);
            body = plain;
        }
        var start = body.AsSpan().IndexOfAnyExcept(" \t\r\n\uFEFF"u8);
        return start >= 0 && body[start] == '<' ? ReadXml(body[start..], url) : ReadText(body, url);
    }

    private static SitemapContent ReadText(byte[] body, Uri url)
    {
        var urls = new List<Uri>();
        foreach (var line in Encoding.UTF8.GetString(body).Split('\n').Take(MaxEntries))
            if (line.TrimStart().StartsWith("http", StringComparison.OrdinalIgnoreCase) && CanonicalUrl.Parse(line, url) is { } page) urls.Add(page);
        return new(urls, []);
    }

    private static SitemapContent ReadXml(byte[] body, Uri url)
    {
        var urls = new List<Uri>();
        var sitemaps = new List<Uri>();
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, IgnoreComments = true, MaxCharactersInDocument = MaxBytes };
        var path = new List<string>();
        var text = new StringBuilder();
        var linked = false; // an Atom entry's first link is its page
        try
        {
            using var reader = XmlReader.Create(new MemoryStream(body), settings);
            while (reader.Read() && urls.Count + sitemaps.Count < MaxEntries)
            {
                switch (reader.NodeType)
                {
                    case XmlNodeType.Element:
                        text.Clear();
                        if (reader.LocalName == "entry") linked = false;
                        if (!linked && path is [.., "entry"] && reader.LocalName == "link" && reader.GetAttribute("rel") is null or "alternate")
                            linked = reader.GetAttribute("href") is { } href && Take(href, url, urls);
                        if (!reader.IsEmptyElement && path.Count < MaxDepth) path.Add(reader.LocalName.ToLowerInvariant());
                        break;
                    case XmlNodeType.Text or XmlNodeType.CDATA:
                        if (text.Length < CanonicalUrl.MaxLength) text.Append(reader.Value);
                        break;
                    case XmlNodeType.EndElement:
                        End(path, text.ToString(), url, urls, sitemaps);
                        text.Clear();
                        if (path.Count > 0) path.RemoveAt(path.Count - 1);
                        break;
                }
            }
        }
        catch (XmlException)
        {
            // What was read before the break is still a list of pages; a URL whose end tag had begun is whole.
            if (body.AsSpan().LastIndexOf((byte)'<') > body.AsSpan().LastIndexOf((byte)'>')) End(path, text.ToString(), url, urls, sitemaps);
        }
        return new(urls, sitemaps);
    }

    private static void End(List<string> path, string text, Uri url, List<Uri> urls, List<Uri> sitemaps)
    {
        switch (path)
        {
            case [.., "sitemap", "loc"]:
                Take(text, url, sitemaps);
                break;
            case [.., "url", "loc"] or [.., "loc", "url"] or [.., "item", "link"]:
                Take(text, url, urls);
                break;
        }
    }

    private static bool Take(string text, Uri url, List<Uri> list)
    {
        if (CanonicalUrl.Parse(text, url) is not { } found || string.IsNullOrWhiteSpace(text)) return false;
        list.Add(found);
        return true;
    }
}
