using System.Text.Json;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Models.Parity;

/// <summary>Runs the golden cases of some kinds. One class a kind or family; <see cref="GoldenChecks"/> finds them all.</summary>
public interface IGoldenCheck
{
    /// <summary>Values of "kind" in case.json that it runs.</summary>
    IReadOnlyList<string> Kinds { get; }

    /// <summary>Recomputes the case and reports every comparison to <paramref name="found"/>. Runs on the tensor thread, in a scope.</summary>
    void Run(GoldenCase @case, Findings found);
}

/// <summary>A folder with case.json and, as a rule, case.safetensors with inputs in.* and expected outputs out.*.</summary>
public sealed class GoldenCase : IDisposable
{
    private readonly JsonDocument json;
    private readonly Dictionary<string, WeightSource> files = new(StringComparer.Ordinal);

    /// <summary>Opens <paramref name="file"/>, a case.json or another JSON file that describes a case by itself.</summary>
    public GoldenCase(string file, string kind, string name)
    {
        File = file;
        Folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(file))!;
        Kind = kind;
        Name = name;
        json = JsonDocument.Parse(System.IO.File.ReadAllBytes(file));
    }

    /// <summary>The JSON file.</summary>
    public string File { get; }
    /// <summary>Its folder, absolute.</summary>
    public string Folder { get; }
    /// <summary>What runner it needs.</summary>
    public string Kind { get; }
    /// <summary>Path below the folder that was verified.</summary>
    public string Name { get; }
    /// <summary>Content of the JSON file.</summary>
    public JsonElement Json => json.RootElement;

    /// <summary>A path relative to the case's folder.</summary>
    public string Path(string relative) => System.IO.Path.GetFullPath(System.IO.Path.Combine(Folder, relative));

    /// <summary>A folder that the case names below a "shared" folder, such as models/tokenizers/gpt2; looked for in LORA_SHARED and above the case.</summary>
    /// <exception cref="ModelException">It is nowhere.</exception>
    public string Beside(string named)
    {
        var below = named.StartsWith("shared/", StringComparison.Ordinal) ? named["shared/".Length..] : named;
        var places = new List<string>();
        for (var folder = new DirectoryInfo(Folder); folder is not null; folder = folder.Parent) places.AddRange([folder.FullName, System.IO.Path.Combine(folder.FullName, "shared")]);
        if (Environment.GetEnvironmentVariable("LORA_SHARED") is { Length: > 0 } shared) places.Insert(0, shared);
        return places.Select(place => System.IO.Path.Combine(place, below)).FirstOrDefault(Directory.Exists)
            ?? throw new ModelException($"{Name} needs {named}, which is not there: set LORA_SHARED to the folder that has {below}.");
    }

    /// <summary>A weight file of the case, opened once; "case.safetensors" unless named.</summary>
    public WeightSource Open(string file = "case.safetensors")
    {
        if (!files.TryGetValue(file, out var source)) files[file] = source = WeightSource.Open(Path(file));
        return source;
    }

    /// <summary>Whether case.safetensors has this tensor.</summary>
    public bool Has(string name) => Open().Contains(name);

    /// <summary>A tensor of case.safetensors, dtype as stored, in the current scope.</summary>
    public Tensor Tensor(string name) => Open()[name].ToTensor();

    /// <summary>Names in case.safetensors that begin with <paramref name="prefix"/>.</summary>
    public IEnumerable<string> Names(string prefix) => Open().Names.Where(n => n.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>The tolerance: "tolerance" itself, or the part of it with that name ("loss", "weights" …).</summary>
    public Tolerance Tolerance(string? part = null)
    {
        if (!Json.TryGetProperty("tolerance", out var t)) return new(1e-4, 1e-4);
        if (part is not null && t.TryGetProperty(part, out var named)) t = named;
        if (t.ValueKind == JsonValueKind.Number) return new(t.GetDouble(), 0);
        double Value(string key) => t.TryGetProperty(key, out var v) ? v.GetDouble() : 0;
        return new(Value("atol"), Value("rtol"));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        json.Dispose();
        foreach (var file in files.Values) file.Dispose();
    }
}

/// <summary>A bound |a − b| ≤ Absolute + Relative · |b|.</summary>
public readonly record struct Tolerance(double Absolute, double Relative);

