using System.Text.Json;
using System.Text.RegularExpressions;
using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>Carries out what the feedback stage decided, for <c>lora run --continue</c>.</summary>
public static partial class Retraining
{
    private const string FileName = "decision.json";
    private const string Carried = "continuation.json";
    private const int LongestPrompt = 300;

    /// <summary>
    /// Begins to carry out the decision, or finds that it was begun before: then the same comes back, and the line goes on where it stopped, whatever
    /// became of the new version: another round needs new ratings. Null when nothing is to be trained again.
    /// </summary>
    /// <exception cref="LoraException">There is no decision, it cannot be read, or the recipe's web is there only while the demo plays it.</exception>
    public static Continuation? Begin(RunDirectory run, Recipe recipe, DateTimeOffset now)
    {
        using var held = RunLock.Take(run); // what is training now must not pass for what was decided since
        if (Wanted(run) is not { } from) return null;
        using var decision = Open(run);
        var root = decision.RootElement;
        var id = Text(root, "id") ?? ContentId.OfFile(run.File(StageName.Feedback, FileName))[..16]; // of a file from before it held its id
        var before = Of(run);
        // said before the old crawl is cleared away, and also of what the demo began: going on would crawl, too
        if (PlayedWeb.Fault(recipe, "lora demo --continue") is { } fault) throw new LoraException($"seed.urls: {fault}", ExitCode.BadUsage);
        if (before?.Decision == id) return before;
        int? parent = root.TryGetProperty("version", out var version) && version.ValueKind == JsonValueKind.Number && version.TryGetInt32(out var number) ? number : null;
        var continuation = new Continuation
        {
            Decision = id,
            Why = Text(root, "why") ?? "low ratings",
            Adapter = Text(root, "adapter") ?? recipe.Name,
            Parent = parent,
            Round = (before?.Round ?? 0) + 1,
            From = from,
            SeedOffset = Math.Max(parent ?? 0, (before?.SeedOffset ?? 0) + 1),
            Prompts = Prompts(root),
            At = now,
        };
        RunDirectory.WriteJson(run.File(StageName.Feedback, Carried), continuation);
        return continuation;
    }

    /// <summary>The decision that the run goes by, null when none was carried out yet.</summary>
    public static Continuation? Of(RunDirectory run)
    {
        var path = run.PathOf(StageName.Feedback, Carried);
        return File.Exists(path) ? RunDirectory.ReadJson<Continuation>(path) : null;
    }

    /// <summary>The decision that a stage's present files were made by, null when they are older or there is none.</summary>
    public static Continuation? Behind(RunDirectory run, StageName stage) => Of(run) is { } continuation && Started(run, stage) >= continuation.At ? continuation : null;

    /// <summary>The stage that a decision begins with, when it has not run since.</summary>
    public static StageName? Pending(RunDirectory run) => Of(run) is { } continuation && Started(run, continuation.From) < continuation.At ? continuation.From : null;

    /// <summary>The stage to begin again with, or null when nothing is to be trained again.</summary>
    /// <exception cref="LoraException">There is no decision, or it cannot be read.</exception>
    public static StageName? Wanted(RunDirectory run)
    {
        using var decision = Open(run);
        if (!decision.RootElement.TryGetProperty("retrain", out var retrain) || retrain.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
            throw new LoraException($"{run.File(StageName.Feedback, FileName)} does not say whether to retrain. Run lora feedback again.");
        if (retrain.ValueKind == JsonValueKind.False) return null;
        if (!decision.RootElement.TryGetProperty("from", out var from) || from.ValueKind == JsonValueKind.Null) return StageName.Crawl;
        if (from.ValueKind == JsonValueKind.String && from.GetString() is { } word && word.All(char.IsAsciiLetter) && Enum.TryParse<StageName>(word, ignoreCase: true, out var stage)) return stage;
        throw new LoraException($"{run.File(StageName.Feedback, FileName)} names no stage to begin with: from is {from.GetRawText()}. Run lora feedback again.");
    }

    /// <summary>The decision's reason, one line.</summary>
    public static string Explain(RunDirectory run)
    {
        using var decision = Open(run);
        var why = Text(decision.RootElement, "why");
        return $"Feedback decided not to train again{(why is null ? "." : ": " + why)}";
    }

    // A stage that was cleared has no record: it runs anyway.
    private static DateTimeOffset? Started(RunDirectory run, StageName stage)
    {
        var path = run.PathOf(stage, StageRecord.FileName);
        return File.Exists(path) ? RunDirectory.ReadJson<StageRecord>(path).Started : null;
    }

    private static List<string> Prompts(JsonElement decision)
    {
        if (!decision.TryGetProperty("worst_prompts", out var worst) || worst.ValueKind != JsonValueKind.Array) return [];
        return [.. worst.EnumerateArray().Where(p => p.ValueKind == JsonValueKind.String).Select(p => Spaces().Replace(Tag().Replace(p.GetString()!, " "), " ").Trim())
            .Where(p => p.Length > 0).Select(p => p.Length > LongestPrompt ? p[..LongestPrompt] : p).Distinct(StringComparer.Ordinal)];
    }

    private static string? Text(JsonElement item, string key) => item.TryGetProperty(key, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static JsonDocument Open(RunDirectory run)
    {
        var path = run.File(StageName.Feedback, FileName);
        if (!File.Exists(path)) throw new LoraException($"{path} does not exist: nothing has been decided. Run lora feedback first.", ExitCode.BadUsage);
        try
        {
            var decision = JsonDocument.Parse(File.ReadAllBytes(path));
            if (decision.RootElement.ValueKind == JsonValueKind.Object) return decision;
            decision.Dispose();
            throw new LoraException($"{path} is not a JSON object. Run lora feedback again.");
        }
        catch (JsonException e)
        {
            throw new LoraException($"{path} is not JSON: {e.Message} Run lora feedback again.", inner: e);
        }
    }

    [GeneratedRegex("<[^<>]{1,300}>", RegexOptions.NonBacktracking)]
    private static partial Regex Tag();

    [GeneratedRegex(@"\s+", RegexOptions.NonBacktracking)]
    private static partial Regex Spaces();
}
