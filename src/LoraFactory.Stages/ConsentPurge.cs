using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages;

/// <summary>What a purge removes from one run.</summary>
/// <param name="Run">Its directory.</param>
/// <param name="Pages">Pages.</param>
/// <param name="Pictures">Pictures, of whatever page.</param>
/// <param name="Records">Records of clean.</param>
/// <param name="Samples">Samples of label.</param>
/// <param name="Blobs">Files of bytes that nothing else needs.</param>
/// <param name="TrainedOn">Of the run's adapter: how many of these samples it was trained on or validated with; 0 where there is no adapter.</param>
/// <param name="Adapter">Id of that adapter, null where it saw none of them.</param>
public sealed record PurgedRun(string Run, int Pages, int Pictures, int Records, int Samples, int Blobs, int TrainedOn, string? Adapter)
{
    /// <summary>Whether there was anything.</summary>
    public bool IsEmpty => Pages + Pictures + Records + Samples == 0;
}

/// <summary>
/// Removes from a run's files whatever came from an address: pages, pictures, records, samples, and their bytes. What was calculated from them all
/// together (embeddings, tables, pages with examples) goes as a whole, so that the next run of the line makes it again without them.
/// </summary>
public static class ConsentPurge
{
    private static readonly string[] Calculated = ["3-label/embeddings.safetensors", "3-label/metadata.csv", "3-label/variants.png", "2-clean/report.html"];
    private static readonly string[] Addresses = ["url", "final_url", "page_url", "picture_url"];

    // What is found of a withdrawal, and the bytes that something else still needs.
    private sealed class Found
    {
        public int Pages, Pictures;
        public HashSet<string> Records { get; } = new(StringComparer.Ordinal);
        public HashSet<string> Samples { get; } = new(StringComparer.Ordinal);
        public HashSet<string> Variants { get; } = new(StringComparer.Ordinal);
        public HashSet<string> Gone { get; } = new(StringComparer.Ordinal);
        public HashSet<string> Needed { get; } = new(StringComparer.Ordinal);
    }

    /// <summary>
    /// Removes what <paramref name="withdrawal"/> covers; with <paramref name="dry"/> only counts it. The caller holds the run's lock. All is looked for first and
    /// then removed from the end of the line on, pages last: what is cut off finds the same again when it is repeated.
    /// </summary>
    public static PurgedRun Apply(RunDirectory run, Withdrawal withdrawal, bool dry)
    {
        var found = new Found();
        Pages(run, page => Left(page, withdrawal, found), write: false);
        Records(run, record => Left(record, withdrawal, found), write: false);
        Samples(run, found, write: false);
        var (adapter, seen) = Seen(run, found.Samples);
        var blobs = found.Gone.Except(found.Needed).Select(run.Blob).Where(File.Exists).ToList();
        if (!dry && found.Pages + found.Pictures + found.Records.Count > 0)
        {
            blobs.ForEach(File.Delete);
            foreach (var variant in found.Variants) File.Delete(variant);
            foreach (var file in Calculated) File.Delete(Path.Combine(run.Path, file));
            Samples(run, found, write: true);
            foreach (var folder in Folders(run, StageName.Clean))
            {
                Rewrite<RecordConsent>(Path.Combine(folder, "consent.jsonl"), line => found.Records.Contains(line.Record) ? null : line, write: true);
                Rewrite<JsonElement?>(Path.Combine(folder, "documents.jsonl"), line => Names(line!.Value, withdrawal) ? null : line, write: true);
            }
            Records(run, record => Left(record, withdrawal, new()), write: true);
            Pages(run, page => Left(page, withdrawal, new()), write: true);
        }
        return new(run.Path, found.Pages, found.Pictures, found.Records.Count, found.Samples.Count, blobs.Count + found.Variants.Count, seen, adapter);
    }

    private static void Pages(RunDirectory run, Func<Page, Page?> left, bool write)
    {
        foreach (var folder in Folders(run, StageName.Crawl)) Rewrite(Path.Combine(folder, "pages.jsonl"), left, write);
    }

    private static void Records(RunDirectory run, Func<Record, Record?> left, bool write)
    {
        foreach (var folder in Folders(run, StageName.Clean)) Rewrite(Path.Combine(folder, "records.jsonl"), left, write);
    }

    private static void Samples(RunDirectory run, Found found, bool write)
    {
        foreach (var folder in Folders(run, StageName.Label))
            Rewrite<Sample>(Path.Combine(folder, "samples.jsonl"), sample =>
            {
                if (!found.Records.Contains(sample.RecordId)) return sample;
                found.Samples.Add(sample.Id);
                if (sample.Variant?.File is { } file && Path.Combine(folder, file) is var variant && File.Exists(variant)) found.Variants.Add(variant);
                return null;
            }, write);
    }

    private static Page? Left(Page page, Withdrawal withdrawal, Found found)
    {
        if (withdrawal.Covers(page.Url) || withdrawal.Covers(page.FinalUrl))
        {
            found.Pages++;
            found.Gone.UnionWith(page.Pictures.Select(p => p.BlobHash).Concat([page.BlobHash, page.SentHash]).OfType<string>());
            return null;
        }
        var gone = page.Pictures.Where(p => withdrawal.Covers(p.Url)).ToList();
        found.Pictures += gone.Count;
        found.Gone.UnionWith(gone.Select(p => p.BlobHash).OfType<string>());
        found.Needed.UnionWith(page.Pictures.Except(gone).Select(p => p.BlobHash).Concat([page.BlobHash, page.SentHash]).OfType<string>());
        return gone.Count == 0 ? page : page with { Pictures = [.. page.Pictures.Except(gone)] };
    }

    private static Record? Left(Record record, Withdrawal withdrawal, Found found)
    {
        var covered = withdrawal.Covers(record.PageUrl) || withdrawal.Covers(record.PictureUrl);
        (covered ? found.Gone : found.Needed).Add(record.BlobHash);
        if (covered) found.Records.Add(record.Id);
        return covered ? null : record;
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

    private static IEnumerable<string> Folders(RunDirectory run, StageName stage) =>
        Directory.EnumerateDirectories(run.Path, $"{Path.GetFileName(run.PathOf(stage).TrimEnd('/'))}*").Order(StringComparer.Ordinal);

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

    private static bool Names(JsonElement line, Withdrawal withdrawal) => line.ValueKind == JsonValueKind.Object
        && Addresses.Any(name => line.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && withdrawal.Covers(value.GetString()!));

    private static (string? Adapter, int Seen) Seen(RunDirectory run, HashSet<string> samples)
    {
        var (adapter, plan) = (run.PathOf(StageName.Train, "adapter.json"), run.PathOf(StageName.Configure, "plan.yaml"));
        if (samples.Count == 0 || !File.Exists(adapter) || !File.Exists(plan)) return (null, 0);
        var read = PlanFile.Read(plan);
        var seen = read.TrainSampleIds.Concat(read.ValidationSampleIds).Count(samples.Contains);
        return seen > 0 ? (RunDirectory.ReadJson<Adapter>(adapter).Id, seen) : (null, 0);
    }
}
