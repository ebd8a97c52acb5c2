using System.Collections.Concurrent;
using System.Text;

namespace LoraFactory.Models.Tokenizers;

/// <summary>Words that were split into tokens before: texts are many and words are few. Safe to use from several threads.</summary>
/// <param name="split">Splits a word, given as code points, into token ids.</param>
internal sealed class WordCache(WordCache.Splitter split)
{
    private const int MostWords = 1 << 16, LongestKey = 64;

    private readonly ConcurrentDictionary<string, int[]> words = new(StringComparer.Ordinal);

    /// <summary>Ids of a word's tokens.</summary>
    public delegate int[] Splitter(ReadOnlySpan<int> word);

    /// <summary>Appends the ids of a word; long ones are split anew each time.</summary>
    public void Encode(ReadOnlySpan<int> word, List<int> ids)
    {
        if (word.Length > LongestKey / 2) // a code point has at most two UTF-16 units
        {
            ids.AddRange(split(word));
            return;
        }
        Span<char> key = stackalloc char[LongestKey];
        var length = 0;
        foreach (var point in word) length += new Rune(point).EncodeToUtf16(key[length..]);
        if (!words.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(key[..length], out var known))
        {
            known = split(word);
            if (words.Count < MostWords) words.TryAdd(new string(key[..length]), known);
        }
        ids.AddRange(known);
    }
}
