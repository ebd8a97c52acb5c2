using System.Globalization;

namespace LoraFactory.Models.Tokenizers;

/// <summary>
/// CLIP's split: &lt;|startoftext|&gt;|&lt;|endoftext|&gt;|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+ over code points, since the
/// classes of .NET's expressions stop at the basic plane.
/// </summary>
internal static class ClipWords
{
    private enum Kind : byte { Letter, Number, Space, Other }

    /// <summary>The words as (first, length); what lies between is white space.</summary>
    public static List<(int First, int Length)> Split(ReadOnlySpan<int> text)
    {
        var words = new List<(int, int)>(text.Length / 4 + 1);
        for (var i = 0; i < text.Length;)
        {
            var kind = KindOf(text[i]);
            var length = 1;
            if (kind == Kind.Space)
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
            if (text[i] == '\'' && Contraction(text[i..]) is > 0 and var contraction) length = contraction;
            else if (kind != Kind.Number)
                while (i + length < text.Length && KindOf(text[i + length]) == kind) length++;
            words.Add((i, length));
            i += length;
        }
        return words;
    }

    private static int SpecialName(ReadOnlySpan<int> text) =>
        Starts(text, "<|startoftext|>") ? "startoftext".Length : Starts(text, "<|endoftext|>") ? "endoftext".Length : 0;

    private static int Contraction(ReadOnlySpan<int> text)
    {
        foreach (var end in (string[])["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"])
            if (Starts(text, end)) return end.Length;
        return 0;
    }

    private static bool Starts(ReadOnlySpan<int> text, string with)
    {
        if (text.Length < with.Length) return false;
        for (var i = 0; i < with.Length; i++)
            if (text[i] != with[i]) return false;
        return true;
    }

    private static Kind KindOf(int point)
    {
        if (point < 0x80)
        {
            if (char.IsAsciiLetter((char)point)) return Kind.Letter;
            if (char.IsAsciiDigit((char)point)) return Kind.Number;
            return point is ' ' or >= 9 and <= 13 ? Kind.Space : Kind.Other;
        }
        return CharUnicodeInfo.GetUnicodeCategory(point) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => Kind.Space,
            _ => point == 0x85 ? Kind.Space : Kind.Other,
        };
    }
}
