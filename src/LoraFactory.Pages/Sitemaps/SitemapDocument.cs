namespace LoraFactory.Pages;

/// <summary>What a document that lists URLs is.</summary>
public enum SitemapKind
{
    /// <summary>None of them: nothing of it is listed.</summary>
    None,
    /// <summary>A sitemap of pages (sitemaps.org), as XML or a URL a line.</summary>
    UrlSet,
    /// <summary>A list of further sitemaps.</summary>
    Index,
    /// <summary>RSS 0.9 to 2.0 or Atom.</summary>
    Feed,
}

/// <summary>An entry of a sitemap or feed.</summary>
/// <param name="Url">Canonical URL of the page or of the further sitemap.</param>
public sealed record SitemapEntry(Uri Url)
{
    /// <summary>When it last changed (lastmod, pubDate, updated …), null where none or no date is stated.</summary>
    public DateTimeOffset? Modified { get; init; }

    /// <summary>changefreq in lower case, null where none is stated.</summary>
    public string? ChangeFrequency { get; init; }

    /// <summary>priority 0..1, null where none is stated.</summary>
    public double? Priority { get; init; }

    /// <summary>The same page in other languages (xhtml:link), canonical, in order.</summary>
    public IReadOnlyList<Uri> Alternates { get; init; } = [];

    /// <summary>Pictures of the page (image:loc), canonical, in order.</summary>
    public IReadOnlyList<Uri> Pictures { get; init; } = [];
}

/// <summary>A sitemap or feed as it was read.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Entries">What it lists, in order, at most <see cref="SitemapParser.MaxEntries"/>.</param>
/// <param name="Fault">Why its end was not read, null when it was read whole.</param>
public sealed record SitemapDocument(SitemapKind Kind, IReadOnlyList<SitemapEntry> Entries, string? Fault = null)
{
    /// <summary>Pages that it lists.</summary>
    public IReadOnlyList<Uri> Urls => Kind == SitemapKind.Index ? [] : [.. Entries.Select(e => e.Url)];

    /// <summary>Further sitemaps that it lists.</summary>
    public IReadOnlyList<Uri> Sitemaps => Kind == SitemapKind.Index ? [.. Entries.Select(e => e.Url)] : [];

    /// <summary>May a sitemap at this place speak of that URL (sitemaps.org, "Sitemap file location": same scheme, host and port, in its folder or below)?</summary>
    public static bool IsInScope(Uri sitemap, Uri url)
    {
        if (CanonicalUrl.Origin(sitemap) != CanonicalUrl.Origin(url)) return false;
        var folder = sitemap.AbsolutePath[..(sitemap.AbsolutePath.LastIndexOf('/') + 1)];
        return url.AbsolutePath.StartsWith(folder, StringComparison.Ordinal);
    }
}
