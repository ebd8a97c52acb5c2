using System.Text.RegularExpressions;

namespace LoraFactory.Pages.Html;

/// <summary>Phrases by which pages in several languages mark lines that are not their article's: pointers to other pages, letters, credits, dates.</summary>
internal static partial class ArticleWords
{
    private const RegexOptions How = RegexOptions.IgnoreCase | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant;

    /// <summary>"Read also: …"</summary>
    public static bool IsPointer(string line) => line.Length < 250 && Pointer().IsMatch(line);

    /// <summary>"Subscribe to our newsletter!"</summary>
    public static bool IsPromotion(string line) => line.Length < 200 && Promotion().IsMatch(line);

    /// <summary>"About the author", "3 comments": after it nothing of the article comes.</summary>
    public static bool IsEndMark(string line) => line.Length < 70 && EndMark().IsMatch(line);

    /// <summary>"Photo: …", "Figure 3: …", "© …".</summary>
    public static bool IsCaption(string line) => line.Length < 160 && Caption().IsMatch(line);

    /// <summary>"Tags: …", "Filed under …": at the end of an article.</summary>
    public static bool IsTail(string line) => line.Length < 200 && Tail().IsMatch(line);

    /// <summary>A date and hardly a word more.</summary>
    public static bool IsDate(string line) => line.Length < 60 && Letters(line) < 22 && Date().IsMatch(line);

    /// <summary>A date with a few words, as at the head of an article.</summary>
    public static bool IsDateLine(string line) => line.Length < 100 && Letters(line) < 45 && Date().IsMatch(line);

    /// <summary>Ends with a mark that ends sentences, closing quotes and brackets aside.</summary>
    public static bool EndsSentence(string line)
    {
        var end = line.AsSpan().TrimEnd("\"'”’»)›“]");
        return end.Length > 0 && end[^1] is '.' or '!' or '?' or '…' or '。' or '！' or '？' or ':' or '؟' or '।';
    }

    private static int Letters(string line)
    {
        var letters = 0;
        foreach (var c in line)
            if (char.IsLetter(c)) letters++;
        return letters;
    }

    [GeneratedRegex(@"^\W{0,5}(read (more|also|next|on)|more (on|from|about)\b|(related|recommended|trending)( (articles?|posts?|stories|story|links?|news|topics?|coverage|content|reading|videos?|for you|now))?\s*(:|$)|see (also|more)|also (read|see)|don'?t miss|you (may|might) (also )?(like|be interested)|continue reading|click here|watch( (also|now))?:|must read|lesen sie|auch lesen|mehr zum thema|mehr (dazu|zu|über)\b|siehe auch|weitere (artikel|beiträge|themen|infos|informationen)|weiter zu|das könnte (sie|dich) auch|empfohlene|lire aussi|à lire|voir aussi|articles? (les plus lus|liés)|lea también|vea también|te puede interesar|ver también|leia (também|mais)|veja também|leggi anche|zobacz( też| także)?|czytaj (też|także|również)|przeczytaj|lees ook|läs (också|även|mer)|читайте также|čtěte (také|i))", How)]
    private static partial Regex Pointer();

    [GeneratedRegex(@"(\b(our|the|unser\w*|nuestr\w+|notre|nostra|naszego) ([\w-]+ ){0,2}newsletter|newsletter (abonn|bestell|anmeld)|^\W{0,3}(subscribe|sign up|sign-up)\b|never miss|follow us|download (the|our) ([\w-]+ ){0,3}apps?\b|(canal|kanal|channel|chaîne) (de |on )?youtube|youtube[- ](canal|kanal|channel)|like us on|write to \w+( \w+)? at|submit a letter)", How)]
    private static partial Regex Promotion();

    [GeneratedRegex(@"^\W{0,3}(about the authors?|über de[nr] autor(in)?|über die autor(in|en)|über \w+ \w+$|à propos de l.auteur|sobre (el autor|la autora|o autor)|sull.autore|o autorze|tags?:?$|related (articles|posts|stories|links|news|topics|coverage|content)|recommended (for you|articles|posts)|you (may|might) also (like|enjoy)|more (from|stories|news|articles)\b|leave a (comment|reply)|comments?( \(\d+\))?$|\d+ comments?$|kommentare?( \(\d+\))?$|\d+ kommentare?$|schreibe einen kommentar|das( thema)? könnte (sie|dich|ihnen) auch|weitere (artikel|beiträge|themen|news)|ähnliche (artikel|beiträge)|articles (similaires|liés|recommandés)|à lire aussi|artículos relacionados|noticias relacionadas|articoli correlati|powiązane|zobacz również|about [\p{Lu}][\w&.]*( [\p{Lu}][\w&.]*){0,3}:?$)", How)]
    private static partial Regex EndMark();

    [GeneratedRegex(@"^\W{0,3}(tags?|labels?|schlagw|stichwort|keywords|filed under|posted (in|by|on)|category|categories|kategorie|source|quelle|copyright|all rights reserved|follow (us|\w+ on)|share (this|on)|subscribe|sign up|newsletter|foto|photo|image|credits?|crédits|print|drucken|teilen|advertisement|werbung|anzeige|comments?|kommentare|leave a (comment|reply)|published|updated|veröffentlicht)\b", How)]
    private static partial Regex Tail();

    [GeneratedRegex(@"^\W{0,2}((image|photo|photograph|picture|foto|bild|crédits?( photos?)?|photo credit|credit|getty images|abbildung|abb\.|figure|fig\.) ?(copyright|caption|credit|by|\d+ ?:|:|©|$)|© )", How)]
    private static partial Regex Caption();

    [GeneratedRegex(@"(\b\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d{2})\b|\b\d{4}[./-]\d{1,2}[./-]\d{1,2}\b|\b\d{1,2}\.?( de| \p{L}+)? \p{L}{3,12}\.?( de)?,? \d{4}\b|\b\p{L}{3,9}\.? \d{1,2}(st|nd|rd|th)?,? \d{4}\b|\d{4}年|\b\d{1,2}:\d{2} ?([ap]\.?m|uhr|et\b|gmt)|\b(hours?|minutes?|days?) ago\b)", How)]
    private static partial Regex Date();
}