/// <summary>What a case's comparisons found: how many, and the first that failed.</summary>
public sealed class Findings
{
    /// <summary>Comparisons made.</summary>
    public int Comparisons { get; private set; }
    /// <summary>Elements or texts compared.</summary>
    public long Elements { get; private set; }
    /// <summary>The first miss: where, and by how much; null when there is none.</summary>
    public string? FirstMiss { get; private set; }
    /// <summary>Number of comparisons that missed.</summary>
    public int Misses { get; private set; }
    /// <summary>Largest |a − b| / (absolute + relative · |b|) seen; at most 1 when all is well.</summary>
    public double Worst { get; private set; }
    /// <summary>What the case holds that was not looked at, by name; a case with such parts is not silently "ok".</summary>
    public List<string> NotCovered { get; } = [];

    /// <summary>Compares a tensor with the expected one, shape included. NaN equals NaN, ∞ equals ∞ of the same sign.</summary>
    public bool Close(string name, Tensor actual, Tensor expected, Tolerance tolerance)
    {
        var a = actual.Shape;
        var b = expected.Shape;
        if (!a.AsSpan().SequenceEqual(b))
            return Miss(name, $"shape [{string.Join(", ", a)}] instead of [{string.Join(", ", b)}]");
        return Close(name, actual.ToArray<double>(), expected.ToArray<double>(), tolerance, b);
    }

    /// <summary>Compares numbers.</summary>
    public bool Close(string name, ReadOnlySpan<double> actual, ReadOnlySpan<double> expected, Tolerance tolerance, long[]? shape = null)
    {
        if (actual.Length != expected.Length) return Miss(name, $"{actual.Length} numbers instead of {expected.Length}");
        Comparisons++;
        Elements += actual.Length;
        var worst = 0.0;
        var at = -1;
        var outside = 0;
        for (var i = 0; i < actual.Length; i++)
        {
            var (x, y) = (actual[i], expected[i]);
            if (x.Equals(y)) continue;
            var off = Math.Abs(x - y) / (tolerance.Absolute + tolerance.Relative * Math.Abs(y));
            if (double.IsNaN(off)) off = double.PositiveInfinity;
            if (off > 1) outside++;
            if (off <= worst) continue;
            worst = off;
            at = i;
        }
        Worst = Math.Max(Worst, worst);
        if (outside == 0) return true;
        Comparisons--;
        return Miss(name, $"{outside} of {actual.Length} off, worst {actual[at]:G6} instead of {expected[at]:G6} at {Index(at, shape)}");
    }

    /// <summary>Compares one number.</summary>
    public bool Close(string name, double actual, double expected, Tolerance tolerance) => Close(name, [actual], [expected], tolerance);

    /// <summary>Compares anything exactly.</summary>
    public bool Equal<T>(string name, T actual, T expected)
    {
        if (!EqualityComparer<T>.Default.Equals(actual, expected)) return Miss(name, $"{Short(actual)} instead of {Short(expected)}");
        Comparisons++;
        Elements++;
        return true;
    }

    /// <summary>Compares lists exactly, naming the first place that differs.</summary>
    public bool Same<T>(string name, IReadOnlyList<T> actual, IReadOnlyList<T> expected)
    {
        for (var i = 0; i < Math.Min(actual.Count, expected.Count); i++)
            if (!EqualityComparer<T>.Default.Equals(actual[i], expected[i])) return Miss(name, $"{Short(actual[i])} instead of {Short(expected[i])} at {i}");
        if (actual.Count != expected.Count) return Miss(name, $"{actual.Count} items instead of {expected.Count}");
        Comparisons++;
        Elements += actual.Count;
        return true;
    }

    /// <summary>Records that a condition holds or not.</summary>
    public bool True(string name, bool holds, string otherwise)
    {
        if (!holds) return Miss(name, otherwise);
        Comparisons++;
        return true;
    }

    /// <summary>Records a miss.</summary>
    public bool Miss(string name, string how)
    {
        Comparisons++;
        Misses++;
        FirstMiss ??= $"{name}: {how}";
        return false;
    }

    private static string Short<T>(T value)
    {
        var text = value?.ToString() ?? "nothing";
        return text.Length > 80 ? text[..80] + "…" : $"'{text}'";
    }

    private static string Index(int flat, long[]? shape)
    {
        if (shape is null || shape.Length < 2) return $"[{flat}]";
        var index = new long[shape.Length];
        long rest = flat;
        for (var d = shape.Length - 1; d >= 0; d--)
        {
            index[d] = rest % shape[d];
            rest /= shape[d];
        }
        return $"[{string.Join(", ", index)}]";
    }
}
