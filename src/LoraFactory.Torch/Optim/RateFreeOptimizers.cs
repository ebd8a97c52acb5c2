namespace LoraFactory.Torch.Optim;

/// <summary>Constants of <see cref="Prodigy"/> and <see cref="DAdaptAdam"/>.</summary>
public sealed record RateFreeOptions
{
    /// <summary>Share of the old first moment.</summary>
    public double Beta1 { get; init; } = 0.9;
    /// <summary>Share of the old second moment.</summary>
    public double Beta2 { get; init; } = 0.999;
    /// <summary>Share of the old estimate (Prodigy); √Beta2 unless given.</summary>
    public double? Beta3 { get; init; }
    /// <summary>Added to the root.</summary>
    public double Epsilon { get; init; } = 1e-8;
    /// <summary>First estimate of the distance.</summary>
    public double Start { get; init; } = 1e-6;
    /// <summary>Factor on the estimate (Prodigy).</summary>
    public double Coefficient { get; init; } = 1;
    /// <summary>Adam's bias correction in the rate.</summary>
    public bool BiasCorrection { get; init; }
    /// <summary>Keeps a rate warm-up from spoiling the estimate (Prodigy).</summary>
    public bool SafeguardWarmup { get; init; }
    /// <summary>Most that the estimate grows in a step, ≥ 1.</summary>
    public double GrowthRate { get; init; } = double.PositiveInfinity;
}

/// <summary>An optimizer that estimates its own step size d; the group's rate multiplies it and is 1 as a rule. One d for all groups.</summary>
public abstract class RateFreeOptimizer : Optimizer
{
    private protected readonly RateFreeOptions o;

    private protected RateFreeOptimizer(IReadOnlyList<ParameterGroup> groups, RateFreeOptions? options) : base(groups)
    {
        o = options ?? new();
        D = o.Start;
        Largest = o.Start;
    }

    /// <summary>The estimate now.</summary>
    public double D { get; private protected set; }

    private protected double Numerator { get; set; }
    private protected double Largest { get; set; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, double> Numbers => new Dictionary<string, double> { ["d"] = D, ["d_max"] = Largest, ["numerator"] = Numerator };

    /// <inheritdoc/>
    protected override void LoadNumbers(IReadOnlyDictionary<string, double> numbers)
    {
        D = numbers.GetValueOrDefault("d", o.Start);
        Largest = numbers.GetValueOrDefault("d_max", o.Start);
        Numerator = numbers.GetValueOrDefault("numerator");
    }

    private protected double Rate(ParameterGroup group) =>
        D * group.LearningRate * (o.BiasCorrection ? Math.Sqrt(1 - Math.Pow(o.Beta2, Steps)) / (1 - Math.Pow(o.Beta1, Steps)) : 1);

    private protected static double Dot(Tensor a, Tensor b) => a.Flatten().Dot(b.Flatten()).Item();

    /// <inheritdoc/>
    protected override void Update(Batch batch) => Update([batch]);
}

/// <summary>Prodigy (Mishchenko and Defazio 2023), decoupled decay.</summary>
public sealed class Prodigy(IReadOnlyList<ParameterGroup> groups, RateFreeOptions? options = null) : RateFreeOptimizer(groups, options)
{
    /// <inheritdoc/>
    protected override void Update(IReadOnlyList<Batch> batches)
    {
        var beta3 = o.Beta3 ?? Math.Sqrt(o.Beta2);
        var rates = batches.Select(b => Rate(b.Group)).ToArray();
        Numerator *= beta3;
        var denominator = 0.0;
        for (var b = 0; b < batches.Count; b++)
        {
            var (_, named, parameters, gradients) = batches[b];
            if (rates[b] == 0) continue;
            for (var i = 0; i < parameters.Length; i++)
            {
                var g = gradients[i];
                var first = Slot("p0", named[i], p => p.Detach().Clone());
                Numerator += D / o.Start * rates[b] * Dot(g, first - parameters[i]);
                Slot("exp_avg", named[i]).Mul_(o.Beta1).Add_(g, D * (1 - o.Beta1));
                Slot("exp_avg_sq", named[i]).Mul_(o.Beta2).Addcmul_(g, g, D * D * (1 - o.Beta2));
                var s = Slot("s", named[i]).Mul_(beta3).Add_(g, D / o.Start * (o.SafeguardWarmup ? D : rates[b]));
                denominator += s.Abs().Sum().Item();
            }
        }
        if (denominator == 0) return;
        var estimate = o.Coefficient * Numerator / denominator;
        if (D == o.Start) D = Math.Max(D, estimate);
        Largest = Math.Max(Largest, estimate);
        D = Math.Min(Largest, D * o.GrowthRate);
        for (var b = 0; b < batches.Count; b++)
        {
            var (group, named, parameters, _) = batches[b];
            for (var i = 0; i < parameters.Length; i++)
            {
                var root = Slot("exp_avg_sq", named[i]).Sqrt() + D * o.Epsilon;
                if (group.WeightDecay != 0) parameters[i].Mul_(1 - group.WeightDecay * rates[b]);
                parameters[i].Addcdiv_(Slot("exp_avg", named[i]), root, -rates[b]);
            }
        }
    }
}

/// <summary>D-Adaptation with Adam (Defazio and Mishchenko 2023), decoupled decay.</summary>
public sealed class DAdaptAdam(IReadOnlyList<ParameterGroup> groups, RateFreeOptions? options = null) : RateFreeOptimizer(groups, options)
{
    /// <inheritdoc/>
    protected override void Update(IReadOnlyList<Batch> batches)
    {
        var root2 = Math.Sqrt(o.Beta2);
        var rates = batches.Select(b => Rate(b.Group)).ToArray();
        var (sum, length) = (0.0, 0.0);
        for (var b = 0; b < batches.Count; b++)
        {
            var (_, named, parameters, gradients) = batches[b];
            for (var i = 0; i < parameters.Length; i++)
            {
                var g = gradients[i];
                var v = Slot("exp_avg_sq", named[i]);
                var s = Slot("s", named[i]);
                sum += rates[b] * Dot(g, s / (v.Sqrt() + o.Epsilon));
                Slot("exp_avg", named[i]).Mul_(o.Beta1).Add_(g, rates[b] * (1 - o.Beta1));
                v.Mul_(o.Beta2).Addcmul_(g, g, 1 - o.Beta2);
                s.Mul_(root2).Add_(g, rates[b] * (1 - root2));
                length += s.Abs().Sum().Item();
            }
        }
        if (length == 0) return;
        Numerator = root2 * Numerator + (1 - root2) * sum;
        if (rates.Any(r => r > 0)) D = Math.Max(D, Math.Min(Numerator / ((1 - root2) * length), D * o.GrowthRate));
        Largest = Math.Max(Largest, D);
        for (var b = 0; b < batches.Count; b++)
        {
            var (group, named, parameters, _) = batches[b];
            for (var i = 0; i < parameters.Length; i++)
            {
                if (group.WeightDecay != 0) parameters[i].Mul_(1 - group.WeightDecay * rates[b]);
                parameters[i].Addcdiv_(Slot("exp_avg", named[i]), Slot("exp_avg_sq", named[i]).Sqrt() + o.Epsilon, -1);
            }
        }
    }
}

/// <summary>Constants of <see cref="ScheduleFreeAdamW"/>.</summary>
public sealed record ScheduleFreeOptions
{
    /// <summary>Share of the average in the point where gradients are taken.</summary>
    public double Beta1 { get; init; } = 0.9;
    /// <summary>Share of the old second moment.</summary>
    public double Beta2 { get; init; } = 0.999;
    /// <summary>Added to the root.</summary>
    public double Epsilon { get; init; } = 1e-8;
    /// <summary>Steps over which the rate rises.</summary>
    public long WarmupSteps { get; init; }
    /// <summary>Power of the step number in the averaging weights.</summary>
    public double R { get; init; }
    /// <summary>Power of the largest rate in the averaging weights.</summary>
    public double WeightPower { get; init; } = 2;
}

/// <summary>
/// Schedule-free AdamW (Defazio et al. 2024). The parameters hold y, where gradients are taken; what is saved and sampled with is the
/// average x, <see cref="Averaged"/>.
/// </summary>
public sealed class ScheduleFreeAdamW(IReadOnlyList<ParameterGroup> groups, ScheduleFreeOptions? options = null) : Optimizer(groups)
{
    private readonly ScheduleFreeOptions o = options ?? new();
    private readonly Dictionary<string, double> numbers = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, double> Numbers => numbers;

