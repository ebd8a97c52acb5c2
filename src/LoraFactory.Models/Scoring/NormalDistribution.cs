using MathNet.Numerics.Distributions;

namespace LoraFactory.Models.Scoring;

/// <summary>The standard normal distribution.</summary>
public static class NormalDistribution
{
    /// <summary>Φ(x).</summary>
    public static double Cdf(double x) => Normal.CDF(0, 1, x);

    /// <summary>Φ⁻¹(p); infinite at 0 and 1.</summary>
    public static double Quantile(double p) => Normal.InvCDF(0, 1, p);

    /// <summary>log Φ(x), exact in both tails, where Φ itself is 0 or 1.</summary>
    public static double LogCdf(double x)
    {
        if (x > 0)
        {
            var q = Cdf(-x);
            return q < 1e-5 ? -q * (1 + q * (0.5 + q / 3)) : Math.Log(1 - q);
        }
        if (x > -5) return Math.Log(Cdf(x));
        // Φ(x) = φ(x) / (t + 1/(t + 2/(t + 3/(t + …)))), t = −x (Laplace's continued fraction)
        var t = -x;
        var fraction = t;
        for (var k = 200; k > 0; k--) fraction = t + k / fraction;
        return -0.5 * x * x - 0.5 * Math.Log(2 * Math.PI) - Math.Log(fraction);
    }
}
