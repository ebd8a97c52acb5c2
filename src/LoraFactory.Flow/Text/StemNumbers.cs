using System.Collections.Concurrent;

namespace LoraFactory.Flow;

/// <summary>
/// Numbers for a few stems, and for any word the number of its stem, 0 where it is none of them. Words met before are remembered, since texts are
/// many and words are few. Thread-safe.
/// </summary>
public sealed class StemNumbers
{
    private const int LongestWord = 64, MostWords = 100_000;

    private readonly Dictionary<string, int> stems = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> words = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> met;
    // Second letters of stems by their first, as bits: a word keeps both when it is stemmed, so most words need no look into a table. y may become i.
    private readonly uint[] beginnings = new uint[26];
    private int remembered; // counting the table itself would lock it

    /// <summary>No stems yet.</summary>
    public StemNumbers() => met = words.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>The stem's number, from 1; a new one where it has none. Not while others ask.</summary>
    public int Add(string stem)
    {
        if (!stems.TryGetValue(stem, out var number)) stems[stem] = number = stems.Count + 1;
        if (stem.Length > 0 && char.IsAsciiLetterLower(stem[0])) beginnings[stem[0] - 'a'] |= stem.Length > 1 && char.IsAsciiLetterLower(stem[1]) ? Bit(stem[1]) : uint.MaxValue;
        return number;
    }

    /// <summary>Number of a word's stem, whatever its case; 0 where it is another stem, or longer than 64 characters.</summary>
    public int Of(ReadOnlySpan<char> word)
    {
        if (word.Length > LongestWord) return 0;
        if (word.Length > 1 && char.IsAsciiLetter(word[0]) && char.IsAsciiLetter(word[1]) && (beginnings[(word[0] | 0x20) - 'a'] & Bit((char)(word[1] | 0x20))) == 0) return 0;
        Span<char> lower = stackalloc char[LongestWord];
        lower = lower[..word.ToLowerInvariant(lower)];
        if (met.TryGetValue(lower, out var number)) return number;
        number = stems.GetValueOrDefault(WordStem.Of(lower.ToString()));
        if (Interlocked.Increment(ref remembered) > MostWords)
        {
            words.Clear();
            Volatile.Write(ref remembered, 0);
        }
        met.TryAdd(lower, number);
        return number;
    }

    private static uint Bit(char second) => 1u << ((second == 'y' ? 'i' : second) - 'a');
}
