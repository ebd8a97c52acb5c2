namespace LoraFactory.Flow;

/// <summary>Stems of English words (M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980).</summary>
public static class WordStem
{
    private static readonly (string Suffix, string With)[] Step2 =
    [
        ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("abli", "able"), ("alli", "al"),
        ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"), ("ator", "ate"), ("alism", "al"),
        ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"),
    ];

    private static readonly (string Suffix, string With)[] Step3 =
        [("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

    private static readonly string[] Step4 =
    [
        "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive", "ize", "ion", "al", "er", "ic", "ou",
    ];

    /// <summary>The stem of a lower-case word; words of other scripts and of fewer than three letters stay as they are.</summary>
    public static string Of(string word)
    {
        if (word.Length < 3 || word.Any(c => !char.IsAsciiLetterLower(c))) return word;
        var w = Step1(word);
        w = Replace(w, Step2, least: 0);
        w = Replace(w, Step3, least: 0);
        foreach (var suffix in Step4)
        {
            if (!w.EndsWith(suffix, StringComparison.Ordinal)) continue;
            var stem = w[..^suffix.Length];
            if (Measure(stem) > 1 && (suffix != "ion" || stem.EndsWith('s') || stem.EndsWith('t'))) w = stem;
            break;
        }
        if (w.EndsWith('e'))
        {
            var stem = w[..^1];
            if (Measure(stem) > 1 || (Measure(stem) == 1 && !ShortEnd(stem))) w = stem;
        }
        return w.EndsWith("ll", StringComparison.Ordinal) && Measure(w) > 1 ? w[..^1] : w;
    }

    /// <summary>Words of a text, lower-case; CJK is cut into pairs of characters, which serve as words there.</summary>
    public static IReadOnlyList<string> Words(string text)
    {
        var words = new List<string>();
        foreach (var range in Ranges(text)) words.Add(text[range].ToLowerInvariant());
        return words;
    }

    /// <summary>Where the words of a text stand.</summary>
    public static WordRanges Ranges(string text) => new(text);

    private static string Step1(string w)
    {
        if (w.EndsWith("sses", StringComparison.Ordinal) || w.EndsWith("ies", StringComparison.Ordinal)) w = w[..^2];
        else if (w.EndsWith('s') && !w.EndsWith("ss", StringComparison.Ordinal)) w = w[..^1];
        if (w.EndsWith("eed", StringComparison.Ordinal))
        {
            if (Measure(w[..^3]) > 0) w = w[..^1];
        }
        else if (w.EndsWith("ed", StringComparison.Ordinal) && HasVowel(w[..^2])) w = Tidy(w[..^2]);
        else if (w.EndsWith("ing", StringComparison.Ordinal) && HasVowel(w[..^3])) w = Tidy(w[..^3]);
        return w.EndsWith('y') && HasVowel(w[..^1]) ? w[..^1] + "i" : w;
    }

    private static string Tidy(string w)
    {
        if (w.EndsWith("at", StringComparison.Ordinal) || w.EndsWith("bl", StringComparison.Ordinal) || w.EndsWith("iz", StringComparison.Ordinal)) return w + "e";
        if (w.Length > 1 && w[^1] == w[^2] && !Vowel(w, w.Length - 1) && w[^1] is not ('l' or 's' or 'z')) return w[..^1];
        return Measure(w) == 1 && ShortEnd(w) ? w + "e" : w;
    }

    private static string Replace(string w, (string Suffix, string With)[] rules, int least)
    {
        foreach (var (suffix, with) in rules)
        {
            if (!w.EndsWith(suffix, StringComparison.Ordinal)) continue;
            var stem = w[..^suffix.Length];
            return Measure(stem) > least ? stem + with : w;
        }
        return w;
    }

    private static bool Vowel(string w, int i) => w[i] is 'a' or 'e' or 'i' or 'o' or 'u' || (w[i] == 'y' && i > 0 && !Vowel(w, i - 1));

    private static bool HasVowel(string w) => Enumerable.Range(0, w.Length).Any(i => Vowel(w, i));

    // The number of vowel–consonant sequences.
    private static int Measure(string w)
    {
        var (m, vowel) = (0, false);
        for (var i = 0; i < w.Length; i++)
        {
            var now = Vowel(w, i);
            if (vowel && !now) m++;
            vowel = now;
        }
        return m;
    }

    private static bool ShortEnd(string w) =>
        w.Length >= 3 && !Vowel(w, w.Length - 3) && Vowel(w, w.Length - 2) && !Vowel(w, w.Length - 1) && w[^1] is not ('w' or 'x' or 'y');
}
