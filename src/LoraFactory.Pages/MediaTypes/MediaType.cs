using System.Buffers;
using System.Text;

namespace LoraFactory.Pages;

/// <summary>A media type with its parameters, read and written as the MIME Sniffing Standard §4 says.</summary>
public sealed class MediaType
{
    private static readonly SearchValues<char> Token = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    private readonly List<KeyValuePair<string, string>> parameters = [];

    private MediaType(string type, string subtype) => (Type, Subtype) = (type, subtype);

    /// <summary>Before the slash, in lower case.</summary>
    public string Type { get; }

    /// <summary>After the slash, in lower case.</summary>
    public string Subtype { get; }

    /// <summary>"text/html".</summary>
    public string Essence => $"{Type}/{Subtype}";

    /// <summary>Parameters in order, names in lower case, each once.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Parameters => parameters;

    /// <summary>The charset parameter, null when there is none.</summary>
    public string? Charset => Parameter("charset");

    /// <summary>Is it XML: text/xml, application/xml, or anything that ends in +xml?</summary>
    public bool IsXml => Essence is "text/xml" or "application/xml" || Subtype.EndsWith("+xml", StringComparison.Ordinal);

    /// <summary>Value of a parameter, null when there is none.</summary>
    public string? Parameter(string name) => parameters.Find(p => p.Key == name) is { Key: not null } found ? found.Value : null;

    /// <summary>Reads a Content-Type's value; null when it is none. A parameter that is broken costs itself alone.</summary>
    public static MediaType? Parse(ReadOnlySpan<char> text)
    {
        text = text.Trim(" \t\r\n");
        var slash = text.IndexOf('/');
        if (slash <= 0 || text[..slash].ContainsAnyExcept(Token)) return null;
        var rest = text[(slash + 1)..];
        var semicolon = rest.IndexOf(';');
        var subtype = (semicolon < 0 ? rest : rest[..semicolon]).TrimEnd(" \t\r\n");
        if (subtype.IsEmpty || subtype.ContainsAnyExcept(Token)) return null;
        var media = new MediaType(text[..slash].ToString().ToLowerInvariant(), subtype.ToString().ToLowerInvariant());
        rest = semicolon < 0 ? default : rest[(semicolon + 1)..];
        while (!rest.IsEmpty) media.ReadParameter(ref rest);
        return media;
    }

    /// <summary>The media type that a response's Content-Type fields state together: the last that can be read, with an earlier one's charset where it names none (Fetch Standard, "extract a MIME type").</summary>
    public static MediaType? OfFields(IEnumerable<string> values)
    {
        MediaType? found = null;
        foreach (var value in values.SelectMany(SplitList))
        {
            if (Parse(value) is not { Essence: not "*/*" } next) continue;
            if (found?.Charset is { } charset && found.Essence == next.Essence && next.Charset is null) next.parameters.Add(new("charset", charset));
            found = next;
        }
        return found;
    }

    /// <summary>As it is written in a header: values that are no tokens in quotes.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(Essence);
        foreach (var (name, value) in parameters)
        {
            text.Append(';').Append(name).Append('=');
            if (value.Length > 0 && !value.AsSpan().ContainsAnyExcept(Token)) text.Append(value);
            else text.Append('"').Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"');
        }
        return text.ToString();
    }

    private void ReadParameter(ref ReadOnlySpan<char> rest)
    {
        rest = rest.TrimStart(" \t\r\n");
        var end = rest.IndexOfAny(';', '=');
        if (end < 0 || rest[end] == ';')
        {
            rest = end < 0 ? default : rest[(end + 1)..];
            return;
        }
        var name = rest[..end].ToString().ToLowerInvariant();
        rest = rest[(end + 1)..];
        string value;
        if (rest.StartsWith("\""))
        {
            value = Quoted(ref rest);
            end = rest.IndexOf(';');
        }
        else
        {
            end = rest.IndexOf(';');
            value = (end < 0 ? rest : rest[..end]).TrimEnd(" \t\r\n").ToString();
            if (value.Length == 0) name = "";
        }
        rest = end < 0 ? default : rest[(end + 1)..];
        if (name.Length > 0 && !name.AsSpan().ContainsAnyExcept(Token) && IsQuotable(value) && Parameter(name) is null) parameters.Add(new(name, value));
    }

    private static string Quoted(ref ReadOnlySpan<char> rest)
    {
        var value = new StringBuilder();
        for (rest = rest[1..]; !rest.IsEmpty; rest = rest[1..])
        {
            if (rest[0] == '"')
            {
                rest = rest[1..];
                break;
            }
            if (rest[0] == '\\' && rest.Length > 1) rest = rest[1..];
            value.Append(rest[0]);
        }
        return value.ToString();
    }

    private static bool IsQuotable(string value)
    {
        foreach (var c in value)
            if (c is not ('\t' or (>= ' ' and <= '~') or (>= '\u0080' and <= '\u00FF'))) return false;
        return true;
    }

    // A field may hold several values with commas between, which quotes protect.
    private static IEnumerable<string> SplitList(string value)
    {
        var (start, quoted) = (0, false);
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] == '"') quoted = !quoted;
            else if (value[i] == '\\' && quoted) i++;
            else if (value[i] == ',' && !quoted)
            {
                yield return value[start..i];
                start = i + 1;
            }
        }
        yield return value[start..];
    }
}
