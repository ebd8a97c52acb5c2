namespace LoraFactory.Torch.Optim;

/// <summary>Constants of <see cref="Adam"/>.</summary>
public sealed record AdamOptions
{
    /// <summary>Share of the old first moment, 0..1.</summary>
    public double Beta1 { get; init; } = 0.9;
    /// <summary>Share of the old second moment, 0..1.</summary>
    public double Beta2 { get; init; } = 0.999;
    /// <summary>Added to the root after the bias correction.</summary>
    public double Epsilon { get; init; } = 1e-8;
    /// <summary>AdamW (Loshchilov and Hutter 2019): decay shrinks the parameter by 1 − rate · decay; false adds it to the gradient.</summary>
    public bool Decoupled { get; init; } = true;
    /// <summary>Keeps the largest second moment seen (Reddi et al. 2018).</summary>
    public bool AmsGrad { get; init; }
}

/// <summary>Adam (Kingma and Ba 2015) and AdamW, with libtorch's kernels over lists of tensors.</summary>
public sealed class Adam(IReadOnlyList<ParameterGroup> groups, AdamOptions? options = null) : Optimizer(groups)
{
    private readonly AdamOptions o = options ?? new();

    /// <inheritdoc/>
    protected override void Update(Batch batch)
    {
        var (group, named, parameters, gradients) = batch;
        var g = gradients;
        if (o.Decoupled && group.WeightDecay != 0) Ops.ForeachMul_(parameters, 1 - group.LearningRate * group.WeightDecay);
        if (!o.Decoupled) g = WithL2(parameters, gradients, group.WeightDecay);
        var m = Slot("exp_avg", named);
        var v = Slot("exp_avg_sq", named);
        Ops.ForeachMul_(m, o.Beta1);
        Ops.ForeachAdd_(m, g, 1 - o.Beta1);
        Ops.ForeachMul_(v, o.Beta2);
        Ops.ForeachAddcmul_(v, g, g, 1 - o.Beta2);
        var second = v;
        if (o.AmsGrad)
        {
            second = Slot("max_exp_avg_sq", named);
            Ops.ForeachMaximum_(second, v);
        }
        var root = Ops.ForeachSqrt(second);
        Ops.ForeachDiv_(root, Math.Sqrt(1 - Math.Pow(o.Beta2, Steps)));
        Ops.ForeachAdd_(root, o.Epsilon);
        Ops.ForeachAddcdiv_(parameters, m, root, -group.LearningRate / (1 - Math.Pow(o.Beta1, Steps)));
    }
}
