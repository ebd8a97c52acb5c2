using MathNet.Numerics.LinearAlgebra;

namespace LoraFactory.Models.Scoring;

/// <summary>
/// Overlap of a real and a generated set: around each row a ball that reaches to its k-th nearest other row of its own set, border included.
/// </summary>
/// <param name="Precision">Share of generated rows inside a real row's ball (Kynkäänniemi et al. 2019).</param>
/// <param name="Recall">Share of real rows inside a generated row's ball.</param>
/// <param name="Density">Real balls that hold a generated row, over k, mean (Naeem et al. 2020); may exceed 1.</param>
/// <param name="Coverage">Share of real balls that hold a generated row.</param>
public readonly record struct Neighbourhoods(double Precision, double Recall, double Density, double Coverage)
{
    /// <summary>Measures rows [n, d] and [m, d], both with more than <paramref name="k"/> rows.</summary>
    public static Neighbourhoods Of(Matrix<double> real, Matrix<double> generated, int k)
    {
        if (k < 1 || real.RowCount <= k || generated.RowCount <= k)
            throw new ArgumentOutOfRangeException(nameof(k), k, $"the k-th neighbour has to be there in both sets, of {real.RowCount} and {generated.RowCount} rows");
        var (own, other) = (Radii(real, k), Radii(generated, k));
        var apart = SetDistance.Squares(real, generated).PointwiseSqrt();
        int Inside(int j) => Enumerable.Range(0, real.RowCount).Count(i => apart[i, j] <= own[i]);
        var hits = Enumerable.Range(0, generated.RowCount).Select(Inside).ToArray();
        double Share(Matrix<double> of, Func<int, bool> holds) => Enumerable.Range(0, of.RowCount).Count(holds) / (double)of.RowCount;
        return new(
            Share(generated, j => hits[j] > 0),
            Share(real, i => Enumerable.Range(0, generated.RowCount).Any(j => apart[i, j] <= other[j])),
            hits.Sum() / ((double)k * generated.RowCount),
            Share(real, i => Enumerable.Range(0, generated.RowCount).Any(j => apart[i, j] <= own[i])));
    }

    private static double[] Radii(Matrix<double> rows, int k) =>
        [.. SetDistance.Squares(rows, rows).PointwiseSqrt().EnumerateRows().Select((row, i) => row.Where((_, j) => j != i).Order().ElementAt(k - 1))];
}
