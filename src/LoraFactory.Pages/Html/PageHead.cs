using AngleSharp.Dom;
using AngleSharp.Html.Dom;

namespace LoraFactory.Pages.Html;

/// <summary>What a page says of itself: in its head, in meta and link elements wherever they stand, in linked data.</summary>
internal sealed class PageHead
{
    private const int MaxMetas = 1000, MaxAnchors = 50;

    private readonly PageTree tree;
    private readonly IHtmlDocument document;
    private readonly List<(string Name, string Content)> metas = [];
    // Those with a name alone: a statement about use is none under "property".
    private readonly List<(string Name, string Content)> named = [];
    private readonly JsonLd data = new();
    private List<(int Node, string Url)>? licences, commons;

    /// <summary>Reads them.</summary>
    public PageHead(PageTree tree, IHtmlDocument document, Uri url)
    {
        (this.tree, this.document, Root) = (tree, document, url);
        string? stated = null;
        foreach (var element in tree.Head) Take(element, isInHead: true, ref stated);
        for (var i = 0; i < tree.Count; i++)
            if (tree[i].Tag is Tag.Meta or Tag.Link or Tag.Other && tree[i].Element is { } element) Take(element, isInHead: false, ref stated);
        if (stated is not null && CanonicalUrl.Parse(stated, url) is { } root) Root = root;
    }

    /// <summary>What links are resolved against.</summary>
    public Uri Root { get; }

    /// <summary>Link elements of the head.</summary>
    public List<IElement> Links { get; } = [];

    /// <summary>Addresses of pictures that the page shows of itself, with the words that go with them, best first.</summary>
    public IEnumerable<(string Url, string Alt)> Pictures()
    {
        var alt = Meta("og:image:alt") ?? Meta("twitter:image:alt") ?? "";
        foreach (var (name, content) in metas)
            if (name is "og:image" or "og:image:url" or "og:image:secure_url" or "twitter:image" or "twitter:image:src") yield return (content, alt);
        foreach (var link in Links)
            if (PageReader.RelIs(link.GetAttribute("rel"), "image_src") && link.GetAttribute("href") is { } href) yield return (href, "");
        foreach (var image in data.Images) yield return (image, "");
    }

    /// <summary>What it says, without text, links and figures.</summary>
    public PageReading Reading()
    {
        var title = PageText.Line(document.Title ?? "", 500);
        var root = document.DocumentElement;
        return new()
        {
            Title = title,
            Headline = PageText.Line(data.Headline ?? Meta("og:title", "twitter:title", "dc.title", "dcterm.title", "parsely-title", "title") ?? Heading(title) ?? title, 500),
            Authors = Authors(),
            Published = Short(data.Published ?? Meta("article:published_time", "parsely-pub-date", "og:published_time", "datepublished", "dc.date.issued", "dcterms.created", "dc.date", "date", "pubdate", "publishdate", "sailthru.date") ?? Time()),
            Modified = Short(data.Modified ?? Meta("article:modified_time", "og:updated_time", "datemodified", "dcterms.modified", "last-modified")),
            SiteName = Short(Meta("og:site_name") ?? data.Publisher ?? Meta("application-name")),
            Description = PageText.Line(Meta("description", "og:description", "twitter:description", "dc.description", "dcterm.description") ?? "", 1000),
            DeclaredLanguage = (root?.GetAttribute("lang") ?? root?.GetAttribute("xml:lang") ?? "").Trim().ToLowerInvariant(),
            Direction = (root?.GetAttribute("dir") ?? document.Body?.GetAttribute("dir"))?.Trim().ToLowerInvariant() switch { "rtl" => "rtl", "ltr" => "ltr", _ => null },
            Licence = Licence(),
            Metas = named,
        };
    }

    /// <summary>Licence that a part of the page states, null for none.</summary>
    public string? LicenceIn(int node)
    {
        licences ??= [.. Stated((element, _) => PageReader.RelIs(element.GetAttribute("rel"), "license") ? Address(element) : null, links: true)];
        return First(licences, node) ?? CreativeCommons(node);
    }

    // Where a licence is stated and by which address, in the page's order: found once, however many parts are asked for.
    private IEnumerable<(int Node, string Url)> Stated(Func<IElement, string?, Uri?> licence, bool links)
    {
        for (var i = 0; i < tree.Count; i++)
            if ((tree[i].Tag == Tag.A || links && tree[i].Tag == Tag.Link) && licence(tree[i].Element!, tree[i].Element!.GetAttribute("href")) is { } url) yield return (i, url.AbsoluteUri);
    }

    private string? First(List<(int Node, string Url)> stated, int node)
    {
        var (low, high) = (0, stated.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (stated[middle].Node < node) low = middle + 1;
            else high = middle;
        }
        return low < stated.Count && stated[low].Node < tree[node].End ? stated[low].Url : null;
    }

