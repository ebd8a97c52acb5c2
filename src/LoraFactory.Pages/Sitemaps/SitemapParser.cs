using System.Globalization;
using System.Text;
using System.Xml;

namespace LoraFactory.Pages;

/// <summary>
/// Reads sitemaps.org XML (url set or index, any namespace), RSS 0.9 to 2.0, Atom and plain lists of URLs. Document types are passed over, so no entity
/// expands and no other file is opened; a broken document gives what stands before the break.
/// </summary>
public static class SitemapParser
{
    /// <summary>Entries read from one document (sitemaps.org's own limit).</summary>
    public const int MaxEntries = 50_000;

    private const int MaxCharacters = 50 * 1024 * 1024, MaxDepth = 64;

    /// <summary>Reads a document.</summary>
    /// <param name="body">The document, not compressed.</param>
    /// <param name="url">Where it came from: what its relative URLs are relative to.</param>
    /// <param name="charset">charset of its Content-Type, null where there is none.</param>
    public static SitemapDocument Parse(byte[] body, Uri url, string? charset = null)
    {
        ArgumentNullException.ThrowIfNull(body);
        var (encoding, mark) = PageEncoding.Of(body, charset);
        using var reader = new StreamReader(new MemoryStream(body, mark, body.Length - mark, writable: false), encoding, detectEncodingFromByteOrderMarks: false);
        while (reader.Peek() is ' ' or '\t' or '\r' or '\n' or '\uFEFF') _ = reader.Read();
        return reader.Peek() == '<' ? ReadXml(reader, url, CutInTag(body)) : ReadText(reader);
    }

    private static bool CutInTag(ReadOnlySpan<byte> body) => body.LastIndexOf((byte)'<') > body.LastIndexOf((byte)'>');

    private static SitemapDocument ReadText(StreamReader reader)
    {
        var entries = new List<SitemapEntry>();
        while (entries.Count < MaxEntries && reader.ReadLine() is { } line)
            if (line.AsSpan().TrimStart().StartsWith("http", StringComparison.OrdinalIgnoreCase) && CanonicalUrl.Parse(line) is { } page) entries.Add(new(page));
        return entries.Count > 0 ? new(SitemapKind.UrlSet, entries) : new(SitemapKind.None, [], "no line of it is a URL");
    }

