using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>What a script's request comes to: an answer for the browser, or none.</summary>
/// <param name="Status">HTTP status; 0 where there is no answer.</param>
/// <param name="Headers">Fields that the browser may see.</param>
/// <param name="Body">Body.</param>
internal sealed record ResourceAnswer(int Status, IReadOnlyList<KeyValuePair<string, string>> Headers, byte[] Body)
{
    /// <summary>Not answered.</summary>
    public static ResourceAnswer None { get; } = new(0, [], []);
}

/// <summary>
/// Fetches what scripts ask for, by the crawl's own fetcher and under its rules: address guard and caps, robots.txt, withdrawals, turns and pauses of
/// each host, and refusals of training in the answers. Scripts are kept for the other pages of a site.
/// </summary>
/// <param name="options">User agent and redirects.</param>
/// <param name="fetcher">Fetches.</param>
/// <param name="gates">Which hosts rest.</param>
/// <param name="robots">What each origin allows.</param>
/// <param name="withdrawn">What was withdrawn; null where an address was not.</param>
/// <param name="clock">The clock of judgements.</param>
internal sealed class PageResources(CrawlOptions options, PageFetcher fetcher, HostGates gates, RobotsCache robots, Func<string, Refusal?> withdrawn, TimeProvider clock)
{
    private const long MostKept = 64 << 20;
    // A host that asks to be left alone for so much longer than its usual pause is not waited for.
    private static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(10);

    // Fields that a browser needs to use an answer; what sets cookies, names other servers to report to or asks for more is not handed on.
    private static readonly string[] Handed =
    [
        "content-type", "content-language", "last-modified", "etag", "x-content-type-options", "content-security-policy", "cross-origin-resource-policy",
        "access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers",
    ];

    private readonly OptOuts optOuts = new(options.UserAgent);
    private readonly Dictionary<string, Fetched> kept = new(StringComparer.Ordinal);
    private long keptBytes;

    /// <summary>Fetches one, redirects and all. Throws only when <paramref name="token"/> is cancelled.</summary>
    /// <param name="url">Its address.</param>
    /// <param name="isScript">It is code, which other pages may ask for as well.</param>
    /// <param name="accept">The Accept field that the page asks with.</param>
    /// <param name="origin">Origin of the page where it asks another, null where it asks its own.</param>
    /// <param name="maxBytes">Most decompressed bytes.</param>
    /// <param name="token">Ends it.</param>
    /// <returns>The answer, and how many bytes it cost: of a body that was begun and is not used, as many as it could.</returns>
    public async Task<(Fetched Answer, long Bytes)> GetAsync(Uri url, bool isScript, string accept, string? origin, long maxBytes, CancellationToken token)
    {
        var key = $"{origin} {url.AbsoluteUri}";
        if (isScript && Kept(key) is { } known && known.Body.Length <= maxBytes) return (known, known.Body.Length);
        OriginPolicy? policy = null;
        var isBegun = false;
        var order = new FetchOrder(accept, maxBytes,
            async (hop, stop) =>
            {
                if (gates.RestOf(hop.Host) - gates.PauseOf(hop.Host) > LongestRest) return new("resting", $"{hop.Host} asks to be left alone");
                if (withdrawn(hop.AbsoluteUri) is { } gone) return gone;
                if (await robots.JudgeAsync(hop, stop) is { } denied) return denied;
                policy = await robots.OfAsync(hop, stop);
                return null;
            },
            answer =>
            {
                var refusal = Judge(answer, policy!);
                isBegun = refusal is null; // asked between the head and the body
                return refusal;
            })
        { Origin = origin };
        var fetched = await fetcher.GetAsync(url, order, token);
        if (isScript && (fetched.Refusal is null || fetched.Status is 404 or 410)) Keep(key, fetched);
        // a length that is stated and too large is one that was not read
        return (fetched, !isBegun || fetched.Refusal is { Reason: "too-large", Value: not null } ? 0 : fetched.Refusal is null ? fetched.Body.Length : maxBytes);
    }

    /// <summary>What the browser is handed of an answer.</summary>
    public static ResourceAnswer Hand(Fetched fetched)
    {
        // a script may well live with "404"; what was refused by a rule of the crawl's looks like a broken connection
        if (fetched.Refusal is not (null or { Reason: "bad-status" }) || fetched.Status is < 200 or > 599) return ResourceAnswer.None;
        return new(fetched.Status, [.. fetched.Headers.Where(h => Handed.Contains(h.Key) || h.Key.StartsWith("x-total", StringComparison.Ordinal))], fetched.Refusal is null ? fetched.Body : []);
    }

    // Streams have no end; what opts out of training is not let into the page, as a picture that does is not kept.
    private Refusal? Judge(Fetched answer, OriginPolicy policy)
    {
        if (answer.MediaType is "text/event-stream" || answer.MediaType.StartsWith("multipart/", StringComparison.Ordinal)) return new("endless", answer.MediaType);
        var consent = optOuts.Judge(answer.FinalUrl, policy, answer.Headers, PageStatements.None, image: false, clock.GetUtcNow());
        return consent.Verdict == "refused" ? new(PagePicture.RefusedByOptOut + consent.Signal) : null;
    }

    private Fetched? Kept(string key)
    {
        lock (kept) return kept.GetValueOrDefault(key);
    }

    private void Keep(string key, Fetched fetched)
    {
        lock (kept)
        {
            if ((keptBytes += fetched.Body.Length) > MostKept)
            {
                kept.Clear();
                keptBytes = fetched.Body.Length;
            }
            kept[key] = fetched;
        }
    }
}
