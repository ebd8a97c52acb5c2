using System.Net;
using System.Net.Sockets;

namespace LoraFactory.Stages.Crawl;

/// <summary>A range of addresses in CIDR notation (RFC 4632, RFC 4291): "10.0.0.0/8"; an address alone is a range of one. Bits beyond the prefix do not matter.</summary>
public sealed class AddressRange
{
    private readonly byte[] start;
    private readonly int prefix;

    private AddressRange(byte[] start, int prefix) => (this.start, this.prefix) = (start, prefix);

    /// <summary>Reads a range, null where the text is none.</summary>
    public static AddressRange? Parse(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (!IPAddress.TryParse(slash < 0 ? text : text[..slash], out var address)) return null;
        var bits = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        var prefix = bits;
        if (slash >= 0)
        {
            var digits = text.AsSpan(slash + 1);
            if (digits.IsEmpty || digits.Length > 3 || digits.ContainsAnyExceptInRange('0', '9') || (prefix = int.Parse(digits, System.Globalization.CultureInfo.InvariantCulture)) > bits) return null;
        }
        return new(address.GetAddressBytes(), prefix);
    }

    /// <summary>Is the address in the range? Addresses of the other family are not.</summary>
    public bool Contains(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (!address.TryWriteBytes(bytes, out var length) || length != start.Length) return false;
        for (var i = 0; i * 8 < prefix; i++)
        {
            var mask = prefix - i * 8 >= 8 ? 0xFF : 0xFF << (8 - (prefix - i * 8)) & 0xFF;
            if ((bytes[i] & mask) != (start[i] & mask)) return false;
        }
        return true;
    }
}
