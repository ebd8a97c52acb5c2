using AngleSharp.Dom;

namespace LoraFactory.Pages.Html;

/// <summary>Which elements a reader does not see, by their own attributes.</summary>
internal static class Visibility
{
    private const int MaxStyle = 2000;

    /// <summary>hidden, aria-hidden, or a style that shows nothing.</summary>
    public static bool IsHidden(IElement element)
    {
        if (element.HasAttribute("hidden") || element.GetAttribute("aria-hidden") == "true") return true;
        if (element.GetAttribute("style") is not { Length: > 8 and < MaxStyle } style) return false;
        return Says(style, "display", "none") || Says(style, "visibility", "hidden");
    }

    private static bool Says(ReadOnlySpan<char> style, ReadOnlySpan<char> property, ReadOnlySpan<char> value)
    {
        while (style.IndexOf(property, StringComparison.OrdinalIgnoreCase) is >= 0 and var at)
        {
            style = style[(at + property.Length)..];
            var rest = style.TrimStart();
            if (rest.Length > 0 && rest[0] == ':' && rest[1..].TrimStart().StartsWith(value, StringComparison.OrdinalIgnoreCase)) return true;
        }
        return false;
    }
}
