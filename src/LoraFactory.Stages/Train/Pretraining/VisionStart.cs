using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>How a vision tower begins when there are minutes to train it, not days.</summary>
internal static class VisionStart
{
    private const double Amplitude = 0.6;
    private const double Slowest = 1 / 20.0;

    private const double Sharper = 3;

    /// <summary>
    /// Begins a learned position table as sines and cosines of row and column (Beyer et al. 2022): small random positions drown in the
    /// content of the patches, and the tower then learns colours long before shapes. Fills rows 1.. of a table [1 + grid², d] in
    /// place; row 0, the class token's, stays.
    /// </summary>
    public static void SpreadPositions(Tensor table, int grid)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var width = (int)table.Size(1);
        var quarter = width / 4;
        var values = new float[grid * grid * width];
        for (var i = 0; i < grid * grid; i++)
        {
            for (var k = 0; k < quarter; k++)
            {
                var rate = Math.Pow(Slowest, k / (double)quarter);
                var (sinY, cosY) = Math.SinCos(i / grid * rate);
                var (sinX, cosX) = Math.SinCos(i % grid * rate);
                var at = i * width + 4 * k;
                (values[at], values[at + 1], values[at + 2], values[at + 3]) = ((float)(Amplitude * sinY), (float)(Amplitude * cosY), (float)(Amplitude * sinX), (float)(Amplitude * cosX));
            }
        }
        table.Narrow(0, 1, grid * grid).Copy_(Tensor.From(values, grid * grid, width));
    }

    /// <summary>
    /// Scales the queries and keys of the vision layers up. With the usual start every token attends to all evenly, and sides were
    /// learnt in three times as many steps.
    /// </summary>
    public static void SharpenAttention(ParameterStore store)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        foreach (var parameter in store.Parameters.Where(p => p.Name.StartsWith("vision_model.", StringComparison.Ordinal)))
        {
            if (parameter.Name.EndsWith("q_proj.weight", StringComparison.Ordinal) || parameter.Name.EndsWith("k_proj.weight", StringComparison.Ordinal))
                parameter.Value.Mul_(Sharper);
            // One matrix holds queries, keys and values, in this order.
            else if (parameter.Name.EndsWith("qkv.weight", StringComparison.Ordinal))
                parameter.Value.Narrow(0, 0, parameter.Shape[0] / 3 * 2).Mul_(Sharper);
        }
    }
}
