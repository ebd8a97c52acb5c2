using LoraFactory.Flow;
using LoraFactory.Images.Scenes;

namespace LoraFactory.Stages.Label.Augmentation;

/// <summary>A caption said otherwise, and what was changed.</summary>
/// <param name="Caption">The new caption.</param>
/// <param name="How">"car → automobile", or the frame that it was put into.</param>
internal sealed record OtherWords(string Caption, string How)
{
    /// <summary>How long the words are that stand before the thing itself, such as "in the snow, ": they cannot follow "a blueprint of".</summary>
    public int Opening { get; init; }
}

/// <summary>
/// Captions in which common nouns, adjectives and verbs give way to synonyms from WordNet. A word means many things, and no caption says which: a pair is
/// taken only where both words are mostly used in that one meaning, by the counts of WordNet's concordance (docs/decisions/augmentation.md).
/// </summary>
internal sealed class Synonyms
{
    private const int FewestUses = 3;
    private const double OnePart = 0.9, OneMeaning = 0.6;

    // Pronouns, and nouns that are not counted, where "a" and plurals would be wrong.
    private static readonly HashSet<string> Unsuited = new(["someone", "somebody", "foliage", "greenery", "clothing", "furniture", "scenery", "jewelry", "jewellery", "pottery", "machinery"], StringComparer.Ordinal);

    private readonly WordNet net;
    private readonly HashSet<string> kept;
    private readonly Dictionary<string, IReadOnlyList<string>> known = new(StringComparer.Ordinal);

    /// <summary>Synonyms from this database; words of the trigger and the topic, <paramref name="kept"/> in lower case, stay.</summary>
    public Synonyms(WordNet net, IEnumerable<string> kept)
    {
        this.net = net;
        this.kept = new(kept, StringComparer.Ordinal);
    }

    /// <summary>At most <paramref name="count"/> different captions, each with at least one word changed; none where no word has a sure synonym, or something is quoted.</summary>
    public IReadOnlyList<OtherWords> Of(string caption, int count, ref SceneRandom random)
    {
        var places = CaptionClaims.HasQuotes(caption) ? [] : Places(caption);
        var found = new List<OtherWords>();
        if (places.Count == 0) return found;
        for (var trial = 0; trial < 8 * count && found.Count < count; trial++)
        {
            var always = random.Next(places.Count);
            var (text, changes) = (caption, new List<string>());
            for (var i = places.Count - 1; i >= 0; i--) // from the end, so that places before keep theirs
            {
                var (start, word, others) = places[i];
                var other = random.Pick(others);
                if (!random.Chance(0.5) && i != always) continue;
                text = WithArticle(text[..start], other) + other + text[(start + word.Length)..];
                changes.Insert(0, $"{word} → {other}");
            }
            if (!found.Exists(f => f.Caption == text)) found.Add(new(text, string.Join(", ", changes)));
        }
        return found;
    }

    private List<(int Start, string Word, IReadOnlyList<string> Others)> Places(string caption)
    {
        var words = Tokens(caption);
        var places = new List<(int, string, IReadOnlyList<string>)>();
        for (var i = 0; i < words.Count; i++)
        {
            var (start, word) = words[i];
            var (before, after) = (i > 0 ? words[i - 1].Word : "", i + 1 < words.Count ? words[i + 1].Word : "");
            if (word.Length < 3 || !word.All(char.IsAsciiLetterLower) || kept.Contains(word) || CaptionClaims.Stays(word)) continue;
            if (after.Length > 0 && char.IsUpper(after[0]) || i > 1 && char.IsUpper(before[0])) continue; // part of a name
            var others = Others(word);
            if (others.Count == 0 || IsPhrase(before, word) || IsPhrase(word, after)) continue;
            if (before is "a" or "an" or "A" or "An") others = [.. others.Where(o => Article(o) is not null)];
            if (others.Count > 0) places.Add((start, word, others));
        }
        return places;
    }

    // "hot dog": two words that mean something together.
    private bool IsPhrase(string first, string second) => first.Length > 0 && second.Length > 0 && net.Knows($"{first} {second}".ToLowerInvariant());

    /// <summary>Words that may stand for this one, in the same form; empty where none surely can.</summary>
    public IReadOnlyList<string> Others(string word) => known.TryGetValue(word, out var others) ? others : known[word] = Find(word);

    private IReadOnlyList<string> Find(string word)
    {
        foreach (var (lemma, ending) in Lemmas(word))
        {
            if (Part(lemma) is not { } part || kept.Contains(lemma) || ending == "ing" && part != 'v' || ending == "s" && part == 'a') continue;
            var sense = Meaning(part, lemma);
            if (sense is null) return [];
            return [.. sense.Words.Where(w => w != lemma && w.All(char.IsAsciiLetterLower) && !Unsuited.Contains(w) && !kept.Contains(w) && !CaptionClaims.Stays(w))
                .Where(w => Part(w) == part && net.Uses(part, w).Sum() >= FewestUses && Meaning(part, w)?.Key == sense.Key && !(part == 'n' && w.EndsWith('s')))
                .Select(w => Inflected(w, part, ending)).OfType<string>()];
        }
        return [];
    }

