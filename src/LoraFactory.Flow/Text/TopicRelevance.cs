namespace LoraFactory.Flow;

/// <summary>
/// How much a text is about the seed, 0..1: the share of the topic's words that it holds, raised by related terms (noisy-or of their weights).
/// Words are compared by stem. A guess that orders the frontier, not a judgement of quality: stage 2 makes that.
/// </summary>
public sealed class TopicRelevance
{
    private readonly StemNumbers stems = new();
    private readonly List<(int[] Stems, double Weight)> terms = [];

    /// <summary>Uses the seed's terms with their weights.</summary>
    public TopicRelevance(Seed seed)
    {
        foreach (var term in seed.Terms)
        {
            var numbers = WordStem.Words(term.Text).Select(WordStem.Of).Select(stems.Add).ToArray();
            if (numbers.Length > 0 && term.Weight > 0) terms.Add((numbers, Math.Min(term.Weight, 1)));
        }
    }

    /// <summary>Relevance of a text, 0..1.</summary>
    public double Of(string text)
    {
        List<int>? numbers = null;
        var count = 0;
        foreach (var range in WordStem.Ranges(text))
        {
            var number = stems.Of(text.AsSpan(range));
            if (number != 0 && numbers is null) numbers = [.. Enumerable.Repeat(0, count)];
            numbers?.Add(number);
            count++;
        }
        if (numbers is null) return 0;
        var missing = 1.0;
        foreach (var (sequence, weight) in terms)
            if (Holds(numbers, sequence)) missing *= 1 - weight;
        return 1 - missing;
    }

    /// <summary>Relevance of a URL by the words of its path; a host's name is the same for all its pages.</summary>
    public double Of(Uri url) => Of(Uri.UnescapeDataString(url.AbsolutePath));

    private static bool Holds(List<int> numbers, int[] sequence)
    {
        for (var at = numbers.IndexOf(sequence[0]); at >= 0 && at + sequence.Length <= numbers.Count; at = numbers.IndexOf(sequence[0], at + 1))
        {
            var i = 1;
            while (i < sequence.Length && numbers[at + i] == sequence[i]) i++;
            if (i == sequence.Length) return true;
        }
        return false;
    }
}
