namespace LoraFactory.Pages.Html;

/// <summary>Parts of a page that a reader may ask for.</summary>
[Flags]
public enum PageParts
{
    /// <summary>Title, language, statements and metadata alone.</summary>
    None = 0,
    /// <summary>Links with their words.</summary>
    Links = 1,
    /// <summary>Pictures with the words near them.</summary>
    Figures = 2,
    /// <summary>Headings, captions and the first words, by which relevance is judged.</summary>
    Gist = 4,
    /// <summary>Main text, and each figure's place in it.</summary>
    Text = 8,
    /// <summary>Which pictures stand in menus and advertisements, and shares of links and advertisements in the visible text.</summary>
    Furniture = 16,
    /// <summary>Everything.</summary>
    All = 31,
}

/// <summary>A link as found on a page.</summary>
/// <param name="Url">Canonical URL.</param>
/// <param name="Text">Words of the link, or its picture's alt text, or its title; at most 200 characters.</param>
public sealed record PageLink(Uri Url, string Text);

/// <summary>Where a figure's address was found.</summary>
public enum FigureSource
{
    /// <summary>img or picture element, lazy-loading attributes included.</summary>
    Picture,
    /// <summary>background-image of an element's own style.</summary>
    Background,
    /// <summary>Open Graph, twitter card, image_src or linked data: what the page shows of itself elsewhere.</summary>
    Metadata,
}

/// <summary>A picture of a page with everything near it that may describe it.</summary>
public sealed record PageFigure
{
    /// <summary>Canonical URL of the best source.</summary>
    public required Uri Url { get; init; }
    /// <summary>Where the address was found.</summary>
    public FigureSource Source { get; init; }
    /// <summary>Words of its caption, at most 1000 characters.</summary>
    public string Caption { get; init; } = "";
    /// <summary>alt attribute, at most 1000 characters.</summary>
    public string Alt { get; init; } = "";
    /// <summary>title attribute, at most 500 characters.</summary>
    public string Title { get; init; } = "";
    /// <summary>Paragraph or heading around it or nearest on each side, at most 600 characters.</summary>
    public string Context { get; init; } = "";
    /// <summary>Licence that its figure states, else the page's, null for none.</summary>
    public string? Licence { get; init; }
    /// <summary>Character of <see cref="PageReading.MainText"/> before which it stands; -1 outside of it and where <see cref="PageParts.Text"/> was not asked for.</summary>
    public int Position { get; init; } = -1;
}

/// <summary>What was read from a page's markup.</summary>
public sealed record PageReading
{
    /// <summary>Text of the title element, at most 500 characters.</summary>
    public string Title { get; init; } = "";
    /// <summary>The article's own title as linked data, Open Graph or a heading give it, else the title element's without the site's name.</summary>
    public string Headline { get; init; } = "";
    /// <summary>Who wrote it, each once, at most 20.</summary>
    public IReadOnlyList<string> Authors { get; init; } = [];
    /// <summary>When it was published, as the page writes it (mostly ISO 8601), null where it does not say.</summary>
    public string? Published { get; init; }
    /// <summary>When it was changed last, as the page writes it.</summary>
    public string? Modified { get; init; }
    /// <summary>Name of the site, null where it does not say.</summary>
    public string? SiteName { get; init; }
    /// <summary>The page's own summary, empty when there is none, at most 1000 characters.</summary>
    public string Description { get; init; } = "";
    /// <summary>Language that the root declares, lower case, empty when there is none.</summary>
    public string DeclaredLanguage { get; init; } = "";
    /// <summary>Direction that the root or body declares, "ltr" or "rtl", null for none.</summary>
    public string? Direction { get; init; }
    /// <summary>Licence that the page states: a link's URL, else the text of a rights statement.</summary>
    public string? Licence { get; init; }
    /// <summary>Named meta elements in document order, names in lower case: statements about use are among them.</summary>
    public IReadOnlyList<(string Name, string Content)> Metas { get; init; } = [];
    /// <summary>Headings, title and the first words of the text: what relevance is judged by.</summary>
    public string Gist { get; init; } = "";
    /// <summary>Links to follow, in document order, each URL once, without those marked nofollow.</summary>
    public IReadOnlyList<PageLink> Links { get; init; } = [];
    /// <summary>Pictures in document order, each URL once; what only metadata name comes last.</summary>
    public IReadOnlyList<PageFigure> Figures { get; init; } = [];
    /// <summary>The text that the page is about, a line per block, captions of its figures among them.</summary>
    public string MainText { get; init; } = "";
    /// <summary>The same without captions.</summary>
    public string Prose { get; init; } = "";
    /// <summary>Share of the characters of all visible text that are link text, 0..1.</summary>
    public double LinkDensity { get; init; }
    /// <summary>Share of the characters of all visible text that stand in advertisements, 0..1.</summary>
    public double AdRatio { get; init; }
    /// <summary>Canonical URLs of pictures that stand in advertisements, navigation, headers and footers, with which of them.</summary>
    public IReadOnlyDictionary<string, string> Furniture { get; init; } = new Dictionary<string, string>();
}
