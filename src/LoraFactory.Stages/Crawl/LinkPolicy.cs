using System.Collections.Frozen;
using LoraFactory.Flow;
using LoraFactory.Pages.Html;

namespace LoraFactory.Stages.Crawl;

/// <summary>Decides whether a link is followed, and how soon.</summary>
/// <param name="options">Depth and hosts.</param>
/// <param name="seed">The seed, for its hosts.</param>
/// <param name="relevance">How much words are about the topic.</param>
/// <param name="withdrawn">What may not be fetched any more.</param>
public sealed class LinkPolicy(CrawlOptions options, Seed seed, TopicRelevance relevance, ConsentLedger withdrawn)
{
    private const int MostSegments = 24, Repeats = 3, MostAlike = 4;

    // Files that are no pages, by extension: not asked for.
    private static readonly FrozenSet<string> NoPage = FrozenSet.ToFrozenSet(
    [
        ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".svg", ".ico", ".avif", ".pdf", ".zip", ".gz", ".tar", ".7z", ".rar", ".exe", ".dmg", ".iso",
        ".mp3", ".mp4", ".avi", ".mov", ".webm", ".wav", ".ogg", ".css", ".js", ".json", ".woff", ".woff2", ".ttf", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".epub",
    ], StringComparer.OrdinalIgnoreCase);

    private readonly HashSet<string> seedHosts = new(seed.Urls.Select(u => new Uri(u).Host), StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// The link as the frontier keeps it. Its priority is the relevance of its own words and URL, or else half of its page's: relevance is
    /// inherited and fades (shark search, Hersovici et al. 1998).
    /// </summary>
    public JudgedLink Judge(PageLink link, FrontierUrl from, Page? page)
    {
        var own = Math.Max(relevance.Of(link.Text), relevance.Of(link.Url));
        var inherited = page is null ? 0.4 : 0.5 * page.Relevance;
        var item = new FrontierUrl(link.Url, UrlKind.Page, from.Depth + 1, Math.Round(Math.Max(own, inherited), 4));
        return new(item, Refuse(item));
    }

    /// <summary>Paths that relative links lead into without end: one segment many times, or a row of segments again and again. Null where it is none.</summary>
    public static Refusal? PathTrap(string path)
    {
        if (path.AsSpan().Count('/') < Repeats) return null;
        var segments = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (segments.Length > MostSegments) return new("trap", $"{segments.Length} path segments, at most {MostSegments}", segments.Length, MostSegments);
        for (var length = 1; length * Repeats <= segments.Length; length++)
            for (var at = 0; at + length * Repeats <= segments.Length; at++)
                if (Repeated(segments, at, length)) return new("trap", $"{string.Join('/', segments.Skip(at).Take(length))} stands {Repeats} times in a row in its path", Repeats, Repeats - 1);
        return segments.GroupBy(s => s, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > MostAlike && !g.Key.All(char.IsAsciiDigit)) is { } often ? new("trap", $"{often.Key} stands {often.Count()} times in its path", often.Count(), MostAlike) : null;
    }

    private static bool Repeated(string[] segments, int at, int length)
    {
        for (var i = at; i < at + length * (Repeats - 1); i++)
            if (segments[i] != segments[i + length]) return false;
        return true;
    }

    /// <summary>The refusal of an address that was withdrawn from the run; null where it was not.</summary>
    public Refusal? Withdrawn(string address) => withdrawn.Of(address) is { } entry ? new("withdrawn", entry.Target) : null;

    private Refusal? Refuse(FrontierUrl item)
    {
        if (Withdrawn(item.Url.AbsoluteUri) is { } gone) return gone;
        if (options.SeedHostsOnly && !seedHosts.Contains(item.Url.Host)) return new("off-host", item.Url.Host);
        if (item.Depth > options.MaxDepth) return new("depth", $"{item.Depth} links from the seed, at most {options.MaxDepth}", item.Depth, options.MaxDepth);
        var path = item.Url.AbsolutePath;
        if (PathTrap(path) is { } trap) return trap;
        return path.LastIndexOf('.') is >= 0 and var dot && NoPage.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(path.AsSpan(dot), out var extension) ? new("not-html", $"ends in {extension}") : null;
    }
}
