namespace LoraFactory.Torch.Optim;

/// <summary>Second moments kept as a row and a column (Shazeer and Stern 2018), over the last two dimensions.</summary>
internal static class Factored
{
    /// <summary>Root mean square of all elements.</summary>
    internal static double Rms(Tensor x) => x.LinalgVectorNorm(2.0).Item() / Math.Sqrt(x.Count);

    /// <summary>Moves row [..., r] and column [..., c] towards the means of <paramref name="squares"/> [..., r, c].</summary>
    internal static void Track(Tensor row, Tensor column, Tensor squares, double keep)
    {
        row.Mul_(keep).Add_(squares.Mean([-1]), 1 - keep);
        column.Mul_(keep).Add_(squares.Mean([-2]), 1 - keep);
    }

    /// <summary>1 / √ of the moment that row and column stand for, [..., r, c].</summary>
    internal static Tensor InverseRoot(Tensor row, Tensor column) =>
        (row / row.Mean([-1], keepdim: true)).Rsqrt().Unsqueeze(-1) * column.Unsqueeze(-2).Rsqrt();

    internal static Tensor RowOf(Tensor p) => Ops.Zeros(p.Shape.AsSpan(0, p.Dim - 1));

    internal static Tensor ColumnOf(Tensor p) => Ops.Zeros([.. p.Shape[..^2], p.Shape[^1]]);
}

/// <summary>Constants of <see cref="Adafactor"/>.</summary>
public sealed record AdafactorOptions
{
    /// <summary>Added to squared gradients.</summary>
    public double Epsilon { get; init; } = 1e-30;
    /// <summary>Least scale of a parameter.</summary>
    public double LeastScale { get; init; } = 1e-3;
    /// <summary>An update is scaled down to this root mean square.</summary>
    public double ClipThreshold { get; init; } = 1;
    /// <summary>The second moment keeps 1 − t^DecayRate.</summary>
    public double DecayRate { get; init; } = -0.8;
    /// <summary>Share of the old first moment; null keeps none.</summary>
    public double? Beta1 { get; init; }
    /// <summary>Rate from the step number instead of the group's.</summary>
    public bool RelativeStep { get; init; } = true;
    /// <summary>Rate times the root mean square of the parameter.</summary>
    public bool ScaleParameter { get; init; } = true;
    /// <summary>The relative rate rises from 1e-6 a step.</summary>
    public bool WarmupInit { get; init; }
}

/// <summary>Adafactor (Shazeer and Stern 2018) as the transformers library defines it.</summary>
public sealed class Adafactor(IReadOnlyList<ParameterGroup> groups, AdafactorOptions? options = null) : Optimizer(groups)
{
    private readonly AdafactorOptions o = options ?? new();

    /// <inheritdoc/>
    protected override void Update(Batch batch)
    {
        var (group, named, parameters, gradients) = batch;
        var keep = 1 - Math.Pow(Steps, o.DecayRate);
        for (var i = 0; i < parameters.Length; i++)
        {
            var (p, g) = (parameters[i], gradients[i]);
            var rate = o.RelativeStep ? Math.Min(o.WarmupInit ? 1e-6 * Steps : 1e-2, 1 / Math.Sqrt(Steps)) : group.LearningRate;
            if (o.ScaleParameter) rate *= Math.Max(o.LeastScale, Factored.Rms(p));
            var squares = g.Square() + o.Epsilon;
            Tensor update;
            if (p.Dim >= 2)
            {
                var row = Slot("row", named[i], Factored.RowOf);
                var column = Slot("column", named[i], Factored.ColumnOf);
                Factored.Track(row, column, squares, keep);
                update = Factored.InverseRoot(row, column) * g;
            }
            else
            {
                update = Slot("exp_avg_sq", named[i]).Mul_(keep).Add_(squares, 1 - keep).Rsqrt() * g;
            }
            update = update * (rate / Math.Max(1, Factored.Rms(update) / o.ClipThreshold));
            if (o.Beta1 is { } beta1) update = Slot("exp_avg", named[i]).Mul_(beta1).Add_(update, 1 - beta1);
            if (group.WeightDecay != 0) p.Mul_(1 - group.WeightDecay * rate);
            p.Sub_(update);
        }
    }
}

