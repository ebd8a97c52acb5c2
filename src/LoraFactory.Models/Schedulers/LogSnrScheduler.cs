using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>Samplers that work on α·x0 + σ'·ε over λ = ln(α/σ'): DPM-Solver and UniPC. A run begins with unit noise; t is whole.</summary>
public abstract class LogSnrScheduler : Scheduler
{
    private protected LogSnrScheduler(SchedulerOptions options) : base(options, finiteSigma: true) { }

    /// <inheritdoc/>
    public override double InitNoiseSigma => 1;

    /// <summary>α, σ' and λ of one σ = σ'/α; λ is infinite at σ = 0.</summary>
    private protected readonly record struct Level(double Alpha, double Sigma)
    {
        public double Lambda => Math.Log(Alpha) - Math.Log(Sigma);
    }

    /// <inheritdoc/>
    public override Tensor AddNoise(Tensor original, Tensor noise, double t)
    {
        var level = LevelAt(PlaceOf(t));
        return (original * level.Alpha).Add(noise, level.Sigma);
    }

    /// <summary>Level of place i of the run.</summary>
    private protected Level LevelAt(int i)
    {
        var sigma = Sigmas[i];
        if (Options.Spread == SigmaSpread.Flow) return new(1 - sigma, sigma);
        var alpha = 1 / Math.Sqrt(sigma * sigma + 1);
        return new(alpha, sigma * alpha);
    }

    /// <summary>Whether the final σ of a spread repeats its own last one (UniPC) instead of the table's first.</summary>
    private protected abstract bool FinalOfSpread { get; }

    /// <summary>Whether t is rounded where Karras or Lu chose σ, instead of cut.</summary>
    private protected abstract bool RoundsTimes { get; }

    private protected override double[] Plan(int steps)
    {
        var times = SolverTimes(steps, Options.TrainTimesteps - Noise.BelowLogSnr(Options.LambdaMinClipped));
        var sigmas = Array.ConvertAll(times, Noise.SigmaAt);
        if (Options.Spread == SigmaSpread.Flow)
        {
            (times, sigmas) = FlowTimes(steps);
        }
        else if (Options.Spread != SigmaSpread.Timesteps)
        {
            sigmas = NoiseSchedule.Spread(Options.Spread, Options.SigmaMax ?? Noise.SigmaTable[^1], Options.SigmaMin ?? Noise.SigmaTable[0], steps);
            times = Array.ConvertAll(sigmas, Noise.TimeAt);
            if (Options.Spread is SigmaSpread.Karras or SigmaSpread.Lu && RoundsTimes) times = Array.ConvertAll(times, Math.Round);
        }
        var last = Options.FinalSigmaZero ? 0 : FinalOfSpread && Options.Spread != SigmaSpread.Timesteps ? sigmas[^1] : Noise.SigmaTable[0];
        Sigmas = [.. sigmas.Append(last).Select(s => (double)(float)s)];
        return Array.ConvertAll(times, Math.Truncate);
    }

    /// <summary>Straight-path σ's and their timesteps.</summary>
    private protected abstract (double[] Times, double[] Sigmas) FlowTimes(int steps);

    private protected double Shifted(double sigma) => Options.FlowShift * sigma / (1 + (Options.FlowShift - 1) * sigma);

    // Unlike the other samplers': n + 1 points of which the last is left out.
    private double[] SolverTimes(int n, int total)
    {
        var result = new List<double>(n);
        for (var i = 0; i < n; i++)
        {
            var t = Options.Spacing switch
            {
                Spacing.Leading => (n - i) * (double)(total / (n + 1)) + Options.StepsOffset,
                Spacing.Trailing => Math.Round(total - i * ((double)Options.TrainTimesteps / n)) - 1,
                _ => Math.Round((n - i) * ((total - 1.0) / n)),
            };
            if (t >= 0) result.Add(t);
        }
        return [.. result];
    }
}
