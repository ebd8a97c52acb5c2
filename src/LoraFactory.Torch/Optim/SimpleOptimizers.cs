namespace LoraFactory.Torch.Optim;

/// <summary>Constants of <see cref="Sgd"/>.</summary>
public sealed record SgdOptions
{
    /// <summary>Share of the old velocity, 0..1; 0 has none.</summary>
    public double Momentum { get; init; }
    /// <summary>Share of the gradient kept out of the velocity from the second step on, 0..1.</summary>
    public double Dampening { get; init; }
    /// <summary>Looks ahead along the velocity.</summary>
    public bool Nesterov { get; init; }
}

/// <summary>Gradient descent with momentum; decay is part of the gradient. The velocity begins as the first gradient, undampened.</summary>
public sealed class Sgd(IReadOnlyList<ParameterGroup> groups, SgdOptions? options = null) : Optimizer(groups)
{
    private readonly SgdOptions o = options ?? new();

    /// <inheritdoc/>
    protected override void Update(Batch batch)
    {
        var (group, named, parameters, gradients) = batch;
        var g = WithL2(parameters, gradients, group.WeightDecay);
        if (o.Momentum != 0)
        {
            var first = named.Select(p => !HasSlot("momentum", p)).ToArray();
            var velocity = Slot("momentum", named);
            Ops.ForeachMul_(velocity, o.Momentum);
            for (var i = 0; i < velocity.Length; i++) velocity[i].Add_(g[i], first[i] ? 1 : 1 - o.Dampening);
            g = o.Nesterov ? Ops.ForeachAdd(g, velocity, o.Momentum) : velocity;
        }
        Ops.ForeachAdd_(parameters, g, -group.LearningRate);
    }
}

/// <summary>RMSprop (Tieleman and Hinton 2012): gradients over the root of their running mean square; decay is part of the gradient.</summary>
/// <param name="groups">Parameters.</param>
/// <param name="alpha">Share of the old mean square.</param>
/// <param name="epsilon">Added to the root.</param>
/// <param name="momentum">Share of the old velocity; 0 has none.</param>
public sealed class RmsProp(IReadOnlyList<ParameterGroup> groups, double alpha = 0.99, double epsilon = 1e-8, double momentum = 0) : Optimizer(groups)
{
    /// <inheritdoc/>
    protected override void Update(Batch batch)
    {
        var (group, named, parameters, gradients) = batch;
        var g = WithL2(parameters, gradients, group.WeightDecay);
        var square = Slot("square_avg", named);
        Ops.ForeachMul_(square, alpha);
        Ops.ForeachAddcmul_(square, g, g, 1 - alpha);
        var root = Ops.ForeachSqrt(square);
        Ops.ForeachAdd_(root, epsilon);
        if (momentum == 0)
        {
            Ops.ForeachAddcdiv_(parameters, g, root, -group.LearningRate);
            return;
        }
        var velocity = Slot("momentum", named);
        Ops.ForeachMul_(velocity, momentum);
        Ops.ForeachAddcdiv_(velocity, g, root, 1);
        Ops.ForeachAdd_(parameters, velocity, -group.LearningRate);
    }
}

/// <summary>Adagrad (Duchi et al. 2011); decay is part of the gradient, the rate falls as 1 / (1 + (t − 1) · rateDecay).</summary>
public sealed class Adagrad(IReadOnlyList<ParameterGroup> groups, double rateDecay = 0, double epsilon = 1e-10) : Optimizer(groups)
{
    /// <inheritdoc/>
    protected override void Update(Batch batch)
    {
        var (group, named, parameters, gradients) = batch;
        var g = WithL2(parameters, gradients, group.WeightDecay);
        var sum = Slot("sum", named);
        Ops.ForeachAddcmul_(sum, g, g, 1);
        var root = Ops.ForeachSqrt(sum);
        Ops.ForeachAdd_(root, epsilon);
        Ops.ForeachAddcdiv_(parameters, g, root, -group.LearningRate / (1 + (Steps - 1) * rateDecay));
    }
}

/// <summary>Lion (Chen et al. 2023): the sign of an interpolation of momentum and gradient, decoupled decay.</summary>
public sealed class Lion(IReadOnlyList<ParameterGroup> groups, double beta1 = 0.9, double beta2 = 0.99) : Optimizer(groups)
{
    /// <inheritdoc/>
    protected override void Update(Batch batch)
    {
        var (group, named, parameters, gradients) = batch;
        if (group.WeightDecay != 0) Ops.ForeachMul_(parameters, 1 - group.LearningRate * group.WeightDecay);
        var m = Slot("exp_avg", named);
        var direction = Ops.ForeachMul(m, beta1);
        Ops.ForeachAdd_(direction, gradients, 1 - beta1);
        foreach (var d in direction) d.Sign_();
        Ops.ForeachAdd_(parameters, direction, -group.LearningRate);
        Ops.ForeachMul_(m, beta2);
        Ops.ForeachAdd_(m, gradients, 1 - beta2);
    }
}
