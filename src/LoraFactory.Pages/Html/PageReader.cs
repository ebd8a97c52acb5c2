using System.Text;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;

namespace LoraFactory.Pages.Html;

/// <summary>
/// Reads a page once (AngleSharp parses, scripting off): main text, figures, links, metadata, statements about use. The tree is walked in loops, so that
/// deeply nested markup costs time and nothing else; <see cref="MarkupLimits"/> says beforehand which markup is not worth parsing.
/// </summary>
public static class PageReader
{
    private const int MaxLinks = 5000, MaxGist = 4000, MaxInLink = 500;

    private static readonly HtmlParser Parser = new(new HtmlParserOptions { IsScripting = false, SkipComments = true, DisableElementPositionTracking = true });

    /// <summary>Reads a page's bytes; the header's charset goes before the page's own, as browsers do it.</summary>
    public static PageReading Read(ReadOnlySpan<byte> body, string? charset, Uri url, PageParts parts = PageParts.All) => Read(PageEncoding.Decode(body, charset), url, parts);

    /// <summary>Reads a page.</summary>
    /// <param name="html">Its markup.</param>
    /// <param name="url">Where it came from, against which its links are resolved.</param>
    /// <param name="parts">What is asked for; the rest stays empty.</param>
    public static PageReading Read(string html, Uri url, PageParts parts = PageParts.All)
    {
        ArgumentNullException.ThrowIfNull(html);
        using var document = Parser.ParseDocument(html);
        var tree = PageTree.Of(document);
        var head = new PageHead(tree, document, url);
        var reading = head.Reading();
        var article = (parts & PageParts.Text) != PageParts.None ? Article.Of(tree, $"{reading.Title} {reading.Headline}") : null;
        if (article is not null) reading = reading with { MainText = article.MainText, Prose = article.Prose };
        if (Has(PageParts.Gist)) reading = reading with { Gist = Gist(tree, reading) };
        if (Has(PageParts.Links)) reading = reading with { Links = Links(tree, head) };
        if (Has(PageParts.Figures)) reading = reading with { Figures = new FigureReader(tree, head, reading.Licence, article).Read() };
        return Has(PageParts.Furniture) ? PageFurniture.Note(tree, head.Root, reading) : reading;

        bool Has(PageParts part) => (parts & part) != PageParts.None;
    }

    private static string Gist(PageTree tree, PageReading reading)
    {
        var gist = new StringBuilder(reading.Title);
        if (reading.Description.Length > 0) gist.Append(' ').Append(PageText.Cut(reading.Description, 500));
        for (var i = 0; i < tree.Count && gist.Length <= MaxGist; i++)
        {
            if (tree[i].Tag is Tag.H1 or Tag.H2 or Tag.H3 or Tag.Figcaption or Tag.P) gist.Append(' ').Append(tree.Words(i, 600));
            else if (tree[i].Tag == Tag.Img && tree[i].Element!.GetAttribute("alt") is { Length: > 0 } alt) gist.Append(' ').Append(PageText.Line(alt, 600));
        }
        return gist.ToString();
    }

    private static List<PageLink> Links(PageTree tree, PageHead head)
    {
        var links = new List<PageLink>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        void Take(Tag tag, AngleSharp.Dom.IElement element, int node)
        {
            var rel = element.GetAttribute("rel");
            if (tag == Tag.Link && !RelIs(rel, "next")) return;
            if (RelIs(rel, "nofollow") || RelIs(rel, "license") || RelIs(rel, "stylesheet")) return;
            if (CanonicalUrl.Parse(element.GetAttribute(tag == Tag.Iframe ? "src" : "href") ?? "", head.Root) is { } target && seen.Add(target.AbsoluteUri))
                links.Add(new(target, node < 0 ? "" : Words(tree, node)));
        }

        foreach (var element in head.Links) Take(Tag.Link, element, -1);
        for (var i = 0; i < tree.Count && links.Count < MaxLinks; i++)
            if (tree[i].Tag is Tag.A or Tag.Area or Tag.Iframe or Tag.Link) Take(tree[i].Tag, tree[i].Element!, i);
        return links;
    }

    private static string Words(PageTree tree, int link)
    {
        if (tree.Words(link, 200) is { Length: > 0 } words) return words;
        for (var i = link + 1; i < Math.Min(tree[link].End, link + MaxInLink); i++)
            if (tree[i].Tag == Tag.Img && tree[i].Element!.GetAttribute("alt") is { } alt) return PageText.Line(alt, 200);
        return PageText.Line(tree[link].Element!.GetAttribute("title") ?? "", 200);
    }

    /// <summary>Is this among the words of a rel attribute?</summary>
    internal static bool RelIs(string? rel, string word)
    {
        if (rel is null) return false;
        var text = rel.AsSpan();
        foreach (var range in text.SplitAny(" \t\n\r\f"))
            if (text[range].Equals(word, StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }
}

/// <summary>The article of a page: its lines, and where they stand.</summary>
internal sealed class Article
{
    private readonly List<(int Node, int Start)> starts = [];
    private readonly PageTree tree;
    private readonly PageSums sums;
    private readonly IReadOnlyList<int> roots;

    private Article(PageTree tree, ArticleFinder finder, List<TextBlock> blocks)
    {
        (this.tree, sums, roots) = (tree, finder.Remaining, finder.Roots);
        var (text, prose) = (new StringBuilder(), new StringBuilder());
        foreach (var block in blocks)
        {
            if (block.IsGone) continue;
            starts.Add((block.First, text.Length == 0 ? 0 : text.Length + 1));
            Append(text, block.Text);
            if (!block.IsCaption) Append(prose, block.Text);
        }
        (MainText, Prose) = (text.ToString(), prose.ToString());
    }

    /// <summary>Its lines, captions among them.</summary>
    public string MainText { get; }

    /// <summary>Its lines without captions.</summary>
    public string Prose { get; }

    /// <summary>Finds and reads it.</summary>
    public static Article Of(PageTree tree, string title)
    {
        var finder = new ArticleFinder(tree, title);
        finder.Find();
        return new(tree, finder, new ArticleTrim(tree, finder.Remaining, finder.Roots).Lines());
    }

    /// <summary>Character of <see cref="MainText"/> before which a node stands, -1 outside of the article.</summary>
    public int Position(int node)
    {
        var isInside = false;
        for (var at = node; at >= 0 && !isInside; at = tree[at].Parent)
        {
            if (sums.IsGone(at)) return -1;
            isInside = roots.Contains(at);
        }
        if (!isInside) return -1;
        var next = starts.BinarySearch((node, int.MaxValue));
        return ~next == starts.Count ? MainText.Length : starts[~next].Start;
    }

    private static void Append(StringBuilder text, string line)
    {
        if (text.Length > 0) text.Append('\n');
        text.Append(line);
    }
}
