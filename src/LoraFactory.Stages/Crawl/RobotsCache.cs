using System.Collections.Concurrent;
using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>What one origin allows: its robots.txt, its pause, and its reservations.</summary>
public sealed record OriginPolicy
{
    /// <summary>Rules that apply to this crawler.</summary>
    public required RobotsRules Rules { get; init; }
    /// <summary>Set when nothing of the origin may be fetched: robots.txt could not be read, or asks for too long a pause.</summary>
    public Refusal? Closed { get; init; }
    /// <summary>When robots.txt was read, UTC.</summary>
    public DateTimeOffset At { get; init; }
    /// <summary>How long that holds.</summary>
    public TimeSpan Lasts { get; init; } = TimeSpan.FromHours(24);
    /// <summary>Reservations of /.well-known/tdmrep.json, in order.</summary>
    public IReadOnlyList<TdmReservation> Tdm { get; init; } = [];
    /// <summary>Whether that file could not be read, so that all is taken for reserved.</summary>
    public bool IsTdmUnread { get; init; }
}

/// <summary>
/// Reads each origin's robots.txt once in 24 hours and fails closed (RFC 9309 §2.3.1, §2.4): 4xx means that there is none; 5xx, 429, time-outs,
/// network errors and endless redirects mean that nothing may be fetched. (429 and endless redirects are this crawl's own, stricter, choice.)
/// What could not be read is asked for twice more, after a longer wait each time, and meanwhile its host's URLs wait in the queue.
/// What was read is kept in the frontier, so that a crawl that goes on need not ask again.
/// </summary>
/// <param name="options">User agent and the longest pause that is waited.</param>
/// <param name="fetcher">Fetches.</param>
/// <param name="gates">Where a host's pause is set.</param>
/// <param name="clock">The clock of the 24 hours.</param>
/// <param name="store">Where it is kept; null keeps it in memory alone.</param>
public sealed class RobotsCache(CrawlOptions options, PageFetcher fetcher, HostGates gates, TimeProvider clock, Frontier? store = null)
{
    private const int MaxTdmBytes = 512 * 1024, MostInMemory = 4000;
    // Unanswered requests for one robots.txt or tdmrep.json; the wait after the first is so many pauses, and each further one so many times as long.
    internal const int MostTries = 3;
    private const string TdmPath = "/.well-known/tdmrep.json";
    private const int PausesToWait = 5, LongerEachTime = 8;
    private static readonly TimeSpan Lasts = TimeSpan.FromHours(24), LeastWait = TimeSpan.FromSeconds(0.25);

    private readonly ConcurrentDictionary<string, Entry> origins = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> unanswered = new(StringComparer.Ordinal);

    // One reading, which goes on while anybody waits for it: who asked first may be a page in the browser, which ends before the others.
    private sealed class Entry(CancellationTokenSource ended, Func<CancellationToken, Task<OriginPolicy>> load)
    {
        private readonly Lazy<Task<OriginPolicy>> policy = new(() => load(ended.Token));
        private int waiting;

        public OriginPolicy? Finished => policy is { IsValueCreated: true, Value.IsCompletedSuccessfully: true } ? policy.Value.Result : null;

        // It will never be finished: nobody waits for it any more, or it failed.
        public bool IsLost => ended.IsCancellationRequested || policy is { IsValueCreated: true, Value: { IsCompleted: true, IsCompletedSuccessfully: false } };

        // Null where everybody who had asked for it has gone.
        public async Task<OriginPolicy?> WaitAsync(CancellationToken token)
        {
            lock (ended)
            {
                if (ended.IsCancellationRequested) return null;
                waiting++;
            }
            try
            {
                return await policy.Value.WaitAsync(token);
            }
            finally
            {
                lock (ended)
                    if (--waiting == 0 && !policy.Value.IsCompleted) _ = ended.CancelAsync(); // marked at once; what it breaks off is not run within the lock
            }
        }
    }

    /// <summary>The policy of the URL's origin, fetched on first use. Throws when <paramref name="token"/> is cancelled, whoever else has asked and gone.</summary>
    public async Task<OriginPolicy> OfAsync(Uri url, CancellationToken token)
    {
        var origin = CanonicalUrl.Origin(url);
        if (Known(origin) is { } known) return known;
        if (origins.Count > MostInMemory)
            foreach (var old in origins.Where(o => o.Value.Finished is { } policy && (store is not null || IsOld(policy)))) origins.TryRemove(old);
        while (true)
        {
            var entry = origins.AddOrUpdate(origin, New, (key, old) => old.Finished is { } policy && IsOld(policy) ? New(key) : old);
            try
            {
                if (await entry.WaitAsync(token) is { } policy) return policy;
            }
            finally
            {
                if (entry.IsLost) origins.TryRemove(new(origin, entry)); // an interrupted reading says nothing about the host
            }
        }

        Entry New(string key) => new(new(), stop => LoadAsync(new Uri(key), stop));
    }

    /// <summary>The policy, if it is known already and not older than it may be.</summary>
    public OriginPolicy? Known(string origin) => origins.TryGetValue(origin, out var entry) && entry.Finished is { } policy && !IsOld(policy) ? policy : null;

    /// <summary>How often an origin's robots.txt was asked for without an answer that says something.</summary>
    public int Unanswered(string origin) => unanswered.GetValueOrDefault(origin);

