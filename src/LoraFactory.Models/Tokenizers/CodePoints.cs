using System.Globalization;
using System.Text;

namespace LoraFactory.Models.Tokenizers;

/// <summary>What an expression's classes \p{L}, \p{N} and \s tell apart.</summary>
internal enum PointKind : byte
{
    /// <summary>\p{L}.</summary>
    Letter,
    /// <summary>\p{N}.</summary>
    Number,
    /// <summary>\s: White_Space of Unicode.</summary>
    Space,
    /// <summary>All else.</summary>
    Other,
}

/// <summary>Text as Unicode code points, in which tokenizers count; strings count UTF-16 units.</summary>
internal static class CodePoints
{
    /// <summary>The code points of a text; half a surrogate pair becomes U+FFFD.</summary>
    public static int[] Of(string text)
    {
        var points = new int[text.Length];
        var count = 0;
        foreach (var rune in text.EnumerateRunes()) points[count++] = rune.Value;
        return points[..count];
    }

    /// <summary>The class of a code point.</summary>
    public static PointKind KindOf(int point)
    {
        if (point < 0x80)
        {
            if (char.IsAsciiLetter((char)point)) return PointKind.Letter;
            if (char.IsAsciiDigit((char)point)) return PointKind.Number;
            return point is ' ' or >= 9 and <= 13 ? PointKind.Space : PointKind.Other;
        }
        return CharUnicodeInfo.GetUnicodeCategory(point) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => PointKind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => PointKind.Number,
            UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => PointKind.Space,
            _ => point == 0x85 ? PointKind.Space : PointKind.Other,
        };
    }

    /// <summary>
    /// Lower case per code point, without regard to place: Σ is always σ; İ becomes two code points. <paramref name="sources"/>, where given,
    /// says for each point where it comes from.
    /// </summary>
    public static (List<int> Points, List<int>? Sources) Lower(List<int> points, List<int>? sources)
    {
        const int dottedCapitalI = 0x130, dotAbove = 0x307;
        var lower = new List<int>(points.Count);
        var from = sources is null ? null : new List<int>(points.Count);
        for (var i = 0; i < points.Count; i++)
        {
            var point = points[i];
            lower.Add(point switch
            {
                >= 'A' and <= 'Z' => point + 32,
                < 0x80 => point,
                dottedCapitalI => 'i',
                _ => Rune.ToLowerInvariant(new Rune(point)).Value,
            });
            from?.Add(sources![i]);
            if (point != dottedCapitalI) continue;
            lower.Add(dotAbove);
            from?.Add(sources![i]);
        }
        return (lower, from);
    }

    /// <summary>Length of the English contraction (’s, ’t, ’re …, with an ASCII apostrophe and in lower case) that a text begins with; 0 where it begins with none.</summary>
    public static int Contraction(ReadOnlySpan<int> text)
    {
        if (text.Length < 2 || text[0] != '\'') return 0;
        if (text[1] is 's' or 't' or 'm' or 'd') return 2;
        return text.Length > 2 && ((text[1] is 'r' or 'v' && text[2] == 'e') || (text[1] == 'l' && text[2] == 'l')) ? 3 : 0;
    }
}
