namespace LoraFactory.Models.Tokenizers;

/// <summary>
/// GPT-2's split: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ over code points, since the classes of .NET's
/// expressions stop at the basic plane. Every code point belongs to one word.
/// </summary>
internal static class Gpt2Words
{
    /// <summary>Appends the words of <paramref name="text"/> as (first, length), counted from <paramref name="from"/>.</summary>
    public static void Split(ReadOnlySpan<int> text, int from, List<(int First, int Length)> words)
    {
        for (var i = 0; i < text.Length;)
        {
            var length = CodePoints.Contraction(text[i..]);
            if (length == 0) length = LengthAt(text[i..]);
            words.Add((from + i, length));
            i += length;
        }
    }

    private static int LengthAt(ReadOnlySpan<int> text)
    {
        var start = text[0] == ' ' && text.Length > 1 && CodePoints.KindOf(text[1]) != PointKind.Space ? 1 : 0;
        var kind = CodePoints.KindOf(text[start]);
        var end = start + 1;
        while (end < text.Length && CodePoints.KindOf(text[end]) == kind) end++;
        // A run of white space leaves its last one to the word behind it.
        return kind == PointKind.Space && end > 1 && end < text.Length ? end - 1 : end;
    }
}
