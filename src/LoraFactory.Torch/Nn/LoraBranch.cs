namespace LoraFactory.Torch.Nn;

/// <summary>
/// The low-rank branch of one layer (Hu et al. 2021; for convolutions LoCon): output += scale · up(down(x)).
/// Linear: down [rank, in], up [out, rank]. Convolution: down [rank, in, kh, kw] with the layer's stride and padding, up [out, rank, 1, 1].
/// </summary>
public sealed class LoraBranch(Tensor down, Tensor up, double alpha)
{
    /// <summary>A; owned by whoever made the branch.</summary>
    public Tensor Down { get; } = down;
    /// <summary>B.</summary>
    public Tensor Up { get; } = up;
    /// <summary>Rank.</summary>
    public long Rank { get; } = down.Size(0);
    /// <summary>Alpha; the branch is scaled by alpha / rank.</summary>
    public double Alpha { get; } = alpha;
    /// <summary>Multiplier at inference (the weight in &lt;lora:name:weight&gt;); 1 while training.</summary>
    public double Strength { get; set; } = 1;
    /// <summary>Share of inputs zeroed before down while training, 0..1.</summary>
    public double Dropout { get; init; }
    /// <summary>First row of the batch that it applies to.</summary>
    public long FirstRow { get; set; }
    /// <summary>Number of rows from <see cref="FirstRow"/>; 0 means all rows.</summary>
    public long Rows { get; set; }
    /// <summary>strength · alpha / rank.</summary>
    public double Scale => Strength * Alpha / Rank;
}

/// <summary>A layer that adapters can be hung on: its output is the base's plus the sum of its branches.</summary>
public abstract class AdaptableLayer
{
    /// <summary>Its weight: Linear [out, in], convolution [out, in, kh, kw].</summary>
    public Parameter Weight { get; }
    /// <summary>Its bias [out], or null.</summary>
    public Parameter? Bias { get; }
    /// <summary>Path in the model, e.g. "mid_block.attentions.0.proj_in".</summary>
    public string Path { get; }
    /// <summary>The branches that are added.</summary>
    public List<LoraBranch> Branches { get; } = [];
    /// <summary>Whether dropout of branches is active.</summary>
    public bool Training { get; set; }

    private protected AdaptableLayer(Place at, bool bias, params long[] shape)
    {
        Path = at.Path;
        Weight = at.Parameter("weight", Init.FanIn, shape);
        Bias = bias ? at.Parameter("bias", Init.Zero, shape[0]) : null;
        at.Store.Declare(at.Path, this);
    }

    /// <summary>Rows, of the batch dimension of <paramref name="x"/>, that the branch sees.</summary>
    private protected static Tensor RowsOf(Tensor x, LoraBranch branch) => branch.Rows == 0 ? x : x.Narrow(0, branch.FirstRow, branch.Rows);

    private protected Tensor Dropped(Tensor x, LoraBranch branch) => Training && branch.Dropout > 0 ? Ops.Dropout(x, branch.Dropout, true) : x;

    /// <summary>Adds a branch's output to the rows that are its own.</summary>
    private protected static Tensor AddRows(Tensor y, Tensor delta, LoraBranch branch)
    {
        if (branch.Rows == 0) return y.Add(delta, branch.Scale);
        var total = y.Size(0);
        var parts = new List<Tensor>();
        if (branch.FirstRow > 0) parts.Add(y.Narrow(0, 0, branch.FirstRow));
        parts.Add(y.Narrow(0, branch.FirstRow, branch.Rows).Add(delta, branch.Scale));
        var end = branch.FirstRow + branch.Rows;
        if (end < total) parts.Add(y.Narrow(0, end, total - end));
        return Ops.Cat(parts.ToArray(), 0);
    }
}

/// <summary>y = x Wᵀ + b, plus branches. x: [..., in] → [..., out].</summary>
public sealed class Linear : AdaptableLayer
{
    /// <summary>Declares weight [out, in] and bias [out].</summary>
    public Linear(Place at, long inputs, long outputs, bool bias = true) : base(at, bias, outputs, inputs) { }

    /// <summary>Applies the layer.</summary>
    public Tensor Forward(Tensor x)
    {
        if (Branches.Count == 0) return Ops.LinearFrozen(x, Weight.Value, Bias?.Value);
        using var scope = new Scope();
        var oneType = !Autocast.IsOn(x.Device.Type) && x.DType == Weight.Value.DType && Branches.TrueForAll(b => b.Rows == 0 && b.Down.DType == x.DType);
        return scope.Keep(oneType ? Flat(x) : ByRows(x));
    }

    // As rows [n, in], so that each branch is added by the product itself, into the base's output: no copy, no view in between.
    private Tensor Flat(Tensor x)
    {
        var shape = x.Shape;
        var rows = x.Dim == 2 ? x : x.Reshape([-1, shape[^1]]);
        var y = Ops.LinearFrozen(rows, Weight.Value, Bias?.Value);
        foreach (var branch in Branches) y.Addmm_(Dropped(rows, branch).Mm(branch.Down.T()), branch.Up.T(), alpha: branch.Scale);
        if (shape.Length == 2) return y;
        shape[^1] = y.Size(1);
        return y.View(shape);
    }

    // Half precision (autocast decides for each product), or branches that have rows of their own.
    private Tensor ByRows(Tensor x)
    {
        var y = Ops.LinearFrozen(x, Weight.Value, Bias?.Value);
        foreach (var branch in Branches)
        {
            var low = Ops.Linear(Dropped(RowsOf(x, branch), branch), branch.Down);
            y = AddRows(y, Ops.Linear(low, branch.Up), branch);
        }
        return y;
    }
}

/// <summary>2-D convolution plus branches. x: [b, in, H, W] → [b, out, H', W'].</summary>
public sealed class Conv2d : AdaptableLayer
{
    private readonly long[] stride;
    private readonly long[] padding;

    /// <summary>Declares weight [out, in, kernel, kernel] and bias [out].</summary>
    public Conv2d(Place at, long inputs, long outputs, long kernel, long stride = 1, long padding = 0, bool bias = true)
        : base(at, bias, outputs, inputs, kernel, kernel)
    {
        this.stride = [stride, stride];
        this.padding = [padding, padding];
    }

    /// <summary>Side of the kernel.</summary>
    public long Kernel => Weight.Shape[2];

    /// <summary>Applies the layer.</summary>
    public Tensor Forward(Tensor x)
    {
        if (Branches.Count == 0) return Ops.Conv2dFrozen(x, Weight.Value, Bias?.Value, stride, padding);
        using var scope = new Scope();
        var y = Ops.Conv2dFrozen(x, Weight.Value, Bias?.Value, stride, padding);
        foreach (var branch in Branches)
        {
            var low = Ops.Conv2d(Dropped(RowsOf(x, branch), branch), branch.Down, null, stride, padding);
            y = AddRows(y, Ops.Conv2d(low, branch.Up), branch);
        }
        return scope.Keep(y);
    }
}
