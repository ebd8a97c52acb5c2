using System.Globalization;
using System.Text;

namespace LoraFactory.Flow;

/// <summary>One meaning: its words, gloss, and pointers to other meanings.</summary>
/// <param name="Key">"n:00001740": part of speech and byte offset.</param>
/// <param name="Words">Lemmas, blanks for underscores.</param>
/// <param name="Gloss">Definition and examples.</param>
/// <param name="Pointers">Relation symbol ("@" hypernym, "~" hyponym, "%p" part …) and the key of the other meaning.</param>
public sealed record Synset(string Key, IReadOnlyList<string> Words, string Gloss, IReadOnlyList<(string Relation, string Key)> Pointers);

/// <summary>
/// Reads the WordNet 3 database files (wndb(5WN)) as Debian's wordnet-base installs them: index by binary search, data by byte offset;
/// nothing is loaded whole.
/// </summary>
public sealed partial class WordNet : IDisposable
{
    /// <summary>Where Debian's wordnet-base puts the files.</summary>
    public const string DefaultPath = "/usr/share/wordnet";

    private static readonly (char Letter, string Name)[] Parts = [('n', "noun"), ('v', "verb"), ('a', "adj"), ('r', "adv")];

    private static readonly (string Suffix, string With)[] NounEndings =
        [("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y")];

    private readonly Dictionary<char, (FileStream Index, FileStream Data)> files = [];
    private readonly Dictionary<string, string> nounExceptions = new(StringComparer.Ordinal);

    private WordNet() { }

    /// <summary>Opens the database; null when <paramref name="directory"/> has none.</summary>
    public static WordNet? Open(string directory = DefaultPath)
    {
        if (!Parts.All(p => File.Exists(Path.Combine(directory, $"index.{p.Name}")) && File.Exists(Path.Combine(directory, $"data.{p.Name}")))) return null;
        var net = new WordNet { counts = new(() => ReadCounts(Path.Combine(directory, "cntlist.rev"))) };
        foreach (var (letter, name) in Parts)
            net.files.Add(letter, (File.OpenRead(Path.Combine(directory, $"index.{name}")), File.OpenRead(Path.Combine(directory, $"data.{name}"))));
        var exceptions = Path.Combine(directory, "noun.exc");
        if (File.Exists(exceptions))
            foreach (var line in File.ReadLines(exceptions))
                if (line.Split(' ') is [var form, var lemma, ..]) net.nounExceptions.TryAdd(form, lemma);
        return net;
    }

    /// <summary>Noun meanings of a word or phrase, commonest first; its singular is tried when it is no entry itself.</summary>
    public IReadOnlyList<Synset> Nouns(string phrase)
    {
        if (string.IsNullOrWhiteSpace(phrase)) return [];
        foreach (var lemma in Lemmas(phrase.Trim().ToLowerInvariant().Replace(' ', '_')))
            if (Lookup('n', lemma) is { Count: > 0 } senses) return senses;
        return [];
    }

    /// <summary>Meanings of exactly this word or phrase in one part of speech, 'n', 'v', 'a' or 'r', commonest first; empty where it is none.</summary>
    public IReadOnlyList<Synset> Senses(char part, string lemma) => Lookup(part, lemma.Replace(' ', '_')) ?? [];

    /// <summary>Whether this word or phrase is an entry, in any part of speech.</summary>
    public bool Knows(string phrase) => Parts.Any(p => FindLine(files[p.Letter].Index, phrase.Replace(' ', '_')) is not null);

    /// <summary>Whether a noun has an irregular plural, "child" or "leaf".</summary>
    public bool IsIrregular(string noun) => nounExceptions.ContainsValue(noun);

    /// <summary>The meaning with this key.</summary>
    public Synset Read(string key)
    {
        var data = files[key[0]].Data;
        return Parse(key, ReadLine(data, long.Parse(key.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture)));
    }

