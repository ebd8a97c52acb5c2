using System.Globalization;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Stages.Clean.Text;

namespace LoraFactory.Stages.Clean;

/// <summary>What a picture of the report is: a small PNG and the words under it.</summary>
internal sealed record ReportPicture(byte[] Png, string Caption, string Origin);

/// <summary>The beginning of a page's text.</summary>
/// <param name="Url">Address of the page.</param>
/// <param name="Note">Why it was dropped, or how near it came to it.</param>
/// <param name="Beginning">Its first words.</param>
internal sealed record ReportText(string Url, string Note, string Beginning);

/// <summary>One reason with how often it struck and some of what it took.</summary>
/// <param name="Name">Name of the rule.</param>
/// <param name="IsDocument">Whether it took pages' texts; otherwise pictures.</param>
/// <param name="Count">How many.</param>
/// <param name="Drops">Some, spread over all.</param>
/// <param name="Pictures">Their thumbnails, where there are any.</param>
/// <param name="Texts">Their texts, where they are pages.</param>
internal sealed record ReportReason(string Name, bool IsDocument, int Count, IReadOnlyList<Drop> Drops, IReadOnlyList<ReportPicture> Pictures, IReadOnlyList<ReportText> Texts)
{
    /// <summary>Kept texts to compare with: those that came nearest to the threshold, or those that the dropped ones are copies of.</summary>
    public IReadOnlyList<ReportText> Beside { get; init; } = [];
    /// <summary>Where a reason stands for several: which, with their counts, commonest first.</summary>
    public IReadOnlyList<(string Kind, int Count)> Kinds { get; init; } = [];
}

/// <summary>One signal's values, of what was kept and of what was dropped, with the thresholds in force.</summary>
internal sealed record ReportSignal(string Name, IReadOnlyList<double> Kept, IReadOnlyList<double> Dropped, IReadOnlyList<(string Rule, double Threshold)> Thresholds);

/// <summary>A rule about texts with what it would do at its threshold.</summary>
internal sealed record ReportRule(TextRule Rule, double Threshold, bool IsOn, int Breaks);

/// <summary>
/// Gathers what <c>lora clean report</c> shows, from the files that clean left: nothing is judged again. Pictures are decoded in a process of their own.
/// </summary>
internal sealed class CleanReport
{
    private const int PerReason = 6, TextsPerReason = 3, ThumbnailSide = 144, MostReasons = 60;

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
    public required IReadOnlyList<ReportText> KeptTexts { get; init; }

    /// <summary>Gathers from a run's 2-clean.</summary>
    /// <exception cref="LoraException">Clean has judged nothing there.</exception>
    public static CleanReport Of(RunDirectory run, CleanOptions options, CancellationToken token)
    {
        // a clean that kept too little to go on has drops and no records, and is looked at most of all
        var dropsFile = run.PathOf(StageName.Clean, "dropped.jsonl");
        if (!File.Exists(dropsFile)) throw new LoraException($"{dropsFile} is not there: run lora clean first.");
        var records = Lines<Record>(run, "records.jsonl");
        var drops = RunDirectory.ReadLines<Drop>(dropsFile).ToList();
        var documents = Lines<TextDocument>(run, EarlierScores.DocumentsFile);
        var measured = Lines<PictureScore>(run, EarlierScores.PicturesFile);
        using var pictures = new RunPictures(run, token);
        var beside = new KeptTexts(documents);
        return new CleanReport
        {
            Run = Path.GetFileName(run.Path),
            Kept = records.Count,
            Dropped = drops.Count(d => d.Kind is null),
            Pages = (documents.Count(d => d.Dropped is null), documents.Count),
            Reasons = [.. drops.GroupBy(d => (d.Reason, IsDocument: d.Kind == CleanStage.DocumentKind)).OrderBy(g => g.Key.IsDocument).ThenByDescending(g => g.Count())
                .ThenBy(g => g.Key.Reason, StringComparer.Ordinal).Take(MostReasons).Select(g => ReasonOf(g.Key.Reason, g.Key.IsDocument, [.. g], beside, pictures))],
            Signals = SignalsOf(options, records, documents, drops, measured),
            Rules = RulesOf(options, documents),
            KeptPictures = [.. Spread(records, 12).Select(r => Thumbnail(pictures, r.BlobHash, r.Caption, r.PictureUrl)).OfType<ReportPicture>()],
            KeptTexts = [.. Spread(beside.Kept, 2).Select(d => new ReportText(d.Url, "", Beginning(d)))],
        };
    }

