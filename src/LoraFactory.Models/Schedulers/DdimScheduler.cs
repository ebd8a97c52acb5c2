using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>Denoising diffusion implicit models (Song et al. 2021); eta 0 is deterministic, 1 draws DDPM's noise.</summary>
public sealed class DdimScheduler : AlphaScheduler
{
    /// <summary>From its settings.</summary>
    public DdimScheduler(SchedulerOptions options) : base(options) { }

    private protected override SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        // the step is T/n wide, whatever the next entry of the list is
        var (alpha, previous) = (Noise.Alpha((long)t), AlphaBefore((long)t - Options.TrainTimesteps / Steps));
        var original = Original(output, sample, Math.Sqrt(alpha), Math.Sqrt(1 - alpha));
        var epsilon = NoiseOf(output, sample, Math.Sqrt(alpha), Math.Sqrt(1 - alpha));
        original = Bounded(original);
        var deviation = Options.Eta * Math.Sqrt((1 - previous) / (1 - alpha) * (1 - alpha / previous));
        var next = (original * Math.Sqrt(previous)).Add(epsilon, Math.Sqrt(Math.Max(0, 1 - previous - deviation * deviation)));
        if (Options.Eta > 0) next = next.Add(noise.Draw(sample.Shape, sample.Device), deviation);
        return new(next, original);
    }
}
