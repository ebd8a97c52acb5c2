using LoraFactory.Flow;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>Counts right answers of an exam.</summary>
internal sealed class Share(string name, string meaning)
{
    /// <summary>The mean of numbers with its 95 % interval (normal approximation).</summary>
    public static Metric Mean(string name, IReadOnlyList<double> values, string meaning)
    {
        if (values.Count < 2) return new(name, values.FirstOrDefault(double.NaN), double.NaN, double.NaN, values.Count, null, null, meaning);
        var mean = values.Average();
        var half = 1.959964 * Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Count - 1) / values.Count);
        return new(name, mean, mean - half, mean + half, values.Count, null, null, meaning);
    }

    private int right;
    private int all;

    /// <summary>One more answer.</summary>
    public void Add(bool isRight)
    {
        all++;
        if (isRight) right++;
    }

    /// <summary>The share with its 95 % interval (Wilson 1927).</summary>
    public Metric Metric
    {
        get
        {
            if (all == 0) return new(name, double.NaN, double.NaN, double.NaN, 0, null, null, meaning);
            const double Z = 1.959964;
            var p = (double)right / all;
            var middle = (p + Z * Z / (2 * all)) / (1 + Z * Z / all);
            var half = Z / (1 + Z * Z / all) * Math.Sqrt(p * (1 - p) / all + Z * Z / (4.0 * all * all));
            return new(name, p, Math.Max(0, middle - half), Math.Min(1, middle + half), all, null, null, meaning);
        }
    }
}
