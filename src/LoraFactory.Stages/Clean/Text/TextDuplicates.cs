using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// Marks texts that other pages of the run have too: equal by their hash, nearly equal by <see cref="TextTwins"/>. The best of each group stays: the better text,
/// then the longer, then the first by URL. A page whose text is a copy may still show pictures that no other page has, so its pictures are not touched.
/// </summary>
internal static class TextDuplicates
{
    /// <summary>Reason of a text whose words stand on another page.</summary>
    public const string Same = "duplicate-text";

    /// <summary>Reason of a text that is nearly another's.</summary>
    public const string Near = "near-duplicate-text";

    // Below this every page of one template is like every other.
    private const int FewestWords = 20;

    /// <summary>The documents, copies marked, in the order given; their drops are added to <paramref name="drops"/>.</summary>
    public static IReadOnlyList<TextDocument> Mark(IReadOnlyList<TextDocument> documents, double threshold, List<Drop> drops)
    {
        var result = documents.ToArray();
        var order = Enumerable.Range(0, documents.Count).Where(i => documents[i].Dropped is null && documents[i].Signal("text_words") >= FewestWords)
            .OrderByDescending(i => documents[i].Signal(TextQuality.Signal)).ThenByDescending(i => documents[i].Text.Length).ThenBy(i => documents[i].Url, StringComparer.Ordinal).ToList();
        var twins = new TextTwins(order.Count, threshold);
        var exact = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var i in order)
        {
            var document = documents[i];
            if (exact.TryGetValue(document.TextHash, out var same)) Drop(i, Same, same, 1);
            else if (MinHash.Of(TextTokens.Of(document.Text)) is { } signature && twins.Add(i, signature) is { } twin) Drop(i, Near, twin.Of, twin.Similarity);
            else exact.Add(document.TextHash, i);
        }
        return result;

        void Drop(int i, string reason, int of, double similarity)
        {
            result[i] = documents[i] with { Dropped = reason };
            var detail = reason == Same ? $"the words of {documents[of].Url}" : $"{similarity:0.##} like {documents[of].Url}";
            drops.Add(Candidate.Numbered(new Drop(documents[i].Id, reason, documents[i].Url, detail) { Kind = CleanStage.DocumentKind }, similarity, threshold));
        }
    }
}
