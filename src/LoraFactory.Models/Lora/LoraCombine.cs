using LoraFactory.Torch;

namespace LoraFactory.Models.Lora;

/// <summary>What is done with the adapters' values before and while they are added.</summary>
public enum CombineRule
{
    /// <summary>Weighted sum.</summary>
    Linear,
    /// <summary>Ranks side by side: exact for any ranks.</summary>
    Concatenate,
    /// <summary>Largest magnitudes kept, then a weighted sum.</summary>
    MagnitudePrune,
    /// <summary>TIES (Yadav et al. 2023): largest magnitudes kept, a sign elected per entry, agreeing entries averaged.</summary>
    Ties,
    /// <summary>DARE (Yu et al. 2023): random entries kept and rescaled, then a weighted sum.</summary>
    DareLinear,
    /// <summary>DARE's pruning, then TIES' election.</summary>
    DareTies,
}

/// <summary>How adapters are combined; definitions of PEFT's add_weighted_adapter.</summary>
public sealed record CombineOptions
{
    /// <summary>What is done.</summary>
    public CombineRule Rule { get; init; } = CombineRule.Concatenate;
    /// <summary>
    /// Work on the products up·down and decompose the result to this rank (PEFT's …svd types), 1 to 4096; null works on the factors, each
    /// weighted by √|weight · scale|, whose product has cross terms, or, for <see cref="CombineRule.Concatenate"/>, is exact.
    /// </summary>
    public int? SvdRank { get; init; }
    /// <summary>Share of entries kept by the pruning rules, above 0 to 1.</summary>
    public double Density { get; init; } = 0.5;
    /// <summary>Elect signs by counting them ("frequency") instead of by the sum of values ("total").</summary>
    public bool SignByFrequency { get; init; }
    /// <summary>Seed of the entries that DARE keeps.</summary>
    public long Seed { get; init; }
    /// <summary>Masks of ones and zeros for DARE in place of random ones: adapter number, "A", "B" or "delta", the tensor to be masked.</summary>
    public Func<LoraModule, int, string, Tensor, Tensor>? Mask { get; init; }
}

/// <summary>Several adapters made one. The result's alpha is its rank.</summary>
public static class LoraCombine
{
    /// <summary>
    /// Combines adapters with weights. A layer that only some of them have is combined from those. Rules on factors need equal ranks in a
    /// layer, except <see cref="CombineRule.Concatenate"/>; shapes of one layer have to agree.
    /// </summary>
    public static LoraAdapter Combine(IReadOnlyList<(LoraAdapter Adapter, double Weight)> adapters, CombineOptions options)
    {
        Check(options, adapters.Select(a => a.Weight));
        var byLayer = new Dictionary<(string, string), List<(LoraModule Module, double Weight, int Index)>>();
        foreach (var ((adapter, weight), index) in adapters.Select((a, i) => (a, i)))
        {
            foreach (var module in adapter.Modules)
            {
                if (!byLayer.TryGetValue((module.Component, module.Path), out var list)) byLayer[(module.Component, module.Path)] = list = [];
                list.Add((module, weight, index));
            }
        }
        return new(byLayer.Values.Select(parts => Module(parts, options)).ToList());
    }

