using System.Text.Json;
using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>Reads what the feedback stage decided, for <c>lora run --continue</c>.</summary>
public static class Retraining
{
    private const string FileName = "decision.json";

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
        var why = decision.RootElement.TryGetProperty("why", out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;
        return $"Feedback decided not to train again{(why is null ? "." : ": " + why)}";
    }

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
}
