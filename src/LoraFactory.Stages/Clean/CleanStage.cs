using System.Globalization;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Stages.Clean.Text;

namespace LoraFactory.Stages.Clean;

/// <summary>
/// Stage 2: from crawled pages, or from a folder of the user's own, to records worth labelling. Every picture that does not go on is written
/// to dropped.jsonl with its reason; every measured signal stays on the record, so that thresholds can change without a new crawl.
/// </summary>
/// <param name="encoders">Opens what texts are compared with; without it they are judged by their words alone.</param>
public sealed class CleanStage(IEncoders? encoders = null) : IStage
{
    /// <summary>Reason of pictures that the crawl did not fetch, unless training was refused.</summary>
    public const string NotFetched = "not-fetched";

    /// <summary>Reason of what refuses training, whether it was fetched or not.</summary>
    public const string OptedOut = "opted-out";

    /// <summary><see cref="Drop.Kind"/> of a page's text; every other drop is a picture.</summary>
    public const string DocumentKind = "document";

    private sealed record KeptWords(string Trigger);

    private sealed record FolderSource(string Source, string Folder);

    /// <inheritdoc/>
    public StageName Name => StageName.Clean;

    /// <inheritdoc/>
    public IEnumerable<object> Options(Recipe recipe) => [recipe.Clean, new FolderSource(recipe.Label.Source, IsFolder(recipe) ? recipe.Label.Folder : ""), .. recipe.Clean.Spelling.Length > 0 ? (object[])[new KeptWords(recipe.Label.Trigger)] : []];

    /// <inheritdoc/>
    public IEnumerable<MachineFinding> Look(Recipe recipe) => [.. LookAtRules(recipe), .. IsFolder(recipe) ? FolderSurvey.Look(recipe) : [], .. encoders?.Look(recipe) ?? []];

    private static IEnumerable<MachineFinding> LookAtRules(Recipe recipe)
    {
        if (TextJudgement.Fault(recipe.Clean) is { } fault) yield return new("LR220", "clean.thresholds", fault);
        if (recipe.Clean.Spelling is { Length: > 0 } dictionary && !Hunspell.IsThere(dictionary)) yield return new("LR229", "clean.spelling", Spelling.Missing(dictionary));
    }

    /// <inheritdoc/>
    public IEnumerable<string> Inputs(StageContext context)
    {
        if (!IsFolder(context.Recipe)) return [PagesFile(context.Run), SeedFile(context.Run), .. encoders?.Files(context.Recipe) ?? []];
        var pictures = FolderIntake.Pictures(context.Recipe.Label.Folder);
        return [.. pictures, .. FolderIntake.Captions(pictures), .. context.Recipe.Clean.AsksForClip() ? encoders?.Files(context.Recipe) ?? [] : []];
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
        var earlier = context.Rescore ? EarlierScores.Read(context.Run) : EarlierScores.None;
        var (candidates, drops) = IsFolder(context.Recipe) ? TakeFolder(context, token) : TakePages(context, earlier, token);
        var (sound, unsound) = await CheckAsync(context, candidates, earlier, token);
        drops.AddRange(unsound);
        using var likeness = encoders is null || !options.AsksForClip() ? null : new PictureLikeness(encoders.OpenPictures(context.Recipe), context.Run, options.DuplicateClipCosine, token);
        var (kept, copies) = NearDuplicates.Split(sound, options.DuplicateDistance, likeness is null || options.DuplicateClipCosine == 0 ? null : likeness.AreCopies);
        drops.AddRange(copies);
        if (options.KeepBest > 0 && likeness is not null) drops.AddRange(BestSpread.Narrow(kept, options.KeepBest, likeness.Of(kept)));

        drops.Sort((a, b) => string.CompareOrdinal(a.What, b.What) is var order and not 0 ? order : string.CompareOrdinal(a.Id, b.Id));
        RunDirectory.WriteLines(context.Run.File(StageName.Clean, "dropped.jsonl"), drops);
        drops.RemoveAll(drop => drop.Kind == DocumentKind); // counts are of pictures
        var counts = Counts(drops);
        var seen = kept.Count + drops.Count;
        // what the crawl did not fetch says nothing about clean's thresholds
        KeptShare.Require(kept.Count, Counts(drops.Where(drop => !WasNotFetched(drop))), Counts(drops.Where(WasNotFetched)), options, IsFolder(context.Recipe));
        RunDirectory.WriteLines(context.Run.File(StageName.Clean, "records.jsonl"), kept.Select(candidate => candidate.ToRecord()));
        RunDirectory.WriteLines(context.Run.File(StageName.Clean, "consent.jsonl"), kept.Where(candidate => candidate.Consent is not null).Select(candidate => new RecordConsent(candidate.Id, candidate.Consent!)));
        return new StageOutcome(seen, kept.Count, counts, $"{kept.Count} of {seen} pictures kept{KeptShare.Commonest(counts)}");
    }

