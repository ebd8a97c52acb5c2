using LoraFactory.Flow;
using LoraFactory.Images;

namespace LoraFactory.Stages.Clean;

/// <summary>
/// Stage 2: from crawled pages, or from a folder of the user's own, to records worth labelling. Every picture that does not go on is written
/// to dropped.jsonl with its reason; every measured signal stays on the record, so that thresholds can change without a new crawl.
/// </summary>
public sealed class CleanStage : IStage
{
    /// <summary>Reason of pictures that the crawl did not fetch; they don't count in the share that must be kept.</summary>
    public const string NotFetched = "not-fetched";

    private sealed record FolderSource(string Source, string Folder);

    /// <inheritdoc/>
    public StageName Name => StageName.Clean;

    /// <inheritdoc/>
    public IEnumerable<object> Options(Recipe recipe) => [recipe.Clean, new FolderSource(recipe.Label.Source, IsFolder(recipe) ? recipe.Label.Folder : "")];

    /// <inheritdoc/>
    public IEnumerable<MachineFinding> Look(Recipe recipe) => IsFolder(recipe) ? FolderSurvey.Look(recipe) : [];

    /// <inheritdoc/>
    public IEnumerable<string> Inputs(StageContext context)
    {
        if (!IsFolder(context.Recipe)) return [PagesFile(context.Run), SeedFile(context.Run)];
        var pictures = FolderIntake.Pictures(context.Recipe.Label.Folder);
        return [.. pictures, .. FolderIntake.Captions(pictures)];
    }

    /// <inheritdoc/>
    public IEnumerable<KeyValuePair<string, string>> Extracts(StageContext context)
    {
        if (!IsFolder(context.Recipe)) return [];
        var folder = context.Recipe.Label.Folder;
        return RepeatFolder.Essence(folder, FolderIntake.Pictures(folder)) is { } essence ? [new("label.folder's repeats", essence)] : [];
    }

    /// <inheritdoc/>
    public async Task<StageOutcome> RunAsync(StageContext context, CancellationToken token)
    {
        var options = context.Recipe.Clean;
        var (candidates, drops) = IsFolder(context.Recipe) ? TakeFolder(context, token) : TakePages(context, token);
        var (sound, unsound) = await CheckAsync(context, candidates, token);
        drops.AddRange(unsound);
        var (kept, copies) = NearDuplicates.Split(sound, options.DuplicateDistance);
        drops.AddRange(copies);

        drops.Sort((a, b) => string.CompareOrdinal(a.What, b.What) is var order and not 0 ? order : string.CompareOrdinal(a.Id, b.Id));
        RunDirectory.WriteLines(context.Run.File(StageName.Clean, "dropped.jsonl"), drops);
        var counts = drops.GroupBy(drop => drop.Reason, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.Count());
        var seen = kept.Count + drops.Count;
        KeptShare.Require(kept.Count, counts, options, IsFolder(context.Recipe));
        RunDirectory.WriteLines(context.Run.File(StageName.Clean, "records.jsonl"), kept.Select(candidate => candidate.ToRecord()));
        return new StageOutcome(seen, kept.Count, counts, $"{kept.Count} of {seen} pictures kept{KeptShare.Commonest(counts)}");
    }

    private static bool IsFolder(Recipe recipe) => recipe.Label.Source == "folder";

    private static string PagesFile(RunDirectory run) => run.File(StageName.Crawl, "pages.jsonl");

    private static string SeedFile(RunDirectory run) => run.File(StageName.Crawl, "seed.json");

    private static (List<Candidate> Candidates, List<Drop> Drops) TakePages(StageContext context, CancellationToken token)
    {
        foreach (var file in (string[])[PagesFile(context.Run), SeedFile(context.Run)])
            if (!File.Exists(file)) throw new LoraException($"{file} is not there: run the crawl stage first (lora run --from crawl).");
        var pages = RunDirectory.ReadLines<Page>(PagesFile(context.Run)).ToList();
        using var progress = context.Progress.Begin("read pages", pages.Count, "pages");
        var (candidates, drops, topic) = new PageIntake(context.Run, context.Recipe.Clean).Take(RunDirectory.ReadJson<Seed>(SeedFile(context.Run)), pages, progress, token);
        // What was learnt about the topic's words, for people who wonder why a picture went.
        RunDirectory.WriteJson(context.Run.File(StageName.Clean, "topic-words.json"), topic.Words.Take(200).ToDictionary(pair => pair.Key, pair => Math.Round(pair.Value, 3)));
        return (candidates, drops);
    }

    private static (List<Candidate> Candidates, List<Drop> Drops) TakeFolder(StageContext context, CancellationToken token)
    {
        using var progress = context.Progress.Begin("read folder", null, "pictures");
        var taken = FolderIntake.Take(context.Run, context.Recipe.Label.Folder, progress, token);
        foreach (var line in RepeatFolder.Lines(taken.Candidates.Select(c => (c.Folder, c.Caption.Length > 0)))) context.Progress.Line(line);
        return taken;
    }

    private static async Task<(List<Candidate> Kept, List<Drop> Drops)> CheckAsync(StageContext context, List<Candidate> candidates, CancellationToken token)
    {
        using var progress = context.Progress.Begin("check pictures", candidates.Select(candidate => candidate.BlobHash).Distinct(StringComparer.Ordinal).Count(), "pictures");
        try
        {
            return await new PictureChecks(context.Run, context.Recipe.Clean, Math.Clamp(Environment.ProcessorCount, 1, 8)).CheckAsync(candidates, progress, token);
        }
        catch (PictureException e) when (e.Fault == PictureFault.LibraryMissing)
        {
            throw new LoraException(e.Message, inner: e);
        }
    }
}
