using System.Globalization;
using LoraFactory.Flow;
using MathNet.Numerics.Distributions;

namespace LoraFactory.Stages.Feedback;

/// <summary>What the ratings say about an adapter, and whether to train again. Written as decision.json.</summary>
public sealed record RetrainDecision
{
    /// <summary>Content id of what was decided on which ratings, the newest of them standing for all: asked again without new ones, the decision is the same. Null in a file from before it was kept.</summary>
    public string? Id { get; init; }
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
    /// <summary>Stage to begin again with when <see cref="Retrain"/>: crawl, since low ratings ask for other data. Null otherwise.</summary>
    public StageName? From { get; init; }
    /// <summary>Version that the ratings are of; null when they are of several.</summary>
    public int? Version { get; init; }
    /// <summary>Why, one sentence.</summary>
    public required string Why { get; init; }
    /// <summary>When it was decided.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>Prompts whose pictures are rated below the threshold on average, worst first, at most five.</summary>
    public IReadOnlyList<string> WorstPrompts { get; init; } = [];

    /// <summary>Mean of ratings and its 95 % interval by Student's t, kept within 0..1; NaN where there are too few (none, or one for the interval).</summary>
    public static (double Mean, double Low, double High) Interval(IReadOnlyList<double> ratings)
    {
        var n = ratings.Count;
        if (n == 0) return (double.NaN, double.NaN, double.NaN);
        var mean = ratings.Average();
        if (n == 1) return (mean, double.NaN, double.NaN);
        var half = StudentT.InvCDF(0, 1, n - 1, 0.975) * Math.Sqrt(ratings.Sum(r => (r - mean) * (r - mean)) / (n - 1) / n);
        return (mean, Math.Max(0, mean - half), Math.Min(1, mean + half));
    }

    /// <summary>Decides by the rule: retrain when the mean of the window, newest first, is below the threshold and there are enough ratings.</summary>
    public static RetrainDecision Of(string adapter, IReadOnlyList<Rating> window, FeedbackOptions options, DateTimeOffset now)
    {
        var n = window.Count;
        var (mean, from, to) = Interval([.. window.Select(r => r.Value)]);
        var enough = n >= options.MinCount;
        var low = mean < options.MinMean - 1e-9; // twenty ratings of 0.7 sum up to a little less than 14
        int? version = window.Select(r => r.Version).Distinct().ToList() is [var only] ? only : null;
        return new()
        {
            Id = ContentId.Of([adapter, $"{version}", enough && low ? "retrain" : "stay", .. window.Take(1).SelectMany(r => new[] { r.Generation, r.At.ToString("O", CultureInfo.InvariantCulture) })]),
            Adapter = adapter,
            Count = n,
            Mean = mean,
            Low = from,
            High = to,
            Retrain = enough && low,
            From = enough && low ? StageName.Crawl : null,
            Version = version,
            Why = !enough ? $"only {n} rating{(n == 1 ? "" : "s")}, fewer than the {options.MinCount} that a decision needs"
                : low ? $"the mean of the last {n} ratings, {mean:F2}, is below {options.MinMean:F2}" : $"the mean of the last {n} ratings, {mean:F2}, is at least {options.MinMean:F2}",
            At = now,
            WorstPrompts = [.. window.GroupBy(r => r.Prompt, StringComparer.Ordinal).Select(g => (Prompt: g.Key, Mean: g.Average(r => r.Value)))
                .Where(p => p.Mean < options.MinMean - 1e-9).OrderBy(p => p.Mean).Select(p => p.Prompt).Take(5)],
        };
    }
}
