using System.Globalization;

namespace LoraFactory.Stages.Crawl;

/// <summary>The Retry-After field (RFC 9110 §10.2.3): seconds, or a date. Read leniently, since what a host means by it is to be left alone.</summary>
public static class RetryAfter
{
    // More seconds than any wait is kept for.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(365);

    /// <summary>How long the host asks to be left alone, at most a year; null where it does not say. A date in the past asks for nothing.</summary>
    public static TimeSpan? Of(HttpResponseMessage response, DateTimeOffset now) =>
        response.Headers.NonValidated.TryGetValues("Retry-After", out var values) ? values.Select(text => Of(text, now)).Max() : null;

    /// <summary>Of the field's text: digits, with decimals that are rounded up, or a date of HTTP.</summary>
    public static TimeSpan? Of(string text, DateTimeOffset now)
    {
        text = text.Trim();
        if (text.Length > 0 && text.All(c => char.IsAsciiDigit(c) || c == '.') && char.IsAsciiDigit(text[0]))
            return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds)
                ? seconds >= Longest.TotalSeconds ? Longest : TimeSpan.FromSeconds(Math.Ceiling(seconds)) : null;
        if (!DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)) return null;
        var wait = date - now;
        return wait <= TimeSpan.Zero ? TimeSpan.Zero : wait < Longest ? wait : Longest;
    }
}
