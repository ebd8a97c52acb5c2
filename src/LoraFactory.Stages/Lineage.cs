using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>One noun on the way back.</summary>
/// <param name="Kind">"endpoint", "report", "adapter", "plan", "sample", "record", "page", "seed" or "decision".</param>
/// <param name="Id">Its id.</param>
/// <param name="What">One line: name, caption, URL.</param>
/// <param name="Parents">Ids of what it was made from.</param>
public sealed record LineageNode(string Kind, string Id, string What, IReadOnlyList<string> Parents);

/// <summary>Where something came from: follows the parents' ids from an endpoint back to web pages, in the files of one run.</summary>
public sealed class Lineage
{
    private readonly Dictionary<string, LineageNode> nodes = new(StringComparer.Ordinal);
    private readonly RunDirectory run;

    /// <summary>Reads what the run's stages have written so far; what became of an endpoint since, <paramref name="stateNow"/> says.</summary>
    /// <exception cref="LoraException">A file is damaged.</exception>
    public Lineage(RunDirectory run, Func<Endpoint, string>? stateNow = null)
    {
        this.run = run;
        if (One<Seed>(StageName.Crawl, "seed.json") is { } seed) Add("seed", seed.Id, $"\"{seed.Topic}\", {seed.Terms.Count} terms, {seed.Urls.Count} addresses", Decision(StageName.Crawl));
        foreach (var page in Many<Page>(StageName.Crawl, "pages.jsonl"))
            Add("page", page.Id, $"{page.Url}  fetched {page.FetchedAt:yyyy-MM-dd HH:mm:ss}Z, licence {page.Licence ?? "not stated"}", [page.SeedId]);
        foreach (var record in Many<Record>(StageName.Clean, "records.jsonl"))
            Add("record", record.Id, $"{record.Origin(run)}  {record.Width}×{record.Height}, licence {record.Licence ?? "not stated"}, sha256 {record.BlobHash}", record.PageId.Length == 0 ? [] : [record.PageId]);
        foreach (var sample in Many<Sample>(StageName.Label, "samples.jsonl"))
            Add("sample", sample.Id, $"\"{sample.Caption}\"  {sample.Split.ToString().ToLowerInvariant()}, {(sample.Variant is { } v ? VariantOf(v) : $"caption from {sample.CaptionSource}")}", [sample.Variant?.Source ?? sample.RecordId]);
        if (run.PathOf(StageName.Configure, "plan.yaml") is var planPath && File.Exists(planPath) && PlanFile.Read(planPath) is var plan)
            Add("plan", plan.Id, $"rank {plan.Train.Rank}, {plan.Train.Steps} steps, base {plan.BaseHash}", [.. plan.TrainSampleIds, .. plan.ValidationSampleIds]);
        if (One<Adapter>(StageName.Train, "adapter.json") is { } adapter)
            Add("adapter", adapter.Id, $"{adapter.Path}  {adapter.Trained}, sha256 {adapter.Sha256}", [adapter.PlanId, .. Decision(StageName.Train)]);
        if (One<Report>(StageName.Evaluate, "report.json") is { } report) Add("report", report.Id, report.Verdict, [report.AdapterId]);
        if (File.Exists(run.PathOf(StageName.Deploy, "endpoint.json")) && EndpointFile.Read(run) is var endpoint)
            Add("endpoint", endpoint.Id, $"{endpoint.AdapterName} version {endpoint.Version}, {(stateNow?.Invoke(endpoint) is { } now && now != endpoint.State ? $"{now} ({endpoint.State} when it was deployed)" : endpoint.State)}", [endpoint.ReportId]);
    }

    /// <summary>Everything that the run knows, by id.</summary>
    public IReadOnlyDictionary<string, LineageNode> Nodes => nodes;

