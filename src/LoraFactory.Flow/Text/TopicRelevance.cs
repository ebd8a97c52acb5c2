namespace LoraFactory.Flow;

/// <summary>
/// How much a text is about the seed, 0..1: the share of the topic's words that it holds, raised by related terms (noisy-or of their weights).
/// Words are compared by stem. A guess that orders the frontier, not a judgement of quality: stage 2 makes that.
/// </summary>
public sealed class TopicRelevance
{
    private readonly List<(string[] Stems, double Weight)> terms = [];
    private readonly HashSet<string> first = new(StringComparer.Ordinal);

    /// <summary>Uses the seed's terms with their weights.</summary>
    public TopicRelevance(Seed seed)
    {
        foreach (var term in seed.Terms)
        {
            var stems = Stems(term.Text).ToArray();
            if (stems.Length == 0 || term.Weight <= 0) continue;
            terms.Add((stems, Math.Min(term.Weight, 1)));
            first.Add(stems[0]);
        }
    }

    /// <summary>Relevance of a text, 0..1.</summary>
    public double Of(string text)
    {
        var words = Stems(text).ToList();
        var places = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        for (var i = 0; i < words.Count; i++)
        {
            if (!first.Contains(words[i])) continue;
            if (!places.TryGetValue(words[i], out var list)) places.Add(words[i], list = []);
            list.Add(i);
        }
        var missing = 1.0;
        foreach (var (stems, weight) in terms)
            if (places.TryGetValue(stems[0], out var at) && at.Exists(i => Follows(words, i, stems))) missing *= 1 - weight;
        return 1 - missing;
    }

    /// <summary>Relevance of a URL by the words of its path; a host's name is the same for all its pages.</summary>
    public double Of(Uri url) => Of(Uri.UnescapeDataString(url.AbsolutePath));

    private static IEnumerable<string> Stems(string text) => WordStem.Words(text).Select(WordStem.Of);

    private static bool Follows(List<string> words, int at, string[] stems)
    {
        if (at + stems.Length > words.Count) return false;
        for (var i = 1; i < stems.Length; i++)
            if (words[at + i] != stems[i]) return false;
        return true;
    }
}
