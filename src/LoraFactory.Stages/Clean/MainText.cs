using System.Net.Http.Headers;
using System.Text;
using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Clean;

/// <summary>What was read from a page's markup.</summary>
public sealed record PageReading
{
    /// <summary>The text that the page is about, a line per block.</summary>
    public required string MainText { get; init; }
    /// <summary>Share of the characters of all visible text that are link text, 0..1.</summary>
    public required double LinkDensity { get; init; }
    /// <summary>Share of the characters of all visible text that stand in advertisements, 0..1.</summary>
    public required double AdRatio { get; init; }
    /// <summary>The lang attribute of the root, lower case, empty when there is none.</summary>
    public required string DeclaredLanguage { get; init; }
    /// <summary>Addresses of pictures that stand in advertisements, navigation, headers and footers, with which of them.</summary>
    public required IReadOnlyDictionary<string, string> Furniture { get; init; }
}

/// <summary>
/// Finds the main text of a page by density: blocks of prose score for the elements around them, links count against them
/// (the idea of Arc90's Readability and of Kohlschütter et al., "Boilerplate detection using shallow text features", WSDM 2010).
/// One pass over the tree without recursion, so that deeply nested markup costs time and nothing else.
/// </summary>
public static class MainText
{
    private const int MaxNodes = 400_000;
    private const int MaxTextLength = 400_000;

    /// <summary>
    /// Parses and reads a page. <paramref name="html"/> is its body, at most a few MiB; <paramref name="address"/> resolves relative addresses;
    /// <paramref name="contentType"/> is the response header, whose charset goes before the page's own.
    /// </summary>
    public static PageReading Read(Stream html, Uri address, string? contentType = null)
    {
        using var document = Parse(html, contentType);
        var blocks = Collect(document, address, out var furniture, out var declared);
        var total = blocks.Sum(block => block.Length);
        var links = blocks.Sum(block => block.LinkLength);
        return new PageReading
        {
            MainText = Choose(blocks),
            LinkDensity = total == 0 ? 0 : (double)links / total,
            AdRatio = total == 0 ? 0 : (double)blocks.Where(block => block.IsAdvertisement).Sum(block => block.Length) / total,
            DeclaredLanguage = declared,
            Furniture = furniture,
        };
    }

    private static IHtmlDocument Parse(Stream html, string? contentType)
    {
        using var body = new MemoryStream();
        html.CopyTo(body);
        var charset = contentType is not null && MediaTypeHeaderValue.TryParse(contentType, out var type) ? type.CharSet : null;
        return new HtmlParser().ParseDocument(PageEncoding.Decode(body.GetBuffer().AsSpan(0, (int)body.Length), charset)); // as crawl read it
    }

    /// <summary>A run of text between block boundaries.</summary>
    private sealed class Block(IElement holder)
    {
        private readonly StringBuilder _text = new();

        public IElement Holder { get; } = holder;
        public int LinkLength { get; private set; }
        public int Length => _text.Length;
        public bool IsFurniture { get; init; }
        public bool IsAdvertisement { get; init; }
        public double LinkDensity => Length == 0 ? 0 : Math.Min(1, (double)LinkLength / Length);
        public string Text => _text.ToString().TrimEnd();

        public void Append(string text, bool inLink)
        {
            var before = _text.Length;
            foreach (var c in text)
            {
                if (!char.IsWhiteSpace(c) && !char.IsControl(c)) _text.Append(c);
                else if (_text.Length > 0 && _text[^1] != ' ') _text.Append(' ');
            }
            if (inLink) LinkLength += _text.Length - before;
        }
    }

    private static List<Block> Collect(IHtmlDocument document, Uri address, out Dictionary<string, string> furniture, out string declared)
    {
        furniture = new Dictionary<string, string>(StringComparer.Ordinal);
        declared = document.DocumentElement?.GetAttribute("lang")?.Trim().ToLowerInvariant() ?? "";
        var blocks = new List<Block>();
        INode? node = document.Body;
        if (node is null) return blocks;
        var root = node;
        var links = 0;
        var furnitureDepth = 0;
        string? kind = null;
        Block? current = null;
        int nodes = 0, length = 0;
        while (node is not null && nodes++ < MaxNodes && length < MaxTextLength)
        {
            var descend = true;
            if (node is IText text)
            {
                if (text.ParentElement is { } holder)
                {
                    current ??= Begin(blocks, holder, furnitureDepth > 0 ? kind : null);
                    current.Append(text.Data, links > 0);
                    length += text.Data.Length;
                }
            }
            else if (node is IElement element)
            {
                if (PageFurniture.IsInvisible(element)) descend = false;
                else
                {
                    if (PageFurniture.IsBlock(element)) current = null;
                    if (element.LocalName == "a") links++;
                    if (PageFurniture.KindOf(element) is { } found)
                    {
                        // An advertisement inside a footer is an advertisement.
                        if (furnitureDepth++ == 0 || found == PageFurniture.Advertisement) kind = found;
                    }
                    if (element.LocalName is "img" or "source" && furnitureDepth > 0) NoteSources(element, address, kind!, furniture);
                }
            }
            node = Next(node, root, descend, left =>
            {
                if (left is not IElement closed || PageFurniture.IsInvisible(closed)) return;
                if (PageFurniture.IsBlock(closed)) current = null;
                if (closed.LocalName == "a") links--;
                if (PageFurniture.KindOf(closed) is not null && --furnitureDepth == 0) kind = null;
            });
        }
        blocks.RemoveAll(block => block.Text.Length == 0);
        return blocks;
    }

