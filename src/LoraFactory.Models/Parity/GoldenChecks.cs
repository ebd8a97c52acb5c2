using System.Text.Json;
using LoraFactory.Torch;

namespace LoraFactory.Models.Parity;

/// <summary>What became of one case. <paramref name="Status"/>: "ok", "miss", "error" or "unknown kind".</summary>
public sealed record CaseResult(string Name, string Kind, string Status, string Detail, int Comparisons, double Worst, double Seconds);

/// <summary>Finds golden cases below a folder and runs each with the check for its kind.</summary>
public static class GoldenChecks
{
    private static readonly Lazy<IReadOnlyDictionary<string, IGoldenCheck>> All = new(() =>
        typeof(GoldenChecks).Assembly.GetTypes()
            .Where(t => t is { IsAbstract: false, IsInterface: false } && typeof(IGoldenCheck).IsAssignableFrom(t))
            .OrderBy(t => t.FullName, StringComparer.Ordinal)
            .Select(t => (IGoldenCheck)Activator.CreateInstance(t)!)
            .SelectMany(c => c.Kinds.Select(k => (k, c)))
            .ToDictionary(p => p.k, p => p.c, StringComparer.Ordinal));

    /// <summary>The kinds that can be run.</summary>
    public static IEnumerable<string> Kinds => All.Value.Keys.Order(StringComparer.Ordinal);

    /// <summary>
    /// Every case at or below <paramref name="folder"/>, in order of path: each case.json, and each other JSON file that says "case" and
    /// "kind" itself, as the key lists do.
    /// </summary>
    public static IEnumerable<(string File, string Kind, string Name)> Find(string folder)
    {
        var everywhere = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.None, MaxRecursionDepth = 32 };
        foreach (var file in Directory.EnumerateFiles(folder, "*.json", everywhere).Order(StringComparer.Ordinal))
        {
            if (Path.GetFileName(file) != "case.json" && new FileInfo(file) is { Exists: true, Length: > 16 << 20 }) continue;
            var relative = Path.GetRelativePath(folder, file);
            if (Path.GetFileName(file) == "case.json")
            {
                var place = Path.GetDirectoryName(relative);
                yield return (file, KindOf(file, needsName: false) ?? Unreadable, string.IsNullOrEmpty(place) ? Path.GetFileName(Path.GetFullPath(folder)) : place);
            }
            else if (KindOf(file, needsName: true) is { } kind)
            {
                yield return (file, kind, relative);
            }
        }
    }

    /// <summary>Runs one case on the tensor thread; an exception is a result, not a crash.</summary>
    public static CaseResult Run(string file, string kind, string name)
    {
        if (kind == Unreadable) return new(name, kind, "error", WhyUnreadable(file), 0, 0, 0);
        if (!All.Value.TryGetValue(kind, out var check)) return new(name, kind, "unknown kind", "", 0, 0, 0);
        var started = TimeProvider.System.GetTimestamp();
        var found = new Findings();
        var status = "ok";
        var detail = "";
        try
        {
            TorchThread.Shared.Run(() =>
            {
                using var scope = new Scope();
                using var @case = new GoldenCase(file, kind, name);
                check.Run(@case, found);
            });
            if (found.Misses > 0)
            {
                status = "miss";
                detail = found.FirstMiss + (found.Misses > 1 ? $" (and {found.Misses - 1} more)" : "");
            }
            else if (found.Comparisons == 0 && found.NotCovered.Count > 0)
            {
                status = "unknown kind";
                detail = $"not covered: {string.Join(", ", found.NotCovered)}";
            }
            else if (found.Comparisons == 0)
            {
                status = "miss";
                detail = "nothing was compared";
            }
            else if (found.NotCovered.Count > 0)
            {
                detail = $"not covered: {string.Join(", ", found.NotCovered)}";
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            status = "error";
            detail = $"{e.GetType().Name}: {e.Message}";
        }
        return new(name, kind, status, detail, found.Comparisons, found.Worst, TimeProvider.System.GetElapsedTime(started).TotalSeconds);
    }

    private const string Unreadable = "(unreadable)";
    private const long LargestCase = 16 << 20;

    // A JSON file that is a case by itself names itself and its kind at the top; configurations and vocabularies do not.
    private static string? KindOf(string file, bool needsName)
    {
        try
        {
            if (new FileInfo(file).Length > LargestCase) return null;
            using var json = JsonDocument.Parse(File.ReadAllBytes(file));
            var root = json.RootElement;
            return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("kind", out var kind) && kind.ValueKind == JsonValueKind.String
                && (!needsName || root.TryGetProperty("case", out _)) ? kind.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string WhyUnreadable(string file)
    {
        try
        {
            if (new FileInfo(file).Length > LargestCase) return $"it is larger than {LargestCase} bytes";
            using var json = JsonDocument.Parse(File.ReadAllBytes(file));
            return "it has no \"kind\" that says how to run it";
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }
}
