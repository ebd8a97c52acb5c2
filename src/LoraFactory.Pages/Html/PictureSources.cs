using System.Globalization;
using AngleSharp.Dom;

namespace LoraFactory.Pages.Html;

/// <summary>Chooses the best source of a picture: largest of srcset and picture sources, lazy-loading attributes before placeholders.</summary>
public static class PictureSources
{
    private const int MaxStyle = 20_000, MaxAttributes = 50;

    // commonest names first; any other data attribute that reads like a picture's address comes after them
    private static readonly string[] Lazy = ["data-src", "data-original", "data-lazy-src", "data-hi-res-src", "data-full-src", "data-large-src", "data-lazy", "data-url", "data-orig-file", "data-image"];
    private static readonly string[] LazySets = ["srcset", "data-srcset", "data-lazy-srcset", "data-original-set"];
    private static readonly string[] Endings = [".jpg", ".jpeg", ".png", ".webp", ".gif"];

    /// <summary>Canonical URL of the best source, null when there is none that can be fetched.</summary>
    /// <param name="image">An img element.</param>
    /// <param name="root">What addresses are resolved against.</param>
    /// <param name="fallback">The img that a noscript element beside it holds: it goes before a plain source, which then is a placeholder.</param>
    public static Uri? Best(IElement image, Uri root, IElement? fallback = null)
    {
        var candidates = new List<(string Url, double Size)>();
        if (image.ParentElement is { LocalName: "picture" } picture)
            foreach (var source in picture.Children.Take(MaxAttributes))
                if (source.LocalName == "source" && Readable(source.GetAttribute("type"))) candidates.AddRange(Srcset(Sets(source)));
        candidates.AddRange(Srcset(Sets(image)));
        foreach (var (url, _) in candidates.Where(c => c.Size > 1).OrderByDescending(c => c.Size))
            if (CanonicalUrl.Parse(url, root) is { } best) return best;
        foreach (var attribute in Lazy)
            if (image.GetAttribute(attribute) is { Length: > 0 } lazy && CanonicalUrl.Parse(lazy, root) is { } found) return found;
        if (OtherData(image, root) is { } other) return other;
        if (fallback is not null && Best(fallback, root) is { } plainer) return plainer;
        if (image.GetAttribute("src") is { } src && CanonicalUrl.Parse(src, root) is { } plain) return plain;
        return candidates.Select(c => CanonicalUrl.Parse(c.Url, root)).FirstOrDefault(c => c is not null);
    }

    /// <summary>Every address that an img or source element names, in no order of worth, at most 50.</summary>
    public static IEnumerable<Uri> All(IElement element, Uri root)
    {
        var named = Lazy.Prepend("src").Select(element.GetAttribute).Concat(LazySets.SelectMany(name => Srcset(element.GetAttribute(name) ?? "")).Select(c => (string?)c.Url));
        return named.OfType<string>().Take(MaxAttributes).Select(url => CanonicalUrl.Parse(url, root)).OfType<Uri>();
    }

    /// <summary>Address of the first url(…) of a background in an element's style, null for none.</summary>
    public static Uri? Background(string style, Uri root)
    {
        if (style.Length > MaxStyle) return null;
        var at = style.IndexOf("background", StringComparison.OrdinalIgnoreCase);
        if (at < 0 || style.IndexOf("url(", at, StringComparison.OrdinalIgnoreCase) is not (>= 0 and var open)) return null;
        var start = open + 4;
        while (start < style.Length && char.IsWhiteSpace(style[start])) start++;
        if (start == style.Length) return null;
        var quote = style[start] is '"' or '\'' ? style[start++] : ')';
        var end = style.IndexOf(quote, start);
        return end < 0 ? null : CanonicalUrl.Parse(style[start..end].Trim(), root);
    }

    private static string Sets(IElement element) => LazySets.Select(element.GetAttribute).FirstOrDefault(set => set is not null) ?? "";

    private static Uri? OtherData(IElement image, Uri root)
    {
        foreach (var attribute in image.Attributes.Take(MaxAttributes))
        {
            if (!attribute.Name.StartsWith("data-", StringComparison.Ordinal) || attribute.Value.Length > CanonicalUrl.MaxLength) continue;
            var path = attribute.Value.AsSpan();
            if (path.IndexOfAny('?', '#') is >= 0 and var query) path = path[..query];
            if (path.IndexOfAny(" {\n") >= 0) continue;
            foreach (var ending in Endings)
                if (path.EndsWith(ending, StringComparison.OrdinalIgnoreCase) && CanonicalUrl.Parse(attribute.Value, root) is { } found) return found;
        }
        return null;
    }

    /// <summary>Candidates of a srcset with their width ("800w") or density × 1000 ("2x"), in order (HTML Living Standard §4.8.4.3.5).</summary>
    public static IEnumerable<(string Url, double Size)> Srcset(string text)
    {
        var at = 0;
        var count = 0;
        while (at < text.Length && count++ < 100)
        {
            while (at < text.Length && (char.IsWhiteSpace(text[at]) || text[at] == ',')) at++;
            var start = at;
            while (at < text.Length && !char.IsWhiteSpace(text[at])) at++;
            var url = text[start..at];
            var size = 1.0;
            if (url.EndsWith(',')) url = url.TrimEnd(',');
            else
            {
                start = at;
                var depth = 0;
                while (at < text.Length && (text[at] != ',' || depth > 0)) depth += text[at++] switch { '(' => 1, ')' => -1, _ => 0 };
                size = Descriptor(text[start..at]);
            }
            if (url.Length > 0) yield return (url, size);
        }
    }

    private static double Descriptor(string text)
    {
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (word.EndsWith('w') && double.TryParse(word.AsSpan(0, word.Length - 1), CultureInfo.InvariantCulture, out var width)) return width;
            if (word.EndsWith('x') && double.TryParse(word.AsSpan(0, word.Length - 1), CultureInfo.InvariantCulture, out var density)) return density * 1000;
        }
        return 1;
    }

    private static bool Readable(string? type) =>
        type is null || type.Trim().ToLowerInvariant() is "" or "image/jpeg" or "image/png" or "image/webp" or "image/gif" or "image/tiff" or "image/bmp";
}
