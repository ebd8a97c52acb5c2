using System.Collections.Concurrent;

namespace LoraFactory.Flow;

/// <summary>
/// How much a text is about the seed, 0..1: the share of the topic's words that it holds, raised by related terms (noisy-or of their weights).
/// Words are compared by stem. A guess that orders the frontier, not a judgement of quality: stage 2 makes that.
/// </summary>
public sealed class TopicRelevance
{
    private const int LongestWord = 64, MostWords = 100_000;

    // Stems of the terms by number from 1; 0 is every other word.
    private readonly Dictionary<string, int> stems = new(StringComparer.Ordinal);
    private readonly List<(int[] Stems, double Weight)> terms = [];
    // Words met before with the number of their stem: texts are many and words are few.
    private readonly ConcurrentDictionary<string, int> words = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> met;

    /// <summary>Uses the seed's terms with their weights.</summary>
    public TopicRelevance(Seed seed)
    {
        met = words.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var term in seed.Terms)
        {
            var numbers = WordStem.Words(term.Text).Select(WordStem.Of).Select(stem => stems.TryGetValue(stem, out var known) ? known : stems[stem] = stems.Count + 1).ToArray();
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
            var number = NumberOf(text.AsSpan(range));
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

    private int NumberOf(ReadOnlySpan<char> word)
    {
        if (word.Length > LongestWord) return 0;
        Span<char> lower = stackalloc char[LongestWord];
        lower = lower[..word.ToLowerInvariant(lower)];
        if (met.TryGetValue(lower, out var number)) return number;
        number = stems.GetValueOrDefault(WordStem.Of(lower.ToString()));
        if (words.Count > MostWords) words.Clear();
        met.TryAdd(lower, number);
        return number;
    }

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
