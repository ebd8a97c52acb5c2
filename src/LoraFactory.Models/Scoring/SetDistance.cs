using MathNet.Numerics.LinearAlgebra;

namespace LoraFactory.Models.Scoring;

/// <summary>How far two sets of vectors, one a row, are apart as distributions; in double precision.</summary>
public static class SetDistance
{
    /// <summary>Mean [d] and covariance [d, d] (over n − 1) of rows [n, d].</summary>
    public static (Vector<double> Mean, Matrix<double> Covariance) Moments(Matrix<double> rows)
    {
        var centred = Centred(rows, out var mean);
        return (mean, centred.TransposeThisAndMultiply(centred) / (rows.RowCount - 1));
    }

    /// <summary>
    /// Fréchet distance of two Gaussians (Heusel et al. 2017): |μ₁ − μ₂|² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁Σ₂)^½. Needs two rows in each set.
    /// </summary>
    public static double Frechet(Matrix<double> a, Matrix<double> b)
    {
        var ((m1, s1), (m2, s2)) = (Moments(a), Moments(b));
        return (m1 - m2).DotProduct(m1 - m2) + s1.Trace() + s2.Trace() - 2 * TraceOfRoot(a, b);
    }

    /// <summary>
    /// tr (Σ₁Σ₂)^½. With centred rows X, Y it is the sum of the singular values of X Yᵀ / √((n − 1)(m − 1)), which stays exact where there are
    /// fewer rows than columns: no root of an eigenvalue that is 0 but for rounding.
    /// </summary>
    public static double TraceOfRoot(Matrix<double> a, Matrix<double> b)
    {
        var product = Centred(a, out _).TransposeAndMultiply(Centred(b, out _));
        return product.Svd(computeVectors: false).S.Sum() / Math.Sqrt((a.RowCount - 1.0) * (b.RowCount - 1.0));
    }

    /// <summary>Kernel distance (Bińkowski et al. 2018): unbiased MMD² with (x·y/d + 1)³; may be negative.</summary>
    public static double Kernel(Matrix<double> a, Matrix<double> b) =>
        Discrepancy(a, b, biased: false, (x, y) => (x.TransposeAndMultiply(y) / x.ColumnCount + 1).PointwisePower(3));

    /// <summary>
    /// CLIP maximum mean discrepancy (Jayasumana et al. 2024): 1000 · MMD² with exp(−|x − y|² / (2·10²)). Biased, as published, keeps each
    /// row's kernel with itself, so that a set is 0 apart from itself.
    /// </summary>
    public static double Cmmd(Matrix<double> a, Matrix<double> b, bool biased = true) =>
        1000 * Discrepancy(a, b, biased, (x, y) => (Squares(x, y) / -200).PointwiseExp());

    /// <summary>
    /// Squared Wasserstein-2 distance of the projections onto each row of <paramref name="directions"/> [k, d]; the sets may differ in size
    /// (Bonneel et al. 2015). The sliced distance is the root of their mean.
    /// </summary>
    public static double[] SlicedWasserstein(Matrix<double> a, Matrix<double> b, Matrix<double> directions) =>
        [.. directions.EnumerateRows().Select(d => SquaredWasserstein([.. (a * d).Order()], [.. (b * d).Order()]))];

    // Both quantile functions are steps; between two places where either steps, both are constant.
    private static double SquaredWasserstein(double[] x, double[] y)
    {
        var (i, j, sum) = (0, 0, 0.0);
        long at = 0, total = (long)x.Length * y.Length;
        while (at < total)
        {
            var next = Math.Min((i + 1L) * y.Length, (j + 1L) * x.Length);
            sum += (next - at) * (x[i] - y[j]) * (x[i] - y[j]);
            if (next == (i + 1L) * y.Length) i++;
            if (next == (j + 1L) * x.Length) j++;
            at = next;
        }
        return sum / total;
    }

    private static double Discrepancy(Matrix<double> a, Matrix<double> b, bool biased, Func<Matrix<double>, Matrix<double>, Matrix<double>> kernel)
    {
        double Within(Matrix<double> x)
        {
            var k = kernel(x, x);
            var n = (double)x.RowCount;
            return biased ? k.ColumnSums().Sum() / (n * n) : (k.ColumnSums().Sum() - k.Diagonal().Sum()) / (n * (n - 1));
        }
        return Within(a) + Within(b) - 2 * kernel(a, b).ColumnSums().Sum() / ((double)a.RowCount * b.RowCount);
    }

    /// <summary>Squared distances [n, m] of rows [n, d] and [m, d], by their differences: products of near vectors lose digits.</summary>
    internal static Matrix<double> Squares(Matrix<double> a, Matrix<double> b) => Matrix<double>.Build.Dense(a.RowCount, b.RowCount, (i, j) =>
    {
        var sum = 0.0;
        for (var k = 0; k < a.ColumnCount; k++) sum += (a[i, k] - b[j, k]) * (a[i, k] - b[j, k]);
        return sum;
    });

    private static Matrix<double> Centred(Matrix<double> rows, out Vector<double> mean)
    {
        var middle = rows.ColumnSums() / rows.RowCount;
        mean = middle;
        return rows.MapIndexed((_, j, value) => value - middle[j], Zeros.Include);
    }
}
