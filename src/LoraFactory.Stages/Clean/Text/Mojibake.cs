using System.Buffers;
using System.Text;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// UTF-8 that was read as windows-1252, once or more often: "cafÃ©" for "café". A line is put right only where the result is clearly better: what looks
/// like UTF-8 has to outweigh every other accented letter of the line, and a letter before a closing quote ("IRMÃ»") alone proves nothing.
/// </summary>
internal static class Mojibake
{
    private const int MostRounds = 8;
    private const string Upper = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";
    private static readonly SearchValues<char> Leads = SearchValues.Create([.. Enumerable.Range(0xc2, 0xf4 - 0xc2 + 1).Select(b => (char)b)]);

    /// <summary>The text with such lines put right; the same object where there are none.</summary>
    public static string Repair(string text, TextChanges changes)
    {
        for (var round = 0; round < MostRounds && text.AsSpan().IndexOfAny(Leads) >= 0; round++)
        {
            var repaired = Once(text, changes);
            if (ReferenceEquals(repaired, text)) break;
            text = repaired;
        }
        return text;
    }

    /// <summary>The character that windows-1252 has for a byte from 0x80 to 0x9F; Latin-1 has controls there.</summary>
    public static char OfControl(char control) => Upper[control - 0x80];

    private static string Once(string text, TextChanges changes)
    {
        StringBuilder? result = null;
        var at = 0;
        while (at < text.Length)
        {
            var end = text.IndexOf('\n', at);
            end = end < 0 ? text.Length : end + 1;
            var line = text.AsSpan(at, end - at);
            if (line.IndexOfAny(Leads) >= 0 && IsBroken(line))
            {
                result ??= new StringBuilder(text.Length).Append(text, 0, at);
                Decode(line, result);
                changes.Add("mojibake");
            }
            else result?.Append(line);
            at = end;
        }
        return result?.ToString() ?? text;
    }

    private static bool IsBroken(ReadOnlySpan<char> line)
    {
        double proof = 0, against = 0;
        for (var i = 0; i < line.Length; i++)
        {
            if (line[i] < 0x80) continue;
            var length = Sequence(line[i..], out var scalar);
            if (length == 0)
            {
                // An accented letter that belongs to no sequence: the line is what it says.
                if (Byte(line[i]) >= 0xc0) against++;
                continue;
            }
            // Two bytes may meet by chance: a capital before a closing quote or a dash. Three hardly do.
            var last = line[i + length - 1];
            var followed = i + length < line.Length && char.IsLetter(line[i + length]);
            proof += length > 2 ? 2 : line[i] is not ('Ã' or 'Â') ? 0.5 : last is '»' or '”' or '’' or '“' or '‘' or '…' or '–' or '—' or '›' or '™' && !followed ? 0.5 : 1;
            if (scalar < 0xa0 && length == 2) proof -= 0.75; // C1 controls are in no text
            i += length - 1;
        }
        return proof >= 1 && proof > 2 * against;
    }

    private static void Decode(ReadOnlySpan<char> line, StringBuilder result)
    {
        for (var i = 0; i < line.Length; i++)
        {
            var length = line[i] < 0x80 ? 0 : Sequence(line[i..], out var scalar) is var n && n > 0 && Rune.TryCreate(scalar, out var rune) ? Put(result, rune, n) : 0;
            if (length == 0) result.Append(line[i]);
            else i += length - 1;
        }
    }

    private static int Put(StringBuilder result, Rune rune, int length)
    {
        Span<char> utf16 = stackalloc char[2];
        result.Append(utf16[..rune.EncodeToUtf16(utf16)]);
        return length;
    }

    /// <summary>Characters at the start that are the bytes of one UTF-8 sequence of two or more, 0 when they are none.</summary>
    private static int Sequence(ReadOnlySpan<char> text, out int scalar)
    {
        scalar = 0;
        var lead = Byte(text[0]);
        var length = lead switch { >= 0xc2 and <= 0xdf => 2, >= 0xe0 and <= 0xef => 3, >= 0xf0 and <= 0xf4 => 4, _ => 0 };
        if (length == 0 || text.Length < length) return 0;
        scalar = lead & (0xff >> (length + 1));
        for (var i = 1; i < length; i++)
        {
            var next = Byte(text[i]);
            if (next is < 0x80 or > 0xbf) return 0;
            scalar = (scalar << 6) | (next & 0x3f);
        }
        return scalar >= (length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000) && Rune.IsValid(scalar) ? length : 0;
    }

    // The byte that windows-1252 has for a character; -1 for none.
    private static int Byte(char c) => c < 0x100 ? c : Upper.IndexOf(c, StringComparison.Ordinal) is var i and >= 0 ? 0x80 + i : -1;
}