    /// <summary>x of a parameter, in the current scope.</summary>
    public Tensor Averaged(Trainable parameter) => parameter.Value.Detach().Lerp(Slot("z", parameter, p => p.Detach().Clone()), 1 - 1 / o.Beta1);

    /// <inheritdoc/>
    protected override void LoadNumbers(IReadOnlyDictionary<string, double> numbers)
    {
        this.numbers.Clear();
        foreach (var (name, value) in numbers) this.numbers[name] = value;
    }

    /// <inheritdoc/>
    protected override void Update(Batch batch)
    {
        var (group, named, parameters, gradients) = batch;
        var key = named[0].Name;
        var rate = group.LearningRate * (o.WarmupSteps > 0 ? Math.Min(1, (double)Steps / o.WarmupSteps) : 1);
        var largest = numbers[$"{key}.largest_rate"] = Math.Max(numbers.GetValueOrDefault($"{key}.largest_rate"), rate);
        var weight = Math.Pow(Steps, o.R) * Math.Pow(largest, o.WeightPower);
        var total = numbers[$"{key}.weight_sum"] = numbers.GetValueOrDefault($"{key}.weight_sum") + weight;
        var share = total == 0 ? 0 : weight / total;
        var correction = 1 - Math.Pow(o.Beta2, Steps);
        for (var i = 0; i < parameters.Length; i++)
        {
            var (y, g) = (parameters[i], gradients[i]);
            var z = Slot("z", named[i], p => p.Detach().Clone());
            var v = Slot("exp_avg_sq", named[i]).Mul_(o.Beta2).Addcmul_(g, g, 1 - o.Beta2);
            var step = g / ((v / correction).Sqrt() + o.Epsilon);
            if (group.WeightDecay != 0) step.Add_(y, group.WeightDecay);
            // y' = b1 x' + (1 − b1) z' written without x
            y.Lerp_(z, share).Add_(step, rate * (o.Beta1 * (1 - share) - 1));
            z.Sub_(step, rate);
        }
    }
}
