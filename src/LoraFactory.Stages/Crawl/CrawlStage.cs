using System.Collections.Concurrent;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Pages;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// Stage 1, Seed → Page: expands the topic, then fetches in rounds what the frontier holds, best first, until budgets or links run out.
/// A round is chosen from the frontier alone and recorded in its own order in one transaction: a killed run goes on with the round it was in,
/// and which pages are kept does not depend on which server answered first.
/// </summary>
public sealed class CrawlStage : IStage
{
    // A round takes from each host what its pause allows in about this time, so that no host waits long for another.
    private const double RoundSeconds = 2;
    private const int MaxPerRound = 32, FirstOfHost = 4, MaxSitemapDepth = 3;
    private const double OffTopic = 0.1;
    // What a web without end may cost: requests for each page or picture that is kept, sitemaps read, and URLs remembered for each page.
    private const int AskedPerKept = 4, AskedAtLeast = 50, MaxSitemaps = 100, KnownPerPage = 100, KnownAtLeast = 20_000;

    /// <inheritdoc/>
    public StageName Name => StageName.Crawl;

    /// <inheritdoc/>
    public IEnumerable<object> Options(Recipe recipe) => OwnPictures(recipe) ? ["folder", recipe.Seed] : [recipe.Seed, Lasting(recipe.Crawl)];

    /// <inheritdoc/>
    public IEnumerable<string> Inputs(StageContext context) => context.Recipe.Seed.ConceptStore is { Length: > 0 } store ? [store] : [];

    /// <inheritdoc/>
    public IEnumerable<MachineFinding> Look(Recipe recipe) =>
        PlayedWeb.Fault(recipe, "lora demo") is { } fault ? [new("LR214", "seed.urls", fault) { OfItsStage = true }] : [];

    /// <inheritdoc/>
    public async Task<StageOutcome> RunAsync(StageContext context, CancellationToken token)
    {
        if (OwnPictures(context.Recipe))
        {
            RunDirectory.WriteJson(context.Run.File(Name, "seed.json"), MakeSeed(context));
            RunDirectory.WriteLines<Page>(context.Run.File(Name, "pages.jsonl"), []);
            return new(0, 0, new Dictionary<string, int>(), "nothing to crawl: the pictures come from label.folder");
        }
        if (context.Recipe.Seed.Urls.Count == 0)
            throw new LoraException("seed.urls is empty: give at least one http(s) URL where the crawl begins, or use label.source: folder for pictures of your own.", ExitCode.BadUsage);
        var seed = MakeSeed(context);
        RunDirectory.WriteJson(context.Run.File(Name, "seed.json"), seed);
        var key = ContentId.Of(Frontier.Form, seed.Id, JsonSerializer.Serialize(Lasting(context.Recipe.Crawl), RunDirectory.Json));
        try
        {
            using var frontier = Frontier.Open(context.Run.File(Name, "frontier.db"), key);
            await CrawlAsync(context, seed, frontier, token);
            frontier.SettleTwins();
            return WriteResults(context, frontier);
        }
        catch (SqliteException e) when (FullDisk.Met(e))
        {
            throw new LoraException($"{context.Run.Of(Name)} could not be written: the disk is full. Free some space and run the same command again; nothing was lost.", inner: e);
        }
        catch (SqliteException e) when (e.SqliteErrorCode is 11 or 26)
        {
            throw new LoraException($"{context.Run.File(Name, "frontier.db")} is damaged: delete {context.Run.Of(Name)} to crawl again.", inner: e);
        }
    }

    private static bool OwnPictures(Recipe recipe) => recipe.Label.Source == "folder";

    // Where a host lies, and how many are asked at once, does not change what it says: a demo web on another port is the same web.
    private static CrawlOptions Lasting(CrawlOptions options) => options with { Resolve = [], Concurrency = 0 };

    private static Seed MakeSeed(StageContext context)
    {
        var options = context.Recipe.Seed;
        using var wordNet = WordNet.Open();
        if (wordNet is null && options.ExpandDepth > 0)
            context.Progress.Line($"WordNet is not at {WordNet.DefaultPath} (apt install wordnet-base): the topic is not expanded by it.");
        using var concepts = options.ConceptStore.Length > 0 ? ConceptStore.Open(options.ConceptStore) : null;
        return SeedExpansion.Expand(options, wordNet, concepts);
    }

