using System.Text.Json.Serialization;
using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>A page or picture whose bytes a run holds.</summary>
/// <param name="Url">The address that was asked.</param>
/// <param name="Kind">"page" or "picture".</param>
/// <param name="At">When it was last fetched for the run, UTC.</param>
public sealed record KeptAddress(string Url, string Kind, DateTimeOffset At);

/// <summary>What an address says about its use, asked once more.</summary>
/// <param name="Url">The address.</param>
/// <param name="Kind">"page" or "picture".</param>
/// <param name="Verdict">"refused", "allowed" (in so many words), "silent", "gone" (404, 410) or "unanswered" (nothing that says anything).</param>
/// <param name="Signal">What said so: "x-robots-tag:noai", "robots-denied"; of one that is unanswered the reason; null where nothing did.</param>
/// <param name="At">When, UTC.</param>
public sealed record ConsentAnswer(string Url, string Kind, string Verdict, string? Signal, DateTimeOffset At)
{
    /// <summary>Whether it may not be used any more.</summary>
    [JsonIgnore]
    public bool IsRefused => Verdict == "refused";
}

/// <summary>
/// Asks the addresses of what a run keeps once more, as politely as its crawl did (robots.txt read anew, pauses, no host twice at once), and reads
/// nothing but what they say about their use. What robots.txt denies by now counts as refused; what does not answer says nothing. A page is judged
/// as it is sent: an opt-out that a script writes is not seen.
/// </summary>
/// <param name="options">The crawl's options: user agent, pauses, caps.</param>
/// <param name="gates">Turns and pauses of hosts, which all that ask side by side or one after the other share.</param>
/// <param name="clock">The clock of pauses and answers.</param>
public sealed class ConsentRecheck(CrawlOptions options, HostGates gates, TimeProvider clock)
{
    // A host that leaves so many in a row unanswered, or asks to be left alone for longer, is not asked for its others.
    private const int MostUnanswered = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly Refusal Enough = new("enough");

    private readonly OptOuts optOuts = new(options.UserAgent);
    private readonly PageParser parser = new(options.UserAgent);

    /// <summary>Turns and pauses for these crawls together: the longest pause of any.</summary>
    public static HostGates GatesOf(IReadOnlyCollection<CrawlOptions> crawls, TimeProvider clock)
    {
        var pause = TimeSpan.FromSeconds(crawls.Select(c => c.DelaySeconds).DefaultIfEmpty().Max());
        return new(clock, pause, crawls.Select(c => c.AddressDelaySeconds < 0 ? TimeSpan.FromSeconds(c.DelaySeconds) / 4 : TimeSpan.FromSeconds(c.AddressDelaySeconds)).DefaultIfEmpty().Max());
    }

    /// <summary>The pages of a run's crawl as it wrote them; null where it has come to no end.</summary>
    public static IReadOnlyList<Page>? PagesOf(RunDirectory run) =>
        run.PathOf(StageName.Crawl, "pages.jsonl") is var path && File.Exists(path) ? [.. RunDirectory.ReadLines<Page>(path)] : null;

    /// <summary>Pages that may be used, and pictures that were fetched, each once.</summary>
    public static IReadOnlyList<KeptAddress> Kept(IEnumerable<Page> pages)
    {
        var found = new Dictionary<string, KeptAddress>(StringComparer.Ordinal);
        foreach (var page in pages.Where(p => p.OptOut is null))
        {
            found.TryAdd(page.Url, new(page.Url, "page", page.FetchedAt));
            foreach (var picture in page.Pictures.Where(p => p.BlobHash is not null)) found.TryAdd(picture.Url, new(picture.Url, "picture", picture.Consent?.At ?? page.FetchedAt));
        }
        return [.. found.Values];
    }

    /// <summary>What refuses by these answers, and the kept pictures that a page of their own site refuses by them: on whatever page they stand, as in the crawl.</summary>
    public static IReadOnlyList<ConsentAnswer> Refused(IEnumerable<Page> kept, IEnumerable<ConsentAnswer> answers)
    {
        var found = answers.Where(a => a.IsRefused).DistinctBy(a => a.Url).ToDictionary(a => a.Url, StringComparer.Ordinal);
        var pages = found.Values.Where(a => a.Signal is not null && OptOuts.SpeaksOfTraining(a.Signal)).ToDictionary(a => a.Url, StringComparer.Ordinal);
        if (pages.Count == 0) return [.. found.Values];
        foreach (var page in kept)
        {
            if (!pages.TryGetValue(page.Url, out var said) || said.Kind != "page") continue;
            foreach (var picture in page.Pictures.Where(p => p.BlobHash is not null && SiteBudget.AreOneSite(new Uri(page.FinalUrl), new Uri(p.Url))))
                found.TryAdd(picture.Url, new(picture.Url, "picture", "refused", $"{said.Signal}, said by {page.Url}", said.At));
        }
        return [.. found.Values];
    }

