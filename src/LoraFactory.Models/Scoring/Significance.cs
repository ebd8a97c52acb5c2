using MathNet.Numerics.Distributions;

namespace LoraFactory.Models.Scoring;

/// <summary>Shares of a null distribution at least as extreme as what was seen.</summary>
/// <param name="TwoSided">By absolute value.</param>
/// <param name="Greater">At least as large.</param>
/// <param name="Less">At least as small.</param>
public readonly record struct Significance(double TwoSided, double Greater, double Less)
{
    private const double Slack = 1e-12;

    /// <summary>p = (1 + number at least as extreme) / (N + 1), the seen one counted among its own null distribution; ties by rounding count.</summary>
    public static Significance Of(double seen, IReadOnlyList<double> chance)
    {
        double Share(Func<double, bool> extreme) => (1.0 + chance.Count(extreme)) / (chance.Count + 1);
        return new(Share(x => Math.Abs(x) >= Math.Abs(seen) - Slack), Share(x => x >= seen - Slack), Share(x => x <= seen + Slack));
    }
}

/// <summary>Correlations of paired values.</summary>
public static class Correlation
{
    /// <summary>Ranks from 1, ties sharing their mean.</summary>
    public static double[] Ranks(IReadOnlyList<double> values) =>
        [.. values.Select(v => values.Count(o => o < v) + (values.Count(o => o == v) + 1) / 2.0)];

    /// <summary>Pearson's r, −1..1; NaN when one side is constant.</summary>
    public static double Pearson(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        var (mx, my) = (x.Average(), y.Average());
        var sxy = x.Zip(y).Sum(p => (p.First - mx) * (p.Second - my));
        return sxy / Math.Sqrt(x.Sum(v => (v - mx) * (v - mx)) * y.Sum(v => (v - my) * (v - my)));
    }

    /// <summary>Spearman's ρ: Pearson's r of the ranks.</summary>
    public static double Spearman(IReadOnlyList<double> x, IReadOnlyList<double> y) => Pearson(Ranks(x), Ranks(y));

    /// <summary>Two-sided p of a correlation of n pairs by Student's t with n − 2 degrees; 0 at ±1.</summary>
    public static double PValue(double r, int n)
    {
        if (Math.Abs(r) >= 1) return 0;
        var t = Math.Abs(r) * Math.Sqrt((n - 2) / ((1 - r) * (1 + r)));
        return 2 * StudentT.CDF(0, 1, n - 2, -t);
    }

    /// <summary>Kendall's τ-b, which corrects for ties on either side.</summary>
    public static double KendallB(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        var (agreeing, tiedX, tiedY, pairs) = Pairs(x, y);
        return agreeing / Math.Sqrt((double)(pairs - tiedX) * (pairs - tiedY));
    }

    /// <summary>Stuart's τ-c, for tables with more columns than rows.</summary>
    public static double KendallC(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        var classes = Math.Min(x.Distinct().Count(), y.Distinct().Count());
        return 2.0 * Pairs(x, y).Agreeing / ((double)x.Count * x.Count * (classes - 1) / classes);
    }

    // Pairs in the same order less pairs in the opposite one, and how many are tied.
    private static (long Agreeing, long TiedX, long TiedY, long Pairs) Pairs(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        long agreeing = 0, tiedX = 0, tiedY = 0, pairs = 0;
        for (var i = 0; i < x.Count; i++)
        {
            for (var j = i + 1; j < x.Count; j++)
            {
                var (dx, dy) = (x[i].CompareTo(x[j]), y[i].CompareTo(y[j]));
                agreeing += Math.Sign(dx) * Math.Sign(dy);
                if (dx == 0) tiedX++;
                if (dy == 0) tiedY++;
                pairs++;
            }
        }
        return (agreeing, tiedX, tiedY, pairs);
    }
}
