using System.Globalization;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Pages;
using Microsoft.Data.Sqlite;
using Polly;
using Polly.CircuitBreaker;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// Asks ConceptNet's public interface for the topic's own terms, where seed.concept_api names it. It is fetched as everything is: robots.txt, pauses,
/// the guard. Answers and failures are kept in the run with their time, so that a run that is gone on with has the same terms; a failure costs a line.
/// </summary>
internal sealed class ConceptApi : IDisposable
{
    private const int MostTerms = 20, MostEdges = 1000, MaxBytes = 4 << 20;

    private readonly SqliteConnection db;

    private ConceptApi(SqliteConnection db) => this.db = db;

    /// <summary>Asks for what the run does not know yet; null where no interface is named.</summary>
    public static async Task<ConceptApi?> AskAsync(StageContext context, CancellationToken token)
    {
        var (seed, crawl) = (context.Recipe.Seed, context.Recipe.Crawl);
        if (seed.ConceptApi.Length == 0 || seed.ExpandDepth < 1) return null;
        var root = CanonicalUrl.Parse(seed.ConceptApi) ?? throw new LoraException($"seed.concept_api: \"{seed.ConceptApi}\" is no absolute http(s) address, such as https://api.conceptnet.io.", ExitCode.BadUsage);
        var api = Open(context.Run.File(StageName.Crawl, "concepts.db"));
        try
        {
            var gates = new HostGates(context.Clock, TimeSpan.FromSeconds(crawl.DelaySeconds));
            using var fetcher = new PageFetcher(crawl, new AddressGuard(crawl.AllowPrivateHosts, crawl.Resolve), gates, context.Clock);
            var robots = new RobotsCache(crawl, fetcher, gates, context.Clock);
            var order = new FetchOrder("application/ld+json,application/json", MaxBytes, robots.JudgeAsync);
            await api.AskAsync(SeedExpansion.OwnTerms(seed).Take(MostTerms), term => fetcher.GetAsync(Address(root, term), order, token), context);
            return api;
        }
        catch
        {
            api.Dispose();
            throw;
        }
    }

    /// <summary>Edges that the interface gave for a term, none for one that was not asked about.</summary>
    public IReadOnlyList<ConceptEdge> Of(string term) =>
        Sqlite.Rows(db, "SELECT edges FROM answer WHERE node = $node AND edges IS NOT NULL", r => r.GetString(0), ("$node", ConceptStore.Node(term)))
            .SelectMany(json => JsonSerializer.Deserialize<List<ConceptEdge>>(json, RunDirectory.Json)!).ToList();

    public void Dispose() => db.Dispose();

    internal static ConceptApi Open(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var db = Sqlite.Open(path);
        Sqlite.Run(db, "CREATE TABLE IF NOT EXISTS answer(node TEXT PRIMARY KEY, at TEXT NOT NULL, edges TEXT, failure TEXT)");
        return new(db);
    }

    // Two failures of the interface open the breaker: what is left is not asked, and the crawl goes on without.
    internal async Task AskAsync(IEnumerable<string> terms, Func<string, Task<Fetched>> fetch, StageContext context)
    {
        var breaker = new ResiliencePipelineBuilder<Fetched> { TimeProvider = context.Clock }.AddCircuitBreaker(new CircuitBreakerStrategyOptions<Fetched>
        {
            FailureRatio = 0.5,
            MinimumThroughput = 2,
            SamplingDuration = TimeSpan.FromMinutes(5),
            BreakDuration = TimeSpan.FromMinutes(30),
            ShouldHandle = args => ValueTask.FromResult(args.Outcome.Result is { Refusal: not null } failed && !IsUnknown(failed)),
        }).Build();
        foreach (var term in terms.Where(t => !Knows(t)).ToList())
        {
            Fetched? answer = null;
            try
            {
                answer = await breaker.ExecuteAsync(async _ => await fetch(term));
            }
            catch (BrokenCircuitException)
            {
                Keep(term, null, "not asked: it failed before", context.Clock);
                continue;
            }
            var edges = answer.Refusal is null ? Read(answer.Body, term) : IsUnknown(answer) ? [] : null;
            var failure = edges is not null ? null : answer.Refusal is { } refused ? $"{refused.Reason} {refused.Detail}".TrimEnd() : "no edges could be read from its answer";
            Keep(term, edges, failure, context.Clock);
            if (failure is not null) context.Progress.Line($"seed.concept_api: {answer.FinalUrl}: {failure}; the topic is expanded without it.");
        }
    }

    // A word that it does not know is an answer; another program at that address is none.
    private static bool IsUnknown(Fetched answer) => answer is { Refusal.Reason: "bad-status", Status: 404 or 410 } && answer.MediaType.EndsWith("json", StringComparison.Ordinal);

    private bool Knows(string term) => Sqlite.Scalar<long>(db, "SELECT COUNT(*) FROM answer WHERE node = $node", ("$node", ConceptStore.Node(term))) > 0;

    private void Keep(string term, List<ConceptEdge>? edges, string? failure, TimeProvider clock) =>
        Sqlite.Run(db, "INSERT OR REPLACE INTO answer VALUES ($node, $at, $edges, $failure)", ("$node", ConceptStore.Node(term)), ("$at", clock.GetUtcNow().ToString("O", CultureInfo.InvariantCulture)),
            ("$edges", edges is null ? null : JsonSerializer.Serialize(edges, RunDirectory.Json)), ("$failure", failure));

    private static Uri Address(Uri root, string term) => new(root, Uri.EscapeDataString(ConceptStore.Node(term)).Replace("%2F", "/", StringComparison.Ordinal) + $"?limit={MostEdges}");

    // {"edges": [{"rel": {"@id": …}, "start": {"@id": …}, "end": {"@id": …}, "weight": …, "license": …}]}; null where it is nothing of the kind.
    internal static List<ConceptEdge>? Read(byte[] json, string term)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 32 });
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("edges", out var list) || list.ValueKind != JsonValueKind.Array) return null;
            var node = ConceptStore.Node(term);
            var edges = new List<ConceptEdge>();
            foreach (var edge in list.EnumerateArray().Take(MostEdges))
            {
                if (Id(edge, "rel") is not { } relation || Id(edge, "start") is not { } start || Id(edge, "end") is not { } end) continue;
                (start, end) = (ConceptStore.TermNode(start), ConceptStore.TermNode(end));
                var other = start == node ? end : end == node ? start : null;
                if (other is null || other == node || !other.StartsWith("/c/en/", StringComparison.Ordinal)) continue;
                var weight = edge.TryGetProperty("weight", out var w) && w.ValueKind == JsonValueKind.Number ? w.GetDouble() : 1;
                edges.Add(new(ConceptStore.Word(other), relation, weight, edge.TryGetProperty("license", out var l) && l.ValueKind == JsonValueKind.String ? l.GetString()! : ""));
            }
            return edges;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private static string? Id(JsonElement edge, string end) =>
        edge.ValueKind == JsonValueKind.Object && edge.TryGetProperty(end, out var value) && value.ValueKind == JsonValueKind.Object && value.TryGetProperty("@id", out var id) && id.ValueKind == JsonValueKind.String ? id.GetString() : null;
}
