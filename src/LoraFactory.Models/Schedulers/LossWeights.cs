using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>Weights of the loss by the signal-to-noise ratio of its timestep, SNR = ᾱ/(1−ᾱ). Pure functions of one SNR ≥ 0.</summary>
public static class LossWeights
{
    /// <summary>SNR beyond which the clamped weights treat it as this.</summary>
    public const double LargestSnr = 1000;

    /// <summary>
    /// Min-SNR-γ (Hang et al. 2023): min(SNR, γ)/SNR when the model predicts noise, /(SNR+1) for v, min(SNR, γ) for x0. γ &gt; 0, 5 in the
    /// paper. At SNR 0 the first is its limit, 1.
    /// </summary>
    public static double MinSnr(double snr, double gamma, Prediction prediction) => prediction switch
    {
        Prediction.Epsilon => snr <= gamma ? 1 : gamma / snr,
        Prediction.Velocity => Math.Min(snr, gamma) / (snr + 1),
        Prediction.Sample => Math.Min(snr, gamma),
        _ => throw new ModelException("min-SNR weights are defined for epsilon, v and x0 predictions, not for flows."),
    };

    /// <summary>Scales the v loss to the size of the ε loss: s/(s+1), s = min(SNR, 1000).</summary>
    public static double VelocityLikeEpsilon(double snr) => Math.Min(snr, LargestSnr) / (Math.Min(snr, LargestSnr) + 1);

    /// <summary>Debiased estimation (Yu et al. 2024) for ε: 1/√min(SNR, 1000). Infinite at SNR 0, so not for zero terminal SNR.</summary>
    public static double Debiased(double snr) => 1 / Math.Sqrt(Math.Min(snr, LargestSnr));

    /// <summary>SNR of every timestep; 0 at the last one with zero terminal SNR.</summary>
    public static double[] Snr(NoiseSchedule schedule) => [.. schedule.AlphaTable.Select(a => a / (1.0 - a))];

    /// <summary>A weight for each row: timesteps int64 [b] → float32 [b], on their device.</summary>
    public static Tensor Of(NoiseSchedule schedule, Tensor timesteps, Func<double, double> weight)
    {
        var table = Snr(schedule).Select(snr => (float)weight(snr)).ToArray();
        return Tensor.From(table).To(dtype: DType.Float32, device: timesteps.Device).IndexSelect(0, timesteps);
    }
}
