using System.Net;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages;

/// <summary>What a purge removes from one run.</summary>
/// <param name="Run">Its directory.</param>
/// <param name="Pages">Pages, each once, whether the crawl came to its end or not.</param>
/// <param name="Pictures">Pictures of pages that stay.</param>
/// <param name="Records">Records of clean.</param>
/// <param name="Samples">Samples of label.</param>
/// <param name="Blobs">Files of bytes, and variants of pictures, that nothing names any more.</param>
/// <param name="TrainedOn">Of the run's adapter: how many of these samples it was trained on or validated with; 0 where there is no adapter.</param>
/// <param name="Adapter">Id of that adapter, null where it saw none of them.</param>
public sealed record PurgedRun(string Run, int Pages, int Pictures, int Records, int Samples, int Blobs, int TrainedOn, string? Adapter)
{
    /// <summary>Frontiers of another form, relative to the run: they go as a whole, since nobody can tell what is in them.</summary>
    public IReadOnlyList<string> UnreadFrontiers { get; init; } = [];

    /// <summary>Whether nothing of the address was there; bytes that nothing names may be there all the same.</summary>
    public bool HasNone => Pages + Pictures + Records + Samples == 0;

    /// <summary>Whether there was nothing to remove at all.</summary>
    public bool IsEmpty => HasNone && Blobs + UnreadFrontiers.Count == 0;
}

/// <summary>
/// Looks into a crawl's frontier, where there is one, and unless it is only looked at takes out what goes. False where the frontier is of a form
/// that cannot be read: then it is deleted, unless it is only looked at.
/// </summary>
/// <param name="path">The frontier's file.</param>
/// <param name="finds">Is told what is found.</param>
/// <param name="dry">Only look.</param>
public delegate bool FrontierPurge(string path, PurgeFinds finds, bool dry);

/// <summary>
/// Removes from a run's files whatever came from an address: pages, pictures, records, samples, and their bytes. Bytes go by what is left, not by
/// what is found: a crawl that was killed, or a page that was fetched and dropped, leaves bytes that no file names. What was calculated from all
/// together (embeddings, tables, pages with examples) goes as a whole, so that the next run of the line makes it again without them.
/// </summary>
public static class ConsentPurge
{
    private static readonly (StageName Stage, string File)[] Calculated =
    [
        (StageName.Label, "embeddings.safetensors"), (StageName.Label, "metadata.csv"), (StageName.Label, "variants.png"), (StageName.Evaluate, "report.html"),
    ];

    private static readonly string[] Addresses = ["url", "final_url", "page_url", "picture_url", "what", "page"];

