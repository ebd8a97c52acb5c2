using System.Globalization;
using System.Text;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Deploy;

/// <summary>The card in Hugging Face's format: README.md with YAML front matter.</summary>
public static class ModelCard
{
    /// <summary>The card's text.</summary>
    public static string Of(Recipe recipe, TrainPlan plan, Adapter adapter, Report report, IReadOnlyList<Sample> samples, IReadOnlyList<LoraFactory.Flow.Record> records)
    {
        var trigger = recipe.Label.Trigger;
        var card = new StringBuilder();
        card.Append("---\n").Append("library_name: diffusers\n").Append("pipeline_tag: text-to-image\n");
        card.Append($"base_model: {Quoted(recipe.Base.Model)}\nlicense: {Quoted(recipe.Deploy.Licence.ToLowerInvariant())}\n");
        if (trigger.Length > 0) card.Append($"instance_prompt: {Quoted(trigger)}\n");
        card.Append("tags:\n- lora\n- text-to-image\n- stable-diffusion\n- lorafactory\n---\n\n");
        card.Append($"# {recipe.Name}\n\nA LoRA for `{recipe.Base.Model}`, trained on \"{recipe.Seed.Topic}\"");
        card.Append(trigger.Length > 0 ? $". Write **{trigger}** in the prompt.\n\n" : ".\n\n");
        card.Append($"{report.Verdict}\n\n## Measured\n\n| metric | value | 95 % interval | n | gate |\n|---|---|---|---|---|\n");
        foreach (var m in report.Metrics) card.Append($"| {m.Name} | {N(m.Value)} | {N(m.Low)} … {N(m.High)} | {m.N} | {m.Gate ?? "informs"} |\n");
        card.Append($"\n## Trained\n\n{plan.TrainSampleIds.Count} pictures ({plan.ValidationSampleIds.Count} held out), {adapter.Steps} steps, ");
        card.Append($"final loss {N(adapter.FinalLoss)}, validation loss {N(adapter.ValidationLoss)}, {adapter.Seconds:F0} s.\n\n| value | | why |\n|---|---|---|\n");
        foreach (var v in plan.Values) card.Append($"| {v.Key} | {v.Value} | {v.Why} |\n");
        card.Append("\n## Data\n\nEvery picture with its page and licence is listed in `data.jsonl`.\n\n");
        foreach (var group in records.GroupBy(r => r.Licence ?? "none stated", StringComparer.Ordinal).OrderByDescending(g => g.Count())) card.Append($"- {group.Count()} under {group.Key}\n");
        card.Append($"\nCaptions come from: {string.Join(", ", samples.GroupBy(s => s.CaptionSource, StringComparer.Ordinal).Select(g => $"{g.Key} {g.Count()}"))}.\n\n");
        card.Append("## Files\n\n- `adapter.safetensors`: kohya naming (web UIs)\n- `pytorch_lora_weights.safetensors`: diffusers naming (`pipe.load_lora_weights`)\n- `certificate.json`: what was checked before it went live\n- `SHA256SUMS`\n\n");
        card.Append($"Adapter `{adapter.Sha256}`, plan `{plan.Id}`, base `{plan.BaseHash}`.\n");
        return card.ToString();
    }

    private static string N(double value) => double.IsFinite(value) ? value.ToString("F4", CultureInfo.InvariantCulture) : "–";

    private static string Quoted(string text) => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
