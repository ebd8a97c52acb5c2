using MathNet.Numerics.LinearAlgebra;

namespace LoraFactory.Models.Scoring;

/// <summary>Measures of a set of vectors, one a row, in double precision.</summary>
public static class SetMetrics
{
    /// <summary>Eigenvalues of a similarity matrix at or below this are rounding.</summary>
    private const double Nothing = 1e-12;

    /// <summary>Vectors as rows of a matrix [n, d].</summary>
    public static Matrix<double> Rows(IReadOnlyList<float[]> vectors)
    {
        if (vectors.Count == 0) throw new ModelException("A set without vectors has no measure: give at least one.");
        return Matrix<double>.Build.Dense(vectors.Count, vectors[0].Length, (i, j) => vectors[i][j]);
    }

    /// <summary>Eigenvalues of XXᵀ/n for unit rows [n, d], largest first; they sum up to 1.</summary>
    public static double[] Spectrum(Matrix<double> unit) =>
        [.. (unit * unit.Transpose() / unit.RowCount).Evd(Symmetricity.Symmetric).EigenValues.Select(e => e.Real).OrderDescending()];

    /// <summary>
    /// Vendi score (Friedman and Dieng 2023) of unit rows [n, d]: the effective number of different ones, 1 when all are alike, n when all are
    /// orthogonal. Order <paramref name="q"/> above 0, infinity included, weighs the frequent more the larger it is; 1 is the score as published.
    /// </summary>
    public static double Vendi(Matrix<double> unit, double q = 1)
    {
        if (!(q > 0)) throw new ArgumentOutOfRangeException(nameof(q), q, "the order of a Vendi score is above 0");
        var eigenvalues = Spectrum(unit).Where(e => e > Nothing).ToArray();
        if (double.IsPositiveInfinity(q)) return 1 / eigenvalues[0];
        return q == 1 ? Math.Exp(-eigenvalues.Sum(e => e * Math.Log(e))) : Math.Pow(eigenvalues.Sum(e => Math.Pow(e, q)), 1 / (1 - q));
    }

    /// <summary>Mean cosine of two different rows [n, d] of unit length, −1..1; 1 for a single one.</summary>
    public static double MeanCosine(Matrix<double> unit)
    {
        var n = unit.RowCount;
        if (n < 2) return 1;
        var sum = unit.ColumnSums(); // |Σx|² holds every pair twice and every row with itself once
        return (sum.DotProduct(sum) - unit.PointwisePower(2).ColumnSums().Sum()) / ((double)n * (n - 1));
    }

    /// <summary>CLIP score (Hessel et al. 2021) of a picture and its text: 2.5 · max(cosine, 0), 0..2.5.</summary>
    public static double ClipScore(double cosine) => 2.5 * Math.Max(cosine, 0);
}
