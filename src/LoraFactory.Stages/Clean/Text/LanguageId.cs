namespace LoraFactory.Stages.Clean.Text;

/// <summary>The language of a text.</summary>
/// <param name="Language">The likeliest, BCP-47; "und" for a text without letters.</param>
/// <param name="Share">Share of the text that is in it, 0..1; NaN when only a guess by function words could be made.</param>
/// <param name="IsSure">False where the text is too short, or two languages are as likely.</param>
public readonly record struct LanguageFinding(string Language, double Share, bool IsSure)
{
    /// <summary>The language where it is sure, else "und".</summary>
    public string Known => IsSure ? Language : "und";
}

/// <summary>
/// Language by three witnesses: the script, where one language alone writes it; CLD2; and, for what CLD2 confuses, the share of function words and the
/// letters that a language is written with. CLD2 calls short texts English when nothing else fits, and close relatives by the rarer name: there a letter
/// that English does not have, or five words that Dutch is held together by, say more. What the page declares is a hint, never the answer.
/// </summary>
public static class LanguageId
{
    // Worth of a text made of nothing but function words, of a text of nothing but foreign letters, and of CLD2's first answer.
    private const double FunctionWorth = 8, ForeignWorth = 25, First = 1, Sure = 0.4, Declared = 0.35;

    /// <summary>Languages that CLD2 names for a short text of a much commoner relative, with how much of its word counts for that one.</summary>
    private static readonly Dictionary<string, (string Language, double Share)[]> Relatives = new(StringComparer.Ordinal)
    {
        ["bs"] = [("hr", 0.95), ("sr", 0.9)],
        ["jv"] = [("id", 0.9)],
        ["su"] = [("id", 0.9)],
        ["ms"] = [("id", 0.95)],
        ["gl"] = [("pt", 0.7), ("es", 0.75)],
        ["ne"] = [("hi", 0.6), ("mr", 0.65)],
        ["bh"] = [("hi", 0.9)],
        ["uz"] = [("ru", 0.5), ("bg", 0.5)],
        ["fo"] = [("is", 0.6), ("da", 0.5)],
        ["lb"] = [("de", 0.8)],
        ["fy"] = [("nl", 0.8)],
        ["oc"] = [("ca", 0.8), ("fr", 0.7)],
    };

    /// <summary>The language of a text; <paramref name="declared"/> is what the page says, "" where it says nothing.</summary>
    public static LanguageFinding Of(string text, string declared = "")
    {
        var (script, share) = LanguageGuess.Script(text);
        if (share == 0) return new("und", double.NaN, false);
        var shared = script is "Latin" or "Arabic" or "Devanagari" or "Cyrillic";
        if (!shared && share > 0.5) return new(script, Math.Min(1, share), true);
        var stated = declared.Split('-', '_', ',')[0].Trim().ToLowerInvariant();
        if (stated is "no" or "nn") stated = "nb";
        if (Cld2.Find(text, stated) is not { Languages: [var first, ..] languages } found)
        {
            var guess = LanguageGuess.Of(text, declared);
            return new(guess, double.NaN, guess != "und");
        }
        var tokens = TextTokens.Of(text.Length > 20_000 ? text[..20_000] : text);
        var letters = tokens.WordCharacters;
        var scores = new Dictionary<string, double>(StringComparer.Ordinal);
        for (var i = 0; i < languages.Count; i++)
        {
            var worth = (i == 0 ? First + (found.Reliable ? Sure : 0) : First * 0.5) * Math.Max(0.3, languages[i].Share);
            Add(scores, languages[i].Code, worth);
            if (letters < 120 && Relatives.TryGetValue(languages[i].Code, out var kin))
            {
                Add(scores, languages[i].Code, -0.3 * worth);
                foreach (var (relative, kinship) in kin) Add(scores, relative, worth * kinship);
            }
        }
        if (stated.Length > 0 && (scores.ContainsKey(stated) || LanguageGuess.WrittenIn(script).Contains(stated))) Add(scores, stated, Declared);
        foreach (var language in LanguageGuess.WrittenIn(script)) Add(scores, language, FunctionWorth * FunctionShare(tokens.Words, language));
        foreach (var language in scores.Keys.ToList()) scores[language] -= ForeignWorth * Alphabets.Foreign(tokens.Text, language);
        var ranked = scores.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).ToList();
        var best = ranked[0].Key;
        var gap = ranked.Count > 1 ? ranked[0].Value - ranked[1].Value : ranked[0].Value;
        var part = languages.Where(l => l.Code == best).Select(l => l.Share).DefaultIfEmpty(first.Share).First();
        // A handful of words is as likely a name, unless the page says the same.
        var sure = best == stated || (letters >= 20 && (found.Reliable || gap > 0.5) && gap > 0.1);
        return new(best, part, sure);
    }

    /// <summary>Languages of a text's paragraphs, in order; empty where each that can be told is the text's own.</summary>
    /// <param name="text">A line per paragraph, or empty lines between them.</param>
    /// <param name="whole">Language of the whole text: the hint, and what a paragraph too short to tell has.</param>
    internal static IReadOnlyList<string> OfParagraphs(string text, string whole)
    {
        var paragraphs = TextTokens.Of(text).Paragraphs;
        var languages = new string[paragraphs.Length];
        var others = false;
        for (var i = 0; i < paragraphs.Length; i++)
        {
            var found = paragraphs[i].Length < 40 ? default : Of(text.Substring(paragraphs[i].Start, paragraphs[i].Length), whole == "und" ? "" : whole);
            languages[i] = found is { IsSure: true } ? found.Language : whole;
            others |= languages[i] != whole;
        }
        return others ? languages : [];
    }

    private static void Add(Dictionary<string, double> scores, string language, double worth) => scores[language] = scores.GetValueOrDefault(language) + worth;

    private static double FunctionShare(TextSpan[] words, string language)
    {
        if (words.Length == 0 || LanguageGuess.StopWordHashes(language) is not { } known) return 0;
        var hits = 0.0;
        foreach (var word in words)
            if (known.Contains(word.Hash)) hits += word.Length > 1 ? 1 : 0.4;
        return hits / Math.Max(words.Length, 4);
    }
}
