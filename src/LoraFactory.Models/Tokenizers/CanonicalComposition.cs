using System.Globalization;
using System.Text;

namespace LoraFactory.Models.Tokenizers;

/// <summary>
/// Unicode normalisation form C (UAX #15) over code points. The process runs in the invariant culture, where string.Normalize
/// does nothing; this one also tells which code point of the text each result comes from.
/// </summary>
public static class CanonicalComposition
{
    private const int HangulSyllables = 0xAC00, HangulLead = 0x1100, HangulVowel = 0x1161, HangulTrail = 0x11A7;
    private const int Leads = 19, Vowels = 21, Trails = 28, Syllables = Leads * Vowels * Trails;

    private static readonly Lazy<Tables> Data = new(ReadTables);

    /// <summary>Below this code point text is always in form C.</summary>
    public const int FirstThatMayChange = 0x300;

    /// <summary>Form C of a text.</summary>
    public static string Compose(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', (char)(FirstThatMayChange - 1))) return text;
        var points = text.EnumerateRunes().Select(rune => rune.Value).ToArray();
        var composed = new List<int>(points.Length);
        Compose(points, composed, null);
        var result = new StringBuilder(composed.Count);
        foreach (var point in composed) result.Append(new Rune(point).ToString());
        return result.ToString();
    }

    /// <summary>
    /// Form C of code points, appended to <paramref name="composed"/>; <paramref name="sources"/>, where given, receives for each result the index
    /// of the code point where it begins.
    /// </summary>
    public static void Compose(ReadOnlySpan<int> points, List<int> composed, List<int>? sources)
    {
        var letters = Decompose(points);
        Reorder(letters);
        Recompose(letters);
        var source = 0;
        foreach (var letter in letters)
        {
            if (letter.Point < 0) continue;
            composed.Add(letter.Point);
            // A letter with Change 1 was inserted: it belongs to the one before; one with -n has swallowed n others.
            sources?.Add(letter.Change > 0 ? Math.Max(0, source - 1) : source);
            if (letter.Change <= 0) source += 1 - letter.Change;
        }
    }

    /// <summary>
    /// Form D of code points, appended to <paramref name="decomposed"/>; <paramref name="sources"/>, where given, receives for each result the
    /// index of the code point that it comes from.
    /// </summary>
    public static void Decompose(ReadOnlySpan<int> points, List<int> decomposed, List<int>? sources)
    {
        var letters = Decompose(points);
        Reorder(letters);
        var source = 0;
        foreach (var letter in letters)
        {
            decomposed.Add(letter.Point);
            sources?.Add(letter.Change > 0 ? Math.Max(0, source - 1) : source);
            if (letter.Change <= 0) source++;
        }
    }

    private static List<Letter> Decompose(ReadOnlySpan<int> points)
    {
        var letters = new List<Letter>(points.Length + 8);
        foreach (var point in points)
        {
            var first = letters.Count;
            DecomposeInto(letters, point);
            for (var i = first + 1; i < letters.Count; i++) letters[i] = letters[i] with { Change = 1 };
        }
        return letters;
    }

    private static void DecomposeInto(List<Letter> letters, int point)
    {
        if (point < 0xC0)
        {
            letters.Add(new Letter(point, 0, 0));
            return;
        }
        if (point is >= HangulSyllables and < HangulSyllables + Syllables)
        {
            var index = point - HangulSyllables;
            letters.Add(new Letter(HangulLead + index / (Vowels * Trails), 0, 0));
            letters.Add(new Letter(HangulVowel + index % (Vowels * Trails) / Trails, 0, 0));
            if (index % Trails > 0) letters.Add(new Letter(HangulTrail + index % Trails, 0, 0));
            return;
        }
        if (Data.Value.Decompositions.TryGetValue(point, out var parts))
        {
            foreach (var part in parts) DecomposeInto(letters, part);
            return;
        }
        letters.Add(new Letter(point, Data.Value.Classes.GetValueOrDefault(point), 0));
    }

    /// <summary>Sorts each run of combining marks by class, keeping the order of equal ones.</summary>
    private static void Reorder(List<Letter> letters)
    {
        for (var start = 0; start < letters.Count; start++)
        {
            if (letters[start].Class == 0) continue;
            var end = start + 1;
            while (end < letters.Count && letters[end].Class != 0) end++;
            if (end - start > 1)
            {
                var sorted = letters.GetRange(start, end - start).OrderBy(letter => letter.Class).ToList();
                for (var i = 0; i < sorted.Count; i++) letters[start + i] = sorted[i];
            }
            start = end;
        }
    }

    private static void Recompose(List<Letter> letters)
    {
        var starter = -1;
        var lastClass = 0;
        for (var i = 0; i < letters.Count; i++)
        {
            var letter = letters[i];
            // Blocked: a mark of the same or a higher class stands between.
            if (starter >= 0 && (lastClass == 0 || lastClass < letter.Class)
                && Pair(letters[starter].Point, letter.Point) is { } joined)
            {
                letters[starter] = letters[starter] with { Point = joined, Change = letters[starter].Change + letter.Change - 1 };
                letters[i] = letter with { Point = -1 };
                continue;
            }
            if (letter.Class == 0) starter = i;
            lastClass = letter.Class;
        }
    }

    private static int? Pair(int first, int second)
    {
        if (first is >= HangulLead and < HangulLead + Leads && second is >= HangulVowel and < HangulVowel + Vowels)
            return HangulSyllables + ((first - HangulLead) * Vowels + second - HangulVowel) * Trails;
        if (first is >= HangulSyllables and < HangulSyllables + Syllables && (first - HangulSyllables) % Trails == 0
            && second is > HangulTrail and < HangulTrail + Trails)
            return first + second - HangulTrail;
        return Data.Value.Pairs.TryGetValue((first, second), out var joined) ? joined : null;
    }

    private static Tables ReadTables()
    {
        var tables = new Tables([], [], []);
        using var stream = typeof(CanonicalComposition).Assembly.GetManifestResourceStream("canonical-composition.txt")!;
        using var reader = new StreamReader(stream, Encoding.ASCII);
        while (reader.ReadLine() is { } line)
        {
            if (line.Length == 0 || line[0] == '#') continue;
            var fields = line.Split(' ');
            if (fields[0].IndexOf('-') is > 0 and var dash)
            {
                for (var point = Hex(fields[0][..dash]); point <= Hex(fields[0][(dash + 1)..]); point++)
                    tables.Classes[point] = int.Parse(fields[1], CultureInfo.InvariantCulture);
                continue;
            }
            var composite = Hex(fields[0].TrimEnd('!'));
            int[] parts = [.. fields.Skip(1).Select(Hex)];
            tables.Decompositions[composite] = parts;
            if (!fields[0].EndsWith('!')) tables.Pairs[(parts[0], parts[1])] = composite;
        }
        return tables;
    }

    private static int Hex(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    /// <summary>One code point on its way through the three steps.</summary>
    /// <param name="Point">Code point; -1 once it has been joined to another.</param>
    /// <param name="Class">Canonical combining class; 0 for a starter.</param>
    /// <param name="Change">1: inserted; 0: stands for one code point of the text; -n: for n more.</param>
    private readonly record struct Letter(int Point, int Class, int Change);

    private sealed record Tables(Dictionary<int, int> Classes, Dictionary<int, int[]> Decompositions, Dictionary<(int, int), int> Pairs);
}
