namespace LoraFactory.Models.Schedulers;

/// <summary>Quantiles of the Beta distribution, by bisection of its regularised incomplete beta function.</summary>
internal static class BetaDistribution
{
    /// <summary>x in [0, 1] with P(X ≤ x) = <paramref name="p"/>.</summary>
    public static double Quantile(double p, double a, double b)
    {
        if (p <= 0) return 0;
        if (p >= 1) return 1;
        var (low, high) = (0.0, 1.0);
        for (var i = 0; i < 100; i++)
        {
            var middle = (low + high) / 2;
            if (MathNet.Numerics.SpecialFunctions.BetaRegularized(a, b, middle) < p) low = middle;
            else high = middle;
        }
        return (low + high) / 2;
    }
}
