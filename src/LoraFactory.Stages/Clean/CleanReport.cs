using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Stages.Clean.Text;

namespace LoraFactory.Stages.Clean;

/// <summary>What a picture of the report is: a small PNG and the words under it.</summary>
internal sealed record ReportPicture(byte[] Png, string Caption, string Origin);

/// <summary>One reason with how often it struck and some of what it took.</summary>
/// <param name="Name">Name of the rule.</param>
/// <param name="IsDocument">Whether it took pages' texts; otherwise pictures.</param>
/// <param name="Count">How many.</param>
/// <param name="Drops">Some, spread over all.</param>
/// <param name="Pictures">Their thumbnails, where there are any.</param>
/// <param name="Texts">Beginnings of their texts, where they are pages.</param>
internal sealed record ReportReason(string Name, bool IsDocument, int Count, IReadOnlyList<Drop> Drops, IReadOnlyList<ReportPicture> Pictures, IReadOnlyList<string> Texts);

/// <summary>One signal's values, of what was kept and of what was dropped, with the thresholds in force.</summary>
internal sealed record ReportSignal(string Name, IReadOnlyList<double> Kept, IReadOnlyList<double> Dropped, IReadOnlyList<(string Rule, double Threshold)> Thresholds);

/// <summary>A rule about texts with what it would do at its threshold.</summary>
internal sealed record ReportRule(TextRule Rule, double Threshold, bool IsOn, int Breaks);

/// <summary>
/// Gathers what <c>lora clean report</c> shows, from the files of a finished clean: nothing is judged again. Pictures are decoded in a process of their own.
/// </summary>
internal sealed class CleanReport
{

    private const int PerReason = 6, ThumbnailSide = 144, MostReasons = 60;

    /// <summary>Name of the run.</summary>
    public required string Run { get; init; }
    /// <summary>Pictures kept.</summary>
    public required int Kept { get; init; }
    /// <summary>Pictures dropped.</summary>
    public required int Dropped { get; init; }
    /// <summary>Pages whose text was kept, and all.</summary>
    public required (int Kept, int All) Pages { get; init; }
    /// <summary>Reasons, commonest first, pictures before pages.</summary>
    public required IReadOnlyList<ReportReason> Reasons { get; init; }
    /// <summary>Signals that a rule or an option judges, then the pictures' own.</summary>
    public required IReadOnlyList<ReportSignal> Signals { get; init; }
    /// <summary>Every rule about texts.</summary>
    public required IReadOnlyList<ReportRule> Rules { get; init; }
    /// <summary>Some of what was kept.</summary>
    public required IReadOnlyList<ReportPicture> KeptPictures { get; init; }
    /// <summary>Beginnings of some kept texts.</summary>
    public required IReadOnlyList<string> KeptTexts { get; init; }

    /// <summary>Gathers from a run's 2-clean.</summary>
    /// <exception cref="LoraException">Clean has not finished there.</exception>
    public static CleanReport Of(RunDirectory run, CleanOptions options, CancellationToken token)
    {
        var recordsFile = run.PathOf(StageName.Clean, "records.jsonl");
        if (!File.Exists(recordsFile)) throw new LoraException($"{recordsFile} is not there: run lora clean first.");
        var records = RunDirectory.ReadLines<Record>(recordsFile).ToList();
        var drops = RunDirectory.ReadLines<Drop>(run.PathOf(StageName.Clean, "dropped.jsonl")).ToList();
        var documents = Lines<TextDocument>(run, EarlierScores.DocumentsFile);
        var measured = Lines<PictureScore>(run, EarlierScores.PicturesFile);
        using var pictures = new RunPictures(run, token);
        var texts = documents.ToDictionary(d => d.Id, StringComparer.Ordinal);
        return new CleanReport
        {
            Run = Path.GetFileName(run.Path),
            Kept = records.Count,
            Dropped = drops.Count(d => d.Kind is null),
            Pages = (documents.Count(d => d.Dropped is null), documents.Count),
            Reasons = [.. drops.GroupBy(d => (d.Reason, IsDocument: d.Kind == CleanStage.DocumentKind)).OrderBy(g => g.Key.IsDocument).ThenByDescending(g => g.Count())
                .ThenBy(g => g.Key.Reason, StringComparer.Ordinal).Take(MostReasons).Select(g => ReasonOf(g.Key.Reason, g.Key.IsDocument, [.. g], texts, pictures))],
            Signals = SignalsOf(options, records, documents, drops, measured),
            Rules = RulesOf(options, documents),
            KeptPictures = [.. Spread(records, 12).Select(r => Thumbnail(pictures, r.BlobHash, r.Caption, r.PictureUrl)).OfType<ReportPicture>()],
            KeptTexts = [.. Spread([.. documents.Where(d => d.Dropped is null && d.Text.Length > 0)], PerReason).Select(Beginning)],
        };
    }

