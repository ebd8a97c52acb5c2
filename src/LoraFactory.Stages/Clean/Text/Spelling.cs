using System.Text;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>One word that was spelt anew.</summary>
/// <param name="At">Where the new word begins in the corrected text.</param>
/// <param name="Was">The word before.</param>
/// <param name="Now">The word now.</param>
public readonly record struct SpellingChange(int At, string Was, string Now);

/// <summary>
/// Corrects slips of the keyboard by a hunspell dictionary, and nothing that may be meant. A word is touched only where it is all lower-case letters, five or more,
/// stands by itself (no digit, mark or slash beside it, as code and addresses have), is written so only once or twice, nowhere with a capital, is none of the
/// words to keep (trigger, topic and its terms), and where one word of the dictionary alone is a swap, a doubling or else one slip away. Each change is recorded and can be undone.
/// </summary>
internal sealed class Spelling : IDisposable
{
    private const int FewestLetters = 5, MostWritten = 2, MostChanges = 200;
    private readonly Hunspell dictionary;
    private readonly HashSet<string> kept = new(StringComparer.Ordinal);

    private readonly string name;

    private Spelling(Hunspell dictionary, string name) => (this.dictionary, this.name) = (dictionary, name);

    /// <summary>Language of its dictionary, "en" of "en_US".</summary>
    public string Language { get; private init; } = "";

    /// <summary>What corrections depend on besides the text: the dictionary, and a hash of the words to keep.</summary>
    public string Key => $"{name} {ContentId.Of(kept.Order(StringComparer.Ordinal))}";

    /// <summary>Opens the dictionary that clean.spelling names; null where it names none.</summary>
    /// <exception cref="LoraException">Library or dictionary is missing.</exception>
    public static Spelling? Of(string name, IEnumerable<string> keep)
    {
        if (name.Length == 0) return null;
        var dictionary = Hunspell.Open(name) ?? throw new LoraException($"clean.spelling: {Missing(name)}", ExitCode.BadUsage);
        var spelling = new Spelling(dictionary, name) { Language = name.Split('_', '-')[0].ToLowerInvariant() };
        foreach (var text in keep)
            foreach (var word in WordStem.Words(text)) spelling.kept.Add(word);
        return spelling;
    }

    /// <summary>What is said where a dictionary cannot be used.</summary>
    public static string Missing(string name) => $"there is no hunspell dictionary {name} in UTF-8 here; install it (apt-get install libhunspell-1.7-0 hunspell-en-us for en_US), or leave clean.spelling empty.";

    /// <summary>The corrected text with its changes, in order.</summary>
    public (string Text, IReadOnlyList<SpellingChange> Changes) Correct(string text)
    {
        var (written, capital) = Written(text);
        var known = new Dictionary<string, string?>(StringComparer.Ordinal);
        var result = new StringBuilder(text.Length);
        var changes = new List<SpellingChange>();
        var at = 0;
        while (at < text.Length)
        {
            var end = at;
            while (end < text.Length && !char.IsWhiteSpace(text[end])) end++;
            var (from, to) = Core(text, at, end);
            var word = text[from..to];
            if (changes.Count < MostChanges && IsPlain(word) && written.GetValueOrDefault(word) <= MostWritten && !capital.Contains(word) && !IsKept(word) && Instead(word, known) is { } instead)
            {
                result.Append(text, at, from - at);
                changes.Add(new(result.Length, word, instead));
                result.Append(instead).Append(text, to, end - to);
            }
            else result.Append(text, at, end - at);
            if (end < text.Length) result.Append(text[end]);
            at = end + 1;
        }
        return changes.Count == 0 ? (text, []) : (result.ToString(), changes);
    }

    /// <summary>The text before the changes.</summary>
    public static string Undo(string text, IReadOnlyList<SpellingChange> changes)
    {
        var result = new StringBuilder(text);
        for (var i = changes.Count - 1; i >= 0; i--) result.Remove(changes[i].At, changes[i].Now.Length).Insert(changes[i].At, changes[i].Was);
        return result.ToString();
    }

    /// <inheritdoc/>
    public void Dispose() => dictionary.Dispose();

    // A trigger such as "blueprnt" keeps its plural and what begins with it too.
    private bool IsKept(string word) => kept.Contains(word) || kept.Any(k => k.Length >= 4 && word.StartsWith(k, StringComparison.Ordinal));

    private static (Dictionary<string, int> Written, HashSet<string> Capital) Written(string text)
    {
        var (written, capital) = (new Dictionary<string, int>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var span in TextTokens.Of(text).Words)
        {
            var word = text.Substring(span.Start, span.Length);
            var lower = word.ToLowerInvariant();
            written[lower] = written.GetValueOrDefault(lower) + 1;
            if (lower != word) capital.Add(lower);
        }
        return (written, capital);
    }

    // What stands between white space, less the punctuation of sentences around it.
    private static (int From, int To) Core(string text, int from, int to)
    {
        while (from < to && text[from] is '"' or '\'' or '(' or '[' or '«') from++;
        while (to > from && text[to - 1] is '"' or '\'' or ')' or ']' or '»' or ',' or '.' or ';' or ':' or '!' or '?') to--;
        return (from, to);
    }

    private static bool IsPlain(string word) => word.Length is >= FewestLetters and <= 24 && word.All(char.IsLower);

    private string? Instead(string word, Dictionary<string, string?> known)
    {
        if (known.TryGetValue(word, out var before)) return before;
        string? instead = null;
        if (!dictionary.Knows(word) && !dictionary.Knows(char.ToUpperInvariant(word[0]) + word[1..]))
        {
            var near = dictionary.Suggest(word).Where(s => NearestKey.Edits(word, s) == 1).Distinct(StringComparer.Ordinal).ToList();
            // Letters in the wrong order or doubled wrongly are the commonest slips. Two words as near are a choice that is not ours.
            if (near.Where(s => IsCommonSlip(word, s)).ToList() is { Count: > 0 } common) near = common;
            if (near.Count == 1 && near[0].All(char.IsLower)) instead = near[0];
        }
        return known[word] = instead;
    }

    // Two neighbours changed places, or a letter is doubled in one of the two alone.
    private static bool IsCommonSlip(string word, string instead)
    {
        var same = word.AsSpan().CommonPrefixLength(instead);
        if (word.Length == instead.Length) return same + 1 < word.Length && word[same] == instead[same + 1] && word[same + 1] == instead[same];
        var (longer, shorter) = word.Length > instead.Length ? (word, instead) : (instead, word);
        return same > 0 && same < longer.Length && longer[same] == longer[same - 1] && longer.AsSpan(same + 1).SequenceEqual(shorter.AsSpan(same));
    }
}
