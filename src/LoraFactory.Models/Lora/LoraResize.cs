using LoraFactory.Torch;

namespace LoraFactory.Models.Lora;

/// <summary>How the new rank of each module is found. Definitions of kohya's resize script: the three measured ones keep one more than needed.</summary>
public enum RankRule
{
    /// <summary>The given rank.</summary>
    Fixed,
    /// <summary>Singular values above the largest divided by the parameter.</summary>
    SingularRatio,
    /// <summary>As many as reach the parameter's share of the sum of singular values.</summary>
    CumulativeSum,
    /// <summary>As many as reach the parameter's share of the Frobenius norm.</summary>
    FrobeniusShare,
}

/// <summary>A smaller module, and what share of the old product it keeps: of the sum of singular values and of the Frobenius norm; null for a zero product.</summary>
public sealed record ResizedModule(LoraModule Module, double? SumRetained, double? FrobeniusRetained);

/// <summary>Rank reduction by singular value decomposition of up·down.</summary>
public static class LoraResize
{
    /// <summary>
    /// Resizes one module; alpha scales with the rank, so that alpha / rank stays. <paramref name="newRank"/>: the rank, or the cap of a measured
    /// rule, 1 to 4096. <paramref name="parameter"/>: ratio above 0, or a share in (0, 1]; not read by <see cref="RankRule.Fixed"/>.
    /// A module whose largest singular value is at most 1e-6 keeps rank 1.
    /// </summary>
    public static ResizedModule Resize(LoraModule module, RankRule rule, int newRank, double parameter = 0)
    {
        Check(rule, newRank, parameter);
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var shape = module.BaseShape;
        var (outputs, inputs) = (shape[0], shape.Skip(1).Aggregate(1L, (a, b) => a * b));
        // the product has at most module.Rank singular values: QR of both factors leaves a small core to decompose
        var (upQ, upR) = Ops.LinalgQr(module.Up.To(DType.Float32).Flatten(1));
        var (downQ, downR) = Ops.LinalgQr(module.Down.To(DType.Float32).Flatten(1).T());
        var (u, s, vh) = Ops.LinalgSvd(upR.Mm(downR.T()), fullMatrices: false);
        var values = s.ToArray<double>();
        var rank = NewRank(values, (int)Math.Min(outputs, inputs), rule, newRank, parameter);
        var kept = Math.Min(rank, values.Length);
        var up = upQ.Mm(u).Narrow(1, 0, kept).Mul(s.Narrow(0, 0, kept));
        var down = vh.Narrow(0, 0, kept).Mm(downQ.T());
        if (rank > kept) (up, down) = (up.ConstantPadNd([0, rank - kept]), down.ConstantPadNd([0, 0, 0, rank - kept]));
        shape[0] = rank;
        var resized = new LoraModule(module.Component, module.Path, down.Reshape(shape).Contiguous(),
            (module.IsConvolution ? up.Reshape([outputs, rank, 1, 1]) : up).Contiguous(), module.Scale * rank)
        { Dropout = module.Dropout };
        if (IsZero(values)) return new(resized, null, null);
        double Power(IEnumerable<double> all, double p) => all.Sum(x => Math.Pow(x, p));
        return new(resized, Power(values.Take(kept), 1) / Power(values, 1), Math.Sqrt(Power(values.Take(kept), 2) / Power(values, 2)));
    }

    /// <summary>Resizes every module of an adapter into a new one.</summary>
    public static LoraAdapter Resize(LoraAdapter adapter, RankRule rule, int newRank, double parameter = 0) =>
        new(adapter.Modules.Select(module => Resize(module, rule, newRank, parameter).Module).ToList(), adapter.Metadata);

    private static bool IsZero(double[] values) => values.Length == 0 || values[0] <= 1e-6;

    // `full` is the number of singular values of the product as a plain matrix, which bounds the criterion's index.
    private static int NewRank(double[] values, int full, RankRule rule, int newRank, double parameter)
    {
        if (IsZero(values)) return 1;
        var index = rule switch
        {
            RankRule.SingularRatio => values.Count(v => v > values[0] / parameter),
            RankRule.CumulativeSum => Reaching(values, 1, parameter),
            RankRule.FrobeniusShare => Reaching(values, 2, parameter * parameter),
            _ => newRank - 1,
        };
        return Math.Min(rule == RankRule.Fixed ? newRank : Math.Clamp(index, 1, Math.Max(1, full - 1)) + 1, Math.Min(newRank, full));
    }

    private static int Reaching(double[] values, double power, double share)
    {
        var total = values.Sum(v => Math.Pow(v, power));
        var sum = 0.0;
        for (var i = 0; i < values.Length; i++)
        {
            sum += Math.Pow(values[i], power);
            if (sum / total >= share) return i + 1;
        }
        return values.Length;
    }

    private static void Check(RankRule rule, int newRank, double parameter)
    {
        if (newRank is < 1 or > LoraSpec.MaximumRank) throw new ModelException($"The new rank is {newRank}; it has to lie from 1 to {LoraSpec.MaximumRank}.");
        var fits = rule switch
        {
            RankRule.Fixed => true,
            RankRule.SingularRatio => parameter > 0 && double.IsFinite(parameter),
            _ => parameter is > 0 and <= 1,
        };
        if (!fits) throw new ModelException($"The parameter of {rule} is {parameter}; it has to be {(rule == RankRule.SingularRatio ? "above 0" : "above 0 and at most 1")}.");
    }
}
