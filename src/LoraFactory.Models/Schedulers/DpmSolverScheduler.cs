using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>
/// DPM-Solver and DPM-Solver++ multistep of order 1 to 3, deterministic or with noise (Lu et al. 2022a and 2022b). The "++" forms
/// carry x0, the others ε.
/// </summary>
public sealed class DpmSolverScheduler : LogSnrScheduler
{
    /// <summary>Below this many steps the order falls at the end.</summary>
    private const int ShortRun = 15;

    private readonly TensorHistory outputs;
    private readonly bool data;
    private readonly bool stochastic;

    /// <summary>From its settings.</summary>
    public DpmSolverScheduler(SchedulerOptions options) : base(options)
    {
        data = options.Algorithm.EndsWith("++", StringComparison.Ordinal);
        stochastic = options.Algorithm.StartsWith("sde", StringComparison.Ordinal);
        outputs = new(options.SolverOrder);
    }

    private protected override bool FinalOfSpread => false;

    private protected override bool RoundsTimes => Options.BetaSchedule != "squaredcos_cap_v2";

    private protected override (double[] Times, double[] Sigmas) FlowTimes(int steps)
    {
        var total = Options.TrainTimesteps;
        var sigmas = Enumerable.Range(0, steps).Select(i => Shifted((1 - 1.0 / total) * (steps - i) / steps)).ToArray();
        return (Array.ConvertAll(sigmas, s => s * total), sigmas);
    }

    private protected override void Forget() => outputs.Clear();

    private protected override SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        var converted = Converted(output, sample, LevelAt(at));
        outputs.Push(converted);
        var count = Timesteps.Count;
        var shortRun = Options.LowerOrderFinal && count < ShortRun;
        var order = Math.Min(outputs.Count, Options.SolverOrder);
        if (at == count - 1 && (Options.EulerAtFinal || shortRun || Options.FinalSigmaZero)) order = 1;
        else if (at == count - 2 && shortRun) order = Math.Min(order, 2);
        var drawn = stochastic ? noise.Draw(sample.Shape, sample.Device) : null;
        return new(Update(at, order, sample, drawn), data ? converted : null);
    }

    private Tensor Converted(Tensor output, Tensor sample, Level level)
    {
        if (Options.VarianceType is "learned" or "learned_range" && Options.Prediction == Prediction.Epsilon) output = output.Narrow(1, 0, sample.Size(1));
        if (data)
        {
            var original = Original(output, sample, level.Alpha, level.Sigma);
            return Options.Thresholding ? Thresholded(original) : original;
        }
        var epsilon = NoiseOf(output, sample, level.Alpha, level.Sigma);
        if (!Options.Thresholding) return epsilon;
        return sample.Sub(Thresholded(sample.Sub(epsilon, level.Sigma) / level.Alpha), level.Alpha) / level.Sigma;
    }

    // x_t = a·x + c0·D0 + c1·D1 + c2·D2 + n·noise, D the finite differences of the outputs over λ.
    private Tensor Update(int at, int order, Tensor sample, Tensor? drawn)
    {
        var (to, from) = (LevelAt(at + 1), LevelAt(at));
        var h = to.Lambda - from.Lambda;
        var (a, c0, c1, c2, n) = Coefficients(to, from, h, order);
        var next = (sample * a).Add(outputs[0], c0);
        if (order >= 2)
        {
            var r0 = (from.Lambda - LevelAt(at - 1).Lambda) / h;
            var first = (outputs[0] - outputs[1]) / r0;
            if (order == 3)
            {
                var r1 = (LevelAt(at - 1).Lambda - LevelAt(at - 2).Lambda) / h;
                var change = first - (outputs[1] - outputs[2]) / r1;
                first = first.Add(change, r0 / (r0 + r1));
                next = next.Add(change, c2 / (r0 + r1));
            }
            next = next.Add(first, c1);
        }
        return drawn is null ? next : next.Add(drawn, n);
    }

    private (double A, double C0, double C1, double C2, double N) Coefficients(Level to, Level from, double h, int order)
    {
        // the noisy "++" form runs over 2h, with the same shape
        var taylor = Options.SolverType == "heun" || order == 3;
        if (data)
        {
            var k = stochastic ? 2 * h : h;
            var decay = -Expm1(-k);   // 1 − e^−k
            var second = taylor ? to.Alpha * (1 - decay / k) : 0.5 * to.Alpha * decay;
            // with noise the reference library subtracts the ½ here instead of adding it; its numbers are what people know
            var third = to.Alpha * ((stochastic ? -0.5 : 0.5) - (k - decay) / (k * k));
            var keep = to.Sigma / from.Sigma * (stochastic ? Math.Exp(-h) : 1);
            return (keep, to.Alpha * decay, second, third, stochastic ? to.Sigma * Math.Sqrt(decay) : 0);
        }
        var growth = Expm1(h);
        var factor = stochastic ? 2 : 1;
        var c1 = taylor ? -factor * to.Sigma * (growth / h - 1) : -0.5 * factor * to.Sigma * growth;
        var c2 = -to.Sigma * ((growth - h) / (h * h) - 0.5);
        return (to.Alpha / from.Alpha, -factor * to.Sigma * growth, c1, c2, stochastic ? to.Sigma * Math.Sqrt(Expm1(2 * h)) : 0);
    }

    private static double Expm1(double x) => Math.Abs(x) < 1e-5 ? x + x * x / 2 : Math.Exp(x) - 1;
}
