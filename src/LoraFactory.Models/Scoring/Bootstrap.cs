namespace LoraFactory.Models.Scoring;

/// <summary>An interval with the levels of the replicates that its ends are read at.</summary>
/// <param name="Low">Low end.</param>
/// <param name="High">High end.</param>
/// <param name="LowLevel">Quantile of the low end, 0..1.</param>
/// <param name="HighLevel">Quantile of the high end.</param>
public readonly record struct BootstrapInterval(double Low, double High, double LowLevel, double HighLevel);

/// <summary>Intervals from replicates of a statistic (Efron 1979, 1987), which come sorted; confidence is 0.95 or the like.</summary>
public static class Bootstrap
{
    /// <summary>Quantile of sorted values, linear between neighbours at (n − 1)·q; NaN of none.</summary>
    public static double Quantile(IReadOnlyList<double> sorted, double q)
    {
        if (sorted.Count == 0) return double.NaN;
        var at = (sorted.Count - 1) * q;
        var low = (int)Math.Floor(at);
        var high = Math.Min(low + 1, sorted.Count - 1);
        return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
    }

    /// <summary>The middle of the replicates themselves.</summary>
    public static BootstrapInterval Percentile(IReadOnlyList<double> sorted, double confidence) => At(sorted, (1 - confidence) / 2, (1 + confidence) / 2);

    /// <summary>The percentile interval mirrored at the estimate.</summary>
    public static BootstrapInterval Basic(IReadOnlyList<double> sorted, double estimate, double confidence)
    {
        var p = Percentile(sorted, confidence);
        return new(2 * estimate - p.High, 2 * estimate - p.Low, p.LowLevel, p.HighLevel);
    }

    /// <summary>Bias-corrected and accelerated: the percentile interval at levels that allow for a skewed statistic.</summary>
    public static BootstrapInterval Accelerated(IReadOnlyList<double> sorted, double estimate, IReadOnlyList<double> jackknife, double confidence)
    {
        var (bias, acceleration) = (Bias(sorted, estimate), Acceleration(jackknife));
        double Level(double z) => NormalDistribution.Cdf(bias + (bias + z) / (1 - acceleration * (bias + z)));
        return At(sorted, Level(NormalDistribution.Quantile((1 - confidence) / 2)), Level(NormalDistribution.Quantile((1 + confidence) / 2)));
    }

    /// <summary>z₀: how far the median of the replicates lies from the estimate, in standard deviations of a normal; ties count half.</summary>
    public static double Bias(IReadOnlyList<double> replicates, double estimate) =>
        NormalDistribution.Quantile((replicates.Count(r => r < estimate) + 0.5 * replicates.Count(r => r == estimate)) / replicates.Count);

    /// <summary>Acceleration from the statistic with one observation left out at a time; 0 when they are all alike.</summary>
    public static double Acceleration(IReadOnlyList<double> jackknife)
    {
        var mean = jackknife.Average();
        var squares = jackknife.Sum(j => (mean - j) * (mean - j));
        return squares == 0 ? 0 : jackknife.Sum(j => Math.Pow(mean - j, 3)) / (6 * Math.Pow(squares, 1.5));
    }

    /// <summary>Standard deviation of the replicates, over n − 1.</summary>
    public static double StandardError(IReadOnlyList<double> replicates)
    {
        var mean = replicates.Average();
        return Math.Sqrt(replicates.Sum(r => (r - mean) * (r - mean)) / (replicates.Count - 1));
    }

    private static BootstrapInterval At(IReadOnlyList<double> sorted, double low, double high) => new(Quantile(sorted, low), Quantile(sorted, high), low, high);
}

/// <summary>Share of hits among independent trials.</summary>
public static class Proportion
{
    /// <summary>Wilson's interval without continuity correction (Wilson 1927), within 0..1.</summary>
    public static (double Low, double High) Wilson(int hits, int n, double confidence)
    {
        if (n == 0) return (0, 1);
        var z = NormalDistribution.Quantile((1 + confidence) / 2);
        var p = (double)hits / n;
        var middle = (p + z * z / (2 * n)) / (1 + z * z / n);
        var half = z / (1 + z * z / n) * Math.Sqrt(p * (1 - p) / n + z * z / (4.0 * n * n));
        return (Math.Max(0, middle - half), Math.Min(1, middle + half));
    }
}
