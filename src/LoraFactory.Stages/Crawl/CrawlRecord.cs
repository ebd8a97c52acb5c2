using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>Writes down what visits brought, within a transaction of the frontier: pages, pictures, links, drops, and what is to be tried again.</summary>
internal sealed class CrawlRecord
{
    private const double OffTopic = 0.1;
    /// <summary>Sitemaps read in a crawl, and taken from one index.</summary>
    public const int MaxSitemaps = 100;

    private const int MaxSitemapDepth = 3, KnownPerPage = 100, KnownAtLeast = 20_000;
    // How often a URL is tried, and after how many failures of the network in a row a host is given up.
    public const int MostTries = 3;
    private const int MostFailures = 6;

    private readonly CrawlOptions options;
    private readonly Frontier frontier;
    private readonly HostGates gates;
    private readonly TimeProvider clock;
    private readonly HashSet<(string Host, long Shape)> traps = [];
    private readonly bool begunAnew;
    private readonly SiteBudget sites;

    public CrawlRecord(StageContext context, Frontier frontier, HostGates gates)
    {
        (options, this.frontier, this.gates, clock) = (context.Recipe.Crawl, frontier, gates, context.Clock);
        begunAnew = !frontier.HasKeptVisits;
        sites = new(options.MaxPagesPerSite > 0 ? options.MaxPagesPerSite : (int)Math.Min(int.MaxValue, 5L * options.MaxPagesPerHost), frontier.PagesByHost());
    }

    /// <summary>Whether visits of a process that was killed may still have to be recorded.</summary>
    public bool HasKept => !begunAnew;

    /// <summary>A round without pages that are not worth asking for by now, since they lead into a trap or their domain is full; those are dropped.</summary>
    public IReadOnlyList<FrontierUrl> Worthwhile(IReadOnlyList<FrontierUrl> round)
    {
        var refused = round.Where(i => i.Kind == UrlKind.Page).Select(i => (Item: i, Refusal: Refuse(i))).Where(r => r.Refusal is not null).ToList();
        if (refused.Count == 0) return round;
        frontier.Commit(() =>
        {
            foreach (var (item, refusal) in refused) frontier.Drop(item, refusal!);
        });
        var gone = refused.Select(r => r.Item).ToHashSet();
        return [.. round.Where(i => !gone.Contains(i))];
    }

    private Refusal? Refuse(FrontierUrl item)
    {
        if (traps.Count > 0 && traps.Contains((item.Url.Host, PageShape.Of(item.Url)))) return Trap(item);
        return sites.Refuse(item.Url.Host);
    }

    /// <summary>Records visits in their order.</summary>
    public void Add(IReadOnlyList<Visit> visits)
    {
        var most = Math.Max(KnownAtLeast, (long)KnownPerPage * options.MaxPages);
        foreach (var visit in visits) Add(visit, Math.Max(0, most - frontier.Known(UrlKind.Page)));
        frontier.CloseHosts(options.MaxPagesPerHost, options.HostPatience);
    }

    // Takes in as many links as there is room for.
    private void Add(Visit visit, long room)
    {
        if (visit.WasAsked) frontier.CountAsked(visit.Item.Kind);
        if (visit.Refusal is { Wait: { } wait })
        {
            frontier.Rest(visit.AnsweredBy ?? visit.Item.Url.Host, Now() + wait.TotalSeconds);
            frontier.ForgetVisit(visit.Item);
            if (visit.AnsweredBy is not null) frontier.Rest(visit.Item.Url.Host, Now() + wait.TotalSeconds); // it leads to where nothing may be asked yet
            return;
        }
        if (visit.Picture is not null && frontier.IsOptedOut(visit.Item))
        {
            frontier.EndVisit(visit.Item); // it was on its way when a page refused it
            return;
        }
        var again = TriesAgain(visit);
        if (again) return;
        if (visit.Page is { OptOut: not null } refusing) RefusePictures(refusing); // also where it is dropped as a copy
        if (visit.Picture is not null) frontier.PutPicture(visit.Item.Url.AbsoluteUri, visit.Picture);
        if (visit.Picture?.OptOut is not null) frontier.CountOptedOut(1);
        if (visit.Missing != 0) frontier.SetMissingPage(visit.Item.Url.Host, visit.Missing);
        var alike = false;
        if ((visit.Refusal ?? (visit.Page is null ? null : Duplicate(visit, out alike))) is { } refusal)
        {
            frontier.Drop(visit.Item, refusal, visit.Status);
            if (!alike) return;
            frontier.CountMiss(visit.Item.Url.Host, miss: true);
        }
        else
        {
            frontier.Done(visit.Item, visit.Status);
            if (visit.Page is not null) Keep(visit);
        }
        AddLinks(visit, room);
    }