    private static List<T> Lines<T>(RunDirectory run, string name) => run.PathOf(StageName.Clean, name) is var path && File.Exists(path) ? [.. RunDirectory.ReadLines<T>(path)] : [];

    private static ReportReason ReasonOf(string name, bool isDocument, List<Drop> drops, Dictionary<string, TextDocument> texts, RunPictures pictures)
    {
        var some = Spread(drops, PerReason).ToList();
        return new(name, isDocument, drops.Count, some,
            [.. some.Where(d => d.Blob is not null).Select(d => Thumbnail(pictures, d.Blob!, d.Detail ?? "", d.What)).OfType<ReportPicture>()],
            [.. some.Select(d => isDocument && texts.GetValueOrDefault(d.Id) is { } document ? Beginning(document) : null).OfType<string>()]);
    }

    private static string Beginning(TextDocument document) => document.Text.Length <= 400 ? document.Text : document.Text[..400] + " …";

    private static List<ReportRule> RulesOf(CleanOptions options, List<TextDocument> documents)
    {
        var on = new TextJudgement(options).Rules.ToDictionary(r => r.Rule.Name, r => r.Threshold, StringComparer.Ordinal);
        return [.. TextRules.All.Select(rule =>
        {
            var threshold = on.GetValueOrDefault(rule.Name, rule.Threshold);
            return new ReportRule(rule, threshold, on.ContainsKey(rule.Name), documents.Count(d => rule.IsBrokenBy(d.Signal(rule.Signal), threshold)));
        })];
    }

    private static List<ReportSignal> SignalsOf(CleanOptions options, List<Record> records, List<TextDocument> documents, List<Drop> drops, List<PictureScore> measured)
    {
        var rules = new TextJudgement(options).Rules;
        var signals = new List<ReportSignal>
        {
            new("relevance", [.. records.Where(r => r.Signals.ContainsKey("relevance")).Select(r => r.Signals["relevance"])], [.. drops.Where(d => d.Reason == "off-topic").Select(d => d.Value ?? double.NaN)],
                [("clean.min_relevance", options.MinRelevance)]),
        };
        foreach (var name in documents.SelectMany(d => d.Signals.Keys).Distinct(StringComparer.Ordinal).OrderBy(n => n != "text_quality").ThenBy(n => n, StringComparer.Ordinal))
        {
            var lines = rules.Where(r => r.Rule.Signal == name).Select(r => (r.Rule.Name, r.Threshold)).ToList();
            if (name == "text_quality") lines.Add(("clean.min_text_quality", options.MinTextQuality));
            signals.Add(new(name, [.. documents.Where(d => d.Dropped is null).Select(d => d.Signal(name))], [.. documents.Where(d => d.Dropped is not null).Select(d => d.Signal(name))], lines));
        }
        var kept = records.Select(r => r.BlobHash).ToHashSet(StringComparer.Ordinal);
        void Pictures(string name, Func<PictureScore, double> value, params (string, double)[] lines)
        {
            var seen = measured.Where(p => p.Width > 0).ToLookup(p => kept.Contains(p.Blob), value);
            signals.Add(new(name, [.. seen[true]], [.. seen[false]], lines));
        }
        Pictures("picture_shorter_side", p => Math.Min(p.Width, p.Height), ("clean.min_side", options.MinSide));
        Pictures("picture_aspect", p => Math.Max(p.Width, p.Height) / Math.Max(1.0, Math.Min(p.Width, p.Height)), ("clean.max_aspect", options.MaxAspect));
        foreach (var name in measured.SelectMany(p => p.Measured?.Signals.Keys ?? []).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
            Pictures(name, p => p.Measured?.Signals.GetValueOrDefault(name, double.NaN) ?? double.NaN, [.. PictureRule.All.Where(r => r.Signal == name && double.IsFinite(r.Threshold(options))).Select(r => (r.Option.Length > 0 ? r.Option : r.Reason, r.Threshold(options)))]);
        return [.. signals.Where(s => s.Kept.Concat(s.Dropped).Any(double.IsFinite))];
    }

    private static ReportPicture? Thumbnail(RunPictures pictures, string blob, string caption, string origin)
    {
        try
        {
            return new(PictureWriter.Png(pictures.Read(blob, PictureFit.Within(ThumbnailSide)).Picture), caption, origin);
        }
        catch (Exception e) when (e is PictureException or IOException)
        {
            return null; // what cannot be shown is still listed by its address
        }
    }

    /// <summary>At most <paramref name="most"/> items, evenly from the first to the last.</summary>
    private static IEnumerable<T> Spread<T>(IReadOnlyList<T> items, int most)
    {
        var n = Math.Min(items.Count, most);
        for (var i = 0; i < n; i++) yield return items[(int)((long)i * items.Count / n)];
    }
}
