using System.Text;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// Digits with single separators between them, as numbers of cards, persons and telephones are written: how they are grouped says as much as the digits.
/// </summary>
internal readonly ref struct NumberRun
{
    private const int MostCharacters = 32;

    /// <summary>Reads the run that begins with the digit or plus at <paramref name="start"/>; at most 32 characters.</summary>
    public NumberRun(string text, int start)
    {
        Start = start;
        HasPlus = text[start] == '+';
        var (digits, shape) = (new StringBuilder(20), new StringBuilder(12));
        var (at, group, last) = (HasPlus ? start + 1 : start, 0, start);
        for (; at < text.Length && at - start < MostCharacters; at++)
        {
            var c = text[at];
            if (char.IsAsciiDigit(c))
            {
                digits.Append(c);
                group++;
                last = at + 1;
                continue;
            }
            // One separator, or a bracket with a space, and a digit behind it.
            if (c == ')' && at + 1 < text.Length) ClosesBracket |= digits.Length <= 5;
            else if (c is not (' ' or '-' or '.' or '/' or '(')) break;
            var next = at + 1 < text.Length ? text[at + 1] : ' ';
            var afterBracket = (c == ')' && next is ' ' or '-') || (c is ' ' && next == '(');
            if (!char.IsAsciiDigit(next) && !(afterBracket && at + 2 < text.Length && char.IsAsciiDigit(text[at + 2]))) break;
            if (afterBracket) at++;
            shape.Append(group).Append(c is '(' or ')' ? ' ' : c);
            group = 0;
        }
        shape.Append(group);
        Digits = digits.ToString();
        Shape = shape.ToString();
        Length = last - start;
        CheckedBy = last < text.Length ? text[last] : ' ';
        var beyond = last + 1 < text.Length ? text[last + 1] : ' ';
        // Part of a longer word, number or measure: 1200x800, 12345kg, 3.14e5, 50 %.
        Touches = (char.IsLetterOrDigit(CheckedBy) && CheckedBy < 0x2e80 && !(Digits.Length == 17 && CheckedBy is 'X' or 'x' && !char.IsLetterOrDigit(beyond))) || CheckedBy is '%' or '_' or '@' or '×'
            || (CheckedBy is '.' or '-' or '/' && char.IsLetterOrDigit(beyond)) || (CheckedBy == ',' && char.IsAsciiDigit(beyond) && IsDecimal(text, last + 1));
        Extension = ExtensionAt(text, last);
    }

    /// <summary>First character, the plus included.</summary>
    public int Start { get; }

    /// <summary>Characters.</summary>
    public int Length { get; }

    /// <summary>The digits alone.</summary>
    public string Digits { get; }

    /// <summary>Lengths of the groups with what stands between them: "3-2-4".</summary>
    public string Shape { get; }

    /// <summary>Whether a plus stands before it.</summary>
    public bool HasPlus { get; }

    /// <summary>Whether a bracket is closed after the first few digits, as in (212) 555-0123.</summary>
    public bool ClosesBracket { get; }

    /// <summary>The character behind it, a space at the end.</summary>
    public char CheckedBy { get; }

    /// <summary>Whether what follows makes it part of something else.</summary>
    public bool Touches { get; }

    /// <summary>Length of an extension behind it, as in 212-555-0123x45 or … ext. 45; 0 where there is none.</summary>
    public int Extension { get; }

    // Whether what stands behind a comma goes on with the number: not after hyphens, slashes, brackets, a plus or a leading 0, which no amount has, and not where it is a number itself.
    private bool IsDecimal(string text, int behind)
    {
        var end = behind;
        while (end < text.Length && char.IsAsciiDigit(text[end])) end++;
        return !HasPlus && !ClosesBracket && !Shape.AsSpan().ContainsAny('-', '/') && (Digits.Length == 1 || Digits[0] != '0') && end - behind < 4;
    }

    private static int ExtensionAt(string text, int last)
    {
        var at = last < text.Length && text[last] == ' ' ? last + 1 : last;
        foreach (var word in (ReadOnlySpan<string>)["extension", "ext.", "ext", "x"])
        {
            if (string.Compare(text, at, word, 0, word.Length, StringComparison.OrdinalIgnoreCase) != 0) continue;
            var digit = at + word.Length;
            if (word.Length > 1 && digit < text.Length && text[digit] == ' ') digit++;
            var end = digit;
            while (end < text.Length && end - digit < 7 && char.IsAsciiDigit(text[end])) end++;
            return end - digit is >= 1 and <= 6 && (end == text.Length || !char.IsLetterOrDigit(text[end])) ? end - last : 0;
        }
        return 0;
    }

    /// <summary>Digits alone, or groups with spaces.</summary>
    public bool IsSpacedOrPlain => !HasPlus && Shape.All(c => c == ' ' || char.IsAsciiDigit(c));

    /// <summary>Thirteen to nineteen digits without separators, or in the groups that are embossed on cards, with one kind of separator.</summary>
    public bool IsCardShape => Digits.Length is >= 13 and <= 19 && (Shape.All(char.IsAsciiDigit)
        || Shape is "4 4 4 4" or "4-4-4-4" or "4.4.4.4" or "4 6 5" or "4-6-5" or "4 6 4" or "4-6-4" or "4 4 4 4 3" or "4-4-4-4-3");

    /// <summary>Ten digits as (212) 555-0123, 212-555-0123 or 212.555.0123, with or without 1: area and exchange begin with 2 to 9.</summary>
    public bool IsNorthAmerican => Shape is "3-3-4" or "3.3.4" or "1-3-3-4" or "1 3-3-4" && Digits[^10] >= '2' && Digits[^7] >= '2';

    /// <summary>Seven to fifteen digits (E.164) in a form that telephones have and dates, prices and ranges of years have not.</summary>
    public bool IsPhoneShape
    {
        get
        {
            if (Digits.Length is < 7 or > 15 || !Digits.AsSpan().ContainsAnyExcept(Digits[0])) return false;
            if (HasPlus) return Digits.Length >= 8 && Digits[0] != '0';
            if (Shape is "4-2-2" or "4.2.2" or "4/2/2" or "2.2.4" or "2/2/4" or "2-2-4" or "4-4" or "4 4" or "4/4") return ClosesBracket;
            return Shape.Count(c => !char.IsAsciiDigit(c)) <= 6;
        }
    }
}
