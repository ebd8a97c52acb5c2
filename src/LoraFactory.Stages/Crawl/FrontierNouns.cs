using LoraFactory.Flow;

namespace LoraFactory.Stages.Crawl;

/// <summary>What a URL is fetched as.</summary>
public enum UrlKind
{
    /// <summary>An HTML page.</summary>
    Page = 0,
    /// <summary>A picture of a page.</summary>
    Picture = 1,
    /// <summary>A sitemap or feed.</summary>
    Sitemap = 2,
}

/// <summary>A URL in the frontier.</summary>
/// <param name="Url">Canonical URL.</param>
/// <param name="Kind">What it is fetched as.</param>
/// <param name="Depth">Links away from the seed.</param>
/// <param name="Priority">0..1, higher first.</param>
public sealed record FrontierUrl(Uri Url, UrlKind Kind, int Depth, double Priority)
{
    private (Uri Url, long Key)? known;

    /// <summary>Key of the URL as its kind, calculated once; see <see cref="FrontierTables.Key"/>.</summary>
    internal long Key
    {
        get
        {
            if (known is { } before && ReferenceEquals(before.Url, Url)) return before.Key;
            var key = FrontierTables.Key(Kind, Url.AbsoluteUri);
            known = (Url, key);
            return key;
        }
    }

    /// <summary>The same URL, with its key as the tables have it.</summary>
    internal FrontierUrl With(long key)
    {
        known = (Url, key);
        return this;
    }

    /// <inheritdoc/>
    public bool Equals(FrontierUrl? other) => other is not null && Kind == other.Kind && Depth == other.Depth && Priority.Equals(other.Priority) && Url.Equals(other.Url);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Url, Kind);
}

/// <summary>How a picture fared.</summary>
/// <param name="BlobHash">Hash of its bytes, null when it was refused.</param>
/// <param name="Refused">Why it was refused.</param>
/// <param name="MediaType">Media type of the response.</param>
/// <param name="OptOut">Refusal of training found for it.</param>
public sealed record PictureOutcome(string? BlobHash, string? Refused, string? MediaType, string? OptOut)
{
    /// <summary>What its response said about its use.</summary>
    public Consent? Consent { get; init; }
}

/// <summary>A host with work, as <see cref="Frontier.NextRound"/> asks about it.</summary>
/// <param name="Name">Host name.</param>
/// <param name="Pages">Pages kept from it.</param>
public sealed record FrontierHost(string Name, int Pages)
{
    /// <summary>When it may be asked again, in seconds since 1970; 0 at any time.</summary>
    public double Ready { get; init; }
}

/// <summary>What a visit may ask about the pages of the crawl; from any thread.</summary>
public interface IKnownPages
{
    /// <summary>Whether the URL was kept as a page, or waits to be fetched.</summary>
    bool HoldsOrAwaits(Uri url);

    /// <summary>Whether it is known how the host says that something is not there.</summary>
    bool HasMissingPage(string host);
}

/// <summary>What is left of a crawl's budgets.</summary>
/// <param name="Pages">Pages left in the whole budget.</param>
/// <param name="PagesPerHost">Pages kept from one host at most.</param>
/// <param name="Pictures">Pictures left in the whole budget.</param>
/// <param name="Sitemaps">Sitemaps left in the whole budget; none is read when there is no room for its pages.</param>
public sealed record RoundBudget(int Pages, int PagesPerHost, int Pictures, int Sitemaps = int.MaxValue);

/// <summary>What is known of a host while a transaction lasts, and a while after.</summary>
internal sealed class HostRow(long id, string name)
{
    public long Id { get; } = id;
    public string Name { get; } = name;
    public long Queued { get; set; }
    public double Best { get; set; }
    public int Pages { get; set; }
    /// <summary>Pages in a row that brought nothing: off topic, or like those before.</summary>
    public int Misses { get; set; }
    /// <summary>Requests in a row that failed for the network's sake.</summary>
    public int Failures { get; set; }
    /// <summary>Signature of its page for what is not there, 0 when none is known.</summary>
    public long Missing { get; set; }
    /// <summary>When it may be asked again, in seconds since 1970.</summary>
    public double Ready { get; set; }
    public string? Closed { get; set; }
    public bool Dirty { get; set; }
    /// <summary>Whether something left its queue, so that the best of it may be another.</summary>
    public bool Taken { get; set; }
}
