using LoraFactory.Models.Scoring;

namespace LoraFactory.Stages.Label;

/// <summary>Words that several captions of a data set share, and which of them hold for a picture.</summary>
public sealed class TagVocabulary
{
    private static readonly HashSet<string> Stop = new(StringComparer.Ordinal)
    {
        "a", "an", "the", "of", "in", "on", "at", "by", "to", "and", "or", "with", "from", "for", "as", "is", "are", "was", "it", "its", "this", "that", "one", "two", "three", "left", "right",
    };

    private readonly IReadOnlyList<string> words;

    private TagVocabulary(IReadOnlyList<string> words) => this.words = words;

    /// <summary>Words of at least two captions, without function words; the 500 commonest.</summary>
    public static TagVocabulary Of(IEnumerable<string> captions) => new([.. captions
        .SelectMany(c => CaptionText.Words(c).Distinct(StringComparer.Ordinal))
        .Where(w => w.Length > 1 && !Stop.Contains(w))
        .GroupBy(w => w, StringComparer.Ordinal)
        .Where(g => g.Count() > 1)
        .OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal)
        .Take(500).Select(g => g.Key)]);

    /// <summary>
    /// Tags of each picture: the vocabulary's words in its own caption, best match to the picture first; at most <paramref name="most"/>.
    /// </summary>
    public IReadOnlyList<string>[] Tags(IEnumerable<string> captions, IReadOnlyList<float[]> pictures, ClipScorer clip, int most)
    {
        var vectors = words.Zip(clip.Embed(words)).ToDictionary(p => p.First, p => p.Second, StringComparer.Ordinal);
        return [.. captions.Select((caption, i) => (IReadOnlyList<string>)[.. CaptionText.Words(caption).Distinct(StringComparer.Ordinal)
            .Where(vectors.ContainsKey)
            .OrderByDescending(w => ClipScorer.Cosine(vectors[w], pictures[i]))
            .Take(most)])];
    }
}
