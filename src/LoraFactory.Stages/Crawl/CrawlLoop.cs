using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// Fetches in rounds. A round is chosen from the frontier and recorded in its own order in one transaction, so which pages are kept does not depend on
/// which server answered first. A host that keeps a round waiting is let go on by itself: what it answers is recorded with a later round. What was
/// fetched is kept at once, so that a killed crawl asks again for nothing but what was on its way.
/// </summary>
internal sealed class CrawlLoop(StageContext context, Frontier frontier, RobotsCache robots, HostGates gates, PageVisitor visitor, CrawlReporter reporter)
{
    // A round takes from each host what its pause allows in about this time, so that no host waits long for another.
    private static readonly TimeSpan RoundTime = TimeSpan.FromSeconds(2);
    // How long a round waits for a host before it goes on without, and how long for an answer that began late.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5), LeastPatience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PauseIsLookedAt = TimeSpan.FromSeconds(0.25);
    private const int MaxPerRound = 32, FirstOfHost = 4;
    // What a web without end may cost: requests for each page or picture that is kept.
    private const int AskedPerKept = 4, AskedAtLeast = 50;

    private readonly CrawlOptions options = context.Recipe.Crawl;
    private readonly CrawlRecord record = new(context, frontier, gates);
    private readonly CrawlWaits waits = new(frontier, robots);
    private readonly Dictionary<string, (FrontierUrl Item, Task<Visit> Visit)> late = new(StringComparer.Ordinal);
    private TimeSpan nextReady;
    private string? nextHost;

