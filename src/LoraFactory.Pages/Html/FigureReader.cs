using AngleSharp.Dom;

namespace LoraFactory.Pages.Html;

/// <summary>Reads a page's pictures with the words near them.</summary>
internal sealed class FigureReader(PageTree tree, PageHead head, string? licence, Article? article)
{
    private const int MaxFigures = 1000, MaxSteps = 6, MaxLevels = 4, MaxMetadata = 4;

    private readonly List<PageFigure> figures = [];
    // what the figure that was looked at last says of all its pictures
    private (int Figure, string Caption, string? Licence) own = (-1, "", null);
    private List<int>? captions;
    private readonly HashSet<string> seen = new(StringComparer.Ordinal);

    /// <summary>Pictures in document order, each URL once.</summary>
    public List<PageFigure> Read()
    {
        var figure = -1;
        for (var i = 0; i < tree.Count && figures.Count < MaxFigures; i++)
        {
            ref var node = ref tree[i];
            if (node.Element is not { } element) continue;
            if (node.Tag == Tag.Figure) figure = i;
            var around = figure >= 0 && i < tree[figure].End ? figure : -1;
            if (node.Tag == Tag.Img)
            {
                if (PictureSources.Best(element, head.Root, Fallback(i)) is { } source) Add(source, FigureSource.Picture, i, around);
            }
            else if (element.GetAttribute("style") is { } style && PictureSources.Background(style, head.Root) is { } background) Add(background, FigureSource.Background, i, around);
        }
        foreach (var (url, alt) in head.Pictures().Take(MaxMetadata))
            if (CanonicalUrl.Parse(url, head.Root) is { } source && seen.Add(source.AbsoluteUri)) figures.Add(new() { Url = source, Source = FigureSource.Metadata, Alt = PageText.Line(alt, 1000), Licence = licence });
        return figures;
    }

    private void Add(Uri source, FigureSource from, int node, int figure)
    {
        if (!seen.Add(source.AbsoluteUri)) return;
        var element = tree[node].Element!;
        if (figure >= 0 && figure != own.Figure) own = (figure, FigureCaption(figure), head.LicenceIn(figure));
        figures.Add(new()
        {
            Url = source,
            Source = from,
            Caption = figure >= 0 ? own.Caption : Caption(node),
            Alt = PageText.Line(element.GetAttribute("alt") ?? (from == FigureSource.Background ? element.GetAttribute("aria-label") : null) ?? "", 1000),
            Title = PageText.Line(element.GetAttribute("title") ?? "", 500),
            Context = Context(figure >= 0 ? figure : node, node),
            Licence = (figure >= 0 ? own.Licence : null) ?? licence,
            Position = article?.Position(node) ?? -1,
        });
    }

    // The picture that a page without scripts would show in place of a lazy one.
    private IElement? Fallback(int image)
    {
        for (var i = tree[image].End; i < tree.Count && i <= tree[image].End + 1; i++)
        {
            if (tree[i].Parent != tree[image].Parent) return null;
            if (tree[i].Tag != Tag.NoScript) continue;
            for (var inner = i + 1; inner < tree[i].End; inner++)
                if (tree[inner].Tag == Tag.Img) return tree[inner].Element;
        }
        return null;
    }

    private string FigureCaption(int figure)
    {
        captions ??= [.. Enumerable.Range(0, tree.Count).Where(i => tree[i].Tag == Tag.Figcaption)];
        var first = captions.BinarySearch(figure) is var at && at < 0 ? ~at : at; // figures within figures are not gone through again and again
        return first < captions.Count && captions[first] < tree[figure].End ? tree.Words(captions[first], 1000) : "";
    }

    private string Caption(int node)
    {
        // Outside of figures a caption is what calls itself so beside the picture or its link.
        for (var (at, level) = (node, 0); level < 3 && at > 0; at = tree[at].Parent, level++)
        {
            var after = tree[at].End < tree[tree[at].Parent].End ? tree[at].End : -1;
            for (var steps = 0; after >= 0 && steps < 3; steps++, after = tree[after].End < tree[tree[at].Parent].End ? tree[after].End : -1)
                if (tree[after].Says(Hints.Caption) && tree.Words(after, 1000) is { Length: > 0 } words) return words;
        }
        return "";
    }

    // The nearest paragraph or heading on each side, climbing out of wrappers that hold nothing but the picture.
    private string Context(int place, int node)
    {
        var around = new List<string>(3);
        var parent = tree[place].Parent;
        if (parent >= 0 && tree[parent].Tag is Tag.P or Tag.Li or Tag.Td) around.Add(tree.Words(parent, 300));
        for (var (at, level) = (place, 0); level < MaxLevels && at >= 0 && tree[at].Tag is not Tag.Body; at = tree[at].Parent, level++)
        {
            var (before, after) = (Before(at), After(at));
            if (before.Length > 0) around.Insert(0, before);
            if (after.Length > 0) around.Add(after);
            if (around.Count > 0) break;
        }
        return PageText.Cut(string.Join(' ', around.Distinct(StringComparer.Ordinal)), 600);
    }

    private string Before(int node)
    {
        var steps = 0;
        for (var i = tree[node].Previous; i >= 0 && steps < MaxSteps; i = tree[i].Previous)
        {
            if (tree[i].Tag == Tag.Text) continue;
            steps++;
            if (Says(i) is { Length: > 0 } words) return words;
        }
        return "";
    }

    private string After(int node)
    {
        var (steps, end) = (0, tree[tree[node].Parent].End);
        for (var i = tree[node].End; i < end && steps < MaxSteps; i = tree[i].End)
        {
            if (tree[i].Tag == Tag.Text) continue;
            steps++;
            if (Says(i) is { Length: > 0 } words) return words;
        }
        return "";
    }

    private string Says(int node) => tree[node].Tag is Tag.Nav or Tag.NoScript or Tag.Figure ? "" : tree.Words(node, 300);
}
