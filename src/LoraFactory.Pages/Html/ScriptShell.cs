using AngleSharp.Dom;
using AngleSharp.Html.Parser;

namespace LoraFactory.Pages.Html;

/// <summary>
/// Tells pages that are next to nothing until their scripts have run: no text to speak of, and a noscript element that asks for JavaScript, an empty element
/// by whose name a script puts the page there, or neither text nor pictures at all. One that is taken for a shell and is none costs a rendering, no more.
/// </summary>
public static class ScriptShell
{
    // Characters of visible text, blanks not counted, up to which each sign counts.
    private const int MostWithRoot = 500, MostWithNoScript = 300, MostWithNothing = 50, MostInRoot = 40;

    // Parts of names by which frameworks find the element that they fill.
    private static readonly string[] RootWords = ["root", "app", "next", "nuxt", "gatsby", "svelte", "mount", "vue", "react", "ember", "angular", "spa"];

    private static readonly HtmlParser Parser = new(new HtmlParserOptions { IsScripting = false, SkipComments = true, DisableElementPositionTracking = true });

    /// <summary>Is this page empty without its scripts? Markup has to be within <see cref="MarkupLimits"/>.</summary>
    /// <param name="html">Markup as the server sent it.</param>
    public static bool Is(string html)
    {
        ArgumentNullException.ThrowIfNull(html);
        if (!html.Contains("<script", StringComparison.OrdinalIgnoreCase)) return false;
        using var document = Parser.ParseDocument(html);
        var tree = PageTree.Of(document);
        var (text, pictures, asks) = (0, 0, false);
        for (var i = 0; i < tree.Count; i++)
        {
            if (tree[i].Tag == Tag.NoScript) asks |= tree.Words(i, 500).Contains("javascript", StringComparison.OrdinalIgnoreCase);
            else if (tree[i].IsHidden) continue;
            else if (tree[i].Text is { } words) text += Letters(words);
            else if (tree[i].Tag == Tag.Img && tree[i].Element!.HasAttribute("src")) pictures++;
            if (text > MostWithRoot) return false;
        }
        if (text <= MostWithNoScript && asks) return true;
        return text <= MostWithNothing && pictures == 0 || HasEmptyRoot(tree);
    }

    private static bool HasEmptyRoot(PageTree tree)
    {
        for (var i = 1; i < tree.Count; i++)
        {
            if (tree[i].Element is { } element && !Tags.IsPhrasing(tree[i].Tag) && IsRoot(element) && IsEmpty(tree, i)) return true;
        }
        return false;
    }

    private static bool IsRoot(IElement element)
    {
        if (element.HasAttribute("ng-app") || element.HasAttribute("data-reactroot")) return true;
        return HasRootWord(element.Id ?? (element.LocalName.Contains('-') ? element.LocalName : ""));
    }

    private static bool HasRootWord(string name)
    {
        if (name.Length is 0 or > 60 || name.StartsWith("fb-", StringComparison.OrdinalIgnoreCase)) return false; // fb-root is a share button's
        foreach (var range in name.AsSpan().SplitAny("-_:."))
            foreach (var word in RootWords)
                if (name.AsSpan()[range].Equals(word, StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }

    // Nothing, or no more than "Loading …".
    private static bool IsEmpty(PageTree tree, int root)
    {
        var text = 0;
        for (var i = root + 1; i < tree[root].End; i++)
        {
            if (tree[i].Text is { } words) text += Letters(words);
            if (text > MostInRoot || tree[i].Tag == Tag.Img) return false;
        }
        return true;
    }

    private static int Letters(string text)
    {
        var count = 0;
        foreach (var c in text)
            if (!char.IsWhiteSpace(c)) count++;
        return count;
    }
}