/// <summary>The other algorithm called Adafactor, as libtorch's own optimizers define it: the rate is capped by 1/√t and scaled by the parameter.</summary>
/// <param name="groups">Parameters.</param>
/// <param name="beta2Decay">The second moment moves by t^beta2Decay.</param>
/// <param name="epsilon">Floor of the second moment's root; null takes float32's.</param>
/// <param name="leastScale">Least scale of a parameter.</param>
/// <param name="clip">An update is scaled down to this root mean square.</param>
public sealed class CappedAdafactor(IReadOnlyList<ParameterGroup> groups, double beta2Decay = -0.8, double? epsilon = null, double leastScale = 1e-3, double clip = 1) : Optimizer(groups)
{
    /// <inheritdoc/>
    protected override void Update(Batch batch)
    {
        var (group, named, parameters, gradients) = batch;
        var eps = epsilon ?? 1.1920928955078125e-07;
        var weight = Math.Pow(Steps, beta2Decay);
        for (var i = 0; i < parameters.Length; i++)
        {
            var (p, g) = (parameters[i], gradients[i]);
            var alpha = Math.Max(leastScale, Factored.Rms(p)) * Math.Min(group.LearningRate, 1 / Math.Sqrt(Steps));
            if (group.WeightDecay != 0) p.Mul_(1 - group.LearningRate * group.WeightDecay);
            Tensor second;
            if (p.Dim > 1)
            {
                var row = Slot("row", named[i], Factored.RowOf).Lerp_(g.Square().Mean([-1]), weight);
                var column = Slot("column", named[i], Factored.ColumnOf).Lerp_(g.Square().Mean([-2]), weight);
                second = row.Unsqueeze(-1) * column.Unsqueeze(-2) / row.Mean([-1], keepdim: true).ClampMin(eps).Unsqueeze(-1);
            }
            else
            {
                second = Slot("exp_avg_sq", named[i]).Lerp_(g.Square(), weight);
            }
            var update = second.ClampMin(eps * eps).Rsqrt() * g;
            p.Add_(update, -alpha / Math.Max(1, Factored.Rms(update) / clip));
        }
    }
}

/// <summary>CAME (Luo et al. 2023): Adafactor whose momentum is trusted as far as it agrees with the updates.</summary>
/// <param name="groups">Parameters.</param>
/// <param name="betas">Shares kept of momentum, second moment and residual.</param>
/// <param name="epsilons">Added to squared gradients and to squared residuals.</param>
/// <param name="clip">An update is scaled down to this root mean square.</param>
public sealed class Came(IReadOnlyList<ParameterGroup> groups, (double, double, double) betas, (double, double) epsilons, double clip = 1) : Optimizer(groups)
{
    /// <inheritdoc/>
    protected override void Update(Batch batch)
    {
        var (group, named, parameters, gradients) = batch;
        for (var i = 0; i < parameters.Length; i++)
        {
            var (p, g) = (parameters[i], gradients[i]);
            var squares = g.Square() + epsilons.Item1;
            var factored = p.Dim >= 2;
            Tensor update;
            if (factored)
            {
                var row = Slot("row", named[i], Factored.RowOf);
                var column = Slot("column", named[i], Factored.ColumnOf);
                Factored.Track(row, column, squares, betas.Item2);
                update = Factored.InverseRoot(row, column) * g;
            }
            else
            {
                update = Slot("exp_avg_sq", named[i]).Mul_(betas.Item2).Add_(squares, 1 - betas.Item2).Rsqrt() * g;
            }
            update = update / Math.Max(1, Factored.Rms(update) / clip);
            var m = Slot("exp_avg", named[i]).Mul_(betas.Item1).Add_(update, 1 - betas.Item1);
            var step = m;
            if (factored)
            {
                var row = Slot("residual_row", named[i], Factored.RowOf);
                var column = Slot("residual_column", named[i], Factored.ColumnOf);
                Factored.Track(row, column, (update - m).Square() + epsilons.Item2, betas.Item3);
                step = m * Factored.InverseRoot(row, column);
            }
            if (group.WeightDecay != 0) p.Mul_(1 - group.LearningRate * group.WeightDecay);
            p.Add_(step, -group.LearningRate);
        }
    }
}
