using System.Globalization;
using LoraFactory.Models;

namespace LoraFactory.Stages.Deploy.Serving;

/// <summary>A prompt without its adapter tags, and the adapters that they name.</summary>
/// <param name="Text">What is drawn.</param>
/// <param name="Adapters">Weight by adapter name; named twice, the weights add up.</param>
public sealed record TaggedPrompt(string Text, IReadOnlyDictionary<string, double> Adapters)
{
    private const string Open = "<lora:";
    private const double MaxWeight = 4;

    /// <summary>Takes <c>&lt;lora:name&gt;</c> and <c>&lt;lora:name:weight&gt;</c> out of a prompt; the weight is 1 unless given, −4 to 4.</summary>
    public static TaggedPrompt Parse(string prompt)
    {
        var adapters = new Dictionary<string, double>(StringComparer.Ordinal);
        var text = prompt;
        for (var at = text.IndexOf(Open, StringComparison.Ordinal); at >= 0; at = text.IndexOf(Open, StringComparison.Ordinal))
        {
            var end = text.IndexOf('>', at);
            if (end < 0) throw new ModelException($"the tag {text[at..Math.Min(text.Length, at + 30)]} has no closing '>'; write <lora:name:weight>.");
            var parts = text[(at + Open.Length)..end].Split(':');
            var weight = 1.0;
            if (parts.Length > 2 || parts[0].Length == 0
                || (parts.Length == 2 && (!double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out weight) || !(Math.Abs(weight) <= MaxWeight))))
                throw new ModelException($"the tag {text[at..Math.Min(end + 1, at + 80)]} is not <lora:name> or <lora:name:weight> with a weight from -4 to 4.");
            var sum = adapters[parts[0]] = adapters.GetValueOrDefault(parts[0]) + weight;
            if (Math.Abs(sum) > MaxWeight) throw new ModelException($"the tags of {parts[0]} add up to a weight of {sum.ToString(CultureInfo.InvariantCulture)}; valid: -4 to 4.");
            text = text[..at] + text[(end + 1)..];
        }
        return new(string.Join(' ', text.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Trim(' ', ','), adapters);
    }
}
