using System.Globalization;
using System.Text;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// What one robots.txt says to one crawler (RFC 9309): all groups that name its product token are merged, else all groups of "*";
/// the longest matching rule in octets wins, allow wins a tie, no match allows. Extensions that others define (Crawl-delay,
/// Content-Signal, Content-Usage) are read beside the rules and never change them.
/// </summary>
public sealed class RobotsRules
{
    /// <summary>Octets that are read; the rest is ignored (RFC 9309 §2.5).</summary>
    public const int MaxBytes = 500 * 1024;

    private readonly List<(RobotsPattern Pattern, bool Allow)> rules = [];
    private readonly List<(RobotsPattern? Path, string Value)> usages = [];
    private readonly List<string> signals = [];

    private RobotsRules() { }

    /// <summary>Allows everything: there is no robots.txt.</summary>
    public static RobotsRules Empty { get; } = new();

    /// <summary>Pause that is asked for between two requests, null when none is.</summary>
    public TimeSpan? CrawlDelay { get; private set; }

    /// <summary>Sitemap lines as written, in order, without repeats.</summary>
    public IReadOnlyList<string> Sitemaps { get; private set; } = [];

    /// <summary>Values of the Content-Signal lines that apply: those of the crawler's groups and those before any group.</summary>
    public IReadOnlyList<string> ContentSignals => signals;

    /// <summary>Reads a file for the crawler with this user agent, of which only the leading product token counts.</summary>
    public static RobotsRules Parse(ReadOnlySpan<byte> bytes, string userAgent) => new Reader(ProductToken(userAgent)).Read(bytes);

    /// <summary>May the URL be fetched? <paramref name="rule"/> is the rule that decided, empty when none matched.</summary>
    public bool Allows(string url, out string rule)
    {
        var path = RobotsPattern.Octets(PathOf(url), pattern: false);
        var written = RobotsPattern.AsWritten(PathOf(url), pattern: false);
        var valid = Ascii.IsValid(PathOf(url));
        rule = "";
        if (path == "/robots.txt") return true;
        var (best, allow) = (-1, true);
        foreach (var (pattern, allows) in rules)
        {
            if (pattern.Length < best || (pattern.Length == best && !allows)) continue;
            // What denies, denies every spelling of a path; what allows is taken as it is written.
            if (allows ? !(valid && pattern.Matches(path)) && !pattern.Matches(written) : !pattern.Matches(path)) continue;
            (best, allow) = (pattern.Length, allows);
            rule = $"{(allows ? "Allow" : "Disallow")}: {pattern.Text}";
        }
        return allow;
    }

    /// <summary>Values of the Content-Usage lines for this URL: those of the longest matching path, several when paths tie.</summary>
    public IReadOnlyList<string> ContentUsage(string url)
    {
        var path = RobotsPattern.Octets(PathOf(url), pattern: false);
        var matching = usages.Where(u => u.Path is null || u.Path.Matches(path)).ToList();
        if (matching.Count == 0) return [];
        var longest = matching.Max(u => u.Path?.Length ?? 0);
        return [.. matching.Where(u => (u.Path?.Length ?? 0) == longest).Select(u => u.Value)];
    }

