using System.Text;

namespace LoraFactory.Pages;

/// <summary>What a data: URL holds (RFC 2397 as the Fetch Standard §6 processes it).</summary>
/// <param name="Type">Media type; text/plain;charset=US-ASCII where none is stated.</param>
/// <param name="Body">The octets.</param>
public sealed record DataUrl(MediaType Type, byte[] Body)
{
    /// <summary>Reads a data: URL; null when it is none, or its base64 is broken.</summary>
    public static DataUrl? Parse(ReadOnlySpan<char> text)
    {
        if (WebUrl.Parse(text) is not { Scheme: "data" } url) return null;
        var input = url.WithoutFragment.AsSpan("data:".Length);
        var comma = input.IndexOf(',');
        if (comma < 0) return null;
        var type = input[..comma].Trim(" \t\n\r\f");
        var body = PercentEncoding.Decode(input[(comma + 1)..]);
        var head = type.EndsWith("base64", StringComparison.OrdinalIgnoreCase) ? type[..^6].TrimEnd(' ') : default;
        if (head.EndsWith(";"))
        {
            if (Base64(body) is not { } decoded) return null;
            body = decoded;
            type = head[..^1];
        }
        var stated = type.StartsWith(";") ? $"text/plain{type}" : type.ToString();
        return new(MediaType.Parse(stated) ?? MediaType.Parse("text/plain;charset=US-ASCII")!, body);
    }

    // Forgiving base64 (Infra Standard §7): blanks between, padding or none.
    private static byte[]? Base64(byte[] body)
    {
        var text = new StringBuilder(body.Length);
        foreach (var b in body)
        {
            if (b is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r' or (byte)'\f') continue;
            text.Append((char)b);
        }
        if (text.Length % 4 == 0 && text.Length > 0)
            for (var i = 0; i < 2 && text[^1] == '='; i++) text.Length--;
        if (text.Length % 4 == 1) return null;
        for (var i = 0; i < text.Length; i++)
            if (!(char.IsAsciiLetterOrDigit(text[i]) || text[i] is '+' or '/')) return null;
        text.Append('=', (4 - text.Length % 4) % 4);
        return Convert.FromBase64String(text.ToString());
    }
}
