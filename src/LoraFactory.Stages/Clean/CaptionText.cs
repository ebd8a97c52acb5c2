using System.Text;
using System.Text.RegularExpressions;

namespace LoraFactory.Stages.Clean;

/// <summary>Tidies the words of pictures: white space, control characters, file names and placeholders that say nothing.</summary>
public static partial class CaptionText
{
    /// <summary>One line of at most <paramref name="most"/> characters; empty when the text is a file name or a placeholder such as "image".</summary>
    public static string Clean(string text, int most = 1000)
    {
        var tidy = new StringBuilder(Math.Min(text.Length, most));
        foreach (var c in text)
        {
            if (tidy.Length >= most) break;
            // Zero-width and direction marks would hide in captions and split words.
            if (char.IsControl(c) && !char.IsWhiteSpace(c) || c is '\u200b' or '\ufeff' or '\u00ad' or (>= '\u202a' and <= '\u202e')) continue;
            if (!char.IsWhiteSpace(c)) tidy.Append(c);
            else if (tidy.Length > 0 && tidy[^1] != ' ') tidy.Append(' ');
        }
        var line = tidy.ToString().Trim();
        if (line.Length > 0 && char.IsHighSurrogate(line[^1])) line = line[..^1];
        line = Figure().Replace(line, "");
        return FileName().IsMatch(line) || Placeholder().IsMatch(line) ? "" : line;
    }

    [GeneratedRegex(@"^[^\s]*\.(jpe?g|png|gif|webp|bmp|tiff?|svg|avif)$|^(img|dsc|image|photo|pic|picture|screenshot|p)[_\- ]?\d+$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex FileName();

    [GeneratedRegex(@"^(image|photo|picture|img|untitled|thumbnail|logo|icon|figure|placeholder|null|undefined|none|spacer|\W+)$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"^(fig(ure)?\.?|abb(ildung)?\.?|photo|image|plate)\s*\d+[a-z]?\s*[:.\-–—]\s*", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Figure();
}
