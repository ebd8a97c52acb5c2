using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Lora;

/// <summary>An adapter out of a fine-tuned model: the best low-rank form of tuned − base (kohya's definition).</summary>
public static class LoraExtract
{
    /// <summary>Share of entries of up and down below the clamp, as kohya has it.</summary>
    public const double DefaultQuantile = 0.99;

    /// <summary>
    /// One module. M = tuned − base as [out, in·kh·kw], up = U·S and down = Vᵀ of its first min(rank, out, in) singular values, alpha = rank. With
    /// <paramref name="quantile"/> below 1 both are clamped to ±q, q the quantile of their signed entries together, which keeps outliers of half
    /// precision fine-tunings small; 1 keeps the best approximation.
    /// </summary>
    public static LoraModule Module(string component, string path, Tensor weight, Tensor tuned, int rank, double quantile = DefaultQuantile)
    {
        if (quantile is not (> 0.5 and <= 1)) throw new ModelException($"The clamp's quantile is {quantile}; it has to lie above 0.5 and at most at 1.");
        if (rank is < 1 or > LoraSpec.MaximumRank) throw new ModelException($"The rank to extract is {rank}; it has to lie from 1 to {LoraSpec.MaximumRank}.");
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var shape = weight.Shape;
        if (!shape.AsSpan().SequenceEqual(tuned.Shape))
            throw new ModelException($"'{path}' is [{string.Join(", ", shape)}] in the base and [{string.Join(", ", tuned.Shape)}] in the tuned model: they are not of one kind.");
        var difference = tuned.To(DType.Float32).Sub(weight.To(DType.Float32)).Flatten(1);
        var (u, s, vh) = Ops.LinalgSvd(difference, fullMatrices: false);
        var kept = (int)Math.Min(rank, Math.Min(shape[0], shape[1]));
        var up = u.Narrow(1, 0, kept).Mul(s.Narrow(0, 0, kept));
        var down = vh.Narrow(0, 0, kept);
        if (quantile < 1) (up, down, _) = Clamp(up, down, quantile);
        var outputs = shape[0];
        shape[0] = kept;
        up = shape.Length == 4 ? up.Reshape([outputs, kept, 1, 1]) : up;
        return new(component, path, down.Reshape(shape).Contiguous(), up.Contiguous(), kept);
    }

    /// <summary>Clamps both matrices to ±q, the quantile (linear between neighbours) of all their signed entries; q comes third.</summary>
    public static (Tensor Up, Tensor Down, double Value) Clamp(Tensor up, Tensor down, double quantile)
    {
        var all = Ops.Cat([up.Flatten(), down.Flatten()]).ToArray<float>();
        Array.Sort(all);
        var place = quantile * (all.Length - 1);
        var low = (int)Math.Floor(place);
        var high = Math.Min(low + 1, all.Length - 1);
        var value = all[low] + (all[high] - all[low]) * (place - low);
        return (up.Clamp(-value, value), down.Clamp(-value, value), value);
    }

    /// <summary>
    /// Every layer that <paramref name="spec"/> chooses, from a base and a tuned model of the same kind. A layer that did not change
    /// (no entry differs by more than <paramref name="smallest"/>) is left out.
    /// </summary>
    public static IReadOnlyList<LoraModule> Modules(string component, ParameterStore store, ParameterStore tuned, LoraSpec spec, double quantile = DefaultQuantile, double smallest = 1e-6)
    {
        var modules = new List<LoraModule>();
        foreach (var (path, layer) in store.Layers)
        {
            if (spec.For(path, layer) is not var (rank, _)) continue;
            if (!tuned.Layers.TryGetValue(path, out var other)) throw new ModelException($"The tuned {component} has no layer '{path}': it is not of the base's kind.");
            using var scope = new Scope();
            if (Differs(layer.Weight.Value, other.Weight.Value, smallest))
                modules.Add(Module(component, path, layer.Weight.Value, other.Weight.Value, rank, quantile));
        }
        return modules;
    }

    private static bool Differs(Tensor a, Tensor b, double smallest)
    {
        using var off = Autograd.NoGrad();
        return !a.Shape.AsSpan().SequenceEqual(b.Shape) || a.To(DType.Float32).Sub(b.To(DType.Float32)).Abs().Max().Item() > smallest;
    }
}
