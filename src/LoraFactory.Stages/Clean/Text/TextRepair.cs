using System.Globalization;
using System.Text;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// Makes Unicode text say what it shows: broken encodings put right, controls and marks that nobody sees taken out (joiners stay where a script or an emoji needs
/// them), one kind of space, of line end and of straight quote, typographic ligatures spelt out, NFC. The second time nothing changes any more.
/// </summary>
internal static class TextRepair
{
    private const int MostRounds = 6, MostMarks = 8;

    /// <summary>The text repaired; the same object where nothing was to do.</summary>
    public static string Of(string text, TextChanges changes)
    {
        for (var round = 0; round < MostRounds; round++)
        {
            var repaired = NormalForm.Compose(Characters(Mojibake.Repair(text, changes), changes), changes);
            if (ReferenceEquals(repaired, text) || repaired == text) return text;
            text = repaired;
        }
        return text;
    }

    private static string Characters(string text, TextChanges changes)
    {
        var first = FirstOdd(text);
        if (first < 0) return text;
        var result = new StringBuilder(text.Length).Append(text, 0, first);
        int hidden = 0, quotes = 0, ligatures = 0, controls = 0, marks = 0;
        for (var i = first; i < text.Length; i++)
        {
            var c = text[i];
            if (c >= '\u0300' && IsMark(text, i))
            {
                // whatever plane they are of: what sorts a tower of marks takes the square of its height
                if (++marks > MostMarks)
                {
                    hidden++;
                    if (char.IsHighSurrogate(c)) i++;
                    continue;
                }
            }
            else if (!char.IsControl(c) && !IsHidden(text, i)) marks = 0;
            if (c is > ' ' and < '\u007f') result.Append(c);
            else if (c == '\n' || c == '\r' || c is '\u2028' or '\u2029' or '\u0085' or '\f' or '\v')
            {
                if (c == '\r' && i + 1 < text.Length && text[i + 1] == '\n') continue;
                EndLine(result);
            }
            else if (IsSpace(c))
            {
                if (result.Length > 0 && result[^1] is not (' ' or '\n')) result.Append(' ');
            }
            else if (c is >= '\u0080' and <= '\u009f')
            {
                controls++;
                if (Mojibake.OfControl(c) is var shown && shown != c) result.Append(shown);
            }
            else if (char.IsControl(c)) controls++;
            else if (IsHidden(text, i)) hidden++;
            else if (Straight(c) is var straight && straight != c) (quotes, _) = (quotes + 1, result.Append(straight));
            else if (c is >= '\ufb00' and <= '\ufb06') (ligatures, _) = (ligatures + 1, result.Append(Ligature(c)));
            else if (c is (>= '\uff10' and <= '\uff19') or (>= '\uff21' and <= '\uff3a') or (>= '\uff41' and <= '\uff5a')) result.Append((char)(c - 0xfee0));
            else if (char.IsSurrogate(c))
            {
                if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) result.Append(c).Append(text[++i]);
                else result.Append('\ufffd');
            }
            else if (c >= '\u0300' && char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark)
            {
                // Letters carry a few marks; towers of them (and what sorts them) are nobody's language.
                if (IsStacked(result)) hidden++;
                else result.Append(c);
            }
            else result.Append(c);
        }
        while (result.Length > 0 && result[^1] is ' ' or '\n') result.Length--;
        changes.Add("controls", controls);
        changes.Add("hidden_marks", hidden);
        changes.Add("quotes", quotes);
        changes.Add("ligatures", ligatures);
        return result.ToString();
    }

    private static bool IsMark(string text, int at) =>
        CharUnicodeInfo.GetUnicodeCategory(text, at) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.SpacingCombiningMark;

    private static bool IsStacked(StringBuilder result)
    {
        if (result.Length < MostMarks) return false;
        for (var i = 1; i <= MostMarks; i++)
            if (char.GetUnicodeCategory(result[^i]) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark)) return false;
        return true;
    }

    // Where the first character lies that may have to change; -1 where none does.
    private static int FirstOdd(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c is > ' ' and < '\u007f') continue;
            if (c == ' ' && i > 0 && i + 1 < text.Length && text[i - 1] is not (' ' or '\n') && text[i + 1] != '\n') continue;
            if (c == '\n' && i > 0 && i + 1 < text.Length && text[i - 1] is not (' ' or '\n')) continue;
            if (c is (>= '\u00a1' and <= '\u02ff' and not '\u00ad' and not 'ʼ') or '–' or '—' or '…' or '•' or '€' or (>= '\u3001' and <= '\u9fff')) continue;
            if (c < '\ufb00' && char.IsLetter(c)) continue;
            return i > 0 && text[i - 1] is ' ' or '\n' ? i - 1 : i;
        }
        return -1;
    }

    // At most one empty line, and no space at the end of one.
    private static void EndLine(StringBuilder result)
    {
        while (result.Length > 0 && result[^1] == ' ') result.Length--;
        if (result.Length > 0 && !(result.Length > 1 && result[^1] == '\n' && result[^2] == '\n')) result.Append('\n');
    }

    private static bool IsSpace(char c) => c is ' ' or '\t' or '\u00a0' or '\u1680' or (>= '\u2000' and <= '\u200a') or '\u202f' or '\u205f' or '\u3000';

    private static char Straight(char c) => c switch
    {
        '‘' or '’' or '‚' or '‛' or 'ʼ' => '\'',
        '“' or '”' or '„' or '‟' => '"',
        '\u2010' or '\u2011' => '-',
        _ => c,
    };

    private static string Ligature(char c) => c switch { '\ufb00' => "ff", '\ufb01' => "fi", '\ufb02' => "fl", '\ufb03' => "ffi", '\ufb04' => "ffl", _ => "st" };

    /// <summary>Marks that show nothing here: zero-width spaces, soft hyphens, direction marks, and joiners outside of scripts and emoji that need them.</summary>
    private static bool IsHidden(string text, int i)
    {
        var c = text[i];
        if (c is '\u200b' or '\u2060' or '\ufeff' or '\u00ad' or '\u180e' or (>= '\u200e' and <= '\u200f') or (>= '\u202a' and <= '\u202e') or (>= '\u2061' and <= '\u206f') or (>= '\ufff9' and <= '\ufffb')) return true;
        if (c is '\u200c' or '\u200d')
        {
            var before = i > 0 ? text[i - 1] : ' ';
            var after = i + 1 < text.Length ? text[i + 1] : ' ';
            if (IsJoining(before) && (IsJoining(after) || c == '\u200d')) return false;
            return !(c == '\u200d' && IsPictorial(before) && IsPictorial(after));
        }
        // Tags stand only in flags.
        return c == '\udb40' && i + 1 < text.Length && text[i + 1] is >= '\udc00' and <= '\udc7f' && !(i > 1 && (text[i - 2] == '\udb40' || (text[i - 2] == '\ud83c' && text[i - 1] == '\udff4')));
    }

    // Arabic, Syriac, the scripts of India, Sinhala, Myanmar, Khmer, Mongolian.
    private static bool IsJoining(char c) => c is (>= '\u0600' and <= '\u08ff') or (>= '\u0900' and <= '\u0dff') or (>= '\u1000' and <= '\u109f') or (>= '\u1780' and <= '\u18af') or (>= '\ufb50' and <= '\ufdff') or (>= '\ufe70' and <= '\ufefe');

    private static bool IsPictorial(char c) => char.IsSurrogate(c) || c == '\ufe0f' || char.GetUnicodeCategory(c) == UnicodeCategory.OtherSymbol;
}