    /// <summary>Asks each address; hosts side by side, those of one host one after the other.</summary>
    /// <param name="addresses">What to ask.</param>
    /// <param name="answered">Is told each answer, one at a time.</param>
    /// <param name="token">Ends it.</param>
    public async Task RunAsync(IEnumerable<KeptAddress> addresses, Action<ConsentAnswer> answered, CancellationToken token)
    {
        using var fetcher = new PageFetcher(options, new AddressGuard(options.AllowPrivateHosts, options.Resolve, allowPorts: options.AllowPorts), gates, clock);
        var robots = new RobotsCache(options, fetcher, gates, clock);
        var telling = new Lock();
        await Parallel.ForEachAsync(addresses.GroupBy(a => new Uri(a.Url).Host, StringComparer.OrdinalIgnoreCase), new ParallelOptions { MaxDegreeOfParallelism = options.Concurrency, CancellationToken = token }, async (host, stop) =>
        {
            var unanswered = 0;
            foreach (var address in host)
            {
                var why = unanswered >= MostUnanswered ? $"{host.Key} has left {MostUnanswered} in a row unanswered" : gates.RestOf(host.Key) > Patience ? $"{host.Key} asks to be left alone for {gates.RestOf(host.Key).TotalSeconds:0} s" : null;
                var answer = why is null ? await AskAsync(address, fetcher, robots, stop) : new(address.Url, address.Kind, "unanswered", why, clock.GetUtcNow());
                unanswered = answer.Verdict == "unanswered" ? unanswered + 1 : 0;
                lock (telling) answered(answer);
            }
        });
    }

    private async Task<ConsentAnswer> AskAsync(KeptAddress address, PageFetcher fetcher, RobotsCache robots, CancellationToken token)
    {
        var isPage = address.Kind == "page";
        OriginPolicy? origin = null;
        Consent? said = null;
        void Hear(Uri url, IReadOnlyList<KeyValuePair<string, string>> headers, PageStatements page) => said = optOuts.Judge(url, origin!, headers, page, image: true, clock.GetUtcNow());
        var order = new FetchOrder(isPage ? "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1" : "image/webp,image/png,image/jpeg,image/gif,image/*;q=0.5", options.MaxPageBytes, async (url, stop) =>
        {
            if (await robots.JudgeAsync(url, stop) is { } denied) return denied;
            origin = await robots.OfAsync(url, stop);
            return null;
        }, answer =>
        {
            Hear(answer.FinalUrl, answer.Headers, PageStatements.None);
            return isPage && said!.Verdict != "refused" && answer.MediaType is "" or "text/html" or "application/xhtml+xml" ? null : Enough;
        }, Truncate: true);
        var answer = await fetcher.GetAsync(new(address.Url), order, token);
        if (answer.Refusal is null && parser.Parse(answer.Body, answer.Charset, answer.FinalUrl).Page is { } parsed) Hear(answer.FinalUrl, answer.Headers, parsed.Statements);
        return answer.Refusal switch
        {
            { Reason: "robots-denied" } => new(address.Url, address.Kind, "refused", "robots-denied", answer.At),
            { Reason: "bad-status" } when answer.Status is 404 or 410 => new(address.Url, address.Kind, "gone", null, answer.At),
            { } failed when failed != Enough => new(address.Url, address.Kind, "unanswered", string.Join(' ', ((string?[])[failed.Reason, failed.Detail]).OfType<string>()), answer.At),
            _ when origin!.IsTdmUnread && said!.Signal?.StartsWith("tdmrep-file", StringComparison.Ordinal) == true => new(address.Url, address.Kind, "unanswered", "tdmrep.json could not be read", answer.At),
            _ => new(address.Url, address.Kind, said!.Verdict, said.Signal, answer.At),
        };
    }
}
