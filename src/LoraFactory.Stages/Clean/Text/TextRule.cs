using System.Globalization;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>One named rule about a text: a signal and the bound that it has to keep.</summary>
/// <param name="Name">Name in recipes, reports and dropped.jsonl, e.g. "gopher-few-words".</param>
/// <param name="Set">Set that clean.rules switches on: "gopher", "repetition", "c4", "fineweb" or "seed".</param>
/// <param name="Signal">Signal that it looks at.</param>
/// <param name="IsFloor">True where the threshold is the least allowed value, false where it is the most.</param>
/// <param name="Threshold">Threshold of the source, or the project's seed.</param>
/// <param name="Meaning">What it is after, one clause.</param>
/// <param name="Source">Where rule and threshold come from.</param>
/// <param name="KnownFailure">What the plain form of the rule gets wrong, and what is done about it here.</param>
public sealed record TextRule(string Name, string Set, string Signal, bool IsFloor, double Threshold, string Meaning, string Source, string KnownFailure)
{
    /// <summary>Whether a value breaks it; what was not measured (NaN) never does.</summary>
    public bool IsBrokenBy(double value, double threshold) => IsFloor ? value < threshold : value > threshold;

    /// <summary>Whether no text can break it at this threshold: no signal but a cosine is ever negative.</summary>
    public bool IsOffAt(double threshold) => IsFloor && threshold <= (Signal == TextMeaning.Relevance ? -1 : 0);

    /// <summary>e.g. "text_words 12, at least 50".</summary>
    public string Told(double value, double threshold) => string.Create(CultureInfo.InvariantCulture, $"{Signal} {value:0.####}, {(IsFloor ? "at least" : "at most")} {threshold:0.####}");
}

/// <summary>A rule that a text broke.</summary>
/// <param name="Rule">Name of the rule.</param>
/// <param name="Value">Measured value of its signal.</param>
/// <param name="Threshold">Bound that it broke.</param>
public readonly record struct BrokenRule(string Rule, double Value, double Threshold);

/// <summary>The rules that a recipe switches on, with its thresholds. Judging is arithmetic on stored signals: no text is read.</summary>
public sealed class TextJudgement
{
    private readonly List<(TextRule Rule, double Threshold)> rules;

    /// <summary>Rules of the sets in clean.rules, and each rule that clean.thresholds names.</summary>
    /// <exception cref="LoraException">A threshold cannot be read; <see cref="Fault"/> says the same beforehand.</exception>
    public TextJudgement(CleanOptions options)
    {
        if (Fault(options) is { } fault) throw new LoraException($"clean.thresholds: {fault}", ExitCode.BadUsage);
        var thresholds = options.Thresholds.Select(Split).ToDictionary(t => t.Name, t => double.Parse(t.Value, NumberStyles.Float, CultureInfo.InvariantCulture), StringComparer.Ordinal);
        rules = [.. TextRules.All.Where(r => options.Rules.Contains(r.Set) || thresholds.ContainsKey(r.Name)).Select(r => (r, thresholds.GetValueOrDefault(r.Name, r.Threshold)))];
    }

    /// <summary>Rules in force with their thresholds.</summary>
    public IReadOnlyList<(TextRule Rule, double Threshold)> Rules => rules;

    /// <summary>What is wrong with clean.thresholds, null when nothing is.</summary>
    public static string? Fault(CleanOptions options)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var written in options.Thresholds)
        {
            var (name, value) = Split(written);
            if (TextRules.All.All(r => r.Name != name))
            {
                var names = TextRules.All.Select(r => r.Name);
                return $"{written}: there is no rule {name}. " + (NearestKey.Among(name, names) is { } near ? $"Did you mean {near}?" : $"Rules are {string.Join(", ", names)}.");
            }
            if (!double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || !double.IsFinite(number)) return $"{written} is not RULE=NUMBER; write for example gopher-few-words=20.";
            if (!seen.Add(name)) return $"{name} stands there twice; keep one.";
        }
        return null;
    }

    /// <summary>The rules that a text with these signals breaks, in the order of <see cref="TextRules.All"/>.</summary>
    public IEnumerable<BrokenRule> Broken(IReadOnlyDictionary<string, double> signals)
    {
        foreach (var (rule, threshold) in rules)
            if (signals.TryGetValue(rule.Signal, out var value) && rule.IsBrokenBy(value, threshold)) yield return new(rule.Name, value, threshold);
    }

    private static (string Name, string Value) Split(string written)
    {
        var equals = written.IndexOf('=', StringComparison.Ordinal);
        return equals < 0 ? (written.Trim(), "") : (written[..equals].Trim(), written[(equals + 1)..].Trim());
    }
}
