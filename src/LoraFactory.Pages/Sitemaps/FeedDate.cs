using System.Globalization;

namespace LoraFactory.Pages;

/// <summary>Dates of sitemaps and feeds: the W3C's profile of ISO 8601 (NOTE-datetime), and RFC 822/2822 as RSS uses it.</summary>
public static class FeedDate
{
    private static readonly string[] Months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

    /// <summary>The instant, in UTC; null for what is no date of either kind. A time without a zone is none.</summary>
    public static DateTimeOffset? Parse(string? text) => text is null ? null : W3c(text) ?? Rfc822(text);

    /// <summary>YYYY, YYYY-MM, YYYY-MM-DD, or these with Thh:mm[:ss[.s]] and a zone (Z, ±hh:mm).</summary>
    public static DateTimeOffset? W3c(string text)
    {
        var rest = text.AsSpan().Trim();
        var (month, day, time) = (1, 1, TimeSpan.Zero);
        if (!Number(ref rest, 4, out var year)) return null;
        if (Skip(ref rest, '-'))
        {
            if (!Number(ref rest, 2, out month)) return null;
            if (Skip(ref rest, '-'))
            {
                if (!Number(ref rest, 2, out day)) return null;
                if (Skip(ref rest, 'T') || Skip(ref rest, 't'))
                {
                    if (!Clock(ref rest, out time) || Zone(rest) is not { } zone) return null;
                    return Instant(year, month, day, time, zone);
                }
            }
        }
        return rest.IsEmpty ? Instant(year, month, day, time, TimeSpan.Zero) : null;
    }

    /// <summary>[Thu, ]05 Jan 2017 13:34[:51] ZONE; years of two digits are 1950..2049.</summary>
    public static DateTimeOffset? Rfc822(string text)
    {
        var rest = text.AsSpan().Trim();
        var comma = rest.IndexOf(',');
        if (comma >= 0) rest = rest[(comma + 1)..].TrimStart();
        var words = rest.ToString().Split([' ', '\t', '-'], 4, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length != 4 || words[0].Length > 2 || !Digits(words[0], out var day) || words[1].Length < 3) return null;
        var month = Array.IndexOf(Months, words[1][..3].ToLowerInvariant()) + 1;
        if (month == 0 || words[2].Length is not (2 or 4) || !Digits(words[2], out var year)) return null;
        if (words[2].Length == 2) year += year < 50 ? 2000 : 1900;
        rest = words[3];
        return Clock(ref rest, out var time) && Zone(rest.Trim()) is { } zone ? Instant(year, month, day, time, zone) : null;
    }

    private static bool Clock(ref ReadOnlySpan<char> rest, out TimeSpan time)
    {
        time = default;
        if (!Number(ref rest, 2, out var hour) || !Skip(ref rest, ':') || !Number(ref rest, 2, out var minute)) return false;
        var second = 0;
        long ticks = 0;
        if (Skip(ref rest, ':'))
        {
            if (!Number(ref rest, 2, out second)) return false;
            if (Skip(ref rest, '.'))
            {
                var scale = TimeSpan.TicksPerSecond;
                if (rest.IsEmpty || !char.IsAsciiDigit(rest[0])) return false;
                for (; !rest.IsEmpty && char.IsAsciiDigit(rest[0]); rest = rest[1..]) ticks += (scale /= 10) * (rest[0] - '0');
            }
        }
        if (hour > 23 || minute > 59 || second > 60) return false;
        time = new TimeSpan(hour, minute, Math.Min(second, 59)) + TimeSpan.FromTicks(ticks);
        return true;
    }

    private static TimeSpan? Zone(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty) return null;
        if (text[0] is '+' or '-')
        {
            var sign = text[0] == '-' ? -1 : 1;
            text = text[1..];
            if (!Number(ref text, 2, out var hours)) return null;
            Skip(ref text, ':');
            if (!Number(ref text, 2, out var minutes) || !text.IsEmpty || hours > 14 || minutes > 59) return null;
            return sign * new TimeSpan(hours, minutes, 0);
        }
        return text.ToString().ToUpperInvariant() switch
        {
            "Z" or "UT" or "UTC" or "GMT" => TimeSpan.Zero,
            "EST" => TimeSpan.FromHours(-5),
            "EDT" => TimeSpan.FromHours(-4),
            "CST" => TimeSpan.FromHours(-6),
            "CDT" => TimeSpan.FromHours(-5),
            "MST" => TimeSpan.FromHours(-7),
            "MDT" => TimeSpan.FromHours(-6),
            "PST" => TimeSpan.FromHours(-8),
            "PDT" => TimeSpan.FromHours(-7),
            _ => null,
        };
    }

    private static DateTimeOffset? Instant(int year, int month, int day, TimeSpan time, TimeSpan zone)
    {
        if (year is < 2 or > 9998 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month)) return null;
        return new DateTimeOffset(new DateTime(year, month, day, 0, 0, 0, DateTimeKind.Utc) + time - zone, TimeSpan.Zero);
    }

    private static bool Number(ref ReadOnlySpan<char> rest, int digits, out int value)
    {
        value = 0;
        if (rest.Length < digits || !Digits(rest[..digits], out value)) return false;
        rest = rest[digits..];
        return rest.IsEmpty || !char.IsAsciiDigit(rest[0]) || digits == 2;
    }

    private static bool Digits(ReadOnlySpan<char> text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static bool Skip(ref ReadOnlySpan<char> rest, char c)
    {
        if (rest.IsEmpty || rest[0] != c) return false;
        rest = rest[1..];
        return true;
    }
}
