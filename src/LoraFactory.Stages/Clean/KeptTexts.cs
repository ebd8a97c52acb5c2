using LoraFactory.Flow;
using LoraFactory.Stages.Clean.Text;

namespace LoraFactory.Stages.Clean;

/// <summary>Finds the kept texts that tell most beside dropped ones: what came nearest to the threshold that those broke, or what they are copies of.</summary>
internal sealed class KeptTexts
{
    private readonly Dictionary<string, TextDocument> byId;
    private readonly Dictionary<string, TextDocument> keptByUrl = new(StringComparer.Ordinal);

    public KeptTexts(IReadOnlyList<TextDocument> documents)
    {
        byId = documents.ToDictionary(d => d.Id, StringComparer.Ordinal);
        Kept = [.. documents.Where(d => d.Dropped is null && d.Text.Length > 0)];
        foreach (var document in Kept) keptByUrl.TryAdd(document.Url, document);
    }

    /// <summary>Kept texts that are not empty, in the order of the run.</summary>
    public IReadOnlyList<TextDocument> Kept { get; }

    /// <summary>The document of a drop; null where there is none.</summary>
    public TextDocument? Of(string id) => byId.GetValueOrDefault(id);

    /// <summary>At most <paramref name="most"/> kept texts beside these drops of one reason, each with what it has to do with them; none where nothing can be compared.</summary>
    public IEnumerable<(TextDocument Document, string Note)> Beside(string reason, IReadOnlyList<Drop> drops, int most)
    {
        // a copy's reason ends with the address of the one that stayed
        if (reason is TextDuplicates.Same or TextDuplicates.Near or TextMeaning.CopyReason)
            return drops.Select(d => keptByUrl.GetValueOrDefault((d.Detail ?? "").Split(' ')[^1])).OfType<TextDocument>().Distinct().Take(most).Select(d => (d, "the one that stayed"));
        var signal = reason == TextQuality.Reason ? TextQuality.Signal : TextRules.All.FirstOrDefault(r => r.Name == reason)?.Signal;
        if (signal is null || drops.FirstOrDefault(d => d.Threshold is not null)?.Threshold is not { } threshold) return [];
        return Kept.Where(d => double.IsFinite(d.Signal(signal))).OrderBy(d => Math.Abs(d.Signal(signal) - threshold)).ThenBy(d => d.Url, StringComparer.Ordinal)
            .DistinctBy(d => CleanReport.Number(d.Signal(signal))).Take(most) // of many that are alike one says all
            .Select(d => (d, $"{signal} {CleanReport.Number(d.Signal(signal))}"));
    }
}
