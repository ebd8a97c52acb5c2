using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>Samplers that work on √ᾱ·x0 + √(1−ᾱ)·ε at whole timesteps: DDIM, DDPM, PNDM, LCM. A run begins with unit noise.</summary>
public abstract class AlphaScheduler : Scheduler
{
    private protected AlphaScheduler(SchedulerOptions options) : base(options, finiteSigma: false) { }

    /// <inheritdoc/>
    public override double InitNoiseSigma => 1;

    /// <inheritdoc/>
    public override Tensor AddNoise(Tensor original, Tensor noise, double t)
    {
        var alpha = Noise.Alpha((long)t);
        return (original * Math.Sqrt(alpha)).Add(noise, Math.Sqrt(1 - alpha));
    }

    private protected override double[] Plan(int steps) => Spaced(steps, whole: true);

    /// <summary>ᾱ at a timestep that may lie before the first.</summary>
    private protected double AlphaBefore(long t) => t >= 0 ? Noise.Alpha(t) : Options.SetAlphaToOne ? 1 : Noise.Alpha(0);
}