    private static SitemapDocument ReadXml(StreamReader text, Uri url, bool cutInTag)
    {
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null, IgnoreComments = true, IgnoreProcessingInstructions = true, MaxCharactersInDocument = MaxCharacters, CheckCharacters = false };
        var walk = new Walk(url);
        try
        {
            using var reader = XmlReader.Create(text, settings);
            while (walk.Entries.Count < MaxEntries && reader.Read())
                if (!walk.Take(reader)) return new(SitemapKind.None, [], $"its root is {reader.LocalName}");
            return new(walk.Kind, walk.Entries, walk.Kind == SitemapKind.None ? "it has no root" : null);
        }
        catch (XmlException e)
        {
            // What was read before the break is still a list of pages; a URL whose end tag had begun is whole.
            walk.Break(cutInTag);
            return new(walk.Kind, walk.Entries, $"line {e.LineNumber}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    // Where the reader stands, and the entry that is being read.
    private sealed class Walk(Uri url)
    {
        private readonly List<string> path = [];
        private readonly StringBuilder text = new();
        private readonly List<Uri> alternates = [], pictures = [];
        private Uri? at, permanent;
        private bool guidIsLink;
        private DateTimeOffset? modified;
        private string? frequency;
        private double? priority;

        public List<SitemapEntry> Entries { get; } = [];

        public SitemapKind Kind { get; private set; }

        /// <summary>Takes the reader's node; false when the document is none of those that are read.</summary>
        public bool Take(XmlReader reader)
        {
            switch (reader.NodeType)
            {
                case XmlNodeType.Element:
                    return Begin(reader);
                case XmlNodeType.Text or XmlNodeType.CDATA:
                    if (text.Length < 2 * CanonicalUrl.MaxLength) text.Append(reader.Value);
                    break;
                case XmlNodeType.EndElement:
                    End();
                    break;
            }
            return true;
        }

        public void Break(bool cutInTag)
        {
            if (cutInTag && path is [.., "loc" or "link" or "url" or "guid"]) Value();
            Flush();
        }

        private bool Begin(XmlReader reader)
        {
            var name = reader.LocalName.ToLowerInvariant();
            if (Kind == SitemapKind.None)
            {
                Kind = name switch { "urlset" => SitemapKind.UrlSet, "sitemapindex" => SitemapKind.Index, "rss" or "rdf" or "feed" or "channel" => SitemapKind.Feed, _ => SitemapKind.None };
                if (Kind == SitemapKind.None) return false;
            }
            text.Clear();
            if (name == "link" && reader.GetAttribute("href") is { } href) Link(href, reader.GetAttribute("rel"));
            if (name == "guid") guidIsLink = reader.GetAttribute("isPermaLink") is not { } stated || stated.Trim() == "true";
            if (!reader.IsEmptyElement && path.Count < MaxDepth) path.Add(name);
            else if (!reader.IsEmptyElement) throw new XmlException($"elements nested more than {MaxDepth} deep");
            return true;
        }

        // An Atom entry's first link is its page; a sitemap's are the same page in other languages.
        private void Link(string href, string? rel)
        {
            if (rel is not (null or "alternate")) return;
            if (path is [.., "entry" or "item"]) at ??= Resolve(href);
            else if (path is [.., "url"] && rel == "alternate" && alternates.Count < 1000 && Resolve(href) is { } other) alternates.Add(other);
        }

        private void End()
        {
            Value();
            if (path is [.., "url" or "sitemap" or "item" or "entry"] and not [.., "loc", "url"]) Flush();
            if (path.Count > 0) path.RemoveAt(path.Count - 1);
        }

        private void Value()
        {
            var value = text.ToString().Trim();
            text.Clear();
            switch (path)
            {
                case [.., "url" or "sitemap", "loc"] or [.., "loc", "url"]:
                    if (value.Length == 0) break;
                    if (at is not null) Flush(); // a second loc is another entry whose tags are missing
                    at = Resolve(value);
                    break;
                case [.., "item", "link"]:
                    if (value.Length > 0) at ??= Resolve(value);
                    break;
                case [.., "item", "guid"]:
                    if (guidIsLink && value.StartsWith("http", StringComparison.OrdinalIgnoreCase)) permanent = Resolve(value);
                    break;
                case [.., "url" or "sitemap" or "item" or "entry", "lastmod" or "pubdate" or "date" or "updated" or "modified"]:
                    modified = FeedDate.Parse(value) ?? modified;
                    break;
                case [.., "entry", "published" or "issued"]:
                    modified ??= FeedDate.Parse(value);
                    break;
                case [.., "url", "changefreq"]:
                    frequency = value.Length is > 0 and < 16 ? value.ToLowerInvariant() : null;
                    break;
                case [.., "url", "priority"]:
                    priority = double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number is >= 0 and <= 1 ? number : null;
                    break;
                case [.., "url", "image", "loc"]:
                    if (pictures.Count < 1000 && value.Length > 0 && Resolve(value) is { } picture) pictures.Add(picture);
                    break;
            }
        }

        private Uri? Resolve(string link) => CanonicalUrl.Parse(link, url);

        private void Flush()
        {
            if ((at ?? permanent) is { } page && Entries.Count < MaxEntries)
                Entries.Add(new(page) { Modified = modified, ChangeFrequency = frequency, Priority = priority, Alternates = [.. alternates], Pictures = [.. pictures] });
            (at, permanent, modified, frequency, priority) = (null, null, null, null, null);
            alternates.Clear();
            pictures.Clear();
        }
    }
}
