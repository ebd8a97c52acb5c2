using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>Denoising diffusion probabilistic models (Ho et al. 2020): ancestral sampling to the next timestep of the list.</summary>
public sealed class DdpmScheduler : AlphaScheduler
{
    private const double LeastVariance = 1e-20;

    /// <summary>From its settings.</summary>
    public DdpmScheduler(SchedulerOptions options) : base(options) { }

    private protected override SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        Tensor? predicted = null;
        if (Options.VarianceType is "learned" or "learned_range")
        {
            var channels = sample.Size(1);
            if (output.Size(1) != 2 * channels)
                throw new ModelException($"variance_type {Options.VarianceType} needs a model with {2 * channels} output channels, not {output.Size(1)}; set it to fixed_small.");
            (output, predicted) = (output.Narrow(1, 0, channels), output.Narrow(1, channels, channels));
        }
        var alpha = Noise.Alpha((long)t);
        var previous = at + 1 < Timesteps.Count ? Noise.Alpha((long)Timesteps[at + 1]) : 1;
        var beta = 1 - alpha / previous;
        var original = Bounded(Original(output, sample, Math.Sqrt(alpha), Math.Sqrt(1 - alpha)));
        // Ho et al. 2020, eq. 7
        var next = (original * (Math.Sqrt(previous) * beta / (1 - alpha))).Add(sample, Math.Sqrt(alpha / previous) * (1 - previous) / (1 - alpha));
        if (t > 0)
        {
            var small = Math.Max((1 - previous) / (1 - alpha) * beta, LeastVariance);
            next = next + Deviation(small, beta, predicted, noise.Draw(sample.Shape, sample.Device));
        }
        return new(next, original);
    }

    private Tensor Deviation(double small, double beta, Tensor? predicted, Tensor drawn) => Options.VarianceType switch
    {
        "learned" => drawn * predicted!.Sqrt(),
        // the logarithm of the variance, between the two bounds (Nichol and Dhariwal 2021, eq. 15)
        "learned_range" => drawn * ((predicted! + 1) * (0.25 * (Math.Log(beta) - Math.Log(small))) + 0.5 * Math.Log(small)).Exp(),
        "fixed_large" or "fixed_large_log" => drawn * Math.Sqrt(beta),
        _ => drawn * Math.Sqrt(small),
    };
}
