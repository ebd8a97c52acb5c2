using System.Globalization;
using System.Text;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Deploy;

/// <summary>The card in Hugging Face's format: README.md with YAML front matter.</summary>
public static class ModelCard
{
    private const string NotStated = "licence not stated";

    /// <summary>The card's text.</summary>
    public static string Of(Recipe recipe, TrainPlan plan, Adapter adapter, Report report, IReadOnlyList<Sample> samples, IReadOnlyList<LoraFactory.Flow.Record> records)
    {
        var trigger = recipe.Label.Trigger;
        var card = new StringBuilder();
        var made = VariantCounts.Of(samples);
        var pictures = plan.TrainSampleIds.Count - samples.Count(s => s.Variant is not null);
        samples = [.. samples.Where(s => s.Variant is null)];
        card.Append("---\n").Append("library_name: diffusers\n").Append("pipeline_tag: text-to-image\n");
        card.Append($"base_model: {Quoted(recipe.Base.Model)}\nlicense: {Quoted(recipe.Deploy.Licence.Length > 0 ? recipe.Deploy.Licence.ToLowerInvariant() : "unknown")}\n");
        if (trigger.Length > 0) card.Append($"instance_prompt: {Quoted(trigger)}\n");
        card.Append("tags:\n- lora\n- text-to-image\n- stable-diffusion\n- lorafactory\n---\n\n");
        card.Append($"# {recipe.Name}\n\nA LoRA for `{recipe.Base.Model}`, trained on {Subject(recipe, pictures)}");
        card.Append(trigger.Length > 0 ? $". Write **{trigger}** in the prompt.\n\n" : ".\n\n");
        card.Append($"{report.Verdict}\n\n## Measured\n\n| metric | value | 95 % interval | n | gate |\n|---|---|---|---|---|\n");
        foreach (var m in report.Metrics) card.Append($"| {m.Name} | {N(m.Value)} | {N(m.Low)} … {N(m.High)} | {m.N} | {m.Gate ?? "informs"} |\n");
        card.Append($"\n## Trained\n\n{pictures} pictures{(made.Length > 0 ? $" and what was made of them: {made}" : "")} ({plan.ValidationSampleIds.Count} held out), {adapter.Trained}, ");
        card.Append($"final loss {N(adapter.FinalLoss)}, validation loss {N(adapter.ValidationLoss)}, {adapter.Seconds:F0} s.\n\n| value | | why |\n|---|---|---|\n");
        foreach (var v in plan.Values) card.Append($"| {v.Key} | {v.Value} | {v.Why} |\n");
        card.Append("\n## Data\n\nEvery picture with its page and licence is listed in `data.jsonl`.\n\n");
        foreach (var group in records.GroupBy(r => r.Licence ?? NotStated, StringComparer.Ordinal).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal))
            card.Append(group.Key == NotStated ? $"- {group.Count()}: {NotStated}\n" : $"- {group.Count()} under {group.Key}\n");
        card.Append($"\n{Licence(recipe.Deploy.Licence, records)}\n");
        card.Append($"\nCaptions come from: {string.Join(", ", samples.GroupBy(s => s.CaptionSource, StringComparer.Ordinal).Select(g => $"{g.Key} {g.Count()}"))}.\n\n");
        card.Append("## Files\n\n- `adapter.safetensors`: kohya naming (web UIs)\n- `pytorch_lora_weights.safetensors`: diffusers naming (`pipe.load_lora_weights`)\n- `certificate.json`: what was checked before it went live\n- `SHA256SUMS`\n\n");
        card.Append($"Adapter `{adapter.Sha256}`, plan `{plan.Id}`, base `{plan.BaseHash}`.\n");
        return card.ToString();
    }

    // A folder of one's own needs no topic.
    private static string Subject(Recipe recipe, int pictures) =>
        string.IsNullOrWhiteSpace(recipe.Seed.Topic) ? $"{pictures} picture{(pictures == 1 ? "" : "s")} of a folder" : $"\"{recipe.Seed.Topic}\"";

    // What the pictures say and what the maker says are two things: the one never stands in for the other.
    private static string Licence(string chosen, IReadOnlyList<LoraFactory.Flow.Record> records)
    {
        var silent = records.Count(r => r.Licence is null);
        var open = silent == 0 ? "" : $" {silent} of {records.Count} pictures state no licence, so whether that is allowed cannot be told from the data.";
        return chosen.Length > 0 ? $"The adapter is given out under {chosen}, as its maker chose (`deploy.licence`).{open}"
            : $"No licence is stated for the adapter: `deploy.licence` was not set, and none follows from the pictures.";
    }

    private static string N(double value) => double.IsFinite(value) ? value.ToString("F4", CultureInfo.InvariantCulture) : "–";

    private static string Quoted(string text) => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
