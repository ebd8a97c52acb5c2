namespace LoraFactory.Models.Tokenizers;

/// <summary>
/// CLIP's split: &lt;|startoftext|&gt;|&lt;|endoftext|&gt;|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+ over code points, since the
/// classes of .NET's expressions stop at the basic plane.
/// </summary>
internal static class ClipWords
{
    /// <summary>The words as (first, length); what lies between is white space.</summary>
    public static List<(int First, int Length)> Split(ReadOnlySpan<int> text)
    {
        var words = new List<(int, int)>(text.Length / 4 + 1);
        for (var i = 0; i < text.Length;)
        {
            var kind = CodePoints.KindOf(text[i]);
            var length = 1;
            if (kind == PointKind.Space)
            {
                i++;
                continue;
            }
            if (text[i] == '<' && SpecialName(text[i..]) is > 0 and var name)
            {
                // A special token's text that only lower-casing made is one match, which the byte level then splits in three.
                words.AddRange([(i, 2), (i + 2, name), (i + 2 + name, 2)]);
                i += name + 4;
                continue;
            }
            if (CodePoints.Contraction(text[i..]) is > 0 and var contraction) length = contraction;
            else if (kind != PointKind.Number)
                while (i + length < text.Length && CodePoints.KindOf(text[i + length]) == kind) length++;
            words.Add((i, length));
            i += length;
        }
        return words;
    }

    private static int SpecialName(ReadOnlySpan<int> text) =>
        Starts(text, "<|startoftext|>") ? "startoftext".Length : Starts(text, "<|endoftext|>") ? "endoftext".Length : 0;

    private static bool Starts(ReadOnlySpan<int> text, string with)
    {
        if (text.Length < with.Length) return false;
        for (var i = 0; i < with.Length; i++)
            if (text[i] != with[i]) return false;
        return true;
    }
}
