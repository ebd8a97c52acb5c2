using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>The second-order method of k-diffusion inspired by DPM-Solver-2: a call at the geometric mean of two σ's between them; 2n − 1 calls.</summary>
public class Kdpm2Scheduler : SigmaScheduler
{
    private readonly TensorHistory start = new(1);
    private double[] middles = [];

    /// <summary>From its settings.</summary>
    public Kdpm2Scheduler(SchedulerOptions options) : base(options) { }

    /// <inheritdoc/>
    public override int Order => 2;

    private protected override double InputSigma(int at) => start.Count == 0 ? Sigmas[at] : middles[at / 2];

    /// <summary>Where step i goes to without noise, and the noise that is added there.</summary>
    private protected virtual (double Down, double Up) Target(double from, double to) => (to, 0);

    private protected override double[] Plan(int steps)
    {
        var (times, chosen) = SpacedSigmas(steps, roundKarras: true);
        var sigmas = Singles([.. chosen, 0]);
        Sigmas = [sigmas[0], .. sigmas[1..].SelectMany(s => new[] { s, s }), 0];
        middles = new double[steps];
        for (var i = 0; i < steps; i++) middles[i] = (float)Math.Sqrt(sigmas[i] * Target(sigmas[i], sigmas[i + 1]).Down);
        return [times[0], .. Enumerable.Range(0, steps - 1).SelectMany(i => new[] { Noise.TimeAt(middles[i]), times[i + 1] })];
    }

    private protected override void Forget() => start.Clear();

    private protected override SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        var middle = middles[at / 2];
        if (start.Count == 0)
        {
            var sigma = Sigmas[at];
            var original = OriginalAt(output, sample, sigma);
            start.Push(sample);
            return new(sample.Add(sample - original, (middle - sigma) / sigma), original);
        }
        var from = Sigmas[at - 1];
        var (down, up) = Target(from, Sigmas[at]);
        var estimate = OriginalAt(output, sample, middle);
        var next = start[0].Add(sample - estimate, (down - from) / middle);
        if (up > 0) next = next.Add(noise.Draw(sample.Shape, sample.Device), up);
        Forget();
        return new(next, estimate);
    }
}

/// <summary>KDPM2 with fresh noise in every step.</summary>
public sealed class Kdpm2AncestralScheduler : Kdpm2Scheduler
{
    /// <summary>From its settings.</summary>
    public Kdpm2AncestralScheduler(SchedulerOptions options) : base(options) { }

    private protected override (double Down, double Up) Target(double from, double to) => Ancestral(from, to);
}