    private static bool WasNotFetched(Drop drop) => drop is { Page: not null, Blob: null };

    private static Dictionary<string, int> Counts(IEnumerable<Drop> drops) =>
        drops.GroupBy(drop => drop.Reason, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.Count());

    private static bool IsFolder(Recipe recipe) => recipe.Label.Source == "folder";

    private static string PagesFile(RunDirectory run) => run.File(StageName.Crawl, "pages.jsonl");

    private static string SeedFile(RunDirectory run) => run.File(StageName.Crawl, "seed.json");

    private (List<Candidate> Candidates, List<Drop> Drops) TakePages(StageContext context, EarlierScores earlier, CancellationToken token)
    {
        foreach (var file in (string[])[PagesFile(context.Run), SeedFile(context.Run)])
            if (!File.Exists(file)) throw new LoraException($"{file} is not there: run the crawl stage first (lora run --from crawl).");
        var pages = RunDirectory.ReadLines<Page>(PagesFile(context.Run)).ToList();
        using var progress = context.Progress.Begin("read pages", pages.Count, "pages");
        var seed = RunDirectory.ReadJson<Seed>(SeedFile(context.Run));
        using var spelling = Spelling.Of(context.Recipe.Clean.Spelling, [seed.Topic, context.Recipe.Label.Trigger, .. seed.Terms.Select(term => term.Text)]);
        using var encoder = encoders?.OpenText(context.Recipe);
        using var classifier = encoder is null ? null : encoders?.OpenClassifier(context.Recipe);
        if (encoder is not null) context.Progress.Line(string.Create(CultureInfo.InvariantCulture, $"texts are compared by {encoder.Name}: copies from cosine {encoder.DuplicateCosine:0.###}{(classifier is null ? "" : $"; {classifier.Name} says what is about the topic")}"));
        var intake = new PageIntake(context.Run, context.Recipe.Clean, earlier, encoder is null ? null : new TextMeaning(encoder, classifier, seed), spelling);
        var (candidates, drops, topic) = intake.Take(seed, pages, progress, token);
        RunDirectory.WriteLines(context.Run.File(StageName.Clean, EarlierScores.DocumentsFile), intake.Documents);
        if (context.Rescore && intake.ReadAnew > 0) context.Progress.Line($"{intake.ReadAnew} of {pages.Count} pages were not scored before, or are of a host with such a page, and had to be read");
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

    private static async Task<(List<Candidate> Kept, List<Drop> Drops)> CheckAsync(StageContext context, List<Candidate> candidates, EarlierScores earlier, CancellationToken token)
    {
        using var progress = context.Progress.Begin("check pictures", candidates.Select(candidate => candidate.BlobHash).Distinct(StringComparer.Ordinal).Count(), "pictures");
        try
        {
            var checks = new PictureChecks(context.Run, context.Recipe.Clean, earlier, Math.Clamp(Environment.ProcessorCount, 1, 8));
            var result = await checks.CheckAsync(candidates, progress, token);
            RunDirectory.WriteLines(context.Run.File(StageName.Clean, EarlierScores.PicturesFile), checks.Scores);
            if (context.Rescore && checks.DecodedAnew > 0) context.Progress.Line($"{checks.DecodedAnew} pictures had fallen before they were decoded and were decoded now");
            return result;
        }
        catch (PictureException e) when (e.Fault == PictureFault.LibraryMissing)
        {
            throw new LoraException(e.Message, inner: e);
        }
    }
}
