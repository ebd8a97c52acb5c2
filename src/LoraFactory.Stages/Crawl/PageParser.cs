using LoraFactory.Flow;
using LoraFactory.Pages;
using LoraFactory.Pages.Html;

namespace LoraFactory.Stages.Crawl;

/// <summary>What <see cref="PageParser"/> reads from a page.</summary>
/// <param name="Reading">Title, metadata, licence, links and gist.</param>
/// <param name="Statements">Statements about use.</param>
/// <param name="Pictures">Pictures in document order, each URL once; nothing is fetched yet.</param>
public sealed record ParsedPage(PageReading Reading, PageStatements Statements, IReadOnlyList<PagePicture> Pictures)
{
    /// <summary>Text of the title element.</summary>
    public string Title => Reading.Title;
    /// <summary>Headings, title and the first words of the text: what relevance is judged by.</summary>
    public string Gist => Reading.Gist;
    /// <summary>Licence that the page states: a link's URL, else the text of a rights statement.</summary>
    public string? Licence => Reading.Licence;
    /// <summary>Links to follow, in document order, each URL once.</summary>
    public IReadOnlyList<PageLink> Links => Reading.Links;
}

/// <summary>Reads what the crawl asks of a page: links, pictures with the words near them, licence and statements about use.</summary>
/// <param name="userAgent">The crawl's user agent: meta elements named after other crawlers are not for it.</param>
public sealed class PageParser(string userAgent)
{
    private readonly string token = RobotsRules.ProductToken(userAgent).ToLowerInvariant();

    /// <summary>Parses a page. The charset of the header wins over the page's own, as browsers do it.</summary>
    /// <returns>The page, or a refusal "bad-html" when its markup is beyond <see cref="MarkupLimits"/>.</returns>
    public (ParsedPage? Page, Refusal? Refusal) Parse(byte[] body, string? charset, Uri url)
    {
        var html = PageEncoding.Decode(body, charset);
        if (MarkupLimits.Judge(html) is { } fault) return (null, new("bad-html", fault));
        var reading = PageReader.Read(html, url, PageParts.Links | PageParts.Figures | PageParts.Gist);
        return (new(reading, Statements(reading), [.. reading.Figures.Select(ToPicture)]), null);
    }

    private PageStatements Statements(PageReading reading)
    {
        var robots = reading.Metas.Where(meta => meta.Name == "robots" || (token.Length > 0 && meta.Name == token)).Select(meta => meta.Content);
        return new([.. robots], OfMeta(reading, "tdm-reservation"), OfMeta(reading, "tdm-policy"));
    }

    private static string? OfMeta(PageReading reading, string name) => reading.Metas.Where(meta => meta.Name == name).Select(meta => meta.Content).FirstOrDefault();

    private static PagePicture ToPicture(PageFigure figure) => new()
    {
        Url = figure.Url.AbsoluteUri,
        Caption = figure.Caption,
        Alt = figure.Alt,
        Title = figure.Title,
        Context = figure.Context,
        Licence = figure.Licence,
    };
}
