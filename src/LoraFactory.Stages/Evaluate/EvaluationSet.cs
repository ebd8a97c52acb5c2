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
    /// <summary>Pictures that were trained on.</summary>
    public required IReadOnlyList<float[]> Trained { get; init; }
    /// <summary>Vectors of the trained pictures' captions, in the same order.</summary>
    public required IReadOnlyList<float[]> TrainedCaptions { get; init; }

    /// <summary>Prompt of picture <paramref name="i"/>.</summary>
    public int PromptOf(int i) => i / PerPrompt;
}

/// <summary>An estimate with its 95 % interval.</summary>
public readonly record struct Interval(double Value, double Low, double High, int N);

/// <summary>Intervals over prompts: pictures of one prompt are not independent, prompts are.</summary>
public static class Intervals
{
    private const int Resamples = 2000;
    private const double Confidence = 0.95;

    /// <summary>
    /// Percentile bootstrap (Efron 1979) of a statistic of the pictures, by resampling whole prompts. Deterministic: the seed is fixed.
    /// </summary>
    public static Interval Bootstrap(EvaluationSet set, Func<IReadOnlyList<int>, double> statistic)
    {
        var prompts = set.Prompts.Count;
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
        return new(statistic([.. Enumerable.Range(0, set.Adapter.Count)]), interval.Low, interval.High, set.Adapter.Count);
    }

    /// <summary>Wilson's interval of a share (Wilson 1927).</summary>
    public static Interval Share(int hits, int n)
    {
        var (low, high) = Proportion.Wilson(hits, n, Confidence);
        return new(n == 0 ? double.NaN : (double)hits / n, low, high, n);
    }
}

/// <summary>Similarities that several metrics need.</summary>
public static class Similarity
{
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
