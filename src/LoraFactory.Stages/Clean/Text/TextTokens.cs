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

    private TextTokens(string text, TextSpan[] words, TextSpan[] lines, TextSpan[] paragraphs) => (Text, Words, Lines, Paragraphs) = (text, words, lines, paragraphs);

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
            var now = char.IsWhiteSpace(c);
            if (!(now && space)) hash = (hash ^ (now ? ' ' : c)) * Prime;
            space = now;
        }
        return hash;
    }

    /// <summary>The hash of a run of words from the hashes of each.</summary>
    public static ulong HashOfRun(ReadOnlySpan<TextSpan> words)
    {
        var hash = Seed;
        foreach (var word in words) hash = BitMix(hash ^ word.Hash);
        return hash;
    }

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
            else if (char.IsLetterOrDigit(c))
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
        var blocks = new List<TextSpan>();
        var (at, first, last, gaps) = (0, -1, 0, 0);
        while (at < text.Length)
        {
            var end = text.IndexOf('\n', at);
            if (end < 0) end = text.Length;
            var (from, to) = (at, end);
            while (from < to && char.IsWhiteSpace(text[from])) from++;
            while (to > from && char.IsWhiteSpace(text[to - 1])) to--;
            if (to > from)
            {
                lines.Add(new(from, to - from, HashOfLine(text.AsSpan(from, to - from))));
                if (first < 0) first = from;
                last = to;
            }
            else if (first >= 0)
            {
                gaps++;
                blocks.Add(new(first, last - first, HashOfLine(text.AsSpan(first, last - first))));
                first = -1;
            }
            at = end + 1;
        }
        if (first >= 0) blocks.Add(new(first, last - first, HashOfLine(text.AsSpan(first, last - first))));
        paragraphs = gaps == 0 ? [.. lines] : [.. blocks];
        return [.. lines];
    }

    /// <summary>Whether a character is neither letter, digit, white space, mark nor usual punctuation.</summary>
    public static bool IsSymbol(char c) =>
        c is '#' or '*' or '|' or '\\' or '_' or '@' or '•' or '…' or '{' or '}'
        || (!char.IsLetterOrDigit(c) && !char.IsWhiteSpace(c) && !char.IsSurrogate(c) && !char.IsPunctuation(c)
            && char.GetUnicodeCategory(c) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark));
}
