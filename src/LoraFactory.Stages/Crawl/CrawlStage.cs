using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Pages;
using LoraFactory.Stages.Crawl.Rendering;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// Stage 1, Seed → Page: expands the topic, then fetches what the frontier holds, best first, until budgets or links run out (<see cref="CrawlLoop"/>).
/// </summary>
public sealed class CrawlStage : IStage
{
    private static readonly TimeSpan Shown = TimeSpan.FromSeconds(1); // how often it says that robots.txt of the seeds are waited for

    /// <inheritdoc/>
    public StageName Name => StageName.Crawl;

    /// <inheritdoc/>
    public IEnumerable<object> Options(Recipe recipe) => OwnPictures(recipe) ? ["folder", recipe.Seed] : [recipe.Seed, Lasting(recipe.Crawl)];

    /// <inheritdoc/>
    public IEnumerable<string> Inputs(StageContext context) => context.Recipe.Seed.ConceptStore is { Length: > 0 } store ? [store] : [];

    /// <inheritdoc/>
    public IEnumerable<MachineFinding> Look(Recipe recipe)
    {
        if (PlayedWeb.Fault(recipe, "lora demo") is { } fault) yield return new("LR214", "seed.urls", fault) { OfItsStage = true };
        if (StoreFault(recipe.Seed) is { } none) yield return none;
        if (!OwnPictures(recipe) && Renders(recipe.Crawl) && ChromiumProgram.Find() is null) yield return new("LR235", "crawl.render", ChromiumProgram.Missing) { OfItsStage = true };
    }

    // Of a folder of pictures too, whose crawl expands its topic and fetches nothing.
    private static MachineFinding? StoreFault(SeedOptions seed)
    {
        if (seed.ConceptStore.Length == 0) return null;
        try
        {
            ConceptStore.Open(seed.ConceptStore).Dispose();
            return null;
        }
        catch (LoraException e)
        {
            return MachineFinding.Of("LR236", "seed.concept_store", e, seed.ConceptStore) with { OfItsStage = true };
        }
    }

