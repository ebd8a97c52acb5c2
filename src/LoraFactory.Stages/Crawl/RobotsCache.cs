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
    /// <summary>Reservations of /.well-known/tdmrep.json, in order.</summary>
    public IReadOnlyList<TdmReservation> Tdm { get; init; } = [];
}

/// <summary>
/// Reads each origin's robots.txt once and fails closed (RFC 9309 §2.3.1): 4xx means there is none; 5xx, 429, time-outs, network errors and
/// endless redirects mean that nothing may be fetched. (429 and endless redirects are this crawl's own, stricter, choice.)
/// </summary>
public sealed class RobotsCache(CrawlOptions options, PageFetcher fetcher, HostGates gates)
{
    private const int MaxTdmBytes = 64 * 1024;

    private readonly ConcurrentDictionary<string, Lazy<Task<OriginPolicy>>> origins = new(StringComparer.Ordinal);

    /// <summary>The policy of the URL's origin, fetched on first use.</summary>
    public async Task<OriginPolicy> OfAsync(Uri url, CancellationToken token)
    {
        var origin = CanonicalUrl.Origin(url);
        var entry = origins.GetOrAdd(origin, key => new Lazy<Task<OriginPolicy>>(() => LoadAsync(new Uri(key), token)));
        try
        {
            return await entry.Value.WaitAsync(token);
        }
        catch (OperationCanceledException)
        {
            origins.TryRemove(new(origin, entry)); // an interrupted reading says nothing about the host
            throw;
        }
    }

    /// <summary>The policy, if it is known already.</summary>
    public OriginPolicy? Known(string origin) =>
        origins.TryGetValue(origin, out var entry) && entry.IsValueCreated && entry.Value.IsCompletedSuccessfully ? entry.Value.Result : null;

    /// <summary>May this URL be fetched? Null when it may.</summary>
    public async ValueTask<Refusal?> JudgeAsync(Uri url, CancellationToken token)
    {
        var policy = await OfAsync(url, token);
        if (policy.Closed is not null) return policy.Closed;
        return policy.Rules.Allows(url.AbsoluteUri, out var rule) ? null : new("robots-denied", rule);
    }

    private async Task<OriginPolicy> LoadAsync(Uri origin, CancellationToken token)
    {
        var answer = await fetcher.GetAsync(new Uri(origin, "/robots.txt"), new("text/plain, */*;q=0.5", RobotsRules.MaxBytes + 1, MaxRedirects: 5, Truncate: true), token);
        var rules = RobotsRules.Empty;
        if (answer.Refusal is null) rules = RobotsRules.Parse(answer.Body, options.UserAgent);
        else if (answer.Refusal.Reason == "address-refused") return new() { Rules = rules, Closed = answer.Refusal };
        else if (!(answer.Refusal.Reason == "bad-status" && answer.Status is >= 400 and < 500 and not 429))
            return new() { Rules = rules, Closed = new("robots-unreachable", $"robots.txt: {answer.Refusal.Reason} {answer.Refusal.Detail}") };
        if (rules.CrawlDelay is { } delay)
        {
            if (delay.TotalSeconds > options.MaxCrawlDelaySeconds)
                return new() { Rules = rules, Closed = new("crawl-delay", $"asks for {delay.TotalSeconds} s between requests, at most {options.MaxCrawlDelaySeconds} are waited") };
            gates.SetPause(origin.Host, delay);
        }
        return new() { Rules = rules, Tdm = await TdmAsync(origin, rules, token) };
    }

    private async Task<IReadOnlyList<TdmReservation>> TdmAsync(Uri origin, RobotsRules rules, CancellationToken token)
    {
        var url = new Uri(origin, "/.well-known/tdmrep.json");
        if (!rules.Allows(url.AbsoluteUri, out _)) return [];
        var answer = await fetcher.GetAsync(url, new("application/json", MaxTdmBytes), token);
        return answer.Refusal is null ? TdmReservation.Parse(answer.Body) : [];
    }
}
