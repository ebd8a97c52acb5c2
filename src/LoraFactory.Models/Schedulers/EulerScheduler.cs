using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>Euler's method on the probability-flow equation (Karras et al. 2022, algorithm 2 without churn).</summary>
public sealed class EulerScheduler : SigmaScheduler
{
    /// <summary>From its settings.</summary>
    public EulerScheduler(SchedulerOptions options) : base(options) { }

    private protected override double[] Plan(int steps)
    {
        var (times, sigmas) = SpacedSigmas(steps, roundKarras: false);
        Sigmas = Singles([.. sigmas, Options.FinalSigmaZero ? 0 : Noise.SigmaTable[0]]);
        if (Options.ContinuousTimesteps && Options.Prediction == Prediction.Velocity) times = [.. Sigmas.SkipLast(1).Take(steps).Select(s => 0.25 * Math.Log(s))];
        return Singles(times);
    }

    private protected override SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        var sigma = Sigmas[at];
        var original = OriginalAt(output, sample, sigma);
        return new(sample.Add(sample - original, (Sigmas[at + 1] - sigma) / sigma), original);
    }
}

/// <summary>Euler's method with fresh noise in every step.</summary>
public sealed class EulerAncestralScheduler : SigmaScheduler
{
    /// <summary>From its settings.</summary>
    public EulerAncestralScheduler(SchedulerOptions options) : base(options) { }

    private protected override double[] Plan(int steps)
    {
        var (times, sigmas) = SpacedSigmas(steps, roundKarras: false);
        Sigmas = Singles([.. sigmas, 0]);
        return Singles(times);
    }

    private protected override SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        var sigma = Sigmas[at];
        var (down, up) = Ancestral(sigma, Sigmas[at + 1]);
        var original = OriginalAt(output, sample, sigma);
        var next = sample.Add(sample - original, (down - sigma) / sigma);
        return new(next.Add(noise.Draw(sample.Shape, sample.Device), up), original);
    }
}
