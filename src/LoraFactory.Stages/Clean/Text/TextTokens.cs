using System.Globalization;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>A stretch of a text with a 64-bit hash of what it says.</summary>
/// <param name="Start">First character.</param>
/// <param name="Length">Characters.</param>
/// <param name="Hash">Of its characters, in lower case for words.</param>
internal readonly record struct TextSpan(int Start, int Length, ulong Hash);

/// <summary>
/// A text cut once, in one pass, for everything that measures it: words as <see cref="WordStem.Words"/> has them (lower case, pairs of characters
/// for Chinese, Japanese and Korean), and lines less the white space around them, empty ones left out.
/// </summary>
internal sealed class TextTokens
{
    private const ulong Seed = 14695981039346656037, Prime = 1099511628211;

    private const ulong Step = 0x9E3779B97F4A7C15;
    private readonly ulong[] prefix;
    private static readonly ulong[] Powers = [.. Enumerable.Range(0, MostRun + 1).Select(n => Enumerable.Repeat(Step, n).Aggregate(1ul, (power, step) => power * step))];

    private TextTokens(string text, TextSpan[] words, TextSpan[] lines, TextSpan[] paragraphs)
    {
        (Text, Words, Lines, Paragraphs) = (text, words, lines, paragraphs);
        prefix = new ulong[words.Length + 1];
        for (var i = 0; i < words.Length; i++) prefix[i + 1] = prefix[i] * Step + BitMix(words[i].Hash);
    }

    /// <summary>Words of a run at most.</summary>
    public const int MostRun = 10;

    /// <summary>The text.</summary>
    public string Text { get; }

    /// <summary>Words in order.</summary>
    public TextSpan[] Words { get; }

    /// <summary>Lines that hold something, in order.</summary>
    public TextSpan[] Lines { get; }

    /// <summary>What stands between empty lines; each line by itself where none is empty.</summary>
    public TextSpan[] Paragraphs { get; }

    /// <summary>Characters of all words.</summary>
    public int WordCharacters => Words.Sum(word => word.Length);

    /// <summary>Cuts a text.</summary>
    public static TextTokens Of(string text)
    {
        var lines = CutLines(text, out var paragraphs);
        return new(text, CutWords(text), lines, paragraphs);
    }

    /// <summary>Hash of a word as the words of a text have it.</summary>
    public static ulong HashOf(ReadOnlySpan<char> word)
    {
        var hash = Seed;
        foreach (var c in word) hash = (hash ^ Lower(c)) * Prime;
        return hash;
    }

    /// <summary>Hash of characters as they stand, white space runs counted as one space.</summary>
    public static ulong HashOfLine(ReadOnlySpan<char> line)
    {
        var hash = Seed;
        var space = false;
        foreach (var c in line)
        {
            var now = c is ' ' or < (char)0x21 or > (char)0x7e && char.IsWhiteSpace(c);
            if (!(now && space)) hash = (hash ^ (now ? ' ' : c)) * Prime;
            space = now;
        }
        return hash;
    }

    /// <summary>Hash of the run of <paramref name="length"/> words (at most 10) from <paramref name="first"/> on: a polynomial of the words' hashes, from its prefixes.</summary>
    public ulong RunHash(int first, int length) => prefix[first + length] - prefix[first] * Powers[length];

    private static ulong BitMix(ulong x)
    {
        x *= 0x9E3779B97F4A7C15;
        return x ^ (x >> 29);
    }

    private static ulong Lower(char c) => c < 128 ? (c is >= 'A' and <= 'Z' ? (ulong)(c | 0x20) : c) : char.ToLowerInvariant(c);

    private static TextSpan[] CutWords(string text)
    {
        var words = new List<TextSpan>(text.Length / 5 + 1);
        var start = -1;
        var hash = Seed;
        for (var i = 0; i <= text.Length; i++)
        {
            var c = i < text.Length ? text[i] : ' ';
            if (c >= '\u3040' && IsPaired(c))
            {
                if (start >= 0) words.Add(new(start, i - start, hash));
                start = -1;
                if (i + 1 < text.Length && IsPaired(text[i + 1])) words.Add(new(i, 2, HashOf(text.AsSpan(i, 2))));
            }
            else if (c < 128 ? char.IsAsciiLetterOrDigit(c) : char.IsLetterOrDigit(c))
            {
                if (start < 0) (start, hash) = (i, Seed);
                hash = (hash ^ Lower(c)) * Prime;
            }
            else if (start >= 0)
            {
                words.Add(new(start, i - start, hash));
                start = -1;
            }
        }
        return [.. words];
    }

    private static bool IsPaired(char c) => c is (>= '\u3040' and <= '\u30ff') or (>= '\u3400' and <= '\u9fff') or (>= '\uac00' and <= '\ud7af');

    private static TextSpan[] CutLines(string text, out TextSpan[] paragraphs)
    {
        var lines = new List<TextSpan>();
        var breaks = new List<int>(); // lines that an empty one stands before
        var (at, empty) = (0, false);
        while (at < text.Length)
        {
            var end = text.IndexOf('\n', at);
            if (end < 0) end = text.Length;
            var (from, to) = (at, end);
            while (from < to && char.IsWhiteSpace(text[from])) from++;
            while (to > from && char.IsWhiteSpace(text[to - 1])) to--;
            if (to > from)
            {
                if (empty && lines.Count > 0) breaks.Add(lines.Count);
                lines.Add(new(from, to - from, HashOfLine(text.AsSpan(from, to - from))));
            }
            empty = to == from;
            at = end + 1;
        }
        var all = lines.ToArray();
        paragraphs = breaks.Count == 0 ? all : Blocks(text, all, breaks);
        return all;
    }

    private static TextSpan[] Blocks(string text, TextSpan[] lines, List<int> breaks)
    {
        var blocks = new TextSpan[breaks.Count + 1];
        for (var i = 0; i < blocks.Length; i++)
        {
            var (first, last) = (lines[i == 0 ? 0 : breaks[i - 1]], lines[i == breaks.Count ? lines.Length - 1 : breaks[i] - 1]);
            var length = last.Start + last.Length - first.Start;
            blocks[i] = new(first.Start, length, HashOfLine(text.AsSpan(first.Start, length)));
        }
        return blocks;
    }

    /// <summary>Whether a character is neither letter, digit, white space, mark nor usual punctuation.</summary>
    public static bool IsSymbol(char c) =>
        !char.IsAsciiLetterOrDigit(c) && c != ' ' && (c is '#' or '*' or '|' or '\\' or '_' or '@' or '•' or '…' or '{' or '}'
        || (!char.IsLetterOrDigit(c) && !char.IsWhiteSpace(c) && !char.IsSurrogate(c) && !char.IsPunctuation(c)
            && char.GetUnicodeCategory(c) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark)));
}
