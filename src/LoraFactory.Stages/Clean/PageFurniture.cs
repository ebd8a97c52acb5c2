using AngleSharp.Dom;

namespace LoraFactory.Stages.Clean;

/// <summary>Which elements of a page are not its content: by their meaning in HTML, their ARIA role, and the words of class and id.</summary>
internal static class PageFurniture
{
    /// <summary>Kind of an element that shows paid matter.</summary>
    public const string Advertisement = "advertisement";

    /// <summary>Kind of menus, heads and feet.</summary>
    public const string Navigation = "site-furniture";

    private static readonly HashSet<string> Invisible = ["script", "style", "noscript", "template", "head", "svg", "math", "iframe", "object", "canvas", "audio", "video", "datalist", "select", "option"];

    private static readonly HashSet<string> Inline =
    [
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "dfn", "em", "font", "i", "img", "ins", "kbd", "label", "mark", "q", "rp", "rt",
        "ruby", "s", "samp", "small", "source", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr", "picture", "del",
    ];

    private static readonly HashSet<string> AdWords =
    [
        "ad", "ads", "adbox", "adslot", "adunit", "adsbygoogle", "adsense", "advert", "adverts", "advertisement", "advertisements", "advertising", "advertorial", "sponsor",
        "sponsored", "sponsors", "promo", "promoted", "promotion", "dfp", "taboola", "outbrain", "affiliate", "commercial",
    ];

    private static readonly HashSet<string> MenuWords =
    [
        "nav", "navbar", "navigation", "menu", "breadcrumb", "breadcrumbs", "sidebar", "footer", "masthead", "toolbar", "cookie", "cookies", "consent", "gdpr", "share",
        "sharing", "social", "related", "recommended", "newsletter", "subscribe", "signup", "login", "popup", "modal", "pagination", "pager", "skip", "comments", "comment",
        "disqus", "widget", "banner", "copyright", "trending", "popular",
    ];

    private static readonly HashSet<string> ContentWords = ["article", "content", "main", "post", "entry", "story", "body", "text", "page", "gallery", "figure"];

    /// <summary>Never shown as text.</summary>
    public static bool IsInvisible(IElement element) =>
        Invisible.Contains(element.LocalName) || element.HasAttribute("hidden") || element.GetAttribute("aria-hidden") == "true"
        || (element.GetAttribute("style") is { Length: < 2000 } style && style.Replace(" ", "", StringComparison.Ordinal).Contains("display:none", StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether text before and after it belongs to different lines.</summary>
    public static bool IsBlock(IElement element) => !Inline.Contains(element.LocalName);

    /// <summary>"advertisement", "site-furniture", or null for content.</summary>
    public static string? KindOf(IElement element)
    {
        if (element.LocalName is "body" or "html" or "main" or "article") return null;
        var isAd = element.LocalName == "a" && element.GetAttribute("rel") is { } rel && rel.Contains("sponsored", StringComparison.OrdinalIgnoreCase);
        var isMenu = element.LocalName is "nav" or "footer" or "aside" or "form" or "button" or "dialog" || (element.LocalName == "header" && !IsInContent(element));
        isMenu |= element.GetAttribute("role") is "navigation" or "banner" or "contentinfo" or "complementary" or "search" or "dialog" or "menu" or "alert";
        var (ad, menu, content) = Votes(element);
        if (isAd || ad) return Advertisement;
        return isMenu || (menu && !content) ? Navigation : null;
    }

    /// <summary>How likely an element is to hold the main text by what it is and is called; a factor around 1.</summary>
    public static double Preference(IElement element)
    {
        var preference = element.LocalName switch { "article" or "main" => 1.5, "section" or "div" => 1.1, "td" or "p" or "blockquote" or "pre" => 1, "body" => 0.6, "li" or "ul" or "ol" or "form" => 0.7, _ => 0.9 };
        return Votes(element).Content ? preference * 1.2 : preference;
    }

    private static bool IsInContent(IElement element)
    {
        for (var at = element.ParentElement; at is not null; at = at.ParentElement)
            if (at.LocalName is "article" or "main" or "section") return true;
        return false;
    }

    private static (bool Ad, bool Menu, bool Content) Votes(IElement element)
    {
        bool ad = false, menu = false, content = false;
        foreach (var name in (string?[])[element.Id, element.ClassName])
        {
            if (name is not { Length: > 0 and < 1000 }) continue;
            foreach (var word in Words(name))
            {
                ad |= AdWords.Contains(word);
                menu |= MenuWords.Contains(word);
                content |= ContentWords.Contains(word);
            }
        }
        return (ad, menu, content);
    }

    /// <summary>"leftNav ad-slot_3" → left, nav, ad, slot.</summary>
    private static IEnumerable<string> Words(string name)
    {
        var start = 0;
        for (var i = 0; i <= name.Length; i++)
        {
            var ends = i == name.Length || !char.IsAsciiLetter(name[i]) || (i > start && char.IsAsciiLetterUpper(name[i]) && char.IsAsciiLetterLower(name[i - 1]));
            if (!ends) continue;
            if (i > start) yield return name[start..i].ToLowerInvariant();
            start = i < name.Length && char.IsAsciiLetter(name[i]) ? i : i + 1;
        }
    }
}