    private void Keep(Visit visit)
    {
        var page = visit.Page!;
        if (page.FinalUrl != page.Url) frontier.Settle(visit.Item with { Url = new Uri(page.FinalUrl) }, new("duplicate-url", page.Url));
        frontier.PutPage(page, visit.Item.Url.Host, page.Relevance < OffTopic);
        sites.Count(visit.Item.Url.Host);
        if (page.OptOut is not null) frontier.CountOptedOut(1 + page.Pictures.Count);
        if (options.MaxPictures == 0) return;
        foreach (var picture in page.Pictures)
            if (picture.Refused is null) frontier.Add(new(new Uri(picture.Url), UrlKind.Picture, page.Depth, page.Relevance));
    }

    // What a page refuses of its own site's pictures is refused wherever they stand; over another site's it has no say.
    private void RefusePictures(Page page)
    {
        if (!OptOuts.SpeaksOfTraining(page.OptOut!)) return;
        var at = new Uri(page.FinalUrl);
        var outcome = new PictureOutcome(null, PagePicture.RefusedByOptOut + page.OptOut, null, page.OptOut) { Consent = page.Consent };
        foreach (var url in page.Pictures.Select(p => new Uri(p.Url)))
            if (SiteBudget.AreOneSite(at, url)) frontier.RefusePicture(new(url, UrlKind.Picture, page.Depth, page.Relevance), outcome, page.FinalUrl);
    }

    private void AddLinks(Visit visit, long room)
    {
        var taken = (int)Math.Min(room, visit.Links.Count);
        foreach (var (item, denied) in visit.Links.Take(taken))
        {
            if (denied is not null) frontier.AddDropped(item, denied);
            else if (Refuse(item) is { } refusal) frontier.AddDropped(item, refusal);
            else frontier.Add(item);
        }
        if (visit.Item.Depth < MaxSitemapDepth)
            foreach (var sitemap in visit.Sitemaps.Take(MaxSitemaps)) frontier.Add(new(sitemap, UrlKind.Sitemap, visit.Item.Depth + 1, visit.Item.Priority));
    }

    // What may answer another time stays in the queue, while its host rests: longer each time.
    private bool TriesAgain(Visit visit)
    {
        var host = visit.AnsweredBy ?? visit.Item.Url.Host; // a redirect may have led to another
        if (!visit.IsBusy && !visit.IsCutOff)
        {
            if (!visit.WasAsked) return false;
            frontier.CountFailure(host, failed: false);
            gates.SpeedUp(host);
            return false;
        }
        var failures = frontier.CountFailure(host, visit.IsCutOff);
        var tries = frontier.TryAgain(visit.Item, visit.Refusal!);
        var wait = visit.RetryAfter ?? TimeSpan.FromSeconds(1 << Math.Min(Math.Max(tries, failures) - 1, 6));
        if (gates.RestOf(host) is var rest && rest > wait) wait = rest;
        frontier.Rest(host, Now() + wait.TotalSeconds);
        if (visit.RetryAfter > HostGates.LongestWait) frontier.CloseHost(host, new(Frontier.Unreachable, $"asks to be left alone for {visit.RetryAfter.Value.TotalHours:0.#} h", visit.RetryAfter.Value.TotalSeconds, HostGates.LongestWait.TotalSeconds));
        else if (failures >= MostFailures) frontier.CloseHost(host, new(Frontier.Unreachable, $"{failures} requests in a row failed, the last by {visit.Refusal!.Reason}", failures, MostFailures));
        else if (tries < MostTries)
        {
            frontier.ForgetVisit(visit.Item);
            return true;
        }
        return false;
    }

    private double Now() => clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;

    private Refusal? Duplicate(Visit visit, out bool alike)
    {
        var page = visit.Page!;
        alike = false;
        if (page.FinalUrl != page.Url && frontier.Holds(new Uri(page.FinalUrl))) return new("duplicate-url", page.FinalUrl);
        if (frontier.CoveredBy(page) is { } twin) return new("duplicate-content", twin);
        if (visit.Signature is not { } signature) return null;
        var host = visit.Item.Url.Host;
        if (frontier.MissingPage(host) is not 0 and var missing && PageSignature.AreNear(missing, signature.Words)) return new("soft-404", "it says what the host says with status 404");
        var shape = PageShape.Of(visit.Item.Url);
        var history = frontier.HistoryOf(host, shape).With(signature, out var novel);
        frontier.SetHistory(host, shape, history);
        if (history.IsTrap) traps.Add((host, shape));
        if (novel || visit.Item.Depth == 0) return null;
        alike = true;
        return new("near-identical", $"its words and pictures are those of a page with an address like it ({history.Novel} of {history.Seen} differ)", history.Novel, history.Seen);
    }

    private static Refusal Trap(FrontierUrl item) => new("trap", $"addresses like {item.Url.AbsolutePath} bring the same page again and again");
}
