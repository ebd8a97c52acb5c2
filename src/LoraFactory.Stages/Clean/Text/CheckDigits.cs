namespace LoraFactory.Stages.Clean.Text;

/// <summary>Check digits of numbers that name a person or an account. Each takes digits alone, as characters.</summary>
internal static class CheckDigits
{
    private const string DniLetters = "TRWAGMYFPDXBNJZSQVHLCKE";
    private const string ChineseChecks = "10X98765432";

    // Lengths by country, ISO 13616 registry.
    private static readonly Dictionary<string, int> IbanLengths = ("AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 "
        + "IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20")
        .Split(' ').ToDictionary(entry => entry[..2], entry => int.Parse(entry.AsSpan(2), System.Globalization.CultureInfo.InvariantCulture), StringComparer.Ordinal);

    private static readonly byte[,] Dihedral = Table();
    private static readonly byte[] Permutation = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

    /// <summary>Payment cards (ISO/IEC 7812): Luhn's sum, a length of the issuer's, and an issuer's prefix.</summary>
    public static bool IsCard(ReadOnlySpan<char> digits)
    {
        if (digits.Length is < 13 or > 19 || !Luhn(digits)) return false;
        int two = Number(digits[..2]), four = Number(digits[..4]);
        return (digits[0] == '4' && digits.Length is 13 or 16 or 19)
            || (digits.Length == 16 && (two is >= 51 and <= 55 || four is >= 2221 and <= 2720))
            || (two is 34 or 37 && digits.Length == 15)
            || (digits.Length is >= 16 and <= 19 && (four == 6011 || two == 65 || four / 10 is >= 644 and <= 649 || two is 35 or 62))
            || (digits.Length == 14 && (two is 36 or 38 || four / 10 is >= 300 and <= 305));
    }

    /// <summary>Luhn's sum is a multiple of ten (ISO/IEC 7812-1, annex B), and not all digits are the same.</summary>
    public static bool Luhn(ReadOnlySpan<char> digits)
    {
        var sum = 0;
        for (var i = 0; i < digits.Length; i++)
        {
            var d = digits[^(i + 1)] - '0';
            if (i % 2 == 1) d = d * 2 > 9 ? d * 2 - 9 : d * 2;
            sum += d;
        }
        return sum % 10 == 0 && digits.ContainsAnyExcept(digits[0]);
    }

    /// <summary>Article numbers of any even or odd length (GS1, EAN-13): weights 1 and 3 from the check digit on, a multiple of ten.</summary>
    public static bool IsEan(ReadOnlySpan<char> digits)
    {
        var sum = 0;
        for (var i = 0; i < digits.Length; i++) sum += (digits[^(i + 1)] - '0') * (i % 2 == 0 ? 1 : 3);
        return sum % 10 == 0;
    }

    /// <summary>IBAN without spaces (ISO 13616): length of its country and remainder 1 by 97.</summary>
    public static bool IsIban(ReadOnlySpan<char> iban)
    {
        if (iban.Length < 15 || !IbanLengths.TryGetValue(iban[..2].ToString(), out var length) || length != iban.Length) return false;
        var remainder = 0;
        for (var i = 0; i < iban.Length; i++)
        {
            var c = iban[(i + 4) % iban.Length];
            if (char.IsAsciiDigit(c)) remainder = (remainder * 10 + c - '0') % 97;
            else if (char.IsAsciiLetterUpper(c)) remainder = (remainder * 100 + c - 'A' + 10) % 97;
            else return false;
        }
        return remainder == 1;
    }

    /// <summary>The length of a country's IBAN; 0 where the country has none.</summary>
    public static int IbanLength(ReadOnlySpan<char> country) => IbanLengths.GetValueOrDefault(country.ToString());

    /// <summary>Resident identity number of China, 18 characters (GB 11643): province, date of birth, ISO 7064 MOD 11-2.</summary>
    public static bool IsChineseId(ReadOnlySpan<char> id)
    {
        if (id.Length != 18 || Number(id[..2]) is < 11 or > 91 || !IsDate(Number(id.Slice(6, 4)), Number(id.Slice(10, 2)), Number(id.Slice(12, 2)))) return false;
        var sum = 0;
        for (var i = 0; i < 17; i++) sum += (id[i] - '0') * ((1 << (17 - i)) % 11);
        return ChineseChecks[sum % 11] == char.ToUpperInvariant(id[17]);
    }

