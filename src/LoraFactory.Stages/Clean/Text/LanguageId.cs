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
    public static LanguageFinding Of(string text, string declared = "") => Of(TextTokens.Of(text), declared);

    /// <summary>The same of a text that is cut already.</summary>
    internal static LanguageFinding Of(TextTokens tokens, string declared)
    {
        var text = tokens.Text;
        var (script, share) = LanguageGuess.Script(text);
        if (share == 0) return new("und", double.NaN, false);
        var shared = script is "Latin" or "Arabic" or "Devanagari" or "Cyrillic";
        if (!shared && share > 0.5) return new(script, Math.Min(1, share), true);
        var stated = declared.Split('-', '_', ',')[0].Trim().ToLowerInvariant();
        if (stated is "no" or "nn") stated = "nb";
        var sample = Sample(text);
        if (Cld2.Find(sample, stated) is not { Languages: [var first, ..] languages } found)
        {
            var guess = LanguageGuess.Of(text, declared);
            return new(guess, double.NaN, guess != "und");
        }
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
        var shares = FunctionShares(tokens.Words.AsSpan(0, Math.Min(tokens.Words.Length, 500)));
        foreach (var language in LanguageGuess.WrittenIn(script)) Add(scores, language, FunctionWorth * shares.GetValueOrDefault(language));
        var counts = new Alphabets.LetterCounts(sample);
        foreach (var language in scores.Keys.ToList()) scores[language] -= ForeignWorth * counts.Foreign(language);
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
    internal static IReadOnlyList<string> OfParagraphs(string text, string whole) => OfParagraphs(TextTokens.Of(text), whole);

    /// <summary>The same of a text that is cut already.</summary>
    internal static IReadOnlyList<string> OfParagraphs(TextTokens tokens, string whole)
    {
        var text = tokens.Text;
        var (paragraphs, words) = (tokens.Paragraphs, tokens.Words);
        var languages = new string[paragraphs.Length];
        var others = false;
        var own = LanguageGuess.StopWordHashes(whole);
        var word = 0;
        for (var i = 0; i < paragraphs.Length; i++)
        {
            var end = paragraphs[i].Start + paragraphs[i].Length;
            int all = 0, hits = 0;
            for (; word < words.Length && words[word].Start < end; word++, all++)
                if (words[word].Length > 1 && own is not null && own.Contains(words[word].Hash)) hits++;
            // A paragraph that its language's function words hold together needs no second opinion.
            var found = paragraphs[i].Length < 40 || hits >= 4 && hits * 4 >= all ? default : Of(text.Substring(paragraphs[i].Start, paragraphs[i].Length), whole == "und" ? "" : whole);
            languages[i] = found is { IsSure: true } ? found.Language : whole;
            others |= languages[i] != whole;
        }
        return others ? languages : [];
    }

    // The beginning, the middle and the end of a long text say as much of its language as all of it.
    private static string Sample(string text)
    {
        const int part = 800;
        if (text.Length <= 4 * part) return text;
        string From(int start)
        {
            var space = text.IndexOf(' ', start, part / 4);
            return text.Substring(space < 0 ? start : space, part);
        }
        return $"{text.AsSpan(0, part)}\n{From(text.Length / 2)}\n{From(text.Length - 2 * part)}";
    }

    private static void Add(Dictionary<string, double> scores, string language, double worth) => scores[language] = scores.GetValueOrDefault(language) + worth;

    // For each language the share of words that are its function words; a single letter is as likely a name's.
    private static Dictionary<string, double> FunctionShares(ReadOnlySpan<TextSpan> words)
    {
        Span<double> hits = stackalloc double[64];
        hits.Clear();
        foreach (var word in words)
        {
            if (!LanguageGuess.StopWordLanguages.TryGetValue(word.Hash, out var languages)) continue;
            for (; languages != 0; languages &= languages - 1) hits[System.Numerics.BitOperations.TrailingZeroCount(languages)] += word.Length > 1 ? 1 : 0.4;
        }
        var shares = new Dictionary<string, double>(StringComparer.Ordinal);
        for (var i = 0; i < LanguageGuess.Languages.Count; i++)
            if (hits[i] > 0) shares[LanguageGuess.Languages[i]] = hits[i] / Math.Max(words.Length, 4);
        return shares;
    }
}
