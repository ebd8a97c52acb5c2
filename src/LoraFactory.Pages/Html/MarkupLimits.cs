using System.Buffers;

namespace LoraFactory.Pages.Html;

/// <summary>
/// A linear look over markup before it is parsed: nesting and attributes beyond any honest page cost a tree builder quadratic time, and walking
/// such a tree overflows the stack. Counts what can pile up, so it may count a little too much, never too little.
/// </summary>
public static class MarkupLimits
{
    /// <summary>Elements open at once.</summary>
    public const int MaxDepth = 1000;

    /// <summary>Attributes of one tag.</summary>
    public const int MaxAttributes = 1000;

    /// <summary>
    /// Copies of formatting elements that were never closed: a tree builder repeats each open one in every block that follows, so that a few kilobytes
    /// may become millions of elements (HTML Living Standard §13.2.4.3).
    /// </summary>
    public const int MaxCopies = 3_000_000;

    // Formatting elements that may be open several times; three alike count, more are dropped by the standard.
    private const int Alike = 3;
    private static readonly HashSet<string> Formatting = new(StringComparer.Ordinal) { "b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u" };

    // Elements without content, and those that another of their kind closes.
    private static readonly HashSet<string> Flat = new(StringComparer.Ordinal)
    {
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
        "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "html", "head", "body", "a", "button", "nobr", "form",
    };

    // Elements that another of their kind closes within these alone; elsewhere they nest.
    private static readonly Dictionary<string, string> FlatWithin = new(StringComparer.Ordinal) { ["option"] = "select", ["optgroup"] = "select", ["rt"] = "ruby", ["rp"] = "ruby" };

    private static readonly SearchValues<char> NameEnds = SearchValues.Create(" \t\r\n\f/>");
    private static readonly string[] RawText = ["script", "style", "textarea", "title", "xmp", "noembed", "noframes"];

    /// <summary>Why the markup is not parsed, null when it is.</summary>
    public static string? Judge(ReadOnlySpan<char> html)
    {
        var depth = 0;
        var (selects, rubies, foreign) = (0, 0, 0);
        var open = new OpenFormatting();
        for (var at = 0; at < html.Length;)
        {
            var next = html[at..].IndexOf('<');
            if (next < 0) break;
            at += next + 1;
            if (html[at..].StartsWith("!--"))
            {
                at = CommentEnd(html, at + 3);
                continue;
            }
            var closing = at < html.Length && html[at] == '/';
            if (closing) at++;
            var name = Name(html[at..]);
            if (name.Length == 0) continue;
            var start = at;
            at = TagEnd(html, at + name.Length, out var attributes);
            if (open.Copies(name, closing, html[start..at]) > MaxCopies) return $"formatting elements that are never closed, for more than {MaxCopies} copies";
            if (attributes > MaxAttributes) return $"a tag with more than {MaxAttributes} attributes";
            var step = closing ? -1 : 1;
            if (name is "select") selects = Math.Max(0, selects + step);
            else if (name is "ruby") rubies = Math.Max(0, rubies + step);
            else if (name is "svg" or "math") foreign = Math.Max(0, foreign + step);
            var flat = Flat.Contains(name) || (FlatWithin.TryGetValue(name, out var holder) && (holder == "select" ? selects : rubies) > 0);
            if (closing)
            {
                if (!flat) depth = Math.Max(0, depth - 1);
            }
            // within a drawing, a formula or a list of choices a style is markup like any other
            else if (RawText.Contains(name) && selects + foreign == 0) at = RawEnd(html, at, name);
            else if (!flat && ++depth > MaxDepth) return $"elements nested more than {MaxDepth} deep";
        }
        return null;
    }

    // "<!-->" and "<!--->" are whole; others end with "-->" or "--!>".
    private static int CommentEnd(ReadOnlySpan<char> html, int at)
    {
        if (at < html.Length && html[at] == '>') return at + 1;
        if (html[Math.Min(at, html.Length)..].StartsWith("->")) return at + 2;
        while (at < html.Length)
        {
            var found = html[at..].IndexOf("--");
            if (found < 0) return html.Length;
            at += found + 2;
            if (at < html.Length && html[at] == '>') return at + 1;
            if (html[at..].StartsWith("!>")) return at + 2;
            at--; // of "--->" the second dash may begin the end
        }
        return html.Length;
    }

    private static string Name(ReadOnlySpan<char> html)
    {
        if (html.IsEmpty || !char.IsAsciiLetter(html[0])) return "";
        var end = html[..Math.Min(html.Length, 64)].IndexOfAny(NameEnds);
        return html[..(end < 0 ? Math.Min(html.Length, 64) : end)].ToString().ToLowerInvariant();
    }

    // The end of the tag, quotes respected; a run of blanks or slashes before something else begins an attribute.
    private static int TagEnd(ReadOnlySpan<char> html, int at, out int attributes)
    {
        attributes = 0;
        var gap = false;
        for (var afterEquals = false; at < html.Length; at++)
        {
            var c = html[at];
            if (c == '>') return at + 1;
            if (c is ' ' or '\t' or '\r' or '\n' or '\f' or '/')
            {
                gap = true;
                continue;
            }
            if (c is '"' or '\'' && afterEquals)
            {
                var end = html[(at + 1)..].IndexOf(c);
                if (end < 0) return html.Length;
                at += end + 1;
                gap = true;
            }
            else if (gap && c != '=' && !afterEquals)
            {
                attributes++;
                gap = false;
            }
            afterEquals = c == '=';
        }
        return at;
    }

    private static int RawEnd(ReadOnlySpan<char> html, int at, string name)
    {
        var close = "</" + name;
        for (var end = at; end < html.Length;)
        {
            var found = html[end..].IndexOf("</");
            if (found < 0) return html.Length;
            end += found;
            if (end + close.Length <= html.Length && html.Slice(end, close.Length).Equals(close, StringComparison.OrdinalIgnoreCase)) return end;
            end += 2;
        }
        return html.Length;
    }

    /// <summary>Formatting elements that are open at a place of the markup.</summary>
    private sealed class OpenFormatting
    {
        private readonly List<(string Name, int Tag)> open = [];
        private long copies;

        /// <summary>Takes a tag; copies that may have been made so far.</summary>
        public long Copies(string name, bool closing, ReadOnlySpan<char> tag)
        {
            copies += open.Count;
            if (!Formatting.Contains(name)) return copies;
            if (closing)
            {
                var last = open.FindLastIndex(one => one.Name == name);
                if (last >= 0) open.RemoveAt(last);
                return copies;
            }
            var key = string.GetHashCode(tag, StringComparison.Ordinal);
            var alike = 0;
            foreach (var one in open)
                if (one.Tag == key && one.Name == name) alike++;
            copies += open.Count;
            if (alike < Alike) open.Add((name, key));
            return copies;
        }
    }
}