    /// <summary>Social security number of the United States, nine digits: no area 000, 666 or 9xx, no group 00, no serial 0000.</summary>
    public static bool IsSocialSecurity(ReadOnlySpan<char> d) => Number(d[..3]) is > 0 and not 666 and < 900 && Number(d[3..5]) > 0 && Number(d[5..]) > 0;

    /// <summary>Citizen service number of the Netherlands, nine digits, the eleven test.</summary>
    public static bool IsBsn(ReadOnlySpan<char> d)
    {
        if (d.Length != 9) return false;
        var sum = -(d[8] - '0');
        for (var i = 0; i < 8; i++) sum += (9 - i) * (d[i] - '0');
        return sum % 11 == 0 && d.ContainsAnyExcept('0');
    }

    /// <summary>DNI of Spain, eight digits and a letter, or NIE, X Y or Z, seven digits and a letter: remainder by 23.</summary>
    public static bool IsSpanishId(ReadOnlySpan<char> id)
    {
        if (id.Length != 9) return false;
        var first = id[0] switch { 'X' => 0, 'Y' => 1, 'Z' => 2, _ => id[0] - '0' };
        return DniLetters[(first * 10_000_000 + Number(id[1..8])) % 23] == id[8];
    }

    /// <summary>NIR of France, thirteen digits and a key of two: sex, month and key = 97 − number mod 97.</summary>
    public static bool IsFrenchId(ReadOnlySpan<char> d) =>
        d.Length == 15 && d[0] is >= '1' and <= '4' && Number(d[3..5]) is (>= 1 and <= 12) or (>= 20 and <= 42) && long.Parse(d[..13], System.Globalization.CultureInfo.InvariantCulture) is var n && Number(d[13..]) == 97 - (int)(n % 97);

    /// <summary>Tax number of Germany, eleven digits: one digit of the first ten comes twice or three times, ISO 7064 MOD 11,10.</summary>
    public static bool IsGermanTaxId(ReadOnlySpan<char> d)
    {
        if (d.Length != 11 || d[0] == '0') return false;
        Span<int> counts = stackalloc int[10];
        var product = 10;
        foreach (var c in d[..10])
        {
            counts[c - '0']++;
            var sum = (c - '0' + product) % 10;
            product = (sum == 0 ? 10 : sum) * 2 % 11;
        }
        return (11 - product) % 10 == d[10] - '0' && !counts.ContainsAnyInRange(4, 10) && counts.ContainsAnyInRange(2, 3);
    }

    /// <summary>CPF of Brazil, eleven digits with two check digits.</summary>
    public static bool IsCpf(ReadOnlySpan<char> d)
    {
        if (d.Length != 11 || !d.ContainsAnyExcept(d[0])) return false;
        for (var n = 9; n <= 10; n++)
        {
            var sum = 0;
            for (var i = 0; i < n; i++) sum += (d[i] - '0') * (n + 1 - i);
            if (sum * 10 % 11 % 10 != d[n] - '0') return false;
        }
        return true;
    }

    /// <summary>Aadhaar of India, twelve digits, Verhoeff's check (1969); the first is 2 to 9.</summary>
    public static bool IsAadhaar(ReadOnlySpan<char> d)
    {
        if (d.Length != 12 || d[0] is '0' or '1') return false;
        var check = 0;
        for (var i = 0; i < d.Length; i++)
        {
            var value = d[^(i + 1)] - '0';
            for (var p = 0; p < i % 8; p++) value = Permutation[value];
            check = Dihedral[check, value];
        }
        return check == 0;
    }

    /// <summary>A day of the calendar from 1900 to 2099.</summary>
    public static bool IsDate(int year, int month, int day) => year is >= 1900 and < 2100 && month is >= 1 and <= 12 && day >= 1 && day <= DateTime.DaysInMonth(year, month);

    private static int Number(ReadOnlySpan<char> digits)
    {
        var value = 0;
        foreach (var c in digits) value = value * 10 + c - '0';
        return value;
    }

    // Multiplication of the dihedral group of order ten.
    private static byte[,] Table()
    {
        var table = new byte[10, 10];
        for (var a = 0; a < 10; a++)
            for (var b = 0; b < 10; b++)
                table[a, b] = (byte)(a < 5 ? (b < 5 ? (a + b) % 5 : 5 + (a + b) % 5) : b < 5 ? 5 + (a - b + 5) % 5 : (a - b + 5) % 5);
        return table;
    }
}
