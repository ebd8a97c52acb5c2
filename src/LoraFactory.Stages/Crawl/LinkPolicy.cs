using LoraFactory.Flow;

namespace LoraFactory.Stages.Crawl;

/// <summary>Decides whether a link is followed, and how soon.</summary>
/// <param name="options">Depth and hosts.</param>
/// <param name="seed">The seed, for its hosts.</param>
/// <param name="relevance">How much words are about the topic.</param>
public sealed class LinkPolicy(CrawlOptions options, Seed seed, TopicRelevance relevance)
{
    // Files that are no pages, by extension: not asked for.
    private static readonly string[] NoPage =
    [
        ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".svg", ".ico", ".avif", ".pdf", ".zip", ".gz", ".tar", ".7z", ".rar", ".exe", ".dmg", ".iso",
        ".mp3", ".mp4", ".avi", ".mov", ".webm", ".wav", ".ogg", ".css", ".js", ".json", ".woff", ".woff2", ".ttf", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".epub",
    ];

    private readonly HashSet<string> seedHosts = new(seed.Urls.Select(u => new Uri(u).Host), StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// The link as the frontier keeps it. Its priority is the relevance of its own words and URL, or else half of its page's: relevance is
    /// inherited and fades (shark search, Hersovici et al. 1998).
    /// </summary>
    public (FrontierUrl Item, Refusal? Refusal) Judge(PageLink link, Visit from)
    {
        var own = Math.Max(relevance.Of(link.Text), relevance.Of(link.Url));
        var inherited = from.Page is null ? 0.4 : 0.5 * from.Page.Relevance;
        var item = new FrontierUrl(link.Url, UrlKind.Page, from.Item.Depth + 1, Math.Round(Math.Max(own, inherited), 4));
        return (item, Refuse(item));
    }

    private Refusal? Refuse(FrontierUrl item)
    {
        if (options.SeedHostsOnly && !seedHosts.Contains(item.Url.Host)) return new("off-host", item.Url.Host);
        if (item.Depth > options.MaxDepth) return new("depth", $"{item.Depth} links from the seed, at most {options.MaxDepth}");
        var path = item.Url.AbsolutePath;
        return NoPage.FirstOrDefault(e => path.EndsWith(e, StringComparison.OrdinalIgnoreCase)) is { } extension ? new("not-html", $"ends in {extension}") : null;
    }
}