    /// <summary>Combines the modules of one layer; Index is the adapter's number, for its mask.</summary>
    public static LoraModule Module(IReadOnlyList<(LoraModule Module, double Weight, int Index)> parts, CombineOptions options)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var first = parts[0].Module;
        var shape = first.BaseShape;
        foreach (var (module, _, _) in parts)
            if (!module.BaseShape.AsSpan().SequenceEqual(shape))
                throw new ModelException($"'{first.Path}' is [{string.Join(", ", shape)}] in one adapter and [{string.Join(", ", module.BaseShape)}] in another: they belong to different base models.");
        if (options.SvdRank is { } rank) return Decomposed(first, Deltas(parts, options), rank);
        if (options.Rule == CombineRule.Concatenate) return Concatenated(parts);
        if (parts.Any(p => p.Module.Rank != first.Rank))
            throw new ModelException($"'{first.Path}' has ranks {string.Join(" and ", parts.Select(p => p.Module.Rank).Distinct())}: {options.Rule} needs equal ranks; concatenate, or give an SVD rank.");
        Tensor Side(string name, Func<LoraModule, Tensor> of) => Merge(
            [.. parts.Select(p => (p.Module, p.Index, of(p.Module).To(DType.Float32),
                Math.Sqrt(Math.Abs(p.Weight * p.Module.Scale)) * (name == "A" && p.Weight < 0 ? -1 : 1)))], name, options);
        return new(first.Component, first.Path, Side("A", m => m.Down), Side("B", m => m.Up), first.Rank);
    }

    private static LoraModule Concatenated(IReadOnlyList<(LoraModule Module, double Weight, int Index)> parts)
    {
        var down = Ops.Cat([.. parts.Select(p => p.Module.Down.To(DType.Float32).Mul(p.Weight * p.Module.Scale))], 0);
        var up = Ops.Cat([.. parts.Select(p => p.Module.Up.To(DType.Float32))], 1);
        return new(parts[0].Module.Component, parts[0].Module.Path, down, up, down.Size(0));
    }

    private static Tensor Deltas(IReadOnlyList<(LoraModule Module, double Weight, int Index)> parts, CombineOptions options) =>
        Merge([.. parts.Select(p => (p.Module, p.Index, p.Module.Delta(), p.Weight))], "delta", options);

    private static LoraModule Decomposed(LoraModule like, Tensor delta, int rank)
    {
        var shape = delta.Shape;
        var outputs = shape[0];
        var (u, s, vh) = Ops.LinalgSvd(delta.Flatten(1), fullMatrices: false);
        var kept = Math.Min(rank, s.Count);
        shape[0] = kept;
        var up = u.Narrow(1, 0, kept).Mul(s.Narrow(0, 0, kept));
        return new(like.Component, like.Path, vh.Narrow(0, 0, kept).Reshape(shape).Contiguous(),
            (shape.Length == 4 ? up.Reshape([outputs, kept, 1, 1]) : up).Contiguous(), kept);
    }

    private static Tensor Merge(IReadOnlyList<(LoraModule Module, int Index, Tensor Values, double Weight)> parts, string side, CombineOptions options)
    {
        Tensor Prune(Tensor x) => KeepLargest(x, options.Density);
        Tensor Drop((LoraModule Module, int Index, Tensor Values, double Weight) p) => p.Values * MaskOf(p.Module, p.Index, side, p.Values, options) / options.Density;
        var values = parts.Select(p => options.Rule switch
        {
            CombineRule.MagnitudePrune or CombineRule.Ties => Prune(p.Values),
            CombineRule.DareLinear or CombineRule.DareTies => Drop(p),
            _ => p.Values,
        }).ToArray();
        var weighted = Ops.Stack(values.Zip(parts, (v, p) => v.Mul(p.Weight)).ToArray());
        if (options.Rule is not (CombineRule.Ties or CombineRule.DareTies)) return weighted.Sum([0]);
        var stacked = Ops.Stack(values);
        var elected = (options.SignByFrequency ? stacked.Sign() : stacked).Sum([0]).Ge((Scalar)0).To(DType.Float32).Mul(2.0).Sub((Scalar)1.0);
        var agree = stacked.Sign().Eq(elected).To(DType.Float32);
        return weighted.Mul(agree).Sum([0]).Div(agree.Sum([0]).ClampMin(1.0));
    }

    private static Tensor KeepLargest(Tensor x, double density)
    {
        if (density >= 1) return x;
        var flat = x.Flatten();
        var (_, kept) = flat.Abs().Topk((long)(density * x.Count));
        return flat.Mul(flat.ZerosLike().Scatter(0, kept, (Scalar)1.0)).View(x.Shape);
    }

    private static Tensor MaskOf(LoraModule module, int index, string side, Tensor like, CombineOptions options)
    {
        if (options.Mask is { } given) return given(module, index, side, like).To(DType.Float32);
        var numbers = new SeededNumbers(options.Seed, $"{module.Component}:{module.Path}:{index}:{side}");
        var mask = Ops.Empty(like.Shape, dtype: DType.Float32);
        foreach (ref var value in mask.Span<float>()) value = numbers.Next() < options.Density ? 1 : 0;
        return mask;
    }

    private static void Check(CombineOptions options, IEnumerable<double> weights)
    {
        if (options.Density is not (> 0 and <= 1)) throw new ModelException($"The density is {options.Density}; it has to lie above 0 and at most at 1.");
        if (options.SvdRank is { } rank and (< 1 or > LoraSpec.MaximumRank)) throw new ModelException($"The rank of the combination is {rank}; it has to lie from 1 to {LoraSpec.MaximumRank}.");
        if (weights.Any(w => !double.IsFinite(w))) throw new ModelException("The weights of adapters have to be finite numbers.");
    }
}
