using AngleSharp.Dom;

namespace LoraFactory.Pages.Html;

/// <summary>What the words of an element's class, id and role say of it.</summary>
[Flags]
internal enum Hints : uint
{
    None = 0,
    /// <summary>Menus, side columns, feet: not what the page is about.</summary>
    Unlikely = 1,
    /// <summary>May hold the article all the same.</summary>
    Maybe = 2,
    /// <summary>Speaks against it in scoring.</summary>
    Negative = 4,
    /// <summary>Speaks for it in scoring.</summary>
    Positive = 8,
    /// <summary>Paid matter.</summary>
    Advertisement = 16,
    /// <summary>Menus, heads and feet.</summary>
    Menu = 32,
    /// <summary>Article, content, story.</summary>
    Content = 64,
    /// <summary>What readers wrote.</summary>
    Comments = 128,
    /// <summary>Buttons to pass the page on.</summary>
    Share = 256,
    /// <summary>Other pages that may please.</summary>
    Related = 512,
    /// <summary>Who wrote it, and when.</summary>
    Byline = 1024,
    /// <summary>Words under a picture.</summary>
    Caption = 2048,
    /// <summary>Letters by mail, payments, registration.</summary>
    Subscribe = 4096,
    /// <summary>Keywords of the page.</summary>
    Labels = 8192,
    /// <summary>The article's own words by a name that stands for nothing else.</summary>
    ArticleBody = 16384,
    /// <summary>Role that is never content.</summary>
    NoContentRole = 32768,
    /// <summary>The class (not the id) speaks for it.</summary>
    PositiveClass = 1 << 16,
    /// <summary>The class (not the id) speaks against it.</summary>
    NegativeClass = 1 << 17,
    /// <summary>The id speaks for it.</summary>
    PositiveId = 1 << 18,
    /// <summary>The id speaks against it.</summary>
    NegativeId = 1 << 19,
}

/// <summary>Questions to <see cref="Hints"/>.</summary>
internal static class HintsExtensions
{
    /// <summary>Is any of these among them?</summary>
    public static bool Has(this Hints hints, Hints any) => (hints & any) != Hints.None;
}

/// <summary>Reads <see cref="Hints"/>; names that come again on a page are judged once.</summary>
internal sealed class HintReader
{
    private const int MaxName = 1000, MaxKnown = 5000;

    private readonly Dictionary<string, Hints> known = new(StringComparer.Ordinal);

    /// <summary>Hints of an element.</summary>
    public Hints Of(IElement element)
    {
        var hints = Hints.None;
        if (element.ClassName is { Length: > 0 and < MaxName } name) hints |= Sided(Of(name), Hints.PositiveClass, Hints.NegativeClass);
        if (element.Id is { Length: > 0 and < MaxName } id) hints |= Sided(Of(id), Hints.PositiveId, Hints.NegativeId);
        if (element.GetAttribute("itemprop") is "articleBody") hints |= Hints.ArticleBody;
        if (element.GetAttribute("role") is { } role && HintWords.NoContentRoles.Contains(role)) hints |= Hints.NoContentRole;
        return hints;
    }

    private static Hints Sided(Hints hints, Hints positive, Hints negative)
    {
        if (hints.Has(Hints.Positive)) hints |= positive;
        return hints.Has(Hints.Negative) ? hints | negative : hints;
    }

    private Hints Of(string name)
    {
        if (known.TryGetValue(name, out var hints)) return hints;
        hints = HintWords.Read(name);
        if (known.Count < MaxKnown) known[name] = hints;
        return hints;
    }
}