    private static async Task CrawlAsync(StageContext context, Seed seed, Frontier frontier, CancellationToken token)
    {
        var options = context.Recipe.Crawl;
        var gates = new HostGates(context.Clock, TimeSpan.FromSeconds(options.DelaySeconds));
        using var fetcher = new PageFetcher(options, new AddressGuard(options.AllowPrivateHosts, options.Resolve), gates, context.Clock);
        var robots = new RobotsCache(options, fetcher, gates);
        var relevance = new TopicRelevance(seed);
        var visitor = new PageVisitor(options, seed, context.Run, fetcher, robots, relevance);
        var links = new LinkPolicy(options, seed, relevance);
        if (frontier.ForgetWhenFruitless()) context.Progress.Line("crawl: the last try fetched no page, so it begins anew");
        await PlantAsync(seed, frontier, robots, token);

        using var bar = context.Progress.Begin("pages", options.MaxPages, "pages");
        while (true)
        {
            var (pages, pictures) = (frontier.Pages, frontier.Pictures);
            var round = frontier.NextRound(options.Concurrency * 4, host => Quota(host, robots, gates), Left(frontier, UrlKind.Page, options.MaxPages, pages), options.MaxPagesPerHost,
                Left(frontier, UrlKind.Picture, options.MaxPictures, pictures), (int)Math.Max(0, MaxSitemaps - frontier.Asked(UrlKind.Sitemap)));
            bar.Set(pages, Math.Min(options.MaxPages, Math.Max(pages + frontier.Queued, 1)));
            bar.Note($"{pictures} pictures, {frontier.Queued} waiting");
            if (round.Count == 0) break;
            var visits = await VisitAsync(round, visitor, options.Concurrency, token);
            frontier.Commit(() =>
            {
                var room = Math.Max(KnownAtLeast, (long)KnownPerPage * options.MaxPages) - frontier.Known(UrlKind.Page);
                foreach (var item in round) room -= Record(frontier, links, visits[item], Math.Max(0, room));
                frontier.CloseHosts(options.MaxPagesPerHost, options.HostPatience);
            });
        }
    }

    // Pages or pictures that may still be asked for: of a web that answers nothing but errors, no more than a few times the budget.
    private static int Left(Frontier frontier, UrlKind kind, int most, int kept) =>
        (int)Math.Max(0, Math.Min(most - kept, Math.Max(AskedAtLeast, (long)AskedPerKept * most) - frontier.Asked(kind)));

    // Seed URLs, and the sitemaps that their hosts name in robots.txt.
    private static async Task PlantAsync(Seed seed, Frontier frontier, RobotsCache robots, CancellationToken token)
    {
        var urls = seed.Urls.Select(u => new Uri(u)).ToList();
        frontier.Commit(() => urls.ForEach(url => frontier.Add(new(url, UrlKind.Page, 0, 1))));
        var origins = urls.Select(u => new Uri(CanonicalUrl.Origin(u))).Distinct().ToList();
        var policies = await Task.WhenAll(origins.Select(o => robots.OfAsync(o, token)));
        frontier.Commit(() =>
        {
            foreach (var (origin, policy) in origins.Zip(policies))
                foreach (var line in policy.Rules.Sitemaps)
                    if (policy.Closed is null && CanonicalUrl.Parse(line, origin) is { } sitemap) frontier.Add(new(sitemap, UrlKind.Sitemap, 0, 1));
        });
    }

    private static int Quota(FrontierHost host, RobotsCache robots, HostGates gates)
    {
        if (robots.Known($"http://{host.Name}") is null && robots.Known($"https://{host.Name}") is null) return FirstOfHost;
        var pause = gates.PauseOf(host.Name).TotalSeconds;
        return pause <= 0 ? MaxPerRound : (int)Math.Clamp(RoundSeconds / pause, 1, MaxPerRound);
    }