    /// <summary>
    /// Leading letters, digits, hyphens and underscores: "LoraFactory" of "LoraFactory/0.1 (+https://…)". (RFC 9309 §2.2.1 has no digits, but owners
    /// write names with them, and "Bot1" is not "Bot2".)
    /// </summary>
    public static string ProductToken(string userAgent)
    {
        var text = userAgent.AsSpan().Trim();
        var end = 0;
        while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] is '-' or '_')) end++;
        return end < text.Length && !char.IsAscii(text[end]) ? "" : text[..end].ToString();
    }

    /// <summary>Path and query that rules are matched against, "/" when the URL has none; the fragment never counts.</summary>
    public static string PathOf(string url)
    {
        var hash = url.IndexOf('#');
        if (hash >= 0) url = url[..hash];
        var start = url.StartsWith("//", StringComparison.Ordinal) ? 2 : 0;
        var scheme = url.IndexOf("://", start, StringComparison.Ordinal);
        var early = url.IndexOfAny(['/', '?', ';'], start);
        if (scheme >= 0 && early > scheme) start = scheme + 3;
        var from = url.IndexOfAny(['/', '?', ';'], start);
        if (from < 0) return "/";
        return url[from] == '/' ? url[from..] : "/" + url[from..];
    }

    private sealed class Reader(string token)
    {
        private static readonly char[] Blank = [' ', '\t', '\v', '\f', '\0']; // Latin-1's other blanks are octets of longer characters
        private readonly Group own = new(), everyone = new();
        private readonly List<string> sitemaps = [], globalSignals = [];
        private readonly List<(RobotsPattern?, string)> globalUsages = [];
        private bool ownSeen, inGroup, rulesSeen;
        private bool ownGroup, everyoneGroup;          // which groups rules go to
        private bool ownExtension, everyoneExtension;  // which groups extensions go to; another User-agent line after one starts anew
        private bool extensionSeen;

        private sealed class Group
        {
            public List<(RobotsPattern, bool)> Rules { get; } = [];
            public List<string> Signals { get; } = [];
            public List<(RobotsPattern?, string)> Usages { get; } = [];
            public TimeSpan? Delay { get; set; }
        }

        public RobotsRules Read(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length > MaxBytes)
            {
                bytes = bytes[..MaxBytes];
                var end = bytes.LastIndexOfAny((byte)'\n', (byte)'\r'); // half a line could allow more than the whole one
                bytes = bytes[..Math.Max(end, 0)];
            }
            foreach (var mark in (ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF])
            {
                if (bytes.Length == 0 || bytes[0] != mark) break;
                bytes = bytes[1..];
            }
            while (!bytes.IsEmpty)
            {
                var end = bytes.IndexOfAny((byte)'\n', (byte)'\r');
                Line(Encoding.Latin1.GetString(end < 0 ? bytes : bytes[..end]));
                bytes = end < 0 ? [] : bytes[(end + 1)..];
            }
            return Result();
        }

        private RobotsRules Result()
        {
            var group = ownSeen ? own : everyone;
            var result = new RobotsRules { CrawlDelay = group.Delay, Sitemaps = sitemaps };
            result.rules.AddRange(group.Rules);
            result.signals.AddRange(globalSignals);
            result.signals.AddRange(group.Signals);
            result.usages.AddRange(globalUsages);
            result.usages.AddRange(group.Usages);
            return result;
        }

        private void Line(string line)
        {
            var comment = line.IndexOf('#');
            if (comment >= 0) line = line[..comment];
            line = line.Trim(Blank);
            if (line.Length == 0) return;
            var colon = line.IndexOf(':');
            if (colon < 0) colon = MissingColon(line);
            if (colon < 1) return;
            Directive(line[..colon].TrimEnd().ToLowerInvariant(), line[(colon + 1)..].Trim(Blank));
        }

        // "Disallow /x" is what some owners write; only a line of exactly two words is read so.
        private static int MissingColon(string line)
        {
            var space = line.IndexOfAny([' ', '\t']);
            return space > 0 && line[space..].Trim(Blank).IndexOfAny([' ', '\t']) < 0 ? space : -1;
        }

        private void Directive(string key, string value)
        {
            switch (key)
            {
                case "user-agent" or "useragent" or "user agent":
                    Agent(value);
                    break;
                case "disallow" or "dissallow" or "dissalow" or "disalow" or "diasllow" or "disallaw":
                    Rule(value, allow: false);
                    break;
                case "allow":
                    Rule(value, allow: true);
                    break;
                case "sitemap" or "site-map":
                    var url = Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(value));
                    if (url.Length > 0 && sitemaps.Count < 1000 && !sitemaps.Contains(url)) sitemaps.Add(url);
                    break;
                case "crawl-delay":
                    Delay(value);
                    break;
                case "content-signal":
                    Extension(g => g.Signals.Add(value), () => globalSignals.Add(value));
                    break;
                case "content-usage":
                    var usage = Usage(value);
                    Extension(g => g.Usages.Add(usage), () => globalUsages.Add(usage));
                    break;
                case "request-rate" or "visit-time" or "clean-param" or "host" or "crawl-rate":
                    Extension(_ => { }, () => { });
                    break;
            }
        }

        private void Agent(string value)
        {
            inGroup = true;
            if (rulesSeen) ownGroup = everyoneGroup = rulesSeen = false;
            if (extensionSeen) ownExtension = everyoneExtension = extensionSeen = false;
            if (value is ['*'] or ['*', ' ' or '\t' or '<', ..]) // some owners serve HTML: "*<BR>"
            {
                everyoneGroup = everyoneExtension = true;
            }
            else if (token.Length > 0 && ProductToken(value).Equals(token, StringComparison.OrdinalIgnoreCase))
            {
                ownGroup = ownExtension = ownSeen = true;
            }
        }

        private void Rule(string value, bool allow)
        {
            if (!inGroup) return;
            rulesSeen = true;
            extensionSeen = true;
            if (value.Length == 0) return;
            var pattern = new RobotsPattern(value, asWritten: allow);
            if (ownGroup) own.Rules.Add((pattern, allow));
            if (everyoneGroup) everyone.Rules.Add((pattern, allow));
            // Who allows "/a/index.html" means "/a/" too, as most crawlers read it.
            var slash = value.LastIndexOf('/');
            if (allow && slash >= 0 && value.AsSpan(slash + 1).StartsWith("index.htm", StringComparison.OrdinalIgnoreCase)) Rule(value[..(slash + 1)] + "$", allow: true);
        }

        private void Delay(string value)
        {
            var end = 0;
            while (end < value.Length && (char.IsAsciiDigit(value[end]) || value[end] == '.')) end++; // "10<BR>" is seen in the wild
            var valid = double.TryParse(value.AsSpan(0, end), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds);
            Extension(
                g =>
                {
                    if (valid) g.Delay = TimeSpan.FromSeconds(Math.Min(Math.Max(seconds, g.Delay?.TotalSeconds ?? 0), 1e6));
                },
                () => { });
        }

        private void Extension(Action<Group> add, Action global)
        {
            if (!inGroup)
            {
                global();
                return;
            }
            extensionSeen = true;
            if (ownExtension) add(own);
            if (everyoneExtension) add(everyone);
        }

        private static (RobotsPattern?, string) Usage(string value)
        {
            if (!value.StartsWith('/')) return (null, value);
            var space = value.IndexOfAny([' ', '\t']);
            return space < 0 ? (null, "") : (new RobotsPattern(value[..space]), value[space..].Trim(Blank));
        }
    }
}

