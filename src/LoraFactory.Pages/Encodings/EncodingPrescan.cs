using System.Buffers;
using System.Text;

namespace LoraFactory.Pages;

/// <summary>
/// Looks for a page's statement of its encoding before anything is parsed: "prescan a byte stream" of the HTML Living Standard §13.2.3.2, byte by byte and
/// once. The standard looks at 1024 bytes and lets a later meta element start the parser anew; here the look goes on to 64 KiB instead.
/// </summary>
internal ref struct EncodingPrescan
{
    private const int Most = 64 * 1024;

    private static readonly SearchValues<byte> NameEnds = SearchValues.Create(" \t\n\r\f>"u8);
    private static readonly SearchValues<char> LabelEnds = SearchValues.Create(" \t\n\r\f;");

    private readonly ReadOnlySpan<byte> bytes;
    private int at;

    private EncodingPrescan(ReadOnlySpan<byte> bytes) => this.bytes = bytes;

    /// <summary>A label of the encoding, null when the page states none that is known.</summary>
    public static string? Find(ReadOnlySpan<byte> page)
    {
        if (page.StartsWith((ReadOnlySpan<byte>)[0x3C, 0, 0x3F, 0, 0x78, 0])) return "utf-16le";
        if (page.StartsWith((ReadOnlySpan<byte>)[0, 0x3C, 0, 0x3F, 0, 0x78])) return "utf-16be";
        var scan = new EncodingPrescan(page[..Math.Min(page.Length, Most)]);
        return scan.Markup() ?? OfXmlDeclaration(page);
    }

    private string? Markup()
    {
        while (true)
        {
            var open = bytes[at..].IndexOf((byte)'<');
            if (open < 0) return null;
            at += open;
            var rest = bytes[at..];
            if (rest.StartsWith("<!--"u8))
            {
                // the dashes that open a comment may close it
                var end = rest[2..].IndexOf("-->"u8);
                if (end < 0) return null;
                at += end + 4;
            }
            else if (rest.Length > 5 && Ascii.EqualsIgnoreCase(rest[..5], "<meta"u8) && (IsBlank(rest[5]) || rest[5] == '/'))
            {
                at += 5;
                if (Meta() is { } label) return label;
            }
            else if (rest.Length > 1 && (IsLetter(rest[1]) || (rest.Length > 2 && rest[1] == '/' && IsLetter(rest[2]))))
            {
                var end = rest.IndexOfAny(NameEnds);
                if (end < 0) return null;
                at += end;
                while (Attribute(out _, out _)) { }
            }
            else if (rest.Length > 1 && rest[1] is (byte)'!' or (byte)'/' or (byte)'?')
            {
                var end = rest.IndexOf((byte)'>');
                if (end < 0) return null;
                at += end;
            }
            else at++;
            if (at >= bytes.Length) return null;
        }
    }

    private string? Meta()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var (gotPragma, needPragma, label) = (false, (bool?)null, (string?)null);
        while (Attribute(out var name, out var value))
        {
            if (!seen.Add(name)) continue;
            switch (name)
            {
                case "http-equiv":
                    gotPragma |= value == "content-type";
                    break;
                case "content" when label is null && OfContent(value) is { } found:
                    (label, needPragma) = (found, true);
                    break;
                case "charset":
                    (label, needPragma) = (value, false);
                    break;
            }
        }
        if (at >= bytes.Length || needPragma is null || (needPragma == true && !gotPragma)) return null;
        // A meta element that can be read byte by byte cannot be in UTF-16, whatever it says.
        return EncodingLabels.Name(label) switch { null => null, "UTF-16BE" or "UTF-16LE" => "utf-8", "x-user-defined" => "windows-1252", _ => label };
    }

    // Names and values in lower case; false at the tag's end, and at the end of what is looked at.
    private bool Attribute(out string name, out string value)
    {
        name = value = "";
        while (at < bytes.Length && (IsBlank(bytes[at]) || bytes[at] == '/')) at++;
        if (at >= bytes.Length || bytes[at] == '>') return false;
        var start = at;
        while (at < bytes.Length && !(bytes[at] == '=' && at > start) && !IsBlank(bytes[at]) && bytes[at] is not ((byte)'/' or (byte)'>')) at++;
        name = Lower(bytes[start..at]);
        while (at < bytes.Length && IsBlank(bytes[at])) at++;
        if (at >= bytes.Length || bytes[at] != '=') return at < bytes.Length;
        at++;
        while (at < bytes.Length && IsBlank(bytes[at])) at++;
        if (at >= bytes.Length) return false;
        if (bytes[at] is (byte)'"' or (byte)'\'')
        {
            var end = bytes[(at + 1)..].IndexOf(bytes[at]);
            if (end < 0)
            {
                at = bytes.Length;
                return false;
            }
            value = Lower(bytes.Slice(at + 1, end));
            at += end + 2;
            return true;
        }
        start = at;
        while (at < bytes.Length && !IsBlank(bytes[at]) && bytes[at] != '>') at++;
        value = Lower(bytes[start..at]);
        return at < bytes.Length;
    }

    // "text/html; charset=…" of a content attribute, in lower case.
    private static string? OfContent(ReadOnlySpan<char> content)
    {
        while (true)
        {
            var found = content.IndexOf("charset");
            if (found < 0) return null;
            content = content[(found + 7)..].TrimStart(" \t\n\r\f");
            if (content.StartsWith("=")) break;
        }
        content = content[1..].TrimStart(" \t\n\r\f");
        if (content.IsEmpty) return null;
        if (content[0] is '"' or '\'')
        {
            var close = content[1..].IndexOf(content[0]);
            return close < 0 ? null : content.Slice(1, close).ToString();
        }
        var end = content.IndexOfAny(LabelEnds);
        return (end < 0 ? content : content[..end]).ToString();
    }

    private static string? OfXmlDeclaration(ReadOnlySpan<byte> page)
    {
        page = page[..Math.Min(page.Length, 1024)];
        if (!page.StartsWith("<?xml"u8) || page.IndexOf((byte)'>') is not (>= 0 and var end)) return null;
        var declaration = Encoding.Latin1.GetString(page[..end]).AsSpan();
        var found = declaration.IndexOf("encoding");
        if (found < 0) return null;
        declaration = declaration[(found + 8)..].TrimStart();
        if (!declaration.StartsWith("=")) return null;
        declaration = declaration[1..].TrimStart();
        if (declaration.IsEmpty || declaration[0] is not ('"' or '\'')) return null;
        var close = declaration[1..].IndexOf(declaration[0]);
        if (close < 0) return null;
        var label = declaration.Slice(1, close);
        return EncodingLabels.Name(label) switch { null => null, "UTF-16BE" or "UTF-16LE" => "utf-8", _ => label.ToString() };
    }

    private static string Lower(ReadOnlySpan<byte> text) => Encoding.Latin1.GetString(text).ToLowerInvariant();

    private static bool IsBlank(byte b) => b is 0x09 or 0x0A or 0x0C or 0x0D or 0x20;

    private static bool IsLetter(byte b) => char.IsAsciiLetter((char)b);
}
