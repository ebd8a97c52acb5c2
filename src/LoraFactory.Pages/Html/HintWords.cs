using System.Collections.Frozen;

namespace LoraFactory.Pages.Html;

/// <summary>Words that authors of pages give to the parts of a page, and what each says.</summary>
internal static class HintWords
{
    private const Hints Aside = Hints.Unlikely | Hints.Negative;

    /// <summary>ARIA roles of what is not content.</summary>
    public static readonly FrozenSet<string> NoContentRoles = FrozenSet.Create("menu", "menubar", "complementary", "navigation", "alert", "alertdialog", "dialog", "banner", "contentinfo", "search");

    private static readonly FrozenDictionary<string, Hints> Whole = Table(
        (Hints.Advertisement, "ad ads adbox adslot adunit adsbygoogle adsense advert adverts advertisement advertisements advertising advertorial sponsor sponsored sponsors promo promoted promotion dfp taboola outbrain affiliate commercial werbung anzeige publicidad publicite reklama"),
        (Hints.Unlikely, "ad agegate banner breadcrumb breadcrumbs combx comment comments community disqus extra footer gdpr header legends menu nav navbar navigation pager pagination popup related remark replies rss shoutbox sidebar skyscraper social sponsor supplemental sponsored cookie cookies consent"),
        (Hints.Maybe, "article body column content main shadow mathjax"),
        (Hints.Negative, "ad hidden hid banner combx comment comments com contact footer footnote gdpr masthead media meta outbrain promo related scroll share shoutbox sidebar skyscraper sponsor shopping tags tool tools widget"),
        (Hints.Positive, "article body content entry hentry main page pagination post text blog story"),
        (Hints.Menu, "nav navbar navigation menu breadcrumb breadcrumbs sidebar footer masthead toolbar cookie cookies consent gdpr share sharing social related recommended newsletter subscribe signup login popup modal pagination pager skip comments comment disqus widget banner copyright trending popular"),
        (Hints.Byline, "byline bylines author authors autor autoren auteur autore dateline writtenby meta postmeta metadata infos articleinfo postinfo pubdate publishdate timestamp datum fecha bio biography authorbio aboutauthor authorbox"),
        (Hints.Share, "share shares sharing sharebar sharebuttons sharethis sharedaddy addthis addtoany social socials socialmedia socialshare teilen compartir partager condividi"),
        (Hints.Comments, "comment comments commentlist kommentar kommentare commentaire commentaires comentario comentarios commenti reacties disqus respond discussion"),
        (Hints.Related, "related recommended recommendation recommendations recommend rec recs empfehlung empfehlungen teaser teasers readmore mostread morefrom moreon upnext readnext trending popular suggestion suggestions suggested similar seealso outbrain taboola zergnet plista linkbox crosslink crosslinks"),
        (Hints.Subscribe, "newsletter newsletters subscribe subscription subscriber signup paywall donate donation donations cta abo"),
        (Hints.Labels, "tags tag taglist tagcloud keywords schlagworte schlagwort etiquetas labels topics breadcrumb breadcrumbs"),
        (Hints.Caption, "caption captions figcaption imagedescription imagecaption bildunterschrift bildtext credit credits photocredit imagecredit copyright"),
        (Hints.Content, "article content main post entry story body text page gallery figure"));

    // Words that also begin or end a longer one: "postbody", "sidebarleft".
    private static readonly FrozenDictionary<string, Hints> Part = Table(
        (Hints.Unlikely, "banner breadcrumb breadcrumbs comment comments community disqus extra footer gdpr header legends menu related remark replies shoutbox sidebar skyscraper social sponsor supplemental pagination pager popup"),
        (Hints.Maybe, "article body column content main"),
        (Hints.Negative, "hidden banner comment comments contact footer footnote masthead media meta outbrain promo related scroll share shoutbox sidebar skyscraper sponsor shopping tags widget"),
        (Hints.Positive, "article body content entry main page pagination post text blog story"));

    /// <summary>"leftNav ad-slot_3" → left, nav, ad, slot: what they say together.</summary>
    public static Hints Read(ReadOnlySpan<char> name)
    {
        var hints = Hints.None;
        Span<char> lower = stackalloc char[64];
        var start = 0;
        for (var i = 0; i <= name.Length; i++)
        {
            var ends = i == name.Length || !char.IsAsciiLetter(name[i]) || (i > start && char.IsAsciiLetterUpper(name[i]) && char.IsAsciiLetterLower(name[i - 1]));
            if (!ends) continue;
            if (i - start is > 1 and < 64)
            {
                name[start..i].ToLowerInvariant(lower);
                hints |= Word(lower[..(i - start)]);
            }
            start = i < name.Length && char.IsAsciiLetter(name[i]) ? i : i + 1;
        }
        return hints;
    }

    private static Hints Word(ReadOnlySpan<char> word)
    {
        var hints = Whole.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(word, out var whole) ? whole : Hints.None;
        var parts = Part.GetAlternateLookup<ReadOnlySpan<char>>();
        for (var length = 4; length < word.Length; length++)
        {
            if (parts.TryGetValue(word[..length], out var head)) hints |= head;
            if (parts.TryGetValue(word[^length..], out var tail)) hints |= tail;
        }
        return hints;
    }

    private static FrozenDictionary<string, Hints> Table(params (Hints Hint, string Words)[] lists)
    {
        var table = new Dictionary<string, Hints>(StringComparer.Ordinal);
        foreach (var (hint, words) in lists)
            foreach (var word in words.Split(' '))
                table[word] = table.GetValueOrDefault(word) | hint;
        return table.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
