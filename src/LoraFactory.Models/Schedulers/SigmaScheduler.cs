using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>
/// Samplers that work on x0 + σ·ε (Karras et al. 2022): Euler, Heun, KDPM2, LMS. The model sees x / √(σ²+1); t may be fractional.
/// </summary>
public abstract class SigmaScheduler : Scheduler
{
    private protected SigmaScheduler(SchedulerOptions options) : base(options, finiteSigma: true) { }

    /// <inheritdoc/>
    public override double InitNoiseSigma
    {
        get
        {
            // before a run is planned: that of the whole table
            var largest = Sigmas.Count > 0 ? Sigmas.Max() : Noise.SigmaTable[^1];
            return Options.Spacing == Spacing.Leading ? Math.Sqrt(largest * largest + 1) : largest;
        }
    }

    /// <inheritdoc/>
    public override Tensor ScaleModelInput(Tensor sample, double t)
    {
        var sigma = InputSigma(IndexOf(t));
        return sample / Math.Sqrt(sigma * sigma + 1);
    }

    /// <inheritdoc/>
    public override Tensor AddNoise(Tensor original, Tensor noise, double t) => original.Add(noise, Sigmas[PlaceOf(t)]);

    /// <summary>σ of the sample that call <paramref name="at"/> of the model gets.</summary>
    private protected virtual double InputSigma(int at) => Sigmas[at];

    /// <summary>Timesteps and σ's of n steps, without the final σ; <paramref name="roundKarras"/> rounds t where Karras chose σ.</summary>
    private protected (double[] Times, double[] Sigmas) SpacedSigmas(int n, bool roundKarras)
    {
        var times = Array.ConvertAll(Spaced(n, whole: false), t => (double)(float)t);
        var sigmas = Array.ConvertAll(times, Noise.SigmaAt);
        if (Options.Interpolation == "log_linear")
            sigmas = NoiseSchedule.Spread(SigmaSpread.Exponential, Noise.SigmaTable[^1], Noise.SigmaTable[0], n + 1);
        if (Options.Spread == SigmaSpread.Timesteps) return (times, sigmas);
        sigmas = NoiseSchedule.Spread(Options.Spread, Options.SigmaMax ?? sigmas[0], Options.SigmaMin ?? sigmas[^1], n);
        times = Array.ConvertAll(sigmas, Noise.TimeAt);
        if (roundKarras && Options.Spread == SigmaSpread.Karras) times = Array.ConvertAll(times, Math.Round);
        return (times, sigmas);
    }

    /// <summary>x0 from the output at x = x0 + σ·ε; v stands for the unit-variance form of x.</summary>
    private protected Tensor OriginalAt(Tensor output, Tensor sample, double sigma) => Options.Prediction switch
    {
        Prediction.Epsilon => sample.Sub(output, sigma),
        Prediction.Velocity => (output * (-sigma / Math.Sqrt(sigma * sigma + 1))).Add(sample, 1 / (sigma * sigma + 1)),
        _ => output,
    };

    /// <summary>σ to go down to and noise to add, so that a step from one σ to the next keeps the variance.</summary>
    private protected static (double Down, double Up) Ancestral(double from, double to)
    {
        var up = Math.Sqrt(to * to * (from * from - to * to) / (from * from));
        return (Math.Sqrt(Math.Max(0, to * to - up * up)), up);
    }

    private protected static double[] Singles(IEnumerable<double> numbers) => [.. numbers.Select(x => (double)(float)x)];
}
