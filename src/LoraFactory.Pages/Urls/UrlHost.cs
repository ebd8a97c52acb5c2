using System.Buffers;
using System.Globalization;
using System.Text;

namespace LoraFactory.Pages;

/// <summary>Hosts of URLs (URL Standard §3.5): names in ASCII, IPv4 in all its spellings, IPv6 in its shortest.</summary>
internal static class UrlHost
{
    private const string ForbiddenMarks = "\0\t\n\r #/:<>?@[\\]^|";

    private static readonly SearchValues<char> Forbidden = SearchValues.Create(ForbiddenMarks);
    private static readonly SearchValues<char> ForbiddenInDomain = SearchValues.Create(ForbiddenMarks + "%\u007F" + string.Concat(Enumerable.Range(1, 31).Select(c => (char)c)));
    private static readonly SearchValues<char> PlainDomain = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-._");

    /// <summary>The host as it is written in a URL, null when it is none.</summary>
    /// <param name="text">What stands between credentials and port; not empty.</param>
    /// <param name="special">Whether the scheme is one of those with domains.</param>
    public static string? Parse(ReadOnlySpan<char> text, bool special)
    {
        if (text[0] == '[') return text[^1] == ']' && Ipv6(text[1..^1]) is { } pieces ? Written(pieces) : null;
        if (!special) return Opaque(text);
        string? ascii;
        if (!text.ContainsAnyExcept(PlainDomain) && !text.Contains("xn--", StringComparison.Ordinal)) ascii = text.ToString();
        else
        {
            var domain = text.Contains('%') ? Encoding.UTF8.GetString(PercentEncoding.Decode(text)) : text.ToString();
            ascii = DomainToAscii.Map(domain);
            if (ascii is null || ascii.AsSpan().ContainsAny(ForbiddenInDomain)) return null;
        }
        if (!EndsInNumber(ascii)) return ascii;
        return Ipv4(ascii) is { } address ? string.Create(CultureInfo.InvariantCulture, $"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}") : null;
    }

    private static string? Opaque(ReadOnlySpan<char> text)
    {
        if (text.ContainsAny(Forbidden)) return null;
        var host = new UrlText(stackalloc char[128]);
        PercentEncoding.Append(ref host, text, PercentEncoding.C0);
        var written = host.ToString();
        host.Dispose();
        return written;
    }

    // A last label of digits, or of 0x and hex digits, makes the whole an IPv4 address or nothing.
    private static bool EndsInNumber(ReadOnlySpan<char> host)
    {
        if (host.EndsWith(".")) host = host[..^1];
        var last = host[(host.LastIndexOf('.') + 1)..];
        if (last.IsEmpty || !char.IsAsciiDigit(last[0])) return false;
        return !last.ContainsAnyExceptInRange('0', '9') || Number(last) is not null;
    }

    private static uint? Ipv4(ReadOnlySpan<char> host)
    {
        if (host.EndsWith(".")) host = host[..^1];
        Span<Range> parts = stackalloc Range[6];
        var count = host.Split(parts, '.');
        if (count > 4) return null;
        ulong address = 0;
        for (var i = 0; i < count; i++)
        {
            if (Number(host[parts[i]]) is not { } number) return null;
            var last = i == count - 1;
            if (number >= (last ? 1UL << (8 * (5 - count)) : 256)) return null;
            address |= last ? number : number << (8 * (3 - i));
        }
        return (uint)address;
    }

    // Decimal, 0… octal, 0x… hex; larger than any address is 2^40. Null where it is no number.
    private static ulong? Number(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty) return null;
        uint radix = 10;
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            radix = 16;
            text = text[2..];
        }
        else if (text.Length > 1 && text[0] == '0')
        {
            radix = 8;
            text = text[1..];
        }
        ulong value = 0;
        foreach (var c in text)
        {
            var digit = char.IsAsciiHexDigit(c) ? (uint)Hex(c) : 16;
            if (digit >= radix) return null;
            value = Math.Min(value * radix + digit, 1UL << 40);
        }
        return value;
    }

    private static int Hex(char digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;

    private static ushort[]? Ipv6(ReadOnlySpan<char> text)
    {
        var pieces = new ushort[8];
        var (index, at, compress) = (0, 0, -1);
        if (text.StartsWith(":"))
        {
            if (!text.StartsWith("::")) return null;
            (at, index, compress) = (2, 1, 1);
        }
        while (at < text.Length)
        {
            if (index == 8) return null;
            if (text[at] == ':')
            {
                if (compress >= 0) return null;
                at++;
                compress = ++index;
                continue;
            }
            var (value, length) = (0, 0);
            while (length < 4 && at < text.Length && char.IsAsciiHexDigit(text[at]))
            {
                value = value * 16 + Hex(text[at]);
                at++;
                length++;
            }
            if (at < text.Length && text[at] == '.')
            {
                if (length == 0 || index > 6 || !Ipv4Tail(text[(at - length)..], pieces, index)) return null;
                index += 2;
                break;
            }
            if (at < text.Length)
            {
                if (text[at] != ':' || at + 1 == text.Length) return null;
                at++;
            }
            pieces[index++] = (ushort)value;
        }
        return Expanded(pieces, index, compress);
    }

    private static ushort[]? Expanded(ushort[] pieces, int index, int compress)
    {
        if (compress < 0) return index == 8 ? pieces : null;
        var swaps = index - compress;
        for (var i = 7; i != 0 && swaps > 0; i--, swaps--) (pieces[i], pieces[compress + swaps - 1]) = (pieces[compress + swaps - 1], pieces[i]);
        return pieces;
    }

    // Four decimal numbers without leading zeros, and nothing after them.
    private static bool Ipv4Tail(ReadOnlySpan<char> text, ushort[] pieces, int index)
    {
        Span<Range> parts = stackalloc Range[5];
        if (text.Split(parts, '.') != 4) return false;
        for (var i = 0; i < 4; i++)
        {
            var part = text[parts[i]];
            if (part.IsEmpty || part.Length > 3 || part.ContainsAnyExceptInRange('0', '9') || (part.Length > 1 && part[0] == '0')) return false;
            var value = int.Parse(part, NumberStyles.None, CultureInfo.InvariantCulture);
            if (value > 255) return false;
            pieces[index + i / 2] = (ushort)(pieces[index + i / 2] * 256 + value);
        }
        return true;
    }

    // The first of the longest runs of two or more zeros is "::" (RFC 5952).
    private static string Written(ushort[] pieces)
    {
        var (best, bestLength) = (-1, 1);
        for (var i = 0; i < 8; i++)
        {
            var run = 0;
            while (i + run < 8 && pieces[i + run] == 0) run++;
            if (run > bestLength) (best, bestLength) = (i, run);
            i += run;
        }
        var text = new StringBuilder("[", 41);
        for (var i = 0; i < 8; i++)
        {
            if (i == best)
            {
                text.Append(i == 0 ? "::" : ":");
                i += bestLength - 1;
                continue;
            }
            text.Append(CultureInfo.InvariantCulture, $"{pieces[i]:x}");
            if (i < 7) text.Append(':');
        }
        return text.Append(']').ToString();
    }
}