    /// <inheritdoc/>
    public async Task<StageOutcome> RunAsync(StageContext context, CancellationToken token)
    {
        if (OwnPictures(context.Recipe))
        {
            RunDirectory.WriteJson(context.Run.File(Name, "seed.json"), await MakeSeedAsync(context, token));
            RunDirectory.WriteLines<Page>(context.Run.File(Name, "pages.jsonl"), []);
            return new(0, 0, new Dictionary<string, int>(), "nothing to crawl: the pictures come from label.folder");
        }
        if (context.Recipe.Seed.Urls.Count == 0)
            throw new LoraException("seed.urls is empty: give at least one http(s) URL where the crawl begins, or use label.source: folder for pictures of your own.", ExitCode.BadUsage);
        var seed = await MakeSeedAsync(context, token);
        RunDirectory.WriteJson(context.Run.File(Name, "seed.json"), seed);
        var key = ContentId.Of(Frontier.Form, seed.Id, JsonSerializer.Serialize(Settled(context.Recipe.Crawl), RunDirectory.Json));
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

    private static bool Renders(CrawlOptions options) => options.Render != "off";

    private static bool OwnPictures(Recipe recipe) => recipe.Label.Source == "folder";

    // Where a host lies, and how many are asked at once, does not change what it says: a demo web on another port is the same web.
    private static CrawlOptions Lasting(CrawlOptions options) => options with { Resolve = [], Concurrency = 0 };

    // What a host is deferred for may change without another crawl.
    private static CrawlOptions Settled(CrawlOptions options) => Lasting(options) with { MaxCrawlDelaySeconds = 0 };

    private static async Task<Seed> MakeSeedAsync(StageContext context, CancellationToken token)
    {
        var options = context.Recipe.Seed;
        using var wordNet = WordNet.Open();
        if (wordNet is null && options.ExpandDepth > 0)
            context.Progress.Line($"WordNet is not at {WordNet.DefaultPath} (apt install wordnet-base): the topic is not expanded by it.");
        using var concepts = options.ConceptStore.Length > 0 ? ConceptStore.Open(options.ConceptStore) : null;
        using var asked = await ConceptApi.AskAsync(context, token);
        return concepts is null && asked is null ? SeedExpansion.Expand(options, wordNet, null) : SeedExpansion.ExpandFrom(options, wordNet, term => [.. concepts?.Of(term) ?? [], .. asked?.Of(term) ?? []]);
    }

    private static async Task CrawlAsync(StageContext context, Seed seed, Frontier frontier, CancellationToken token)
    {
        var options = context.Recipe.Crawl;
        var pause = TimeSpan.FromSeconds(options.DelaySeconds);
        var gates = new HostGates(context.Clock, pause, options.AddressDelaySeconds < 0 ? pause / 4 : TimeSpan.FromSeconds(options.AddressDelaySeconds));
        using var fetcher = new PageFetcher(options, new AddressGuard(options.AllowPrivateHosts, options.Resolve, allowPorts: options.AllowPorts), gates, context.Clock);
        var robots = new RobotsCache(options, fetcher, gates, context.Clock, frontier);
        var relevance = new TopicRelevance(seed);
        var policy = new LinkPolicy(options, seed, relevance, new ConsentLedger(context.Run));
        await using var renderer = Renders(options) ? new PageRenderer(options, fetcher, gates, robots, policy.Withdrawn, context.Clock) : null;
        if (renderer is not null) context.Progress.Line($"crawl: pages are rendered in {await renderer.StartAsync(token)}");
        var visitor = new PageVisitor(options, seed, context.Run, fetcher, robots, relevance, policy, context.Clock, frontier, renderer);
        CrawlPause.End(context.Run); // who starts a crawl wants it to go on
        if (frontier.ForgetWhenFruitless()) context.Progress.Line("crawl: the last try fetched no page, so it begins anew");
        if (frontier.TakeUpDeferred() is > 0 and var deferred) context.Progress.Line($"crawl: {deferred} URLs that were deferred are looked at again");
        var now = context.Clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;
        foreach (var (host, until) in frontier.Resting(now)) gates.LeaveAlone(host, TimeSpan.FromSeconds(until - now));
        using var reporter = new CrawlReporter(context, frontier, gates);
        await PlantAsync(context, seed, frontier, robots, policy, reporter, token);
        await new CrawlLoop(context, frontier, robots, gates, visitor, reporter).RunAsync(token);
    }

    // Seed URLs, and the sitemaps that their hosts name in robots.txt.
    private static async Task PlantAsync(StageContext context, Seed seed, Frontier frontier, RobotsCache robots, LinkPolicy policy, CrawlReporter reporter, CancellationToken token)
    {
        var urls = seed.Urls.Select(u => new Uri(u)).ToList();
        frontier.Commit(() =>
        {
            foreach (var item in urls.Select(url => new FrontierUrl(url, UrlKind.Page, 0, 1)))
            {
                if (policy.Withdrawn(item.Url.AbsoluteUri) is { } gone) frontier.AddDropped(item, gone);
                else frontier.Add(item);
            }
        });
        var origins = urls.Select(u => new Uri(CanonicalUrl.Origin(u))).Distinct().ToList();
        var reading = Task.WhenAll(origins.Select(o => robots.OfAsync(o, token)));
        var waits = new CrawlWaits(frontier, robots);
        while (await Task.WhenAny(reading, Task.Delay(Shown, context.Clock, CancellationToken.None)) != reading) // which ends by itself when it is cancelled
            reporter.Show(0, waits.ForAnswers([.. origins.Where(o => robots.Known(CanonicalUrl.Origin(o)) is null).Select(o => new FrontierUrl(o, UrlKind.Page, 0, 1))]));
        var policies = await reading;
        frontier.Commit(() =>
        {
            foreach (var (origin, policy) in origins.Zip(policies))
                foreach (var line in policy.Rules.Sitemaps)
                    if (policy.Closed is null && CanonicalUrl.Parse(line, origin) is { } sitemap) frontier.Add(new(sitemap, UrlKind.Sitemap, 0, 1));
        });
    }

    private StageOutcome WriteResults(StageContext context, Frontier frontier)
    {
        var reasons = new SortedDictionary<string, int>(StringComparer.Ordinal);
        IEnumerable<Drop> Drops()
        {
            foreach (var (kind, drop) in frontier.AllDrops())
            {
                var reason = CrawlTally.Name(kind, drop.Reason);
                reasons[reason] = reasons.GetValueOrDefault(reason) + 1;
                yield return drop with { Reason = reason };
            }
        }

        RunDirectory.WriteLines(context.Run.File(Name, "dropped.jsonl"), Drops());
        RunDirectory.WriteLines(context.Run.File(Name, "pages.jsonl"), frontier.AllPages(new ConsentLedger(context.Run)));
        var (pages, pictures) = (frontier.Pages, frontier.Pictures);
        if (pages == 0)
        {
            var why = string.Join(", ", reasons.OrderByDescending(r => r.Value).Take(3).Select(r => $"{r.Key} ({r.Value})"));
            throw new LoraException($"Not one page could be fetched; commonest reasons: {why}. {context.Run.File(Name, "dropped.jsonl")} names each URL.");
        }
        return new(frontier.Known(UrlKind.Page), pages, reasons, $"{pages} pages with {pictures} pictures fetched");
    }
}
