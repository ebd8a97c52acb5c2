using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// Pages kept of each registered domain, over all its hosts: one that answers for any name below it would else be a new host with every link.
/// Without the public suffix list a domain is the last two labels of a name, which takes example.co.uk for a part of co.uk.
/// </summary>
internal sealed class SiteBudget
{
    private static readonly Lazy<PublicSuffixes?> List = new(() => PublicSuffixes.Open());

    private readonly int most;
    private readonly Dictionary<string, int> pages = new(StringComparer.Ordinal);
    private readonly HashSet<string> full = new(StringComparer.Ordinal);

    /// <summary>A budget of so many pages a domain; <paramref name="kept"/> is what was kept before, by host.</summary>
    public SiteBudget(int most, IEnumerable<(string Host, int Pages)> kept)
    {
        this.most = most;
        foreach (var (host, number) in kept) Count(host, number);
    }

    /// <summary>Counts pages kept of a host; true when its domain is full with them.</summary>
    public bool Count(string host, int number = 1)
    {
        var site = SiteOf(host);
        var sum = pages[site] = pages.GetValueOrDefault(site) + number;
        if (sum < most) return false;
        full.Add(site);
        return true;
    }

    /// <summary>Why no more is taken of a host's domain; null while it is.</summary>
    public Refusal? Refuse(string host) => full.Count > 0 && SiteOf(host) is var site && full.Contains(site) ? new("site-full", $"{site} gave {most} pages", pages[site], most) : null;

    /// <summary>Whether both addresses belong to one registered domain, so that the one may be taken to speak for the other (docs/decisions/consent.md); without the public suffix list, to one host.</summary>
    public static bool AreOneSite(Uri one, Uri other) => one.Host == other.Host || (List.Value is not null && SiteOf(one.Host) == SiteOf(other.Host));

    /// <summary>Registered domain of a host; the host itself where it has none.</summary>
    public static string SiteOf(string host)
    {
        if (List.Value is { } list) return list.Registrable(host) ?? host;
        var labels = host.Split('.');
        return labels.Length <= 2 || char.IsAsciiDigit(labels[^1].FirstOrDefault()) ? host : $"{labels[^2]}.{labels[^1]}";
    }
}