    private static List<T> Lines<T>(RunDirectory run, string name) => run.PathOf(StageName.Clean, name) is var path && File.Exists(path) ? [.. RunDirectory.ReadLines<T>(path)] : [];

    private static ReportReason ReasonOf(string name, bool isDocument, List<Drop> drops, KeptTexts texts, RunPictures pictures)
    {
        var some = Spread([.. drops.DistinctBy(d => (d.What, d.Detail))], PerReason).ToList(); // a banner stands on every page
        var shown = isDocument ? some.Where(d => texts.Of(d.Id) is not null).Take(TextsPerReason).ToList() : [];
        return new(name, isDocument, drops.Count, some,
            [.. some.Where(d => d.Blob is not null).Select(d => Thumbnail(pictures, d.Blob!, d.Detail ?? "", d.What)).OfType<ReportPicture>()],
            [.. shown.Select(d => new ReportText(d.What, Judged(d), Beginning(texts.Of(d.Id)!)))])
        {
            Beside = [.. texts.Beside(name, shown, TextsPerReason).Select(b => new ReportText(b.Document.Url, b.Note, Beginning(b.Document)))],
            Kinds = name is CleanStage.NotFetched or CleanStage.OptedOut
                ? [.. drops.GroupBy(d => (d.Detail ?? "").Split(", said by ")[0], StringComparer.Ordinal).Select(g => (g.Key, g.Count())).OrderByDescending(k => k.Item2).ThenBy(k => k.Key, StringComparer.Ordinal).Take(PerReason)] : [],
        };
    }

    /// <summary>What was judged of a drop, in words.</summary>
    public static string Judged(Drop drop) => drop is { Value: { } value, Threshold: { } threshold } && TextRules.All.All(rule => rule.Name != drop.Reason) ? // those say both themselves
        $"{drop.Detail} ({Number(value)} against {Number(threshold)})" : drop.Detail ?? "";

    /// <summary>A value as the page shows it.</summary>
    public static string Number(double value) => double.IsFinite(value) ? value.ToString(Math.Abs(value) >= 100 ? "0" : Math.Abs(value) >= 10 ? "0.#" : "0.###", CultureInfo.InvariantCulture) : "–";

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
                options.MinRelevance > 0 ? [("clean.min_relevance", options.MinRelevance)] : []),
        };
        foreach (var name in documents.SelectMany(d => d.Signals.Keys).Distinct(StringComparer.Ordinal).OrderBy(n => n != TextQuality.Signal).ThenBy(n => n, StringComparer.Ordinal))
        {
            var lines = rules.Where(r => r.Rule.Signal == name && !r.Rule.IsOffAt(r.Threshold)).Select(r => (r.Rule.Name, r.Threshold)).ToList();
            if (name == TextQuality.Signal && options.MinTextQuality > 0) lines.Add(("clean.min_text_quality", options.MinTextQuality));
            signals.Add(new(name, [.. documents.Where(d => d.Dropped is null).Select(d => d.Signal(name))], [.. documents.Where(d => d.Dropped is not null).Select(d => d.Signal(name))], lines));
        }
        var kept = records.Select(r => r.BlobHash).ToHashSet(StringComparer.Ordinal);
        void Pictures(string name, Func<PictureScore, double> value, params (string, double)[] lines)
        {
            var seen = measured.Where(p => p.Width > 0).ToLookup(p => kept.Contains(p.Blob), value);
            signals.Add(new(name, [.. seen[true]], [.. seen[false]], lines));
        }
        Pictures("picture_shorter_side", p => Math.Min(p.Width, p.Height), options.MinSide > 1 ? [("clean.min_side", options.MinSide)] : []);
        Pictures("picture_aspect", p => Math.Max(p.Width, p.Height) / Math.Max(1.0, Math.Min(p.Width, p.Height)), ("clean.max_aspect", options.MaxAspect));
        foreach (var name in measured.SelectMany(p => p.Measured?.Signals.Keys ?? []).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
            Pictures(name, p => p.Measured?.Signals.GetValueOrDefault(name, double.NaN) ?? double.NaN, [.. PictureRule.All.Where(r => r.Signal == name && !r.IsOff(options)).Select(r => (r.Option.Length > 0 ? r.Option : r.Reason, r.Threshold(options)))]);
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
