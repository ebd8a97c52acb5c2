using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// Puts typed placeholders in the place of what names a person or an account: [EMAIL], [PHONE], [CARD], [IBAN], [ID], [IP]. Numbers go only where their check
/// digits or their written form leave little doubt, and where the form alone leaves some, a word before them has to name it: ISBNs, versions, dimensions, dates
/// and prices stay. Private addresses name nobody and stay. One pass, each character looked at a bounded number of times.
/// </summary>
internal static class PersonalData
{
    private const int MostEmail = 254, Before = 28;
    private static readonly HashSet<string> FileEndings = new(StringComparer.OrdinalIgnoreCase) { "png", "jpg", "jpeg", "gif", "webp", "svg", "css", "js", "avif", "bmp", "tif", "tiff", "html", "php" };

    private static readonly string[] PhoneWords = ["tel", "telefon", "telephone", "teléf", "téléph", "phone", "fon", "call", "calls", "mobil", "cell", "fax", "whatsapp", "hotline", "ruf", "llam", "appel", "ring", "电话", "手机", "電話", "전화", "тел", "contact", "dial", "sms"];

    // Thirteen digits are an article's number as well as an old card's.
    private static readonly string[] CardWords = ["card", "cards", "visa", "credit", "debit", "kreditkarte", "karte", "carte", "tarjeta", "carta", "kaart", "карта", "карты", "信用卡", "银行卡", "カード", "카드"];