    /// <summary>
    /// The node and all its ancestors, each once, nearest first: an endpoint's report, its adapter, its plan, samples, records, pages, seed.
    /// Without an id it starts at the newest noun whose whole way back is there, or at what a stage has made so far where none has one; see
    /// <see cref="Outdated"/>. A prefix of an id will do when it is the only one.
    /// </summary>
    /// <exception cref="LoraException">No such id, several, or an empty run.</exception>
    public IReadOnlyList<LineageNode> Back(string? id = null)
    {
        IReadOnlyList<LineageNode> start = id is null ? Newest() : [Find(id)];
        var found = new List<LineageNode>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var waiting = new Queue<LineageNode>(start);
        seen.UnionWith(start.Select(n => n.Id));
        while (waiting.TryDequeue(out var node))
        {
            found.Add(node);
            foreach (var parent in node.Parents)
            {
                if (!seen.Add(parent)) continue;
                waiting.Enqueue(nodes.TryGetValue(parent, out var known) ? known : new LineageNode("unknown", parent, $"not in {run.Path}: its stage's files were removed", []));
            }
        }
        return found;
    }

    private static string VariantOf(Variant variant) => $"{variant.Operation}{string.Concat(variant.Parameters.Select(p => $" {p.Key} {p.Value}"))}";

    // The decision of feedback that a stage's files were made by.
    private IReadOnlyList<string> Decision(StageName stage)
    {
        if (Retraining.Behind(run, stage) is not { } by) return [];
        Add("decision", by.Decision, $"train {by.Adapter}{(by.Parent is { } version ? $" version {version}" : "")} again: {by.Why}, decided {by.At:yyyy-MM-dd HH:mm:ss}Z", []);
        return [by.Decision];
    }

    private static readonly string[] Results = ["endpoint", "report", "adapter", "plan"];

    /// <summary>
    /// Results that an earlier round left and whose origin is gone, since a later round has begun to make it again and not come so far: newest first.
    /// </summary>
    public IReadOnlyList<LineageNode> Outdated => [.. Results.SelectMany(kind => nodes.Values.Where(n => n.Kind == kind && !IsWhole(n)))];

    private bool IsWhole(LineageNode node) => node.Parents.All(p => nodes.TryGetValue(p, out var parent) && IsWhole(parent));

    private List<LineageNode> Newest()
    {
        foreach (var kind in Results)
            if (nodes.Values.FirstOrDefault(n => n.Kind == kind && IsWhole(n)) is { } node) return [node];
        if (Outdated.Count > 0)
        {
            foreach (var kind in new[] { "sample", "record", "page", "seed" })
                if (nodes.Values.Where(n => n.Kind == kind && IsWhole(n)).ToList() is { Count: > 0 } made) return made;
            return [Outdated[0]];
        }
        throw new LoraException($"{run.Path} has no endpoint, report, adapter or plan yet. Name an id, or run the line further.", ExitCode.BadUsage);
    }

    private LineageNode Find(string id)
    {
        if (nodes.TryGetValue(id, out var exact)) return exact;
        var near = nodes.Values.Where(n => id.Length >= 4 && n.Id.StartsWith(id, StringComparison.Ordinal)).Take(3).ToList();
        return near.Count switch
        {
            1 => near[0],
            0 => throw new LoraException($"{run.Path} knows no id {id}.", ExitCode.BadUsage),
            _ => throw new LoraException($"{id} begins several ids, for example {near[0].Id} and {near[1].Id}. Give more of it.", ExitCode.BadUsage),
        };
    }

    private void Add(string kind, string id, string what, IReadOnlyList<string> parents) => nodes[id] = new LineageNode(kind, id, what, parents);

    private T? One<T>(StageName stage, string file) where T : class
    {
        var path = run.PathOf(stage, file);
        return File.Exists(path) ? RunDirectory.ReadJson<T>(path) : null;
    }

    private IEnumerable<T> Many<T>(StageName stage, string file)
    {
        var path = run.PathOf(stage, file);
        return File.Exists(path) ? RunDirectory.ReadLines<T>(path) : [];
    }
}