/// <summary>A path with "*" for any octets and a final "$" for the end, matched in percent-encoded octets (RFC 9309 §2.2.2, §2.2.3).</summary>
public sealed class RobotsPattern
{
    private readonly string[] pieces;
    private readonly bool anchored;

    /// <summary>A pattern whose characters are octets (Latin-1) as they stand in the file.</summary>
    /// <param name="text">The pattern.</param>
    /// <param name="asWritten">Keep escapes of unreserved characters instead of undoing them.</param>
    public RobotsPattern(string text, bool asWritten = false)
    {
        Text = text;
        anchored = text.EndsWith('$');
        if (anchored) text = text[..^1];
        var written = AsWritten(text, pattern: true);
        Length = written.Length + (anchored ? 1 : 0);
        pieces = (asWritten ? written : Octets(text, pattern: true)).Split('*');
    }

    /// <summary>As written.</summary>
    public string Text { get; }

    /// <summary>Octets after encoding; the longer of two matching rules wins.</summary>
    public int Length { get; }

    /// <summary>Does the path, from <see cref="Octets"/>, begin with the pattern, or equal it when it ends in "$"? Linear in pieces × path.</summary>
    public bool Matches(string path)
    {
        if (!path.StartsWith(pieces[0], StringComparison.Ordinal)) return false;
        var at = pieces[0].Length;
        for (var i = 1; i < pieces.Length; i++)
        {
            var last = i == pieces.Length - 1;
            if (last && anchored) return path.Length - at >= pieces[i].Length && path.EndsWith(pieces[i], StringComparison.Ordinal);
            var found = path.IndexOf(pieces[i], at, StringComparison.Ordinal);
            if (found < 0) return false;
            at = found + pieces[i].Length;
        }
        return !anchored || at == path.Length;
    }

    /// <summary>
    /// Both sides in one spelling: octets outside ASCII percent-encoded, escapes of unreserved characters undone, others in upper case.
    /// In a path "*" and "$" are escaped, in a pattern "$" before the end is, so that they match only themselves.
    /// </summary>
    public static string Octets(string text, bool pattern) => Spell(text, pattern, undo: true);

    /// <summary>As <see cref="Octets"/>, but escapes stay, and so do a path's octets outside ASCII, which no valid URL has.</summary>
    public static string AsWritten(string text, bool pattern) => Spell(text, pattern, undo: false);

    private static string Spell(string text, bool pattern, bool undo)
    {
        var builder = new StringBuilder(text.Length + 8);
        var bytes = pattern ? Encoding.Latin1.GetBytes(text) : Encoding.UTF8.GetBytes(text);
        for (var i = 0; i < bytes.Length; i++)
        {
            var b = bytes[i];
            if (b == '%' && i + 2 < bytes.Length && char.IsAsciiHexDigit((char)bytes[i + 1]) && char.IsAsciiHexDigit((char)bytes[i + 2]))
            {
                var octet = (byte)Convert.ToInt32($"{(char)bytes[i + 1]}{(char)bytes[i + 2]}", 16);
                if (undo && (char.IsAsciiLetterOrDigit((char)octet) || octet is (byte)'-' or (byte)'.' or (byte)'_' or (byte)'~')) builder.Append((char)octet);
                else Escape(builder, octet);
                i += 2;
            }
            else if ((b > 0x7F && (undo || pattern)) || b is < 0x20 or (byte)' ' or (byte)'$' || (b == '*' && !pattern)) Escape(builder, b);
            else builder.Append((char)b);
        }
        return builder.ToString();
    }

    private static void Escape(StringBuilder builder, byte octet) => builder.Append('%').Append(octet.ToString("X2"));
}