    /// <summary>The text with placeholders; the same object where there was nothing.</summary>
    public static string Replace(string text, TextChanges changes)
    {
        StringBuilder? result = null;
        var done = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c != '@' && !char.IsAsciiDigit(c) && c != ':' && c != '+') continue;
            if (Find(text, i, done) is not { } found)
            {
                if (char.IsAsciiDigit(c)) i = EndOfDigits(text, i) - 1;
                continue;
            }
            (result ??= new StringBuilder(text.Length)).Append(text, done, found.Start - done).Append('[').Append(found.Kind).Append(']');
            changes.Add(found.Kind.ToLowerInvariant());
            done = found.Start + found.Length;
            i = done - 1;
        }
        return result is null ? text : result.Append(text, done, text.Length - done).ToString();
    }

    private static (string Kind, int Start, int Length)? Find(string text, int i, int done) => text[i] switch
    {
        '@' => Email(text, i, done),
        ':' => AddressV6(text, i, done),
        _ => Numbered(text, i, done),
    };

    private static int EndOfDigits(string text, int i)
    {
        while (i < text.Length && char.IsAsciiDigit(text[i])) i++;
        return i;
    }

    private static (string, int, int)? Email(string text, int at, int done)
    {
        var start = at;
        for (var script = 0; start > done && at - start < 64 && IsLocal(text[start - 1]); start--)
            if (LeavesScript(text[start - 1], ref script)) break; // words of another script directly before it
        while (start < at && text[start] is '.' or '-' or '\'') start++;
        var end = at + 1;
        for (var (script, dots) = (0, 0); end < text.Length && end - at < MostEmail && (char.IsLetterOrDigit(text[end]) || text[end] is '.' or '-'); end++)
        {
            if (text[end] == '.') (script, dots) = (0, dots + 1);
            else if (LeavesScript(text[end], ref script) && dots > 0) break; // or behind it
        }
        while (end > at && text[end - 1] is '.' or '-') end--;
        if (start == at) return null;
        var domain = text.AsSpan(at + 1, Math.Max(0, end - at - 1));
        var dot = domain.LastIndexOf('.');
        if (dot <= 0 || domain.Length - dot - 1 is < 2 or > 24 || domain.IndexOf("..", StringComparison.Ordinal) >= 0) return null;
        var top = domain[(dot + 1)..];
        foreach (var c in top)
            if (!char.IsLetter(c)) return null;
        return FileEndings.Contains(top.ToString()) ? null : ("EMAIL", start, end - start);
    }

    // Whether a letter is of another script than the letters before it; digits and signs are of any.
    private static bool LeavesScript(char c, ref int script)
    {
        var own = !char.IsLetter(c) ? 0 : c switch { < '\u0250' or (>= '\u1e00' and < '\u1f00') => 1, >= '\u2e80' => 2, _ => 3 + c / 0x100 };
        if (own == 0 || own == script) return false;
        if (script != 0) return true;
        script = own;
        return false;
    }

    private static bool IsLocal(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '%' or '+' or '-' or '\'' || (c >= 0xa0 && char.IsLetter(c));

    private static (string, int, int)? AddressV6(string text, int colon, int done)
    {
        var start = colon;
        while (start > done && colon - start < 5 && char.IsAsciiHexDigit(text[start - 1])) start--;
        var end = colon;
        var colons = 0;
        while (end < text.Length && end - start < 46 && (char.IsAsciiHexDigit(text[end]) || text[end] is ':' or '.'))
            if (text[end++] == ':') colons++;
        while (end > start && text[end - 1] is ':' or '.') end--;
        if (colons < 2 || start == colon || (start > 0 && char.IsLetterOrDigit(text[start - 1])) || (end < text.Length && char.IsLetterOrDigit(text[end]))) return null;
        var written = text.AsSpan(start, end - start);
        if (colons != 7 && written.IndexOf("::", StringComparison.Ordinal) < 0) return null;
        return IPAddress.TryParse(written, out var address) && address.AddressFamily == AddressFamily.InterNetworkV6 && (address.GetAddressBytes()[0] & 0xe0) == 0x20 ? ("IP", start, end - start) : null;
    }

    /// <summary>What begins with the digit or plus at <paramref name="i"/>; a letter or bracket before it may belong to it.</summary>
    private static (string, int, int)? Numbered(string text, int i, int done)
    {
        var before = i > 0 ? text[i - 1] : ' ';
        if (text[i] != '+' && Iban(text, i, done) is { } iban) return iban;
        if (char.IsLetterOrDigit(before) && before < 0x2e80 && !(text[i] != '+' && before is 'X' or 'Y' or 'Z')) return null;
        if (text[i] != '+' && Spanish(text, i, done) is { } spanish) return spanish;
        if (char.IsLetterOrDigit(before) && before < 0x2e80 || before is '.' or '-' or '/' or '_' or '#' or '=' or '$' or '€' or '£' && text[i] != '+') return null;
        if (AddressV4(text, i) is { } address) return address;
        var run = new NumberRun(text, i);
        return Judge(text, run, done);
    }

    private static (string, int, int)? Judge(string text, NumberRun run, int done)
    {
        var (digits, start, length) = (run.Digits, run.Start, run.Length);
        if (run.Touches && run.Extension == 0) return null;
        if (!run.HasPlus && !run.Touches)
        {
            if (run.Length == digits.Length && digits.Length == 17 && run.CheckedBy is 'X' or 'x' && CheckDigits.IsChineseId(digits + "X")) return ("ID", start, length + 1);
            if (run.Length == digits.Length && digits.Length == 18 && CheckDigits.IsChineseId(digits)) return ("ID", start, length);
            if (run.Shape is "3-2-4" && CheckDigits.IsSocialSecurity(digits)) return ("ID", start, length);
            if (run.Shape is "3.3.3-2" && CheckDigits.IsCpf(digits)) return ("ID", start, length);
            if (digits.Length == 15 && run.IsSpacedOrPlain && CheckDigits.IsFrenchId(digits)) return ("ID", start, length);
            if (run.IsCardShape && CheckDigits.IsCard(digits) && !(digits.Length == 13 && CheckDigits.IsEan(digits) && !Says(text, start, CardWords))) return ("CARD", start, length);
            if (run.IsSpacedOrPlain && NamedId(text, start, digits)) return ("ID", start, length);
        }
        if (!run.IsPhoneShape) return null;
        if (start > done && text[start - 1] == '(' && run.ClosesBracket) return ("PHONE", start - 1, length + 1 + run.Extension);
        return run.HasPlus || run.IsNorthAmerican || Says(text, start, PhoneWords) ? ("PHONE", start, length + run.Extension) : null;
    }

    // Numbers whose form is that of any other: a word before them has to name them.
    private static bool NamedId(string text, int start, string digits) => digits.Length switch
    {
        9 => CheckDigits.IsBsn(digits) && Says(text, start, "bsn", "burgerservice", "sofi"),
        11 => (CheckDigits.IsGermanTaxId(digits) && Says(text, start, "steuer", "idnr", "tax id", "tin")) || (CheckDigits.IsCpf(digits) && Says(text, start, "cpf")),
        12 => CheckDigits.IsAadhaar(digits) && Says(text, start, "aadha", "uidai", "uid", "आधार"),
        _ => false,
    };

    private static bool Says(string text, int start, params ReadOnlySpan<string> words)
    {
        var near = text.AsSpan(Math.Max(0, start - Before), Math.Min(start, Before));
        if (near.LastIndexOf('\n') is var line and >= 0) near = near[(line + 1)..];
        foreach (var word in words)
            if (Holds(near, word)) return true;
        return false;
    }

    // A word, or the beginning of one where it has five letters or more: "tel" is not in "hotel" or "telling". Writing without blanks has no such borders.
    private static bool Holds(ReadOnlySpan<char> near, string word)
    {
        for (var from = 0; from < near.Length; from++)
        {
            var at = near[from..].IndexOf(word, StringComparison.OrdinalIgnoreCase);
            if (at < 0) return false;
            from += at;
            var (before, behind) = (from == 0 ? ' ' : near[from - 1], from + word.Length < near.Length ? near[from + word.Length] : ' ');
            if (word[0] >= '\u2e80' || (!char.IsLetter(before) && (word.Length > 4 || !char.IsLetter(behind)))) return true;
        }
        return false;
    }

    private static (string, int, int)? Iban(string text, int digit, int done)
    {
        // Two capitals, two digits, then groups: found at the first digit.
        if (digit < done + 2 || !char.IsAsciiLetterUpper(text[digit - 1]) || !char.IsAsciiLetterUpper(text[digit - 2]) || (digit > 2 && char.IsLetterOrDigit(text[digit - 3]))) return null;
        var length = CheckDigits.IbanLength(text.AsSpan(digit - 2, 2));
        if (length == 0) return null;
        Span<char> iban = stackalloc char[length];
        var (n, at) = (0, digit - 2);
        for (; at < text.Length && n < length; at++)
        {
            var c = text[at];
            if (char.IsAsciiLetterUpper(c) || char.IsAsciiDigit(c)) iban[n++] = c;
            else if (c != ' ' || n % 4 != 0) return null;
        }
        return n == length && (at == text.Length || !char.IsLetterOrDigit(text[at])) && CheckDigits.IsIban(iban) ? ("IBAN", digit - 2, at - digit + 2) : null;
    }

    private static (string, int, int)? Spanish(string text, int digit, int done)
    {
        var foreigner = digit > done && text[digit - 1] is 'X' or 'Y' or 'Z';
        if (foreigner && digit > 1 && char.IsLetterOrDigit(text[digit - 2])) return null;
        var end = EndOfDigits(text, digit);
        if (end - digit != (foreigner ? 7 : 8)) return null;
        var letter = end + 1 < text.Length && text[end] == '-' ? end + 1 : end;
        if (letter >= text.Length || !char.IsAsciiLetterUpper(text[letter]) || (letter + 1 < text.Length && char.IsLetterOrDigit(text[letter + 1]))) return null;
        var id = $"{(foreigner ? text[digit - 1].ToString() : "")}{text.AsSpan(digit, end - digit)}{text[letter]}";
        var start = foreigner ? digit - 1 : digit;
        return CheckDigits.IsSpanishId(id) ? ("ID", start, letter + 1 - start) : null;
    }

    private static (string, int, int)? AddressV4(string text, int start)
    {
        var (end, parts) = (start, 0);
        while (parts < 4)
        {
            var stop = EndOfDigits(text, end);
            if (stop == end || stop - end > 3 || (stop - end > 1 && text[end] == '0') || int.Parse(text.AsSpan(end, stop - end), System.Globalization.CultureInfo.InvariantCulture) > 255) return null;
            end = stop;
            if (++parts < 4 && (end >= text.Length || text[end++] != '.')) return null;
        }
        if (end < text.Length && (char.IsLetterOrDigit(text[end]) || (text[end] is '.' or '-' or '_' && end + 1 < text.Length && char.IsLetterOrDigit(text[end + 1])))) return null;
        var bytes = IPAddress.Parse(text.AsSpan(start, end - start)).GetAddressBytes();
        var named = bytes is [0 or 10 or 127 or >= 224, ..] or [192, 168, ..] or [169, 254, ..] or [172, >= 16 and <= 31, ..] or [100, >= 64 and <= 127, ..] or [192, 0, 2, _] or [198, 51, 100, _] or [203, 0, 113, _];
        if (named || Says(text, start, "version", "ver", "v", "release", "build", "firmware", "section", "chapter", "§")) return null;
        return ("IP", start, end - start);
    }
}
