namespace LoraFactory.Torch.Optim;

/// <summary>
/// AdamW with moments in 8 bits (Dettmers et al. 2022): blocks of 256 elements share a float32 scale, a code is the nearest of 256 table
/// values. The update uses the fresh moments; decay comes after it; every tensor is quantised whatever its size.
/// </summary>
public sealed class Adam8Bit(IReadOnlyList<ParameterGroup> groups, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8, int blockSize = 256) : Optimizer(groups)
{
    /// <summary>Code table of the first moment, ascending, −1..1.</summary>
    public static double[] SignedTable { get; } = Table(signed: true);

    /// <summary>Code table of the second moment, ascending, 0..1.</summary>
    public static double[] UnsignedTable { get; } = Table(signed: false);

    /// <inheritdoc/>
    protected override void Update(Batch batch)
    {
        var (group, named, parameters, gradients) = batch;
        var correction = Math.Sqrt(1 - Math.Pow(beta2, Steps));
        var rate = group.LearningRate * correction / (1 - Math.Pow(beta1, Steps));
        for (var i = 0; i < parameters.Length; i++)
        {
            using var scope = new Scope();
            var (p, g) = (parameters[i], gradients[i]);
            var m = Read(named[i], "m", SignedTable).Mul_(beta1).Add_(g, 1 - beta1);
            var v = Read(named[i], "v", UnsignedTable).Mul_(beta2).Addcmul_(g, g, 1 - beta2);
            p.Addcdiv_(m, v.Sqrt() + correction * epsilon, -rate);
            if (group.WeightDecay != 0) p.Mul_(1 - group.LearningRate * group.WeightDecay);
            Write(named[i], "m", m, SignedTable);
            Write(named[i], "v", v, UnsignedTable);
        }
    }

    private Tensor Codes(Trainable p, string moment, double[] table) =>
        Slot($"{moment}_codes", p, x => Ops.Full([x.Count], Array.IndexOf(table, 0), dtype: DType.UInt8));

    private Tensor Scales(Trainable p, string moment) => Slot($"{moment}_absmax", p, x => Ops.Zeros([(x.Count + blockSize - 1) / blockSize]));

    private Tensor Read(Trainable p, string moment, double[] table)
    {
        var values = AsTensor(table).IndexSelect(0, Codes(p, moment, table).To(dtype: DType.Int64));
        var scales = Scales(p, moment).RepeatInterleave(blockSize).Narrow(0, 0, values.Count);
        return (values * scales).View(p.Value.Shape);
    }

    private void Write(Trainable p, string moment, Tensor value, double[] table)
    {
        var flat = value.Reshape([-1]);
        var scales = Scales(p, moment);
        var padded = flat.Pad([0, scales.Count * blockSize - flat.Count]).View([-1, blockSize]);
        var largest = padded.Abs().Amax([1]);
        scales.Copy_(largest);
        var share = (padded / largest.ClampMin(1e-38).Unsqueeze(1)).View([-1]).Narrow(0, 0, flat.Count);
        // the number of midpoints below a value is its code; a tie takes the lower one
        var values = AsTensor(table);
        var midpoints = (values.Narrow(0, 0, 255) + values.Narrow(0, 1, 255)) / 2;
        Codes(p, moment, table).Copy_(Ops.Searchsorted(midpoints, share.Contiguous()));
    }

    private static Tensor AsTensor(double[] table) => Tensor.From(Array.ConvertAll(table, x => (float)x));

    // Seven decades 1e-6 … 1; in decade i the midpoints of an even partition of [0.1, 1], ever finer; and 0 and 1.
    private static double[] Table(bool signed)
    {
        var table = new List<double> { 0, 1 };
        for (var decade = 0; decade < 7; decade++)
        {
            var parts = 1 << (signed ? decade : decade + 1);
            for (var k = 0; k < parts; k++)
            {
                var value = (0.1 + 0.9 * (k + 0.5) / parts) * Math.Pow(10, decade - 6);
                table.Add(value);
                if (signed) table.Add(-value);
            }
        }
        table.Sort();
        return [.. table];
    }
}
