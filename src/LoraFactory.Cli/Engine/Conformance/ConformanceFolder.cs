using System.Text;
using System.Text.Json;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>A topic's folder, and what has been found out about its files so far.</summary>
internal sealed class ConformanceFolder(string path)
{
    private readonly List<ConformanceTally> tallies = [];

    /// <summary>Where it lies.</summary>
    public string Path { get; } = path;

    /// <summary>What was found, a tally per file, in the order in which the files were judged.</summary>
    public IReadOnlyList<ConformanceTally> Tallies => tallies;

    /// <summary>The tally of a file (or of a measure over it, "trafilatura/cases.jsonl"), begun when it is first asked for.</summary>
    public ConformanceTally Of(string file)
    {
        if (tallies.FirstOrDefault(t => t.File == file) is { } known) return known;
        var tally = new ConformanceTally(file);
        tallies.Add(tally);
        return tally;
    }

    /// <summary>Full path of a file or folder below it.</summary>
    public string File(string relative) => System.IO.Path.Combine(Path, relative);

    /// <summary>Is the file there?</summary>
    public bool Has(string relative) => System.IO.File.Exists(File(relative));

    /// <summary>The objects of a JSON Lines file; none where it is not there.</summary>
    public IEnumerable<JsonElement> Lines(string relative)
    {
        if (!Has(relative)) yield break;
        var number = 0;
        foreach (var line in System.IO.File.ReadLines(File(relative)))
        {
            number++;
            if (line.Length == 0) continue;
            JsonElement element;
            try
            {
                using var document = JsonDocument.Parse(line);
                element = document.RootElement.Clone();
            }
            catch (JsonException e)
            {
                throw new LoraException($"{File(relative)}:{number} is no JSON object: {e.Message}", ExitCode.BadUsage);
            }
            yield return element;
        }
    }

    /// <summary>Bytes of a field that is given as text, or as base64 in NAME_base64; empty where it is neither.</summary>
    public static byte[] Bytes(JsonElement test, string name) =>
        test.TryGetProperty(name + "_base64", out var packed) ? packed.GetBytesFromBase64()
        : test.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? Encoding.UTF8.GetBytes(text.GetString()!) : [];

    /// <summary>Text of a field, null where it is not there or no text.</summary>
    public static string? Text(JsonElement test, string name) => test.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>Counts of one file.</summary>
internal sealed class ConformanceTally(string file)
{
    private readonly List<string> misses = [];
    private readonly List<string> disagreements = [];
    private readonly SortedDictionary<string, int> skipped = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, double> figures = new(StringComparer.Ordinal);

    /// <summary>File, relative to the topic's folder.</summary>
    public string File { get; } = file;

    /// <summary>Cases that must pass.</summary>
    public int Cases { get; private set; }

    /// <summary>Of them, those that do.</summary>
    public int Passed => Cases - misses.Count;

    /// <summary>Cases that are left to a program's choice, and how many of them agree.</summary>
    public (int Cases, int Agreeing) Optional { get; private set; }

    /// <summary>Each miss: case, what was expected, what came.</summary>
    public IReadOnlyList<string> Misses => misses;

    /// <summary>Cases that were not judged, by reason.</summary>
    public IReadOnlyDictionary<string, int> Skipped => skipped;

    /// <summary>Measures without a bar, such as F1.</summary>
    public IReadOnlyDictionary<string, double> Figures => figures;

    /// <summary>A case that must pass; <paramref name="why"/> is what is said of a miss, beginning with the case's name.</summary>
    public void Require(bool passes, Func<string> why)
    {
        Cases++;
        if (!passes) misses.Add(why());
    }

    /// <summary>What was said of cases that are not required and do not agree.</summary>
    public IReadOnlyList<string> Disagreements => disagreements;

    /// <summary>A case that is counted but not required; <paramref name="why"/> is what is said where it does not agree.</summary>
    public void Note(bool agrees, Func<string>? why = null)
    {
        Optional = (Optional.Cases + 1, Optional.Agreeing + (agrees ? 1 : 0));
        if (!agrees && why is not null) disagreements.Add(why());
    }

    /// <summary>A case that is not judged.</summary>
    public void Skip(string reason) => skipped[reason] = skipped.GetValueOrDefault(reason) + 1;

    /// <summary>A measure.</summary>
    public void Measure(string name, double value) => figures[name] = value;
}