    private static async Task<ConcurrentDictionary<FrontierUrl, Visit>> VisitAsync(IReadOnlyList<FrontierUrl> round, PageVisitor visitor, int concurrency, CancellationToken token)
    {
        var visits = new ConcurrentDictionary<FrontierUrl, Visit>();
        var hosts = round.GroupBy(i => i.Url.Host, StringComparer.Ordinal);
        await Parallel.ForEachAsync(hosts, new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = token }, async (host, stop) =>
        {
            foreach (var item in host) visits[item] = await visitor.VisitAsync(item, stop);
        });
        return visits;
    }

    // How many links it took in; those beyond the room are left out.
    private static int Record(Frontier frontier, LinkPolicy links, Visit visit, long room)
    {
        if (visit.Refusal?.Reason is not ("robots-denied" or "robots-unreachable" or "crawl-delay" or "address-refused")) frontier.CountAsked(visit.Item.Kind);
        if (visit.Picture is not null) frontier.PutPicture(visit.Item.Url.AbsoluteUri, visit.Picture);
        var refusal = visit.Refusal ?? (visit.Page is null ? null : Duplicate(frontier, visit.Page));
        if (refusal is not null)
        {
            frontier.Drop(visit.Item, refusal);
            return 0;
        }
        frontier.Done(visit.Item);
        if (visit.Page is not null)
        {
            if (visit.Page.FinalUrl != visit.Page.Url) frontier.AddDropped(visit.Item with { Url = new Uri(visit.Page.FinalUrl) }, new("duplicate-url", visit.Page.Url));
            frontier.PutPage(visit.Page, visit.Item.Url.Host, visit.Page.Relevance < OffTopic);
            foreach (var picture in visit.Page.Pictures)
                if (picture.Refused is null) frontier.Add(new(new Uri(picture.Url), UrlKind.Picture, visit.Page.Depth, visit.Page.Relevance));
        }
        var taken = (int)Math.Min(room, visit.Links.Count);
        foreach (var link in visit.Links.Take(taken))
        {
            var (item, denied) = links.Judge(link, visit);
            if (denied is null) frontier.Add(item);
            else frontier.AddDropped(item, denied);
        }
        if (visit.Item.Depth < MaxSitemapDepth)
            foreach (var sitemap in visit.Sitemaps.Take(MaxSitemaps)) frontier.Add(new(sitemap, UrlKind.Sitemap, visit.Item.Depth + 1, visit.Item.Priority));
        return taken;
    }

    private static Refusal? Duplicate(Frontier frontier, Page page)
    {
        if (page.FinalUrl != page.Url && frontier.Knows(new Uri(page.FinalUrl))) return new("duplicate-url", page.FinalUrl);
        return frontier.CoveredBy(page) is { } twin ? new("duplicate-content", twin) : null;
    }

    private StageOutcome WriteResults(StageContext context, Frontier frontier)
    {
        var reasons = new SortedDictionary<string, int>(StringComparer.Ordinal);
        IEnumerable<Drop> Drops()
        {
            foreach (var (kind, drop) in frontier.AllDrops())
            {
                var reason = kind == UrlKind.Page ? drop.Reason : $"{kind.ToString().ToLowerInvariant()}:{drop.Reason}";
                reasons[reason] = reasons.GetValueOrDefault(reason) + 1;
                yield return drop with { Reason = reason };
            }
        }

        RunDirectory.WriteLines(context.Run.File(Name, "dropped.jsonl"), Drops());
        RunDirectory.WriteLines(context.Run.File(Name, "pages.jsonl"), frontier.AllPages());
        var (pages, pictures) = (frontier.Pages, frontier.Pictures);
        if (pages == 0)
        {
            var why = string.Join(", ", reasons.OrderByDescending(r => r.Value).Take(3).Select(r => $"{r.Key} ({r.Value})"));
            throw new LoraException($"Not one page could be fetched; commonest reasons: {why}. {context.Run.File(Name, "dropped.jsonl")} names each URL.");
        }
        return new(frontier.Known(UrlKind.Page), pages, reasons, $"{pages} pages with {pictures} pictures fetched");
    }
}
