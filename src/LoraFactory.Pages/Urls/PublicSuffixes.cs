namespace LoraFactory.Pages;

/// <summary>
/// The public suffix list (publicsuffix.org): below which names domains are registered by anyone ("co.uk", "github.io"), and so which hosts
/// belong to one owner. Read from a list file; wildcard, exception and internationalised rules as the list's format defines them.
/// </summary>
public sealed class PublicSuffixes
{
    /// <summary>Where Debian's package publicsuffix puts the list.</summary>
    public const string DefaultPath = "/usr/share/publicsuffix/public_suffix_list.dat";

    // The full stops of IDNA: ideographic, fullwidth and halfwidth too.
    private static readonly char[] Dots = ['.', '\u3002', '\uFF0E', '\uFF61'];

    private readonly Dictionary<string, Rule> rules = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Rule>.AlternateLookup<ReadOnlySpan<char>> names;

    private PublicSuffixes() => names = rules.GetAlternateLookup<ReadOnlySpan<char>>();

    [Flags]
    private enum Rule
    {
        Exact = 1,
        Wildcard = 2,
        Exception = 4,
    }

    /// <summary>Rules read.</summary>
    public int Count { get; private set; }

    /// <summary>Reads the list at <paramref name="path"/>, null when it is not there.</summary>
    /// <param name="path">The list.</param>
    /// <param name="withPrivate">Whether names that companies let to others count ("github.io"), besides those of registries.</param>
    public static PublicSuffixes? Open(string path = DefaultPath, bool withPrivate = true) => File.Exists(path) ? Read(File.ReadLines(path), withPrivate) : null;

    /// <summary>Reads the lines of a list.</summary>
    public static PublicSuffixes Read(IEnumerable<string> lines, bool withPrivate = true)
    {
        var list = new PublicSuffixes();
        foreach (var line in lines)
        {
            if (!withPrivate && line.Contains("===BEGIN PRIVATE DOMAINS===", StringComparison.Ordinal)) break;
            // a rule ends at the first blank
            var end = line.AsSpan().IndexOfAny(' ', '\t');
            var rule = (end < 0 ? line : line[..end]).Trim();
            if (rule.Length > 0 && !rule.StartsWith("//", StringComparison.Ordinal)) list.Add(rule);
        }
        return list;
    }

    /// <summary>
    /// The domain that an owner registered: the host's public suffix and one label more ("www.example.co.uk" → "example.co.uk"), in the host's spelling
    /// and lower case. Null for a public suffix itself, an address, and what is no host name. A name below no rule counts as below its last label.
    /// </summary>
    /// <param name="host">Host name, Unicode or ASCII; a final dot is left out.</param>
    public string? Registrable(string? host)
    {
        if (string.IsNullOrEmpty(host) || host[0] is '.' or '[') return null;
        if (host[^1] == '.') host = host[..^1];
        host = host.ToLowerInvariant();
        if (DomainToAscii.Map(host) is not { } ascii || ascii.Contains("..", StringComparison.Ordinal) || System.Net.IPAddress.TryParse(ascii, out _)) return null;
        var labels = SuffixLabels(ascii) + 1;
        var at = host.Length;
        // labels are counted from the end, in the host's own spelling
        for (var i = 0; i < labels; i++)
        {
            if (at <= 0) return null;
            at = host.LastIndexOfAny(Dots, at - 1);
        }
        return host[(at + 1)..];
    }

    private void Add(string rule)
    {
        var kind = rule[0] == '!' ? Rule.Exception : rule.StartsWith("*.", StringComparison.Ordinal) ? Rule.Wildcard : Rule.Exact;
        var name = DomainToAscii.Map(rule[(kind switch { Rule.Exception => 1, Rule.Wildcard => 2, _ => 0 })..]);
        if (name is null) return;
        rules[name] = rules.GetValueOrDefault(name) | kind;
        Count++;
    }

    // How many labels the prevailing rule has: an exception's without its first, else the longest match, else one ("*").
    private int SuffixLabels(ReadOnlySpan<char> host)
    {
        var (labels, longest, wildcard) = (0, 1, false);
        for (var at = host.Length; at > 0;)
        {
            at = host[..at].LastIndexOf('.');
            labels++;
            var known = names.TryGetValue(host[(at + 1)..], out var rule);
            if (known && rule.HasFlag(Rule.Exception)) return labels - 1;
            if (wildcard || (known && rule.HasFlag(Rule.Exact))) longest = labels;
            wildcard = known && rule.HasFlag(Rule.Wildcard);
        }
        return longest;
    }
}
