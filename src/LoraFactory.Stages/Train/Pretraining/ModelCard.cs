using System.Globalization;
using System.Text;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>The card of a pretrained model: what it is, the command that made it, what the exam measured.</summary>
internal static class ModelCard
{
    public static void Write(string folder, PretrainOptions options, IPretraining model, long parameters, PretrainingResult result)
    {
        var (title, what, use) = model.Card;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# {title}\n\n{what}\n\n");
        text.Append(CultureInfo.InvariantCulture, $"{parameters / 1e6:0.00} M parameters, float16. Made by this project alone, from {model.Origin}.\n\n");
        text.Append("## How it was made\n\n");
        foreach (var earlier in Commands(options.From)) text.Append(CultureInfo.InvariantCulture, $"    {earlier}\n");
        text.Append(CultureInfo.InvariantCulture, $"    {Command(options, model)}\n\n");
        text.Append(CultureInfo.InvariantCulture, $"Seed {options.Seed}, {result.Steps} steps, AdamW with cosine and warm-up, mean loss of the last twentieth {result.Loss:0.000}. The same commands give the same model again on the same kind of machine.\n\n");
        if (result.Metrics.Count > 0) Measured(text, model, result.Metrics);
        text.Append(CultureInfo.InvariantCulture, $"## Use\n\n{use}\n\n{model.Licence}\n");
        AtomicFile.WriteText(Path.Combine(folder, "README.md"), text.ToString());
    }

    private static void Measured(StringBuilder text, IPretraining model, IReadOnlyList<Metric> metrics)
    {
        text.Append(CultureInfo.InvariantCulture, $"## How good it is\n\nMeasured on {model.ExaminedOn}, with 95 % intervals (Wilson 1927).\n\n| what | value | interval | n | |\n|---|---|---|---|---|\n");
        foreach (var m in metrics)
            text.Append(CultureInfo.InvariantCulture, $"| {m.Name} | {m.Value:0.000} | {m.Low:0.000}–{m.High:0.000} | {m.N} | {m.Meaning} |\n");
        text.Append('\n');
    }

    /// <summary>The commands on the card of the model that was gone on from.</summary>
    private static IEnumerable<string> Commands(string from)
    {
        var card = Path.Combine(from, "README.md");
        return from.Length > 0 && File.Exists(card) ? File.ReadLines(card).Where(l => l.StartsWith("    lora pretrain ", StringComparison.Ordinal)).Select(l => l.Trim()) : [];
    }

    private static string Name(string folder) => Path.GetFileName(Path.TrimEndingDirectorySeparator(folder));

    private static string Command(PretrainOptions o, IPretraining model)
    {
        var (steps, batch, rate) = model.Defaults;
        var line = new StringBuilder();
        line.Append(CultureInfo.InvariantCulture, $"lora pretrain {o.Kind} --output {Name(o.Output)} --seed {o.Seed}");
        line.Append(CultureInfo.InvariantCulture, $" --steps {PretrainingRun.Decided(o.Steps, steps)} --batch-size {PretrainingRun.Decided(o.BatchSize, batch)} --learning-rate {(o.LearningRate > 0 ? o.LearningRate : rate)}");
        if (o.Kind is "clip" or "captioner") line.Append(CultureInfo.InvariantCulture, $" --width {o.Width} --layers {o.Layers}");
        if (o.From.Length > 0) line.Append(CultureInfo.InvariantCulture, $" --from {Name(o.From)}");
        return line.ToString();
    }
}