    /// <summary>In how many of the noun glosses each stem occurs, and how many glosses there are: how specific a word is.</summary>
    public (IReadOnlyDictionary<string, int> Counts, int Glosses) GlossCounts(IReadOnlySet<string> stems)
    {
        var numbers = new StemNumbers();
        var order = stems.OrderBy(numbers.Add).ToList();
        var (counts, last) = (new int[order.Count], new int[order.Count]); // how often, and in which gloss at last
        var glosses = 0;
        foreach (var line in File.ReadLines(files['n'].Data.Name))
        {
            var bar = line.IndexOf('|');
            if (line.StartsWith("  ", StringComparison.Ordinal) || bar < 0) continue;
            glosses++;
            foreach (var range in WordStem.Ranges(line[(bar + 1)..]))
            {
                if (numbers.Of(line.AsSpan(bar + 1)[range]) is not (> 0 and var number) || last[number - 1] == glosses) continue;
                last[number - 1] = glosses;
                counts[number - 1]++;
            }
        }
        return (order.Zip(counts).ToDictionary(p => p.First, p => p.Second, StringComparer.Ordinal), glosses);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (index, data) in files.Values)
        {
            index.Dispose();
            data.Dispose();
        }
    }

    private IEnumerable<string> Lemmas(string form)
    {
        yield return form;
        if (nounExceptions.TryGetValue(form, out var irregular)) yield return irregular;
        foreach (var (suffix, with) in NounEndings)
            if (form.Length > suffix.Length + 1 && form.EndsWith(suffix, StringComparison.Ordinal)) yield return form[..^suffix.Length] + with;
    }

    private List<Synset>? Lookup(char part, string lemma)
    {
        if (FindLine(files[part].Index, lemma) is not { } line) return null;
        // lemma pos synset_cnt p_cnt [symbols…] sense_cnt tagsense_cnt offset…
        var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var senses = int.Parse(fields[2], CultureInfo.InvariantCulture);
        return [.. fields[^senses..].Select(offset => Read($"{part}:{offset}"))];
    }

    // Lines are sorted by lemma in byte order; the licence at the top begins with blanks, which sort first.
    private static string? FindLine(FileStream index, string lemma)
    {
        var key = lemma + " ";
        long low = 0, high = index.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            var start = LineStart(index, middle);
            var line = ReadLine(index, start);
            if (line.StartsWith(key, StringComparison.Ordinal)) return line;
            if (string.CompareOrdinal(line, key) < 0) low = start + Encoding.UTF8.GetByteCount(line) + 1;
            else high = start;
        }
        return null;
    }

    private static long LineStart(FileStream file, long at)
    {
        while (at > 0)
        {
            file.Position = at - 1;
            if (file.ReadByte() == '\n') break;
            at--;
        }
        return at;
    }

    private static string ReadLine(FileStream file, long at)
    {
        file.Position = at;
        var line = new List<byte>(256);
        int b;
        while ((b = file.ReadByte()) is >= 0 and not '\n') line.Add((byte)b);
        return Encoding.UTF8.GetString([.. line]);
    }

    // offset lex_filenum ss_type w_cnt word lex_id… p_cnt (symbol offset pos source/target)… | gloss
    private static Synset Parse(string key, string line)
    {
        var bar = line.IndexOf('|');
        var fields = line[..(bar < 0 ? line.Length : bar)].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var words = int.Parse(fields[3], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        var lemmas = Enumerable.Range(0, words).Select(i => fields[4 + 2 * i].Replace('_', ' ')).ToList();
        var at = 4 + 2 * words;
        var pointers = new List<(string, string)>();
        var count = int.Parse(fields[at++], CultureInfo.InvariantCulture);
        for (var i = 0; i < count; i++, at += 4)
        {
            var part = fields[at + 2][0] == 's' ? 'a' : fields[at + 2][0];
            pointers.Add((fields[at], $"{part}:{fields[at + 1]}"));
        }
        return new(key, lemmas, bar < 0 ? "" : line[(bar + 1)..].Trim(), pointers);
    }
}