    /// <summary>Crawls until budgets or links run out.</summary>
    public async Task RunAsync(CancellationToken token)
    {
        try
        {
            while (true)
            {
                var paused = CrawlPause.IsOn(context.Run);
                var round = paused ? [] : Choose();
                if (paused) nextReady = PauseIsLookedAt;
                reporter.Show(late.Count, late.Count > 0 ? waits.ForAnswers([.. late.Values.Select(l => l.Item)]) : round.Count == 0 ? waits.ForRest(nextHost, nextReady) : "", paused);
                if (round.Count == 0 && late.Count == 0 && nextReady == TimeSpan.MaxValue) break;
                var visits = round.Count > 0 ? await VisitAsync(round, token) : await WaitAsync(token);
                frontier.Commit(() => record.Add(visits));
            }
            reporter.Ended();
        }
        finally
        {
            // nothing may use the fetcher after this; what was on its way is asked for again
            await Task.WhenAll(late.Values.Select(l => l.Visit)).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private IReadOnlyList<FrontierUrl> Choose()
    {
        (nextReady, nextHost) = (TimeSpan.MaxValue, null);
        var now = Now();
        if (frontier.EarliestReady(now) is var (host, ready)) (nextReady, nextHost) = (TimeSpan.FromSeconds(ready - now), host);
        // hosts that are late hold one URL each, page or picture
        var budget = new RoundBudget(Left(UrlKind.Page, options.MaxPages, frontier.Pages + late.Count), options.MaxPagesPerHost, Left(UrlKind.Picture, options.MaxPictures, frontier.Pictures + late.Count), (int)Math.Max(0, CrawlRecord.MaxSitemaps - frontier.Asked(UrlKind.Sitemap)));
        if (budget is { Pages: 0, Pictures: 0 })
        {
            nextReady = TimeSpan.MaxValue; // nothing may be taken any more, so nobody's rest is waited for
            return [];
        }
        while (true)
        {
            var round = frontier.NextRound(options.Concurrency * 4, host => Quota(host, now), budget);
            var worthwhile = round.Count == 0 ? round : record.Worthwhile(round);
            if (worthwhile.Count > 0 || round.Count == 0) return worthwhile; // where all of it was dropped, there may be more
        }
    }

    // Pages or pictures that may still be asked for: of a web that answers nothing but errors, no more than a few times the budget.
    private int Left(UrlKind kind, int most, int kept) => (int)Math.Max(0, Math.Min(most - kept, Math.Max(AskedAtLeast, (long)AskedPerKept * most) - frontier.Asked(kind)));

    private int Quota(FrontierHost host, double now)
    {
        if (host.Ready > now || late.ContainsKey(host.Name)) return 0;
        var rest = gates.RestOf(host.Name);
        if (rest > RoundTime)
        {
            if (rest < nextReady) (nextReady, nextHost) = (rest, host.Name);
            return 0;
        }
        if (robots.Known($"http://{host.Name}") is null && robots.Known($"https://{host.Name}") is null) return FirstOfHost;
        var pause = gates.PauseOf(host.Name);
        return pause <= TimeSpan.Zero ? MaxPerRound : (int)Math.Clamp(RoundTime / pause, 1, MaxPerRound);
    }

    // Hosts side by side, each host's URLs one after the other; in the order of the round, with what came late before it.
    private async Task<IReadOnlyList<Visit>> VisitAsync(IReadOnlyList<FrontierUrl> round, CancellationToken token)
    {
        var visits = new List<Visit>[round.Count];
        var place = round.Select((item, i) => (item, i)).ToDictionary(p => p.item, p => p.i);
        var lanes = round.GroupBy(i => i.Url.Host, StringComparer.Ordinal).ToList();
        var newlyLate = new List<(FrontierUrl Item, Task<Visit> Visit)>();
        try
        {
            await Lanes();
        }
        finally
        {
            foreach (var (item, visit) in newlyLate) late.Add(item.Url.Host, (item, visit));
        }
        var all = Finished();
        all.AddRange(visits.Where(v => v is not null).SelectMany(v => v));
        return all;

        Task Lanes() => Parallel.ForEachAsync(lanes, new ParallelOptions { MaxDegreeOfParallelism = options.Concurrency, CancellationToken = token }, async (lane, stop) =>
        {
            var started = context.Clock.GetTimestamp();
            foreach (var item in lane)
            {
                if (gates.RestOf(lane.Key) > Patience) break; // it asked to be left alone: the rest waits in the queue
                var visit = OneAsync(item, token);
                var left = Patience - context.Clock.GetElapsedTime(started);
                if (!visit.IsCompleted) await EndsOrTimeAsync(visit, left > LeastPatience ? left : LeastPatience, stop);
                if (visit.IsCompleted)
                {
                    visits[place[item]] = [await visit];
                    continue;
                }
                lock (newlyLate) newlyLate.Add((item, visit));
                break;
            }
        });
    }

    // Waits for the visit, for this long at most; the visit itself goes on.
    private async Task EndsOrTimeAsync(Task<Visit> visit, TimeSpan most, CancellationToken stop) =>
        await ((Task)visit).WaitAsync(most, context.Clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task<Visit> OneAsync(FrontierUrl item, CancellationToken token)
    {
        if (record.HasKept && frontier.KeptVisit(item) is { } kept && Read(kept) is { } before)
        {
            if (before.Status is 429 or 503) gates.SlowDown(before.AnsweredBy ?? item.Url.Host, before.RetryAfter ?? TimeSpan.Zero); // what it asked of the process that was killed
            return before;
        }
        var visit = await visitor.VisitAsync(item, token);
        if (visit.WasAsked) frontier.KeepVisit(item, JsonSerializer.SerializeToUtf8Bytes(visit, CrawlJson.Default.Visit));
        return visit;
    }

    // One that another version wrote and this one cannot read is asked for again.
    private static Visit? Read(byte[] kept)
    {
        try
        {
            return JsonSerializer.Deserialize(kept, CrawlJson.Default.Visit);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // Nothing can be asked now: until a late answer comes or a host has rested.
    private async Task<IReadOnlyList<Visit>> WaitAsync(CancellationToken token)
    {
        var most = TimeSpan.FromSeconds(1);
        var wait = nextReady < TimeSpan.FromMilliseconds(5) ? TimeSpan.FromMilliseconds(5) : nextReady < most ? nextReady : most; // the bar moves meanwhile
        await Task.WhenAny([Task.Delay(wait, context.Clock, token), .. late.Values.Select(l => l.Visit)]);
        token.ThrowIfCancellationRequested();
        return Finished();
    }

    private List<Visit> Finished()
    {
        var done = late.Where(l => l.Value.Visit.IsCompleted).OrderBy(l => l.Key, StringComparer.Ordinal).ToList();
        foreach (var (host, _) in done) late.Remove(host);
        return [.. done.Select(d => d.Value.Visit.GetAwaiter().GetResult())];
    }

    private double Now() => context.Clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;
}
