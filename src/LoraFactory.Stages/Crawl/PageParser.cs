using System.Text;
using System.Text.RegularExpressions;
using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>A link as found on a page.</summary>
/// <param name="Url">Canonical URL.</param>
/// <param name="Text">Words of the link, or its picture's alt text.</param>
public sealed record PageLink(Uri Url, string Text);

/// <summary>What <see cref="PageParser"/> reads from a page.</summary>
public sealed record ParsedPage
{
    /// <summary>Text of the title element.</summary>
    public string Title { get; init; } = "";
    /// <summary>Headings, title and the first words of the text: what relevance is judged by.</summary>
    public string Gist { get; init; } = "";
    /// <summary>Licence that the page states: a link's URL, else the text of a rights statement.</summary>
    public string? Licence { get; init; }
    /// <summary>Statements about use.</summary>
    public PageStatements Statements { get; init; } = PageStatements.None;
    /// <summary>Links to follow, in document order, each URL once.</summary>
    public IReadOnlyList<PageLink> Links { get; init; } = [];
    /// <summary>Pictures in document order, each URL once; nothing is fetched yet.</summary>
    public IReadOnlyList<PagePicture> Pictures { get; init; } = [];
}

/// <summary>Reads links, pictures with the words near them, licence and statements about use from HTML (AngleSharp, scripting off).</summary>
/// <param name="userAgent">The crawl's user agent: meta elements named after other crawlers are not for it.</param>
public sealed partial class PageParser(string userAgent)
{
    private const int MaxLinks = 5000, MaxPictures = 1000, MaxGist = 4000;

    private readonly string token = RobotsRules.ProductToken(userAgent);

    /// <summary>Parses a page. The charset of the header wins over the page's own, as browsers do it.</summary>
    /// <returns>The page, or a refusal "bad-html" when its markup is beyond <see cref="MarkupLimits"/>.</returns>
    public (ParsedPage? Page, Refusal? Refusal) Parse(byte[] body, string? charset, Uri url)
    {
        var text = PageEncoding.Decode(body, charset);
        if (MarkupLimits.Judge(text) is { } refusal) return (null, refusal);
        var document = new HtmlParser(new HtmlParserOptions { IsScripting = false }).ParseDocument(text);
        using (document) return (Read(document, url), null);
    }

    private ParsedPage Read(IHtmlDocument document, Uri url)
    {
        var root = document.QuerySelector("base[href]")?.GetAttribute("href") is { } href && CanonicalUrl.Parse(href, url) is { } stated ? stated : url;
        var licence = PageLicence(document, root);
        var title = Words(document.Title ?? "", 500);
        return new()
        {
            Title = title,
            Gist = Gist(document, title),
            Licence = licence,
            Statements = Statements(document),
            Links = Links(document, root),
            Pictures = Pictures(document, root, licence),
        };
    }

    private PageStatements Statements(IHtmlDocument document)
    {
        var robots = new List<string>();
        string? tdm = null;
        foreach (var meta in document.QuerySelectorAll("meta[name][content]"))
        {
            var name = meta.GetAttribute("name")!.Trim();
            var content = meta.GetAttribute("content")!;
            if (name.Equals("robots", StringComparison.OrdinalIgnoreCase) || (token.Length > 0 && name.Equals(token, StringComparison.OrdinalIgnoreCase))) robots.Add(content);
            else if (name.Equals("tdm-reservation", StringComparison.OrdinalIgnoreCase)) tdm ??= content;
        }
        return new(robots, tdm);
    }

    private static string Gist(IHtmlDocument document, string title)
    {
        var gist = new StringBuilder(title);
        if (document.QuerySelector("meta[name=description i]")?.GetAttribute("content") is { } description) gist.Append(' ').Append(Words(description, 500));
        foreach (var element in document.QuerySelectorAll("h1, h2, h3, figcaption, img[alt], p"))
        {
            if (gist.Length > MaxGist) break;
            gist.Append(' ').Append(Words(element is IHtmlImageElement ? element.GetAttribute("alt")! : element.TextContent, 600));
        }
        return gist.ToString();
    }

