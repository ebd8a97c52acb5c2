using System.Globalization;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>A meaning: its words, what it is, and sentences that use it.</summary>
/// <param name="Words">Lemmas, blanks for underscores.</param>
/// <param name="Definition">What it is.</param>
/// <param name="Examples">Sentences, often none.</param>
internal sealed record Gloss(IReadOnlyList<string> Words, string Definition, IReadOnlyList<string> Examples);

/// <summary>
/// The meanings of WordNet 3 (Miller 1995; wndb(5WN)) in groups that share a more general one, which makes texts of one topic, and the words
/// that may stand for each other. Whole groups are held out for the exam.
/// </summary>
internal sealed class GlossCorpus
{
    /// <summary>Where Debian's wordnet-base puts the files.</summary>
    public const string Folder = "/usr/share/wordnet";

    private const int SmallestGroup = 4;
    private const int HeldOutOf = 6;
    private static readonly string[] Parts = ["noun", "verb", "adj", "adv"];

    private GlossCorpus(List<Gloss[]> training, List<Gloss[]> heldOut, Dictionary<string, string[]> synonyms) =>
        (Training, HeldOut, Synonyms) = (training, heldOut, synonyms);

    /// <summary>Groups to learn from.</summary>
    public IReadOnlyList<Gloss[]> Training { get; }
    /// <summary>Groups of the exam.</summary>
    public IReadOnlyList<Gloss[]> HeldOut { get; }
    /// <summary>Single words that may stand for a single word with one meaning.</summary>
    public IReadOnlyDictionary<string, string[]> Synonyms { get; }

    /// <summary>Reads the database.</summary>
    /// <exception cref="LoraException">It is not there.</exception>
    public static GlossCorpus Read(string folder = Folder)
    {
        var groups = new SortedDictionary<string, List<Gloss>>(StringComparer.Ordinal);
        var meanings = new Dictionary<string, List<Gloss>>(StringComparer.OrdinalIgnoreCase);
        foreach (var part in Parts)
        {
            var file = Path.Combine(folder, "data." + part);
            if (!File.Exists(file)) throw new LoraException($"{file} is not there: lora pretrain text learns from WordNet's glosses; install wordnet-base (Debian).");
            foreach (var line in File.ReadLines(file))
            {
                if (line.StartsWith("  ", StringComparison.Ordinal) || Parse(line) is not var (gloss, parent)) continue;
                foreach (var word in gloss.Words.Where(w => !w.Contains(' ', StringComparison.Ordinal)))
                {
                    if (!meanings.TryGetValue(word, out var list)) meanings[word] = list = [];
                    list.Add(gloss);
                }
                if (parent is null) continue;
                var key = part + parent;
                if (!groups.TryGetValue(key, out var group)) groups[key] = group = [];
                group.Add(gloss);
            }
        }
        var synonyms = meanings.Where(m => m.Value.Count == 1)
            .Select(m => (Word: m.Key.ToLowerInvariant(), Others: m.Value[0].Words.Where(w => !w.Contains(' ', StringComparison.Ordinal) && !w.Equals(m.Key, StringComparison.OrdinalIgnoreCase)).ToArray()))
            .Where(m => m.Others.Length > 0).GroupBy(m => m.Word, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.First().Others, StringComparer.Ordinal);
        var large = groups.Where(g => g.Value.Count >= SmallestGroup).ToList();
        return new([.. large.Where((_, i) => i % HeldOutOf != 0).Select(g => g.Value.ToArray())], [.. large.Where((_, i) => i % HeldOutOf == 0).Select(g => g.Value.ToArray())], synonyms);
    }

    // offset lex_filenum ss_type w_cnt word lex_id… p_cnt (symbol offset pos source/target)… | definition; "example"; …
    private static (Gloss Gloss, string? Parent)? Parse(string line)
    {
        var bar = line.IndexOf('|');
        if (bar < 0) return null;
        var fields = line[..bar].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var count = int.Parse(fields[3], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        var words = Enumerable.Range(0, count).Select(i => Bare(fields[4 + 2 * i])).ToArray();
        var at = 5 + 2 * count;
        string? parent = null;
        for (; at + 2 < fields.Length && parent is null; at += 4)
            if (fields[at] is "@" or "@i" or "&") parent = fields[at + 1];
        var parts = line[(bar + 1)..].Split("; \"", StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == 0 ? null : (new Gloss(words, parts[0].Trim('"', ' '), [.. parts.Skip(1).Select(p => p.Trim('"', ' ')).Where(p => p.Length > 0)]), parent);
    }

    // Adjectives may carry where they stand: "last(a)".
    private static string Bare(string word) => (word.IndexOf('(') is > 0 and var open ? word[..open] : word).Replace('_', ' ');
}
