using System.Globalization;
using System.Text.Json;
using LoraFactory.Models.Scoring;
using LoraFactory.Torch;

namespace LoraFactory.Models.Parity;

/// <summary>Intervals, tests, the normal distribution and correlations; evaluate's intervals are of the same code.</summary>
public sealed class StatisticsCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["statistics"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        using var cases = JsonDocument.Parse(File.ReadAllBytes(@case.Path("cases.json")));
        var differences = @case.Tensor("in.a").ToArray<double>().Zip(@case.Tensor("in.b").ToArray<double>()).Select(p => p.First - p.Second).ToArray();
        foreach (var part in cases.RootElement.GetProperty("results").EnumerateObject())
        {
            switch (part.Name)
            {
                case "bootstrap": Intervals(@case, found, part.Value, differences); break;
                case "sign_flip": Compare(found, "sign_flip", part.Value, differences.Average(), Flipped(@case, differences), @case.Tolerance()); break;
                case "two_sample_permutation": Compare(found, "two_sample_permutation", part.Value, differences.Average(), Permuted(@case), @case.Tolerance()); break;
                case "wilson": Wilson(found, part.Value, @case.Tolerance()); break;
                case "norm_ppf": Table(found, part, NormalDistribution.Quantile, @case.Tolerance()); break;
                case "norm_cdf": Table(found, part, NormalDistribution.Cdf, @case.Tolerance()); break;
                case "norm_logcdf": Table(found, part, NormalDistribution.LogCdf, @case.Tolerance()); break;
                default: found.NotCovered.Add(part.Name); break;
            }
        }
        foreach (var (pair, i) in cases.RootElement.GetProperty("correlations").EnumerateArray().Select((p, i) => (p, i))) Correlations(found, $"correlations[{i}]", pair, @case.Tolerance());
    }

    // Rows of whole numbers [n, m], as arrays.
    private static IEnumerable<long[]> Draws(GoldenCase @case, string name)
    {
        var x = @case.Tensor(name);
        return x.ToArray<long>().Chunk((int)x.Size(1));
    }

    private static void Intervals(GoldenCase @case, Findings found, JsonElement expected, double[] d)
    {
        double[] replicates = [.. Draws(@case, "in.resample_idx").Select(rows => rows.Average(i => d[i])).Order()];
        double[] jackknife = [.. d.Select((x, i) => (d.Sum() - x) / (d.Length - 1))];
        var estimate = d.Average();
        foreach (var level in expected.EnumerateObject())
        {
            var confidence = double.Parse(level.Name, CultureInfo.InvariantCulture);
            var accelerated = Bootstrap.Accelerated(replicates, estimate, jackknife, confidence);
            var (percentile, basic) = (Bootstrap.Percentile(replicates, confidence), Bootstrap.Basic(replicates, estimate, confidence));
            foreach (var value in level.Value.EnumerateObject())
            {
                double[]? actual = value.Name switch
                {
                    "theta" => [estimate],
                    "percentile" => [percentile.Low, percentile.High],
                    "basic" => [basic.Low, basic.High],
                    "bca" => [accelerated.Low, accelerated.High],
                    "bca_levels" => [accelerated.LowLevel, accelerated.HighLevel],
                    "z0" => [Bootstrap.Bias(replicates, estimate)],
                    "acceleration" => [Bootstrap.Acceleration(jackknife)],
                    "se" => [Bootstrap.StandardError(replicates)],
                    "fraction_le_0" => [replicates.Count(r => r <= 0) / (double)replicates.Length],
                    _ => null,
                };
                var name = $"bootstrap.{level.Name}.{value.Name}";
                if (actual is null) found.NotCovered.Add(name);
                else found.Close(name, actual, value.Value.ValueKind == JsonValueKind.Array ? [.. value.Value.EnumerateArray().Select(v => v.GetDouble())] : [value.Value.GetDouble()], @case.Tolerance());
            }
        }
    }

    private static List<double> Flipped(GoldenCase @case, double[] d) => [.. Draws(@case, "in.signs").Select(signs => signs.Zip(d).Sum(p => p.First * p.Second) / d.Length)];

    private static List<double> Permuted(GoldenCase @case)
    {
        var a = @case.Tensor("in.a").ToArray<double>();
        double[] both = [.. a, .. @case.Tensor("in.b").ToArray<double>()];
        return [.. Draws(@case, "in.perms").Select(order => order.Take(a.Length).Average(i => both[i]) - order.Skip(a.Length).Average(i => both[i]))];
    }

    private static void Compare(Findings found, string name, JsonElement expected, double seen, List<double> chance, Tolerance tolerance)
    {
        var p = Significance.Of(seen, chance);
        foreach (var value in expected.EnumerateObject())
        {
            double? actual = value.Name switch { "statistic" => seen, "p_two_sided" => p.TwoSided, "p_greater" => p.Greater, "p_less" => p.Less, _ => null };
            if (actual is { } number) found.Close($"{name}.{value.Name}", number, value.Value.GetDouble(), tolerance);
            else found.NotCovered.Add($"{name}.{value.Name}");
        }
    }

    private static void Wilson(Findings found, JsonElement expected, Tolerance tolerance)
    {
        foreach (var one in expected.EnumerateArray())
        {
            var (hits, n, confidence) = (one.GetProperty("k").GetInt32(), one.GetProperty("n").GetInt32(), one.GetProperty("confidence").GetDouble());
            var (low, high) = Proportion.Wilson(hits, n, confidence);
            found.Close($"wilson {hits} of {n} at {confidence}", [low, high], [one.GetProperty("low").GetDouble(), one.GetProperty("high").GetDouble()], tolerance);
            found.Close($"wilson z at {confidence}", NormalDistribution.Quantile((1 + confidence) / 2), one.GetProperty("z").GetDouble(), tolerance);
        }
    }

    private static void Table(Findings found, JsonProperty table, Func<double, double> function, Tolerance tolerance)
    {
        foreach (var row in table.Value.EnumerateObject())
            found.Close($"{table.Name}({row.Name})", function(double.Parse(row.Name, CultureInfo.InvariantCulture)), row.Value.GetDouble(), tolerance);
    }

    private static void Correlations(Findings found, string name, JsonElement pair, Tolerance tolerance)
    {
        double[] Numbers(string key) => [.. pair.GetProperty(key).EnumerateArray().Select(v => v.GetDouble())];
        var (x, y) = (Numbers("x"), Numbers("y"));
        foreach (var value in pair.EnumerateObject().Where(v => v.Name is not ("x" or "y")))
        {
            double[]? actual = value.Name switch
            {
                "ranks_x" => Correlation.Ranks(x),
                "ranks_y" => Correlation.Ranks(y),
                "pearson" => [Correlation.Pearson(x, y)],
                "spearman" => [Correlation.Spearman(x, y)],
                "spearman_p_t" => [Correlation.PValue(Correlation.Spearman(x, y), x.Length)],
                "kendall_tau_b" => [Correlation.KendallB(x, y)],
                "kendall_tau_c" => [Correlation.KendallC(x, y)],
                _ => null,
            };
            if (actual is null) found.NotCovered.Add($"{name}.{value.Name}");
            else found.Close($"{name}.{value.Name}", actual, value.Value.ValueKind == JsonValueKind.Array ? Numbers(value.Name) : [value.Value.GetDouble()], tolerance);
        }
    }
}
