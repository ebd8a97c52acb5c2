using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Lora;

/// <summary>Adapters written into base weights: W' = W + Σ strength · alpha/rank · up·down.</summary>
public static class LoraMerge
{
    /// <summary>
    /// A merged weight of the base's shape, dtype and device, in the current scope. The sum is made in float32 (float64 for a float64 base) and
    /// rounded once to the base's dtype, so that a half-precision base loses no more than it must.
    /// </summary>
    public static Tensor Merged(Tensor weight, IEnumerable<(LoraModule Module, double Strength)> modules)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var dtype = weight.DType;
        var sum = weight.To(dtype: dtype == DType.Float64 ? DType.Float64 : DType.Float32).Clone();
        foreach (var (module, strength) in modules)
        {
            var delta = module.Delta(strength);
            if (!delta.Shape.AsSpan().SequenceEqual(weight.Shape))
                throw new ModelException($"The adapter's {module.Component} module '{module.Path}' gives [{string.Join(", ", delta.Shape)}] where the base's weight is [{string.Join(", ", weight.Shape)}]: it was trained on another base model.");
            sum.Add_(delta.To(dtype: sum.DType, device: weight.Device));
        }
        return scope.Keep(sum.To(dtype: dtype));
    }

    /// <summary>
    /// Merges adapters, each with a strength of its own, into a model's weights in place of the old ones. The old weights are kept by what comes
    /// back: disposing it puts them back bit for bit. Nothing is changed when one does not fit.
    /// </summary>
    public static MergedWeights Apply(string component, ParameterStore store, params IReadOnlyList<(LoraAdapter Adapter, double Strength)> adapters)
    {
        var byLayer = new Dictionary<AdaptableLayer, List<(LoraModule, double)>>();
        foreach (var (adapter, strength) in adapters)
        {
            foreach (var (module, layer) in adapter.Match(component, store))
            {
                if (!byLayer.TryGetValue(layer, out var list)) byLayer[layer] = list = [];
                list.Add((module, strength));
            }
        }
        var merged = new MergedWeights();
        try
        {
            foreach (var (layer, modules) in byLayer)
            {
                using var scope = new Scope();
                merged.Replace(layer.Weight, Merged(layer.Weight.Value, modules));
            }
            return merged;
        }
        catch
        {
            merged.Dispose();
            throw;
        }
    }
}

/// <summary>Weights that merged ones stand in for; disposing puts them back.</summary>
public sealed class MergedWeights : IDisposable
{
    private readonly List<(Parameter Parameter, Tensor Original)> originals = [];

    /// <summary>How many weights were replaced.</summary>
    public int Count => originals.Count;

    internal void Replace(Parameter parameter, Tensor merged)
    {
        var original = parameter.Value.Share().Own();
        parameter.Value = merged;
        originals.Add((parameter, original));
    }

    /// <summary>Keeps the merged weights for good and lets the old ones go.</summary>
    public void Commit()
    {
        foreach (var (_, original) in originals) original.Dispose();
        originals.Clear();
    }

    /// <summary>Puts the old weights back.</summary>
    public void Dispose()
    {
        foreach (var (parameter, original) in originals) parameter.Value = original;
        originals.Clear();
    }
}