    private static Block Begin(List<Block> blocks, IElement holder, string? kind)
    {
        while (!PageFurniture.IsBlock(holder) && holder.ParentElement is { } parent) holder = parent;
        var block = new Block(holder) { IsFurniture = kind is not null, IsAdvertisement = kind == PageFurniture.Advertisement };
        blocks.Add(block);
        return block;
    }

    /// <summary>The next node in document order; <paramref name="leave"/> is called for every node that is left behind.</summary>
    private static INode? Next(INode node, INode root, bool descend, Action<INode> leave)
    {
        if (descend && node.FirstChild is { } child) return child;
        while (true)
        {
            leave(node);
            if (ReferenceEquals(node, root)) return null;
            if (node.NextSibling is { } sibling) return sibling;
            node = node.Parent!;
        }
    }

    private static void NoteSources(IElement element, Uri address, string kind, Dictionary<string, string> furniture)
    {
        foreach (var name in (string[])["src", "data-src", "data-original", "srcset", "data-srcset"])
        {
            if (element.GetAttribute(name) is not { Length: > 0 and < 20_000 } value) continue;
            var sources = name.EndsWith("srcset", StringComparison.Ordinal) ? value.Split(',').Select(part => part.Trim().Split(' ')[0]) : [value.Trim()];
            foreach (var source in sources.Take(50))
                if (Uri.TryCreate(address, source, out var uri) && furniture.Count < 10_000) furniture[Key(uri)] = kind;
        }
    }

    /// <summary>Address without its fragment, to compare pictures by.</summary>
    public static string Key(Uri uri) => uri.GetComponents(UriComponents.HttpRequestUrl, UriFormat.UriEscaped);

    private static string Choose(List<Block> blocks)
    {
        var prose = blocks.Where(block => !block.IsFurniture).ToList();
        var scores = new Dictionary<IElement, double>();
        foreach (var block in prose)
        {
            var weight = Prose(block);
            if (weight <= 0) continue;
            var at = block.Holder;
            // A paragraph speaks for its parent, half for the one above, a third for the next.
            for (var level = 0; level < 4 && at is not null; level++, at = at.ParentElement)
                scores[at] = scores.GetValueOrDefault(at) + weight / (level == 0 ? 2 : level);
        }
        if (scores.Count == 0) return Join(prose.Where(block => block.LinkDensity < 0.5));
        var best = scores.MaxBy(pair => pair.Value * PageFurniture.Preference(pair.Key)).Key;
        // Text is often split over siblings or wrapped once more than it looks; climb while the parent holds much more prose.
        while (best.ParentElement is { } parent && parent.LocalName is not ("body" or "html") && Within(prose, parent) > 1.35 * Within(prose, best)) best = parent;
        var inside = prose.Where(block => IsInside(block.Holder, best)).ToList();
        // A page whose prose lies mostly outside any one element is a gallery or a list: take all of it.
        if (inside.Sum(Prose) < 0.35 * prose.Sum(Prose)) inside = prose;
        return Join(inside.Where(block => block.LinkDensity < 0.6 || Prose(block) > 0));
    }

    private static double Within(List<Block> blocks, IElement element) => blocks.Where(block => IsInside(block.Holder, element)).Sum(Prose);

    /// <summary>How much a block reads like prose: longer, punctuated, few links; 0 for labels and menus.</summary>
    private static double Prose(Block block)
    {
        if (block.LinkDensity > 0.5) return 0;
        var text = block.Text;
        if (text.Length < 25 && !text.Any(c => c is '。' or '，')) return 0;
        var marks = text.Count(c => c is ',' or '.' or ';' or '，' or '、' or '。' or '؛' or '،');
        return (Math.Min(text.Length / 100.0, 6) + Math.Min(marks, 8) * 0.25) * (1 - block.LinkDensity);
    }

    private static bool IsInside(IElement element, IElement container)
    {
        for (IElement? at = element; at is not null; at = at.ParentElement)
            if (ReferenceEquals(at, container)) return true;
        return false;
    }

    private static string Join(IEnumerable<Block> blocks) => string.Join('\n', blocks.Select(block => block.Text).Where(text => text.Length > 0));
}
