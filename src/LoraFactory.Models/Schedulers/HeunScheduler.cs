using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>Heun's second-order method (Karras et al. 2022, algorithm 1 without churn): 2n − 1 calls of the model.</summary>
public sealed class HeunScheduler : SigmaScheduler
{
    private readonly TensorHistory start = new(1);
    private readonly TensorHistory slope = new(1);

    /// <summary>From its settings.</summary>
    public HeunScheduler(SchedulerOptions options) : base(options) { }

    /// <inheritdoc/>
    public override int Order => 2;

    private protected override double[] Plan(int steps)
    {
        var (times, sigmas) = SpacedSigmas(steps, roundKarras: false);
        Sigmas = Singles([sigmas[0], .. sigmas[1..].SelectMany(s => new[] { s, s }), 0]);
        return Singles([times[0], .. times[1..].SelectMany(t => new[] { t, t })]);
    }

    private protected override void Forget()
    {
        start.Clear();
        slope.Clear();
    }

    private protected override SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        var sigma = Sigmas[at];
        var original = OriginalAt(output, sample, sigma);
        if (Options.ClipSample) original = Bounded(original);
        var derivative = (sample - original) / sigma;
        if (start.Count == 0)
        {
            start.Push(sample);
            slope.Push(derivative);
            return new(sample.Add(derivative, Sigmas[at + 1] - sigma), original);
        }
        // the second call of the step: the mean of the slopes at both ends
        var next = start[0].Add(slope[0] + derivative, (sigma - Sigmas[at - 1]) / 2);
        Forget();
        return new(next, original);
    }
}
