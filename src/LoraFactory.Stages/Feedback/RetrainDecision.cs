using LoraFactory.Flow;
using MathNet.Numerics.Distributions;

namespace LoraFactory.Stages.Feedback;

/// <summary>What the ratings say about an adapter, and whether to train again. Written as decision.json.</summary>
public sealed record RetrainDecision
{
    /// <summary>Adapter that was rated.</summary>
    public required string Adapter { get; init; }
    /// <summary>Ratings in the window.</summary>
    public required int Count { get; init; }
    /// <summary>Mean rating, 0..1; NaN without ratings.</summary>
    public required double Mean { get; init; }
    /// <summary>Low end of the mean's 95 % interval.</summary>
    public required double Low { get; init; }
    /// <summary>High end.</summary>
    public required double High { get; init; }
    /// <summary>Whether to train again.</summary>
    public required bool Retrain { get; init; }
    /// <summary>Why, one sentence.</summary>
    public required string Why { get; init; }
    /// <summary>When it was decided.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>Prompts of the worst-rated pictures, worst first.</summary>
    public IReadOnlyList<string> WorstPrompts { get; init; } = [];

    /// <summary>Decides by the rule: retrain when the mean of the window is below the threshold and there are enough ratings.</summary>
    public static RetrainDecision Of(string adapter, IReadOnlyList<Rating> window, FeedbackOptions options, DateTimeOffset now)
    {
        var n = window.Count;
        var mean = n == 0 ? double.NaN : window.Average(r => r.Value);
        var half = n < 2 ? double.NaN : StudentT.InvCDF(0, 1, n - 1, 0.975) * Math.Sqrt(window.Sum(r => Math.Pow(r.Value - mean, 2)) / (n - 1) / n);
        var enough = n >= options.MinCount;
        var low = mean < options.MinMean;
        return new()
        {
            Adapter = adapter,
            Count = n,
            Mean = mean,
            Low = Math.Max(0, mean - half),
            High = Math.Min(1, mean + half),
            Retrain = enough && low,
            Why = !enough ? $"only {n} ratings, fewer than {options.MinCount}: no decision"
                : low ? $"the mean of the last {n} ratings, {mean:F2}, is below {options.MinMean:F2}" : $"the mean of the last {n} ratings, {mean:F2}, is at least {options.MinMean:F2}",
            At = now,
            WorstPrompts = [.. window.OrderBy(r => r.Value).Select(r => r.Prompt).Distinct(StringComparer.Ordinal).Take(5)],
        };
    }
}