    private static List<PageLink> Links(IHtmlDocument document, Uri root)
    {
        var links = new List<PageLink>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var element in document.QuerySelectorAll("a[href], area[href], link[rel~=next i][href], iframe[src]"))
        {
            if (links.Count >= MaxLinks) break;
            if (element.GetAttribute("rel") is { } rel && Tokens(rel).Any(r => r is "nofollow" or "license" or "stylesheet")) continue;
            var target = CanonicalUrl.Parse(element.GetAttribute("href") ?? element.GetAttribute("src") ?? "", root);
            if (target is null || !seen.Add(target.AbsoluteUri)) continue;
            var text = element.TextContent.Trim().Length > 0 ? element.TextContent : element.QuerySelector("img[alt]")?.GetAttribute("alt") ?? element.GetAttribute("title") ?? "";
            links.Add(new(target, Words(text, 200)));
        }
        return links;
    }

    private static List<PagePicture> Pictures(IHtmlDocument document, Uri root, string? pageLicence)
    {
        var pictures = new List<PagePicture>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var image in document.QuerySelectorAll("img"))
        {
            if (pictures.Count >= MaxPictures) break;
            var source = PictureSources.Best(image, root);
            if (source is null || !seen.Add(source.AbsoluteUri)) continue;
            var figure = image.Closest("figure");
            pictures.Add(new()
            {
                Url = source.AbsoluteUri,
                Caption = Words(figure?.QuerySelector("figcaption")?.TextContent ?? "", 1000),
                Alt = Words(image.GetAttribute("alt") ?? "", 1000),
                Title = Words(image.GetAttribute("title") ?? "", 500),
                Context = Context(figure ?? image),
                Licence = LicenceIn(figure, root) ?? pageLicence,
            });
        }
        return pictures;
    }

    // The nearest paragraph or heading on each side, climbing out of wrappers that hold nothing but the picture.
    private static string Context(IElement picture)
    {
        var around = new List<string>(3);
        IElement? at = picture;
        if (picture.ParentElement is { LocalName: "p" or "li" or "td" } parent) around.Add(Words(parent.TextContent, 300));
        for (var level = 0; level < 4 && at is not null and not { LocalName: "body" or "html" }; level++, at = at.ParentElement)
        {
            var before = Nearest(at, e => e.PreviousElementSibling);
            var after = Nearest(at, e => e.NextElementSibling);
            if (before.Length > 0) around.Insert(0, before);
            if (after.Length > 0) around.Add(after);
            if (around.Count > 0) break;
        }
        return Words(string.Join(' ', around.Distinct(StringComparer.Ordinal)), 600);
    }

    private static string Nearest(IElement from, Func<IElement, IElement?> next)
    {
        var steps = 0;
        for (var e = next(from); e is not null && steps < 6; e = next(e), steps++)
        {
            if (e.LocalName is "script" or "style" or "nav" or "noscript" or "figure") continue;
            var text = Words(e.TextContent, 300);
            if (text.Length > 0) return text;
        }
        return "";
    }

    private static string? PageLicence(IHtmlDocument document, Uri root)
    {
        if (document.QuerySelector("link[rel~=license i][href], a[rel~=license i][href]") is { } link && CanonicalUrl.Parse(link.GetAttribute("href")!, root) is { } url) return url.AbsoluteUri;
        foreach (var meta in document.QuerySelectorAll("meta[name][content], meta[property][content]"))
        {
            var name = (meta.GetAttribute("name") ?? meta.GetAttribute("property"))!.Trim().ToLowerInvariant();
            if (name is "license" or "licence" or "dc.rights" or "dcterms.rights" or "dcterms.license" or "og:license") return Words(meta.GetAttribute("content")!, 300);
        }
        return CreativeCommons(document, root);
    }

    private static string? LicenceIn(IElement? figure, Uri root)
    {
        if (figure is null) return null;
        if (figure.QuerySelector("a[rel~=license i][href]") is { } link && CanonicalUrl.Parse(link.GetAttribute("href")!, root) is { } url) return url.AbsoluteUri;
        return CreativeCommons(figure, root);
    }

    private static string? CreativeCommons(IParentNode within, Uri root)
    {
        foreach (var anchor in within.QuerySelectorAll("a[href*=\"creativecommons.org/\"]").Take(50))
        {
            var url = CanonicalUrl.Parse(anchor.GetAttribute("href")!, root);
            if (url is { Host: "creativecommons.org" or "www.creativecommons.org" } && (url.AbsolutePath.StartsWith("/licenses/", StringComparison.Ordinal) || url.AbsolutePath.StartsWith("/publicdomain/", StringComparison.Ordinal)))
                return url.AbsoluteUri;
        }
        return null;
    }

    private static IEnumerable<string> Tokens(string text) => text.Split([' ', '\t', '\n', '\r', '\f'], StringSplitOptions.RemoveEmptyEntries).Select(t => t.ToLowerInvariant());

    /// <summary>One line of words, at most <paramref name="most"/> characters, cut at a word.</summary>
    internal static string Words(string text, int most)
    {
        if (text.Length > most * 8) text = text[..(most * 8)];
        text = Blanks().Replace(text, " ").Trim();
        if (text.Length <= most) return text;
        var cut = text.LastIndexOf(' ', most);
        return text[..(cut > most / 2 ? cut : most)].TrimEnd();
    }

    [GeneratedRegex(@"\s+", RegexOptions.NonBacktracking)]
    private static partial Regex Blanks();
}

