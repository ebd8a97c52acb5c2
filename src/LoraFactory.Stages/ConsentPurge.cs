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
    private static readonly string[] Calculated = ["3-label/embeddings.safetensors", "3-label/metadata.csv", "2-clean/report.html"];
    private static readonly string[] Addresses = ["url", "final_url", "page_url", "picture_url"];

    /// <summary>Removes what <paramref name="withdrawal"/> covers; with <paramref name="dry"/> only counts it. The caller holds the run's lock.</summary>
    public static PurgedRun Apply(RunDirectory run, Withdrawal withdrawal, bool dry)
    {
        var hashes = new HashSet<string>(StringComparer.Ordinal);
        var (pages, pictures) = (0, 0);
        HashSet<string> records = [], samples = [];
        foreach (var folder in Folders(run, StageName.Crawl))
            Rewrite<Page>(Path.Combine(folder, "pages.jsonl"), dry, page =>
            {
                if (withdrawal.Covers(page.Url) || withdrawal.Covers(page.FinalUrl))
                {
                    pages++;
                    hashes.UnionWith(page.Pictures.Select(p => p.BlobHash).OfType<string>().Append(page.BlobHash));
                    return null;
                }
                var gone = page.Pictures.Where(p => withdrawal.Covers(p.Url)).ToList();
                if (gone.Count == 0) return page;
                pictures += gone.Count;
                hashes.UnionWith(gone.Select(p => p.BlobHash).OfType<string>());
                return page with { Pictures = [.. page.Pictures.Except(gone)] };
            });
        foreach (var folder in Folders(run, StageName.Clean))
        {
            Rewrite<Record>(Path.Combine(folder, "records.jsonl"), dry, record =>
            {
                if (!withdrawal.Covers(record.PageUrl) && !withdrawal.Covers(record.PictureUrl)) return record;
                records.Add(record.Id);
                hashes.Add(record.BlobHash);
                return null;
            });
            Rewrite<RecordConsent>(Path.Combine(folder, "consent.jsonl"), dry, line => records.Contains(line.Record) ? null : line);
            Rewrite<JsonElement?>(Path.Combine(folder, "documents.jsonl"), dry, line => Names(line!.Value, withdrawal) ? null : line);
        }
        foreach (var folder in Folders(run, StageName.Label))
            Rewrite<Sample>(Path.Combine(folder, "samples.jsonl"), dry, sample =>
            {
                if (!records.Contains(sample.RecordId)) return sample;
                samples.Add(sample.Id);
                return null;
            });
        var (adapter, seen) = Seen(run, samples);
        if (!dry && pages + pictures + records.Count > 0)
            foreach (var file in Calculated) File.Delete(Path.Combine(run.Path, file));
        return new(run.Path, pages, pictures, records.Count, samples.Count, Blobs(run, hashes, dry), seen, adapter);
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

    private static void Rewrite<T>(string path, bool dry, Func<T, T?> keep)
    {
        if (!File.Exists(path)) return;
        var kept = new List<T>();
        var changed = false;
        foreach (var item in RunDirectory.ReadLines<T>(path))
        {
            var left = keep(item);
            changed |= !Equals(left, item);
            if (left is not null) kept.Add(left);
        }
        if (changed && !dry) RunDirectory.WriteLines(path, kept);
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

    // Bytes that pages, pictures and records which stay do not share.
    private static int Blobs(RunDirectory run, HashSet<string> hashes, bool dry)
    {
        if (hashes.Count == 0) return 0;
        if (dry) return hashes.Count(h => File.Exists(run.Blob(h)));
        foreach (var folder in Folders(run, StageName.Crawl))
            if (Path.Combine(folder, "pages.jsonl") is var pages && File.Exists(pages))
                foreach (var page in RunDirectory.ReadLines<Page>(pages)) hashes.ExceptWith(page.Pictures.Select(p => p.BlobHash).OfType<string>().Append(page.BlobHash));
        foreach (var folder in Folders(run, StageName.Clean))
            if (Path.Combine(folder, "records.jsonl") is var records && File.Exists(records)) hashes.ExceptWith(RunDirectory.ReadLines<Record>(records).Select(r => r.BlobHash));
        var there = hashes.Select(run.Blob).Where(File.Exists).ToList();
        foreach (var file in there) File.Delete(file);
        return there.Count;
    }
}