    /// <summary>May this URL be fetched? Null when it may.</summary>
    public async ValueTask<Refusal?> JudgeAsync(Uri url, CancellationToken token)
    {
        var policy = await OfAsync(url, token);
        if (policy.Closed is not null) return policy.Closed;
        return policy.Rules.Allows(url.AbsoluteUri, out var rule) ? null : new("robots-denied", rule);
    }

    private bool IsOld(OriginPolicy policy) => clock.GetUtcNow() - policy.At >= policy.Lasts;

    private async Task<OriginPolicy> LoadAsync(Uri origin, CancellationToken token)
    {
        if (store?.RobotsOf(CanonicalUrl.Origin(origin)) is { } kept && Age(kept) is var age && age >= TimeSpan.Zero && age < Lasts) return Policy(origin, kept);
        var answer = await fetcher.GetAsync(new Uri(origin, "/robots.txt"), new("text/plain, */*;q=0.5", RobotsRules.MaxBytes + 1, MaxRedirects: 5, Truncate: true), token);
        token.ThrowIfCancellationRequested(); // a request that was broken off here is none that the host left unanswered
        var isThere = answer.Refusal is null;
        if (!isThere)
        {
            if (answer.Refusal!.Reason == "address-refused") return new() { Rules = RobotsRules.Empty, Closed = answer.Refusal, At = answer.At };
            if (!(answer.Refusal.Reason == "bad-status" && answer.Status is >= 400 and < 500 and not 429))
                return Unanswered(CanonicalUrl.Origin(origin), "robots.txt", answer);
        }
        unanswered.TryRemove(CanonicalUrl.Origin(origin), out _);
        var read = new KeptRobots(answer.At.ToUnixTimeMilliseconds() / 1000.0, isThere ? answer.Body : null, null);
        var policy = Policy(origin, read);
        if (policy.Closed is null)
        {
            var reservations = await TdmAsync(origin, policy.Rules, token);
            token.ThrowIfCancellationRequested();
            if (!IsSure(reservations))
            {
                var closed = Unanswered(CanonicalUrl.Origin(origin) + TdmPath, "tdmrep.json", reservations);
                return closed.Closed!.Wait is not null ? closed : policy with { Tdm = TdmReservation.Everything, IsTdmUnread = true };
            }
            unanswered.TryRemove(CanonicalUrl.Origin(origin) + TdmPath, out _);
            if (reservations.Refusal is null) policy = Policy(origin, read = read with { Tdm = reservations.Body });
        }
        store?.KeepRobots(CanonicalUrl.Origin(origin), read);
        return policy;
    }

    // Closed for a while, and after the last try for good.
    private OriginPolicy Unanswered(string asked, string file, Fetched answer)
    {
        var tries = unanswered.AddOrUpdate(asked, 1, (_, before) => before + 1);
        var closed = new Refusal("robots-unreachable", $"{file}: {answer.Refusal!.Reason} {answer.Refusal.Detail}", answer.Refusal.Value, answer.Refusal.Threshold);
        if (tries >= MostTries) return new() { Rules = RobotsRules.Empty, Closed = closed, At = answer.At };
        var own = TimeSpan.FromSeconds(options.DelaySeconds * PausesToWait);
        var wait = (own > LeastWait ? own : LeastWait) * Math.Pow(LongerEachTime, tries - 1);
        if (answer.RetryAfter > wait) wait = answer.RetryAfter.Value < HostGates.LongestWait ? answer.RetryAfter.Value : HostGates.LongestWait;
        return new() { Rules = RobotsRules.Empty, Closed = closed with { Wait = wait }, At = answer.At, Lasts = wait };
    }

    private TimeSpan Age(KeptRobots kept) => clock.GetUtcNow() - At(kept);

    private static DateTimeOffset At(KeptRobots kept) => DateTimeOffset.FromUnixTimeMilliseconds((long)(kept.Fetched * 1000));

    private OriginPolicy Policy(Uri origin, KeptRobots kept)
    {
        var rules = kept.Body is { } body ? RobotsRules.Parse(body, options.UserAgent) : RobotsRules.Empty;
        if (rules.CrawlDelay is { } delay)
        {
            if (delay.TotalSeconds > options.MaxCrawlDelaySeconds)
                return new() { Rules = rules, At = At(kept), Closed = new("crawl-delay", $"asks for {delay.TotalSeconds} s between requests, at most {options.MaxCrawlDelaySeconds} are waited", delay.TotalSeconds, options.MaxCrawlDelaySeconds) };
            gates.SetPause(origin.Host, delay);
        }
        return new() { Rules = rules, At = At(kept), Tdm = kept.Tdm is { } tdm ? TdmReservation.Parse(tdm) : [] };
    }

    private async Task<Fetched> TdmAsync(Uri origin, RobotsRules rules, CancellationToken token)
    {
        Refusal? Admit(Uri hop) => CanonicalUrl.Origin(hop) == CanonicalUrl.Origin(origin) && rules.Allows(hop.AbsoluteUri, out _) ? null : new("robots-denied", $"{TdmPath} leads elsewhere");
        return await fetcher.GetAsync(new Uri(origin, TdmPath), new("application/json", MaxTdmBytes, (hop, _) => ValueTask.FromResult(Admit(hop))), token);
    }

    // Fails closed like robots.txt: where a reservation may be but could not be read, it is asked for twice more and then all is taken for reserved.
    private static bool IsSure(Fetched tdm) => tdm.Refusal is null or { Reason: "robots-denied" } || (tdm.Refusal.Reason == "bad-status" && tdm.Status is >= 300 and < 500 and not 429);
}
