using LoraFactory.Flow;
using LoraFactory.Models.Scoring;

namespace LoraFactory.Stages.Evaluate;

/// <summary>
/// What the metrics see: unit vectors of pictures and prompts. Base and adapter pictures are in the same order, prompt by prompt,
/// <see cref="PerPrompt"/> seeds each, so that picture i of both was drawn from the same noise.
/// </summary>
public sealed record EvaluationSet
{
    /// <summary>Vectors of the prompts.</summary>
    public required IReadOnlyList<float[]> Prompts { get; init; }
    /// <summary>Pictures per prompt.</summary>
    public required int PerPrompt { get; init; }
    /// <summary>The base's pictures.</summary>
    public required IReadOnlyList<float[]> Base { get; init; }
    /// <summary>The adapter's pictures.</summary>
    public required IReadOnlyList<float[]> Adapter { get; init; }
    /// <summary>Pictures that were held out of training.</summary>
    public required IReadOnlyList<float[]> HeldOut { get; init; }
    /// <summary>Vectors of the held-out pictures' captions, in the same order.</summary>
    public required IReadOnlyList<float[]> HeldOutCaptions { get; init; }
    /// <summary>Pictures that were trained on.</summary>
    public required IReadOnlyList<float[]> Trained { get; init; }
    /// <summary>Variants of the trained pictures (flips, crops), each with the place of its source among <see cref="Trained"/>: no pictures of their own, but what a drawn picture may be a copy of.</summary>
    public IReadOnlyList<(int Source, float[] Vector)> TrainedVariants { get; init; } = [];
    /// <summary>Vectors of the trained pictures' captions, in the same order.</summary>
    public required IReadOnlyList<float[]> TrainedCaptions { get; init; }

    /// <summary>Prompt of picture <paramref name="i"/>.</summary>
    public int PromptOf(int i) => i / PerPrompt;
}

/// <summary>An estimate with its 95 % interval, NaN where there is none; N counts what is independent: prompts.</summary>
public readonly record struct Interval(double Value, double Low, double High, int N);

/// <summary>Intervals over prompts: pictures of one prompt are not independent, prompts are.</summary>
public static class Intervals
{
    /// <summary>Of fewer prompts there is no interval: resampling one only repeats it, and two say next to nothing of how prompts differ.</summary>
    public const int Fewest = 3;

    private const int Resamples = 2000;
    private const double Confidence = 0.95;

    /// <summary>
    /// Percentile bootstrap (Efron 1979) of a statistic of the pictures, by resampling whole prompts. Deterministic: the seed is fixed.
    /// Of fewer than <see cref="Fewest"/> prompts the interval is NaN, so that no gate on its ends holds.
    /// </summary>
    public static Interval Bootstrap(EvaluationSet set, Func<IReadOnlyList<int>, double> statistic)
    {
        var prompts = set.Prompts.Count;
        var estimate = statistic([.. Enumerable.Range(0, set.Adapter.Count)]);
        if (prompts < Fewest) return new(estimate, double.NaN, double.NaN, prompts);
        var random = new Random(20240607);
        var values = new double[Resamples];
        var rows = new List<int>(set.Adapter.Count);
        for (var r = 0; r < Resamples; r++)
        {
            rows.Clear();
            for (var k = 0; k < prompts; k++)
            {
                var prompt = random.Next(prompts);
                for (var j = 0; j < set.PerPrompt; j++) rows.Add(prompt * set.PerPrompt + j);
            }
            values[r] = statistic(rows);
        }
        Array.Sort(values);
        var interval = Models.Scoring.Bootstrap.Percentile(values, Confidence);
        return new(estimate, interval.Low, interval.High, prompts);
    }

    /// <summary>
    /// Share of the pictures for which something holds, with Wilson's interval (Wilson 1927) as if each prompt were one observation: pictures of
    /// one prompt may well stand or fall together, and a bootstrap of no hits would have no width.
    /// </summary>
    public static Interval Share(EvaluationSet set, int hits)
    {
        var (prompts, share) = (set.Prompts.Count, (double)hits / set.Adapter.Count);
        var (low, high) = Proportion.Wilson((int)Math.Round(share * prompts), prompts, Confidence);
        return new(share, low, high, prompts);
    }

    /// <summary>Mean with a percentile bootstrap of the values themselves.</summary>
    public static Interval Mean(IReadOnlyList<double> values)
    {
        var random = new Random(20240607);
        var means = Enumerable.Range(0, Resamples).Select(_ => Enumerable.Range(0, values.Count).Average(_ => values[random.Next(values.Count)])).Order().ToArray();
        var interval = Models.Scoring.Bootstrap.Percentile(means, Confidence);
        return new(values.Average(), interval.Low, interval.High, values.Count);
    }
}

/// <summary>Similarities that several metrics need.</summary>
public static class Similarity
{
    /// <summary>
    /// Mean cosine of two different pictures, over a sample with repetitions of unit vectors: a picture drawn twice counts twice against the
    /// others and never against itself. 1 where there are no two.
    /// </summary>
    public static double MeanOfPairs(IReadOnlyList<float[]> vectors, IReadOnlyList<int> rows)
    {
        var sum = new double[vectors[0].Length];
        var counts = new int[vectors.Count];
        foreach (var row in rows)
        {
            counts[row]++;
            for (var k = 0; k < sum.Length; k++) sum[k] += vectors[row][k];
        }
        // |Σx|² holds every pair twice, and each picture with itself as often as the square of its count
        double same = 0, own = 0;
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] == 0) continue;
            same += (double)counts[i] * counts[i];
            own += (double)counts[i] * counts[i] * ClipScorer.Cosine(vectors[i], vectors[i]);
        }
        var pairs = (double)rows.Count * rows.Count - same;
        return pairs == 0 ? 1 : (sum.Sum(x => x * x) - own) / pairs;
    }

    /// <summary>Mean cosine of a vector with many.</summary>
    public static double Mean(float[] vector, IReadOnlyList<float[]> others) => others.Average(o => ClipScorer.Cosine(vector, o));

    /// <summary>Largest cosine of a vector with many, leaving out <paramref name="self"/>.</summary>
    public static double Nearest(float[] vector, IReadOnlyList<float[]> others, int self = -1)
    {
        var best = double.NegativeInfinity;
        for (var i = 0; i < others.Count; i++)
            if (i != self) best = Math.Max(best, ClipScorer.Cosine(vector, others[i]));
        return best;
    }
}