/// <summary>Chooses the best source of a picture: largest of srcset and picture sources, lazy-loading attributes before placeholders.</summary>
public static class PictureSources
{
    private static readonly string[] Lazy = ["data-src", "data-original", "data-lazy-src", "data-hi-res-src", "data-full-src"];

    /// <summary>Canonical URL of the best source, null when there is none that can be fetched.</summary>
    public static Uri? Best(IElement image, Uri root)
    {
        var candidates = new List<(string Url, double Size)>();
        if (image.ParentElement is { LocalName: "picture" } picture)
            foreach (var source in picture.QuerySelectorAll("source"))
                if (Readable(source.GetAttribute("type"))) candidates.AddRange(Srcset(source.GetAttribute("srcset") ?? source.GetAttribute("data-srcset") ?? ""));
        candidates.AddRange(Srcset(image.GetAttribute("srcset") ?? image.GetAttribute("data-srcset") ?? image.GetAttribute("data-lazy-srcset") ?? ""));
        foreach (var (url, _) in candidates.Where(c => c.Size > 1).OrderByDescending(c => c.Size))
            if (CanonicalUrl.Parse(url, root) is { } best) return best;
        foreach (var attribute in Lazy)
            if (image.GetAttribute(attribute) is { Length: > 0 } lazy && CanonicalUrl.Parse(lazy, root) is { } found) return found;
        if (image.GetAttribute("src") is { } src && CanonicalUrl.Parse(src, root) is { } plain) return plain;
        return candidates.Select(c => CanonicalUrl.Parse(c.Url, root)).FirstOrDefault(c => c is not null);
    }

    /// <summary>Candidates of a srcset with their width ("800w") or density × 1000 ("2x"), in order (HTML Living Standard §4.8.4.3.5).</summary>
    public static IEnumerable<(string Url, double Size)> Srcset(string text)
    {
        var at = 0;
        var count = 0;
        while (at < text.Length && count++ < 100)
        {
            while (at < text.Length && (char.IsWhiteSpace(text[at]) || text[at] == ',')) at++;
            var start = at;
            while (at < text.Length && !char.IsWhiteSpace(text[at])) at++;
            var url = text[start..at];
            var size = 1.0;
            if (url.EndsWith(',')) url = url.TrimEnd(',');
            else
            {
                start = at;
                var depth = 0;
                while (at < text.Length && (text[at] != ',' || depth > 0)) depth += text[at++] switch { '(' => 1, ')' => -1, _ => 0 };
                size = Descriptor(text[start..at]);
            }
            if (url.Length > 0) yield return (url, size);
        }
    }

    private static double Descriptor(string text)
    {
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (word.EndsWith('w') && double.TryParse(word.AsSpan(0, word.Length - 1), System.Globalization.CultureInfo.InvariantCulture, out var width)) return width;
            if (word.EndsWith('x') && double.TryParse(word.AsSpan(0, word.Length - 1), System.Globalization.CultureInfo.InvariantCulture, out var density)) return density * 1000;
        }
        return 1;
    }

    private static bool Readable(string? type) =>
        type is null || type.Trim().ToLowerInvariant() is "" or "image/jpeg" or "image/png" or "image/webp" or "image/gif" or "image/tiff" or "image/bmp";
}
