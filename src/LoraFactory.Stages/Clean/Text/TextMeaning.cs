using System.Numerics.Tensors;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// What an encoder knows of the texts of a run: how near each lies to the topic and its expanded terms, and which are near copies of others. A
/// classifier, where there is one, says besides how well the topic's name fits.
/// </summary>
internal sealed class TextMeaning(ITextEncoder encoder, ITextClassifier? classifier, Seed seed)
{
    /// <summary>Signal: cosine of text and topic, -1..1. What is near depends on the encoder.</summary>
    public const string Relevance = "embedding_relevance";

    /// <summary>Signal: how sure the classifier is that the text is about the topic, 0..1.</summary>
    public const string ZeroShot = "zero_shot_relevance";

    /// <summary>Reason of a text that says what another says.</summary>
    public const string CopyReason = "near-duplicate-meaning";

    // Shorter texts (a caption, a menu) are alike by chance.
    private const int FewestWords = 20;
    private const int MostTerms = 64;

    private readonly Dictionary<string, float[]> vectors = new(StringComparer.Ordinal);

    /// <summary>The documents with their signals, in the order given. An empty text gets none.</summary>
    public List<TextDocument> Measured(IReadOnlyList<TextDocument> documents, Action<int>? each, CancellationToken token)
    {
        var texts = documents.Where(d => d.Text.Length > 0).ToList();
        var rows = encoder.Encode([.. texts.Select(d => d.Text)], each, token);
        for (var i = 0; i < texts.Count; i++) vectors[texts[i].Id] = rows[i];
        var topic = Topic(token);
        var fits = classifier is null || seed.Topic.Length == 0 ? [] : classifier.Score([.. texts.Select(d => d.Text)], [seed.Topic], token);
        var place = 0;
        return [.. documents.Select(document =>
        {
            if (document.Text.Length == 0) return document;
            var signals = new SortedDictionary<string, double>(document.Signals.ToDictionary(), StringComparer.Ordinal) { [Relevance] = Rounded(TensorPrimitives.Dot<float>(vectors[document.Id], topic)) };
            if (fits.Length > 0) signals[ZeroShot] = Rounded(fits[place][0]);
            place++;
            return document with { Signals = signals, WouldBreak = TextRules.BrokenBy(signals) };
        })];
    }

    /// <summary>The document as it was before <see cref="Measured"/>: another encoder's signals say nothing beside this one's.</summary>
    public static TextDocument Bare(TextDocument document)
    {
        if (!document.Signals.ContainsKey(Relevance) && !document.Signals.ContainsKey(ZeroShot)) return document;
        var signals = new SortedDictionary<string, double>(document.Signals.ToDictionary(), StringComparer.Ordinal);
        signals.Remove(Relevance);
        signals.Remove(ZeroShot);
        return document with { Signals = signals, WouldBreak = TextRules.BrokenBy(signals) };
    }

    /// <summary>
    /// The documents, near copies among those that stand marked, in the order given; their drops are added to <paramref name="drops"/>. The best text
    /// of a cluster stays: by quality, then length, then address. A page whose text is a copy keeps its pictures, which have copies of their own.
    /// </summary>
    public IReadOnlyList<TextDocument> Mark(IReadOnlyList<TextDocument> documents, List<Drop> drops, CancellationToken token)
    {
        var result = documents.ToArray();
        int[] order = [.. Enumerable.Range(0, documents.Count).Where(i => documents[i].Dropped is null && vectors.ContainsKey(documents[i].Id) && documents[i].Signal("text_words") >= FewestWords)
            .OrderByDescending(i => documents[i].Signal(TextQuality.Signal)).ThenByDescending(i => documents[i].Text.Length).ThenBy(i => documents[i].Url, StringComparer.Ordinal).ThenBy(i => documents[i].Id, StringComparer.Ordinal)];
        foreach (var copy in TextCopies.Find([.. order.Select(i => vectors[documents[i].Id])], encoder.DuplicateCosine, token: token))
        {
            var (document, of) = (documents[order[copy.Index]], documents[order[copy.Of]]);
            result[order[copy.Index]] = document with { Dropped = CopyReason };
            drops.Add(Candidate.Numbered(new Drop(document.Id, CopyReason, document.Url, $"cosine {copy.Cosine:0.###} to {of.Url}") { Kind = CleanStage.DocumentKind }, copy.Cosine, encoder.DuplicateCosine));
        }
        return result;
    }

    // The topic counts as much as all its terms together, each by its weight.
    private float[] Topic(CancellationToken token)
    {
        var terms = seed.Terms.Where(t => t.Relation != SeedTerm.Also && t.Weight > 0 && t.Text.Length > 0).OrderByDescending(t => t.Weight).ThenBy(t => t.Text, StringComparer.Ordinal).Take(MostTerms).ToList();
        var rows = encoder.Encode([seed.Topic, .. terms.Select(t => t.Text)], token: token);
        var sum = new float[encoder.Dimension];
        var weights = terms.Sum(t => t.Weight);
        for (var i = 0; i < terms.Count; i++) TensorPrimitives.MultiplyAdd(rows[i + 1], (float)(terms[i].Weight / weights), sum, sum);
        TensorPrimitives.Add(sum, rows[0], sum);
        var length = TensorPrimitives.Norm<float>(sum);
        if (length > 0) TensorPrimitives.Divide(sum, length, sum);
        return sum;
    }

    private static double Rounded(double value) => Math.Round(value, 6);
}