    // The part of speech that a word nearly always is; null where it may be several, or is hardly ever used.
    private char? Part(string lemma)
    {
        var uses = "nvar".Select(p => (Part: p, Uses: net.Uses(p, lemma).Sum())).OrderByDescending(u => u.Uses).ToList();
        return uses[0].Uses > 0 && uses[0].Uses >= OnePart * uses.Sum(u => u.Uses) && uses[0].Part != 'r' ? uses[0].Part : null;
    }

    // What it mostly means in that part of speech.
    private Synset? Meaning(char part, string lemma)
    {
        var uses = net.Uses(part, lemma);
        return uses.Count > 0 && uses[0] >= OneMeaning * uses.Sum() && net.Senses(part, lemma) is [var first, ..] ? first : null;
    }

    // The word itself where it is an entry, else what it is a form of; "staring" may be of star and of stare, and is of neither.
    private IEnumerable<(string Lemma, string Ending)> Lemmas(string word)
    {
        if (net.Knows(word)) return [(word, "")];
        string[] stems = word switch
        {
            _ when word.EndsWith("ies", StringComparison.Ordinal) => [word[..^3] + "y"],
            _ when word.EndsWith("es", StringComparison.Ordinal) => [word[..^1], word[..^2]],
            _ when word.EndsWith('s') => [word[..^1]],
            _ when word.EndsWith("ing", StringComparison.Ordinal) && word.Length > 5 => [word[..^3], word[..^3] + "e", word[..^4]],
            _ => [],
        };
        var ending = word.EndsWith('s') ? "s" : "ing";
        var entries = stems.Where(net.Knows).Where(s => ending == "s" || net.Senses('v', s).Count > 0).ToList();
        return entries.Count == 1 ? [(entries[0], ending)] : [];
    }

    // Only where the spelling is certain; null elsewhere.
    private string? Inflected(string lemma, char part, string ending)
    {
        if (ending.Length == 0) return lemma;
        if (part == 'n' && net.IsIrregular(lemma)) return null;
        bool Ends(params ReadOnlySpan<string> with)
        {
            foreach (var end in with)
                if (lemma.EndsWith(end, StringComparison.Ordinal)) return true;
            return false;
        }
        bool IsVowel(int back) => "aeiou".Contains(lemma[^back]);
        if (ending == "s")
        {
            if (Ends("f", "fe", "o", "man", "is", "us", "um")) return null;
            if (Ends("y")) return IsVowel(2) ? lemma + "s" : lemma[..^1] + "ies";
            return Ends("s", "x", "z", "ch", "sh") ? lemma + "es" : lemma + "s";
        }
        if (Ends("ee", "oe", "ye", "ie")) return null;
        if (Ends("e")) return lemma[..^1] + "ing";
        return !IsVowel(1) && IsVowel(2) && !IsVowel(3) && lemma[^1] is not ('w' or 'x' or 'y') ? null : lemma + "ing"; // whether the last letter doubles is a matter of stress
    }

    // "a" before a sounded consonant, "an" before a sounded vowel; null where the spelling does not tell ("hour", "unicorn").
    private static string? Article(string word) => word[0] switch
    {
        'h' or 'u' => null,
        'o' when word.StartsWith("one", StringComparison.Ordinal) || word.StartsWith("once", StringComparison.Ordinal) => null,
        'e' when word.StartsWith("eu", StringComparison.Ordinal) || word.StartsWith("ew", StringComparison.Ordinal) => null,
        'a' or 'e' or 'i' or 'o' => "an",
        _ => "a",
    };

    private static string WithArticle(string before, string word)
    {
        foreach (var article in (string[])["a", "an"])
        {
            if (!before.EndsWith(article + " ", StringComparison.OrdinalIgnoreCase) || before.Length > article.Length + 1 && char.IsLetterOrDigit(before[^(article.Length + 2)])) continue;
            var right = Article(word)!;
            var start = before.Length - article.Length - 1;
            return $"{before[..start]}{(char.IsUpper(before[start]) ? char.ToUpperInvariant(right[0]) + right[1..] : right)} ";
        }
        return before;
    }

    // Runs of letters, digits, hyphens and apostrophes.
    private static List<(int Start, string Word)> Tokens(string text)
    {
        var tokens = new List<(int, string)>();
        for (var i = 0; i < text.Length;)
        {
            var start = i;
            while (i < text.Length && (char.IsLetterOrDigit(text[i]) || text[i] is '-' or '\'' or '’')) i++;
            if (i > start) tokens.Add((start, text[start..i]));
            else i++;
        }
        return tokens;
    }
}
