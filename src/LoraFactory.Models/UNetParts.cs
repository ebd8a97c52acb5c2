using LoraFactory.Torch;

namespace LoraFactory.Models;

/// <summary>
/// A batch cut into parts that go through a UNet beside each other (<see cref="TorchTeam"/>). Small layers gain more from this than from
/// several threads in each operator, which spend their time waiting for each other (docs/log.md; measured on two processors). How a batch is cut
/// depends on its shape and on the model alone, and a part has one thread: cutting makes no number depend on the processors.
/// </summary>
public static class UNetParts
{
    /// <summary>Above so many weights, reading them once for all rows saves more than parts do.</summary>
    private const long FewWeights = 50_000_000;
    /// <summary>Latent positions of one part: below, calls outweigh the arithmetic.</summary>
    private const long FewestPositions = 1024;

    /// <summary>Parts of <paramref name="rows"/> latents of <paramref name="positions"/> = H·W each: 1 to <paramref name="rows"/>; 1 for large models, other devices and half precision.</summary>
    public static int Of(UNet unet, long rows, long positions)
    {
        var weights = unet.Store.Parameters;
        return weights[0].Value.Device.Type == DeviceType.Cpu && weights[0].Value.DType == DType.Float32 ? Of(weights.Sum(p => p.Count), rows, positions) : 1;
    }

    /// <summary>The same on the processor in float32, from the number of the UNet's weights.</summary>
    public static int Of(long weights, long rows, long positions) => weights <= FewWeights ? (int)Math.Clamp(rows * positions / FewestPositions, 1, rows) : 1;

    /// <summary>First row and number of rows of a part.</summary>
    public static (long First, long Count) Rows(long rows, int part, int parts) => (rows * part / parts, rows * (part + 1) / parts - rows * part / parts);

    /// <summary>
    /// <see cref="UNet.Forward"/> without gradients. Where adapters have rows of their own the batch stays whole.
    /// x: [b, c, H, W], timesteps: [b], context: [b, t, ctx] → [b, c, H, W], in the current scope.
    /// </summary>
    public static Tensor Forward(UNet unet, Tensor x, Tensor timesteps, Tensor context, AddedCondition? added = null)
    {
        using var off = Autograd.NoGrad();
        var rows = x.Size(0);
        var parts = Of(unet, rows, x.Size(2) * x.Size(3));
        if (parts == 1 || unet.Store.Layers.Values.Any(l => l.Branches.Exists(b => b.Rows > 0))) return unet.Forward(x, timesteps, context, added);
        var outputs = TorchTeam.Run(parts, i =>
        {
            using var still = Autograd.NoGrad();
            using var scope = new Scope();
            var (first, count) = Rows(rows, i, parts);
            Tensor Part(Tensor t) => t.Narrow(0, first, count);
            return unet.Forward(Part(x), Part(timesteps), Part(context), added is null ? null : new(Part(added.TextEmbeds), Part(added.TimeIds))).Own();
        }, t => t.Dispose());
        var whole = Ops.Cat(outputs, 0);
        foreach (var output in outputs) output.Dispose();
        return whole;
    }
}
