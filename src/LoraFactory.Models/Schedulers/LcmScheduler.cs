using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>Multistep consistency sampling of latent consistency models (Luo et al. 2023).</summary>
public sealed class LcmScheduler : AlphaScheduler
{
    /// <summary>Standard deviation of the data that the boundary condition assumes.</summary>
    private const double DataDeviation = 0.5;

    /// <summary>From its settings.</summary>
    public LcmScheduler(SchedulerOptions options) : base(options) { }

    private protected override double[] Plan(int steps)
    {
        var (total, distilled) = (Options.TrainTimesteps, Options.OriginalSteps);
        if (distilled > total) throw new ModelException($"original_inference_steps {distilled} is more than the {total} timesteps of training.");
        if (steps > distilled) throw new ModelException($"{steps} sampling steps with LCM: at most {distilled} (original_inference_steps) are there.");
        // the distillation's timesteps, falling, thinned out evenly
        return [.. Enumerable.Range(0, steps).Select(i => (distilled - Math.Floor(i * ((double)distilled / steps))) * (total / distilled) - 1)];
    }

    private protected override SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        var last = at + 1 == Timesteps.Count;
        var alpha = Noise.Alpha((long)t);
        var scaled = t * Options.TimestepScaling;
        var skip = DataDeviation * DataDeviation / (scaled * scaled + DataDeviation * DataDeviation);
        var keep = scaled / Math.Sqrt(scaled * scaled + DataDeviation * DataDeviation);
        var original = Bounded(Original(output, sample, Math.Sqrt(alpha), Math.Sqrt(1 - alpha)));
        var denoised = (original * keep).Add(sample, skip);
        if (last) return new(denoised, denoised);
        var next = AlphaBefore((long)Timesteps[at + 1]);
        return new((denoised * Math.Sqrt(next)).Add(noise.Draw(sample.Shape, sample.Device), Math.Sqrt(1 - next)), denoised);
    }
}
