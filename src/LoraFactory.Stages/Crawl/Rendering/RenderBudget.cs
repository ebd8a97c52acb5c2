using System.Globalization;

namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>
/// Time that the pages of one registered domain may hold the browser up: each page may take what is fair, and what all of them take beyond that is
/// counted over the domain's hosts. Else a domain that drips its answers, from a new host for every page, would keep every tab for the whole crawl.
/// </summary>
/// <param name="fair">What a page may take without being counted.</param>
/// <param name="most">What a domain's pages may take beyond it, in all.</param>
internal sealed class RenderBudget(TimeSpan fair, TimeSpan most)
{
    private readonly Dictionary<string, TimeSpan> beyond = new(StringComparer.Ordinal);

    /// <summary>How long the next page of the host's domain may take; zero where no more are rendered.</summary>
    public TimeSpan LeftOf(string host)
    {
        lock (beyond) return beyond.GetValueOrDefault(SiteBudget.SiteOf(host)) is var spent && spent < most ? fair + most - spent : TimeSpan.Zero;
    }

    /// <summary>A page of the host has taken so long, whatever came of it.</summary>
    public void Count(string host, TimeSpan taken)
    {
        if (taken <= fair) return;
        var site = SiteBudget.SiteOf(host);
        lock (beyond) beyond[site] = beyond.GetValueOrDefault(site) + (taken - fair);
    }

    /// <summary>Why pages of the host's domain are rendered no more, in words.</summary>
    public string Words(string host) =>
        string.Create(CultureInfo.InvariantCulture, $"pages of {SiteBudget.SiteOf(host)} have held the browser up for {most.TotalMinutes:0.#} min beyond {fair.TotalSeconds:0.#} s each: no more of them are rendered");
}
