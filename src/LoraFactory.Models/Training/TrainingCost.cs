using LoraFactory.Models.Lora;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Training;

/// <summary>What a training step of an adapter asks of the machine, from the sizes of the layers alone: no weights are loaded.</summary>
/// <param name="Forward">Floating point operations of one forward pass of the base, per picture (a product of an element counts two).</param>
/// <param name="Adapter">The same of the adapter's branches.</param>
/// <param name="Activations">Numbers that a forward pass keeps for the backward pass, per picture.</param>
/// <param name="BaseParameters">Weights of the base's UNet.</param>
/// <param name="AdapterParameters">Trainable numbers.</param>
/// <param name="Layers">Layers of the UNet that multiply.</param>
public sealed record TrainingCost(double Forward, double Adapter, double Activations, long BaseParameters, long AdapterParameters, int Layers)
{
    /// <summary>Counts a UNet on latents of <paramref name="side"/>² with <paramref name="tokens"/> text tokens and an adapter of these targets.</summary>
    public static TrainingCost Of(UNetConfig config, LoraSpec spec, long side, long tokens)
    {
        using var model = new UNet(config);
        var plans = LoraAdapter.Plan([new("unet", model.Store, spec)]).ToDictionary(p => p.Path, StringComparer.Ordinal);
        var (forward, adapter, kept) = (0.0, 0.0, 0.0);
        foreach (var (path, layer) in model.Store.Layers)
        {
            var positions = Positions(path, config.Channels.Length, side, tokens);
            forward += 2.0 * layer.Weight.Count * positions;
            // what layer and norm before it keep of their input, and what an activation function behind it keeps
            kept += positions * (2.0 * layer.Weight.Shape[1] + layer.Weight.Shape[0]);
            if (path.EndsWith("to_q", StringComparison.Ordinal))
            {
                var width = (double)layer.Weight.Shape[0];
                var columns = path.Contains("attn1", StringComparison.Ordinal) ? positions : tokens;
                forward += 4 * width * positions * columns;   // scores themselves are never kept
            }
            if (!plans.TryGetValue(path, out var plan)) continue;
            adapter += 2.0 * plan.Count * positions;
            kept += positions * plan.Rank;
        }
        return new(forward, adapter, kept, model.Store.Parameters.Sum(p => p.Count), plans.Values.Sum(p => p.Count), model.Store.Layers.Count);
    }

    /// <summary>
    /// Operations of one optimizer step of so many pictures: forward, the gradient by inputs through the frozen base, both gradients of the
    /// branches; once more forward when activations are recomputed.
    /// </summary>
    public double StepOperations(long pictures, bool checkpointing) => pictures * (Forward * (checkpointing ? 3 : 2) + Adapter * (checkpointing ? 4 : 3));

    /// <summary>Smallest side of a layer that carries an adapter: no rank is larger.</summary>
    public static int SmallestLayer(UNetConfig config, LoraSpec spec)
    {
        using var model = new UNet(config);
        return (int)LoraAdapter.Plan([new("unet", model.Store, spec)]).Min(p => Math.Min(p.BaseShape[0], p.BaseShape[1]));
    }

    // Output positions of a layer: its level halves the side once for each level below the first.
    private static double Positions(string path, int levels, long side, long tokens)
    {
        if (path.Contains("time_emb", StringComparison.Ordinal) || path.StartsWith("add_embedding", StringComparison.Ordinal)) return 1;
        if (path.Contains("attn2.to_k", StringComparison.Ordinal) || path.Contains("attn2.to_v", StringComparison.Ordinal)) return tokens;
        var level = Level(path, levels) + (path.Contains("downsamplers", StringComparison.Ordinal) ? 1 : path.Contains("upsamplers", StringComparison.Ordinal) ? -1 : 0);
        var at = Math.Max(1, side >> level);
        return (double)at * at;
    }

    private static int Level(string path, int levels)
    {
        if (path.StartsWith("mid_block", StringComparison.Ordinal)) return levels - 1;
        var parts = path.Split('.');
        if (parts[0] == "down_blocks") return int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture);
        return parts[0] == "up_blocks" ? levels - 1 - int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture) : 0;
    }
}