    private void Take(IElement element, bool isInHead, ref string? stated)
    {
        switch (element.LocalName)
        {
            case "base":
                stated ??= element.GetAttribute("href");
                break;
            case "link" when isInHead:
                Links.Add(element);
                break;
            case "script" when element.GetAttribute("type") == JsonLd.MediaType:
                data.Read(element.TextContent);
                break;
            // named ones are all kept: a refusal of use may come after any number of others
            case "meta" when element.GetAttribute("content") is { } content:
                if (element.GetAttribute("name") is { } name)
                {
                    metas.Add((Name(name), content));
                    named.Add(metas[^1]);
                }
                else if (metas.Count < MaxMetas && (element.GetAttribute("property") ?? element.GetAttribute("itemprop")) is { } property) metas.Add((Name(property), content));
                break;
        }
    }

    // Dublin Core's names are written with a colon as well as with a point.
    private static string Name(string name)
    {
        name = name.Trim().ToLowerInvariant();
        return name.StartsWith("dc", StringComparison.Ordinal) ? name.Replace(':', '.') : name;
    }

    private string? Meta(params ReadOnlySpan<string> names)
    {
        foreach (var wanted in names)
            foreach (var (name, content) in metas)
                if (name == wanted && !string.IsNullOrWhiteSpace(content)) return content;
        return null;
    }

    private List<string> Authors()
    {
        var authors = new List<string>(data.Authors);
        if (authors.Count > 0) return authors;
        foreach (var (name, content) in metas)
            if (name is "author" or "article:author" or "dc.creator" or "dcterm.creator" or "parsely-author" or "byl" or "sailthru.author" && authors.Count < 20 && !content.Contains("://", StringComparison.Ordinal))
                AddOnce(authors, PageText.Line(content, 200));
        var asked = 0;
        for (var i = 0; i < tree.Count && authors.Count == 0; i++)
        {
            ref var node = ref tree[i];
            if (node.Element is null || node.IsHidden) continue;
            var isAuthor = node.Tag == Tag.A && PageReader.RelIs(node.Element.GetAttribute("rel"), "author") || node.Element.GetAttribute("itemprop") == "author"
                || (node.Says(Hints.Byline) && node.Element.ClassName is { } name && (name.Contains("byline", StringComparison.OrdinalIgnoreCase) || name.Contains("author", StringComparison.OrdinalIgnoreCase)));
            if (isAuthor && asked++ < MaxAnchors && tree.Words(i, 150) is { Length: > 2 and < 100 } words) AddOnce(authors, words);
        }
        return authors;
    }

    private static void AddOnce(List<string> list, string text)
    {
        if (text.Length > 0 && !list.Contains(text)) list.Add(text);
    }

    private string? Time()
    {
        for (var i = 0; i < tree.Count; i++)
            if (tree[i].Tag == Tag.Time && !tree[i].IsHidden && tree[i].Element!.GetAttribute("datetime") is { Length: > 0 } time) return time;
        return null;
    }

    // The only first heading of a page is its article's.
    private string? Heading(string title)
    {
        var only = -1;
        for (var i = 0; i < tree.Count; i++)
        {
            if (tree[i].Tag != Tag.H1) continue;
            if (only >= 0) return null;
            only = i;
        }
        var words = only < 0 ? "" : tree.Words(only, 300);
        return words.Length > 0 && title.Contains(words, StringComparison.OrdinalIgnoreCase) ? words : null;
    }

    private string? Licence()
    {
        foreach (var link in Links)
            if (PageReader.RelIs(link.GetAttribute("rel"), "license") && Address(link) is { } url) return url.AbsoluteUri;
        for (var i = 0; i < tree.Count; i++)
            if (tree[i].Tag is Tag.A or Tag.Link && PageReader.RelIs(tree[i].Element!.GetAttribute("rel"), "license") && Address(tree[i].Element!) is { } url) return url.AbsoluteUri;
        foreach (var (name, content) in metas)
            if (name is "license" or "licence" or "dc.rights" or "dcterms.rights" or "dcterms.license" or "og:license") return PageText.Line(content, 300);
        return (tree.Count > 0 ? CreativeCommons(0) : null) ?? (data.Licence is { } stated ? CanonicalUrl.Parse(stated, Root)?.AbsoluteUri : null);
    }

    private string? CreativeCommons(int node)
    {
        commons ??= [.. Stated((_, href) => href?.Contains("creativecommons.org/", StringComparison.OrdinalIgnoreCase) == true && CanonicalUrl.Parse(href, Root) is { Host: "creativecommons.org" or "www.creativecommons.org" } url
            && (url.AbsolutePath.StartsWith("/licenses/", StringComparison.Ordinal) || url.AbsolutePath.StartsWith("/publicdomain/", StringComparison.Ordinal)) ? url : null, links: false)];
        return First(commons, node);
    }

    private Uri? Address(IElement link) => link.GetAttribute("href") is { } href ? CanonicalUrl.Parse(href, Root) : null;

    private static string? Short(string? text) => text is null ? null : PageText.Line(text, 200) is { Length: > 0 } line ? line : null;
}
