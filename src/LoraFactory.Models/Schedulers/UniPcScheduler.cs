using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>
/// UniPC multistep (Zhao et al. 2023): a predictor, and a corrector that uses the same model output once more before the next step.
/// </summary>
public sealed class UniPcScheduler : LogSnrScheduler
{
    /// <summary>Keeps the first straight-path σ below 1, where α would vanish.</summary>
    private const double BelowOne = 1e-6;

    private readonly TensorHistory outputs;
    private readonly TensorHistory last = new(1);
    private int order;

    /// <summary>From its settings.</summary>
    public UniPcScheduler(SchedulerOptions options) : base(options) => outputs = new(options.SolverOrder);

    private protected override bool FinalOfSpread => true;

    private protected override bool RoundsTimes => true;

    private protected override (double[] Times, double[] Sigmas) FlowTimes(int steps)
    {
        var total = Options.TrainTimesteps;
        var sigmas = Enumerable.Range(0, steps).Select(i => Shifted(1 - i * (1 - 1.0 / total) / steps)).ToArray();
        if (Math.Abs(sigmas[0] - 1) < BelowOne) sigmas[0] -= BelowOne;
        return (Array.ConvertAll(sigmas, s => s * total), sigmas);
    }

    private protected override void Forget()
    {
        outputs.Clear();
        last.Clear();
        order = 0;
    }

    private protected override SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        var converted = Converted(output, sample, LevelAt(at));
        if (at > 0 && last.Count > 0 && !Options.DisableCorrector.Contains(at - 1)) sample = Update(at, order, last[0], converted);
        outputs.Push(converted);
        var most = Options.LowerOrderFinal ? Math.Min(Options.SolverOrder, Timesteps.Count - at) : Options.SolverOrder;
        order = Math.Min(most, outputs.Count);
        // nothing but the output itself counts on the way to σ = 0
        if (Sigmas[at + 1] == 0) order = 1;
        last.Push(sample);
        return new(Update(at + 1, order, sample, null), Options.PredictX0 ? converted : null);
    }

    private Tensor Converted(Tensor output, Tensor sample, Level level)
    {
        if (!Options.PredictX0) return NoiseOf(output, sample, level.Alpha, level.Sigma);
        var original = Original(output, sample, level.Alpha, level.Sigma);
        return Options.Thresholding ? Thresholded(original) : original;
    }

    // From place to-1 to place to. The newest output kept is that of the start; atTarget is the output at the target, for the corrector.
    private Tensor Update(int target, int p, Tensor sample, Tensor? atTarget)
    {
        var (to, from) = (LevelAt(target), LevelAt(target - 1));
        var h = to.Lambda - from.Lambda;
        var keep = Options.PredictX0 ? to.Sigma / from.Sigma : to.Alpha / from.Alpha;
        // α_t (e^−h − 1), or σ_t (e^h − 1), in a form that stays finite at σ = 0
        var gain = Options.PredictX0 ? to.Sigma / from.Sigma * from.Alpha - to.Alpha : to.Alpha / from.Alpha * from.Sigma - to.Sigma;
        var next = (sample * keep).Sub(outputs[0], gain);
        if (p == 1 && atTarget is null) return next;
        var hh = Options.PredictX0 ? -h : h;
        var scale = (Options.PredictX0 ? to.Alpha : to.Sigma) * (Options.SolverType == "bh1" ? hh : Math.Exp(hh) - 1);
        var ratios = new double[p];
        for (var i = 1; i < p; i++) ratios[i - 1] = (LevelAt(target - 1 - i).Lambda - from.Lambda) / h;
        ratios[p - 1] = 1;
        var weights = Weights(ratios, hh, corrector: atTarget is not null);
        for (var i = 1; i < p; i++) next = next.Sub(outputs[i] - outputs[0], scale * weights[i - 1] / ratios[i - 1]);
        return atTarget is null ? next : next.Sub(atTarget - outputs[0], scale * weights[p - 1]);
    }

    // Zhao et al. 2023, theorem 3.1: R ρ = b; the lowest orders take their limit ½.
    private double[] Weights(double[] ratios, double hh, bool corrector)
    {
        var p = ratios.Length;
        if (p == 1 || (p == 2 && !corrector)) return [0.5];
        var size = corrector ? p : p - 1;
        var norm = Options.SolverType == "bh1" ? hh : Math.Exp(hh) - 1;
        var rows = new double[size, size + 1];
        var phi = (Math.Exp(hh) - 1) / hh - 1;
        var factorial = 1.0;
        for (var i = 0; i < size; i++)
        {
            for (var j = 0; j < size; j++) rows[i, j] = Math.Pow(ratios[j], i);
            rows[i, size] = phi * factorial / norm;
            factorial *= i + 2;
            phi = phi / hh - 1 / factorial;
        }
        return Solve(rows, size);
    }

    // Gauss elimination with pivots; at most 5 unknowns.
    private static double[] Solve(double[,] a, int n)
    {
        for (var column = 0; column < n; column++)
        {
            var pivot = column;
            for (var r = column + 1; r < n; r++)
                if (Math.Abs(a[r, column]) > Math.Abs(a[pivot, column])) pivot = r;
            for (var c = 0; c <= n; c++) (a[column, c], a[pivot, c]) = (a[pivot, c], a[column, c]);
            for (var r = 0; r < n; r++)
            {
                if (r == column) continue;
                var factor = a[r, column] / a[column, column];
                for (var c = column; c <= n; c++) a[r, c] -= factor * a[column, c];
            }
        }
        var x = new double[n];
        for (var i = 0; i < n; i++) x[i] = a[i, n] / a[i, i];
        return x;
    }
}
