using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// What came of the URLs of a crawl, counted: by outcome, by reason of the drop, and by host. Read from the frontier once and kept up to date
/// beside it. An outcome is "kept", an HTTP status other than 200, or the reason where no answer came or it was not used.
/// </summary>
public sealed class CrawlTally
{
    // Hosts counted one by one; the rest is in the sums.
    private const int MostHosts = 5000;

    private readonly SortedDictionary<string, long> outcomes = new(StringComparer.Ordinal);
    private readonly SortedDictionary<(UrlKind Kind, string Reason), long> dropped = [];
    private readonly Dictionary<string, SortedDictionary<string, long>> hosts = new(StringComparer.Ordinal);

    /// <summary>URLs that a server was asked for, or that were given up when their turn came, by outcome.</summary>
    public IReadOnlyDictionary<string, long> Outcomes => outcomes;

    /// <summary>All URLs dropped or deferred, by reason; those of pictures and sitemaps have their kind in front ("picture:not-a-picture").</summary>
    public IReadOnlyDictionary<string, long> Dropped => dropped.ToDictionary(d => Name(d.Key.Kind, d.Key.Reason), d => d.Value);

    /// <summary>URLs of all kinds that robots.txt forbids.</summary>
    public long RobotsDenied => dropped.Where(d => d.Key.Reason == "robots-denied").Sum(d => d.Value);

    /// <summary>URLs of all kinds that stay in the frontier for another day or another limit.</summary>
    public long Deferred => dropped.Where(d => Refusal.Defers(d.Key.Reason)).Sum(d => d.Value);

    /// <summary>Outcomes by host, busiest first.</summary>
    public IEnumerable<(string Host, long Urls, IReadOnlyDictionary<string, long> Outcomes)> Hosts(int most) =>
        hosts.Select(h => (h.Key, h.Value.Values.Sum(), (IReadOnlyDictionary<string, long>)h.Value)).OrderByDescending(h => h.Item2).ThenBy(h => h.Key, StringComparer.Ordinal).Take(most);

    /// <summary>How many hosts have outcomes, of those counted one by one.</summary>
    public int HostCount => hosts.Count;

    /// <summary>Name of a reason as crawl's counts have it.</summary>
    public static string Name(UrlKind kind, string reason) => kind == UrlKind.Page ? reason : $"{kind.ToString().ToLowerInvariant()}:{reason}";

    internal static CrawlTally Of(SqliteConnection db)
    {
        var tally = new CrawlTally();
        foreach (var (host, kind, reason, status, number) in Sqlite.Rows(db, "SELECT h.name, u.kind, u.reason, u.status, COUNT(*) FROM url u JOIN host h ON h.id = u.host WHERE u.state > 0 GROUP BY u.host, u.kind, u.reason, u.status",
            r => (r.GetString(0), (UrlKind)r.GetInt32(1), r.IsDBNull(2) ? null : r.GetString(2), r.IsDBNull(3) ? (int?)null : r.GetInt32(3), r.GetInt64(4))))
        {
            if (reason is not null) tally.CountDrop(kind, reason, number);
            if (status is { } known) tally.CountOutcome(host, reason, known, number);
        }
        return tally;
    }

    internal void CountDrop(UrlKind kind, string reason, long number)
    {
        if (number != 0) Add(dropped, (kind, reason), number);
    }

    internal void CountOutcome(string host, string? reason, int status, long number = 1)
    {
        var outcome = reason is null ? "kept" : reason == "bad-status" ? status.ToString(System.Globalization.CultureInfo.InvariantCulture) : reason;
        Add(outcomes, outcome, number);
        if (!hosts.TryGetValue(host, out var own))
        {
            if (hosts.Count >= MostHosts) return;
            hosts[host] = own = new(StringComparer.Ordinal);
        }
        Add(own, outcome, number);
    }

    private static void Add<T>(SortedDictionary<T, long> counts, T name, long number) where T : notnull
    {
        var sum = counts.GetValueOrDefault(name) + number;
        if (sum == 0) counts.Remove(name);
        else counts[name] = sum;
    }
}