    // With links left out, since what they lead to is not this run's.
    private static readonly EnumerationOptions Below = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };

    /// <summary>
    /// Removes what <paramref name="withdrawn"/> covers; with <paramref name="dry"/> only counts it. The caller holds the run's lock. All is looked for first and
    /// then removed from the end of the line on, pages and bytes last: what is cut off finds the same again when it is repeated.
    /// </summary>
    /// <param name="run">The run.</param>
    /// <param name="withdrawn">What may not be used any more.</param>
    /// <param name="frontier">Knows the crawl's frontier.</param>
    /// <param name="cache">Folder of what was encoded of samples, which runs may share; it goes as a whole where anything was found.</param>
    /// <param name="dry">Only count.</param>
    public static PurgedRun Apply(RunDirectory run, Withdrawals withdrawn, FrontierPurge frontier, string cache, bool dry)
    {
        var found = new PurgeFinds(withdrawn);
        var frontiers = Folders(run, StageName.Crawl).Select(f => Path.Combine(f, "frontier.db")).ToList();
        var unread = frontiers.Where(path => !frontier(path, found, dry: true)).ToList();
        Each<Page>(run, StageName.Crawl, "pages.jsonl", found.Left, write: false);
        Each<Record>(run, StageName.Clean, "records.jsonl", found.Left, write: false);
        Each<JsonElement?>(run, StageName.Clean, "dropped.jsonl", line => Names(line, found), write: false);
        Each<Sample>(run, StageName.Label, "samples.jsonl", found.Left, write: false);
        var (adapter, seen) = Seen(run, found.Samples);
        var variants = Variants(run, found);
        var blobs = Files(Path.Combine(run.Path, "blobs")).Where(path => !found.Named.Contains(Path.GetFileName(path))).ToList();
        if (!dry)
        {
            if (found.Any) Forget(run, cache);
            variants.ForEach(File.Delete);
            Each<Sample>(run, StageName.Label, "samples.jsonl", found.Left, write: true);
            Each<JsonElement?>(run, StageName.Clean, "measured.jsonl", line => Text(line, "blob") is { } blob && !found.Named.Contains(blob) ? null : line, write: true);
            Each<RecordConsent>(run, StageName.Clean, "consent.jsonl", line => found.Records.Contains(line.Record) ? null : line, write: true);
            foreach (var file in (string[])["documents.jsonl", "dropped.jsonl"]) Each<JsonElement?>(run, StageName.Clean, file, line => Names(line, found), write: true);
            Each<Record>(run, StageName.Clean, "records.jsonl", found.Left, write: true);
            foreach (var path in frontiers) frontier(path, found, dry: false);
            Each<Page>(run, StageName.Crawl, "pages.jsonl", found.Left, write: true);
            blobs.ForEach(File.Delete);
        }
        return new(run.Path, found.Pages.Count, found.Pictures.Count, found.Records.Count, found.Samples.Count, blobs.Count + variants.Count, seen, adapter)
        {
            UnreadFrontiers = [.. unread.Select(path => Path.GetRelativePath(run.Path, path))],
        };
    }

    // What shows or holds the pictures in another shape.
    private static void Forget(RunDirectory run, string cache)
    {
        if (Directory.Exists(cache)) Directory.Delete(cache, recursive: true);
        File.Delete(Path.Combine(run.Path, "clean-report.html"));
        foreach (var (stage, file) in Calculated)
            foreach (var folder in Folders(run, stage)) File.Delete(Path.Combine(folder, file));
    }

    private static void Each<T>(RunDirectory run, StageName stage, string file, Func<T, T?> left, bool write)
    {
        foreach (var folder in Folders(run, stage)) Rewrite(Path.Combine(folder, file), left, write);
    }

    // Files of variants that no sample names which stays.
    private static List<string> Variants(RunDirectory run, PurgeFinds found)
    {
        var unnamed = new List<string>();
        foreach (var folder in Folders(run, StageName.Label))
        {
            var samples = Path.Combine(folder, "samples.jsonl");
            var named = (File.Exists(samples) ? RunDirectory.ReadLines<Sample>(samples) : []).Where(s => !found.Samples.Contains(s.Id))
                .Select(s => s.Variant?.File).OfType<string>().Select(file => Path.GetFullPath(Path.Combine(folder, file))).ToHashSet(StringComparer.Ordinal);
            unnamed.AddRange(Files(Path.Combine(folder, "variants")).Where(path => !named.Contains(Path.GetFullPath(path))));
        }
        return unnamed;
    }

    /// <summary>What a user named, as a withdrawal keeps it: a canonical address, or a host.</summary>
    /// <exception cref="LoraException">It is neither.</exception>
    public static string Target(string given)
    {
        if (given.Contains("://", StringComparison.Ordinal))
            return CanonicalUrl.Parse(given)?.AbsoluteUri ?? throw new LoraException($"\"{given}\" is not an http(s) address; give one such as https://example.org/page, or a host such as example.org.", ExitCode.BadUsage);
        return CanonicalUrl.Parse($"http://{given}/") is { AbsolutePath: "/", Query: "" } url && !given.Contains('/', StringComparison.Ordinal)
            ? url.Host : throw new LoraException($"\"{given}\" is neither an http(s) address nor a host; write https://example.org/page or example.org.", ExitCode.BadUsage);
    }

    /// <summary>Whether a target is a name below which anybody may have one of their own ("com", "co.uk"), so that it cannot stand for its sub-domains.</summary>
    public static bool IsOfAll(string target) =>
        !target.Contains("://", StringComparison.Ordinal) && !IPAddress.TryParse(target.Trim('[', ']'), out _) && (PublicSuffixes.Open() is { } list ? list.Registrable(target) is null : !target.Contains('.', StringComparison.Ordinal));

    private static IEnumerable<string> Folders(RunDirectory run, StageName stage) =>
        Directory.EnumerateDirectories(run.Path, $"{Path.GetFileName(run.PathOf(stage).TrimEnd('/'))}*").Order(StringComparer.Ordinal);

    private static IEnumerable<string> Files(string folder) => Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*", Below) : [];

    private static void Rewrite<T>(string path, Func<T, T?> keep, bool write)
    {
        if (!File.Exists(path)) return;
        var kept = new List<T>();
        var changed = false;
        foreach (var item in RunDirectory.ReadLines<T>(path))
        {
            var left = keep(item);
            changed |= !Equals(left, item);
            if (left is not null && write) kept.Add(left);
        }
        if (changed && write) RunDirectory.WriteLines(path, kept);
    }

    // A line about a page or picture; the bytes of one that stays are named by it.
    private static JsonElement? Names(JsonElement? line, PurgeFinds found)
    {
        if (Addresses.Any(name => Text(line, name) is { } address && found.IsGone(address)) || (Text(line, "id") is { } id && found.PageIds.Contains(id)))
        {
            if (Text(line, "blob") is { } gone) found.Gone.Add(gone);
            return null;
        }
        if (Text(line, "blob") is { } blob) found.Named.Add(blob);
        return line;
    }

    private static string? Text(JsonElement? line, string name) =>
        line is { ValueKind: JsonValueKind.Object } item && item.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static (string? Adapter, int Seen) Seen(RunDirectory run, HashSet<string> samples)
    {
        var (adapter, plan) = (run.PathOf(StageName.Train, "adapter.json"), run.PathOf(StageName.Configure, "plan.yaml"));
        if (samples.Count == 0 || !File.Exists(adapter) || !File.Exists(plan)) return (null, 0);
        var read = PlanFile.Read(plan);
        var seen = read.TrainSampleIds.Concat(read.ValidationSampleIds).Count(samples.Contains);
        return seen > 0 ? (RunDirectory.ReadJson<Adapter>(adapter).Id, seen) : (null, 0);
    }
}
