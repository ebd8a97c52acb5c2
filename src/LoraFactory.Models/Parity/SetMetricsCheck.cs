using System.Globalization;
using LoraFactory.Models.Scoring;
using LoraFactory.Torch;
using MathNet.Numerics.LinearAlgebra;

namespace LoraFactory.Models.Parity;

/// <summary>Measures of sets of vectors: diversity, distances of distributions, overlap, similarity of pairs. Evaluate computes with the same code.</summary>
public sealed class SetMetricsCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["set-metrics"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        foreach (var name in @case.Names("out.").ToArray())
        {
            using var scope = new Scope();
            var expected = @case.Tensor(name);
            var parts = name["out.".Length..].Split('.', 2);
            if (Numbers(@case, parts[0], parts.Length > 1 ? parts[1] : "") is not { } actual)
            {
                found.NotCovered.Add(name);
                continue;
            }
            // what was stored in float32 was rounded to it
            if (expected.DType == DType.Float32) actual = Array.ConvertAll(actual, a => (double)(float)a);
            found.Close(name, actual, expected.ToArray<double>(), parts[0] == "fid" ? Singular(@case, parts[1]) : @case.Tolerance(), expected.Shape);
        }
    }

    private static double[]? Numbers(GoldenCase @case, string group, string what) => group switch
    {
        "vendi" => Vendi(@case, what),
        "fid" => Frechet(@case, what),
        "kid" => Kernel(@case, what),
        "cmmd" => Cmmd(@case, what),
        "prdc" => Overlap(@case, what),
        "sliced_w2" => Sliced(@case, what),
        "clipscore" => ClipScore(@case, what),
        "pairwise" => what switch
        {
            "mean_cosine" => [SetMetrics.MeanCosine(Rows(@case, "U"))],
            "rep.mean_cosine" => [SetMetrics.MeanCosine(Rows(@case, "rep"))],
            "diversity" => [1 - SetMetrics.MeanCosine(Rows(@case, "U"))],
            _ => null,
        },
        _ => null,
    };

    private static Matrix<double> Rows(GoldenCase @case, string name)
    {
        var x = @case.Tensor($"in.{name}");
        return Matrix<double>.Build.DenseOfRowMajor((int)x.Size(0), (int)x.Size(1), x.ToArray<double>());
    }

    private static double[]? Vendi(GoldenCase @case, string what)
    {
        var (set, measure) = (what[..what.IndexOf('.', StringComparison.Ordinal)], what[(what.IndexOf('.', StringComparison.Ordinal) + 1)..]);
        if (measure == "eigenvalues") return SetMetrics.Spectrum(Rows(@case, set));
        var order = measure == "qinf" ? double.PositiveInfinity : double.Parse(measure.AsSpan(1), CultureInfo.InvariantCulture);
        return [SetMetrics.Vendi(Rows(@case, set), order)];
    }

    private static double[]? Frechet(GoldenCase @case, string what)
    {
        var parts = what.Split('.');
        var (a, b) = parts[0] switch { "full" => ("A", "B"), "identical" => ("A", "A"), "singular" => ("small1", "small2"), _ => ("", "") };
        if (a.Length == 0) return null;
        if (parts.Length == 1) return [SetDistance.Frechet(Rows(@case, a), Rows(@case, b))];
        var moments = new Lazy<(Vector<double> Mean, Matrix<double> Covariance)>(() => SetDistance.Moments(Rows(@case, parts[1][^1] == 'A' ? a : b)));
        return parts[1] switch
        {
            "trace_sqrt" => [SetDistance.TraceOfRoot(Rows(@case, a), Rows(@case, b))],
            "mu_A" or "mu_B" => moments.Value.Mean.ToArray(),
            "cov_A" or "cov_B" => moments.Value.Covariance.ToRowMajorArray(),
            _ => null,
        };
    }

    // With fewer rows than columns the expected value holds the roots of eigenvalues that are 0 but for rounding, each up to √(ε · largest)
    // off: of the case with 6 and 5 rows in 16 columns it is 1.05e-7 above the value in 40 digits, which singular values give to 1e-15.
    private static Tolerance Singular(GoldenCase @case, string what)
    {
        if (!what.StartsWith("singular", StringComparison.Ordinal)) return @case.Tolerance();
        var (a, b) = (Rows(@case, "small1"), Rows(@case, "small2"));
        var rounding = a.ColumnCount * Math.Sqrt(double.BitIncrement(1) - 1) * SetDistance.TraceOfRoot(a, b);
        return @case.Tolerance() with { Absolute = @case.Tolerance().Absolute + 2 * rounding };
    }

    private static double[]? Kernel(GoldenCase @case, string what)
    {
        var (a, b) = (Rows(@case, "A"), Rows(@case, "B"));
        if (what == "full_unbiased") return [SetDistance.Kernel(a, b)];
        var subsets = @case.Tensor("in.subsets"); // [n, 2, rows]: of A, then of B
        var values = new double[subsets.Size(0)];
        for (var n = 0; n < values.Length; n++)
        {
            Matrix<double> Chosen(Matrix<double> of, int side) => Matrix<double>.Build.DenseOfRowVectors(subsets.Select(0, n).Select(0, side).ToArray<long>().Select(i => of.Row((int)i)));
            values[n] = SetDistance.Kernel(Chosen(a, 0), Chosen(b, 1));
        }
        var mean = values.Average();
        return what switch
        {
            "subset_values" => values,
            "mean" => [mean],
            "std" => [Math.Sqrt(values.Average(v => (v - mean) * (v - mean)))],
            _ => null,
        };
    }

    private static double[]? Cmmd(GoldenCase @case, string what) => what switch
    {
        "biased" => [SetDistance.Cmmd(Rows(@case, "U"), Rows(@case, "V"))],
        "biased_identical" => [SetDistance.Cmmd(Rows(@case, "U"), Rows(@case, "U"))],
        "biased_unnormalised" => [SetDistance.Cmmd(Rows(@case, "A"), Rows(@case, "B"))],
        "unbiased" => [SetDistance.Cmmd(Rows(@case, "U"), Rows(@case, "V"), biased: false)],
        _ => null,
    };

    private static double[]? Overlap(GoldenCase @case, string what)
    {
        var parts = what.Split('.');
        var overlap = Neighbourhoods.Of(Rows(@case, "A"), Rows(@case, "B"), int.Parse(parts[0].AsSpan(1), CultureInfo.InvariantCulture));
        return parts[1] switch
        {
            "precision" => [overlap.Precision],
            "recall" => [overlap.Recall],
            "density" => [overlap.Density],
            "coverage" => [overlap.Coverage],
            _ => null,
        };
    }

    private static double[]? Sliced(GoldenCase @case, string what)
    {
        var (a, b, directions) = (Rows(@case, "A"), Rows(@case, "B"), Rows(@case, "dirs"));
        var equal = Math.Min(a.RowCount, b.RowCount);
        return what switch
        {
            "" => [Math.Sqrt(SetDistance.SlicedWasserstein(a, b, directions).Average())],
            "squared_per_direction" => SetDistance.SlicedWasserstein(a, b, directions),
            "equal_sizes" => [Math.Sqrt(SetDistance.SlicedWasserstein(a.SubMatrix(0, equal, 0, a.ColumnCount), b.SubMatrix(0, equal, 0, b.ColumnCount), directions).Average())],
            _ => null,
        };
    }

    private static double[]? ClipScore(GoldenCase @case, string what)
    {
        var (pictures, texts) = (Rows(@case, "image_emb").NormalizeRows(2), Rows(@case, "text_emb").NormalizeRows(2));
        var cosines = pictures.EnumerateRows().Zip(texts.EnumerateRows()).Select(p => p.First.DotProduct(p.Second)).ToArray();
        return what switch
        {
            "cosine" => cosines,
            "w2_5" => Array.ConvertAll(cosines, SetMetrics.ClipScore),
            "mean" => [cosines.Average(SetMetrics.ClipScore)],
            "torchmetrics_style_100" => [Math.Max(100 * cosines.Average(), 0)],
            _ => null,
        };
    }
}
