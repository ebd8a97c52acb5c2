using LoraFactory.Models.Schedulers;
using LoraFactory.Torch;

namespace LoraFactory.Models.Training;

/// <summary>How a difference d of prediction and target is punished, element by element.</summary>
public enum LossShape
{
    /// <summary>d².</summary>
    Squared,
    /// <summary>|d|.</summary>
    Absolute,
    /// <summary>2c(√(d² + c²) − c): square near 0, a line far off. The pseudo-Huber loss, not the textbook's.</summary>
    Huber,
    /// <summary>2(√(d² + c²) − c).</summary>
    SmoothAbsolute,
}

/// <summary>How c of the Huber shapes depends on the timestep.</summary>
public enum HuberSchedule
{
    /// <summary>c at every timestep.</summary>
    Constant,
    /// <summary>exp(ln(c) / T · t): from 1 down to c.</summary>
    Exponential,
    /// <summary>(1 − c) / (1 + σ)² + c.</summary>
    Snr,
}

/// <summary>How two halves of a batch, instances and then pictures of the class, add up.</summary>
public enum PriorPreservation
{
    /// <summary>One mean over all rows, the class rows weighted by <see cref="DiffusionBatch.Weights"/> (kohya).</summary>
    OneMean,
    /// <summary>Mean of the instances plus weighted mean of the class (diffusers): twice as large.</summary>
    SumOfMeans,
}

/// <summary>What a diffusion model is punished for.</summary>
public sealed record DiffusionLossOptions
{
    /// <summary>What the model predicts: noise or velocity.</summary>
    public Prediction Prediction { get; init; } = Prediction.Epsilon;
    /// <summary>Shape of the element loss.</summary>
    public LossShape Shape { get; init; } = LossShape.Squared;
    /// <summary>c of the Huber shapes, above 0.</summary>
    public double HuberC { get; init; } = 0.1;
    /// <summary>How c depends on the timestep.</summary>
    public HuberSchedule HuberSchedule { get; init; } = HuberSchedule.Snr;
    /// <summary>γ of min-SNR weights (Hang et al. 2023); 0 weights nothing.</summary>
    public double MinSnrGamma { get; init; }
    /// <summary>Debiased estimation weights (Yu et al. 2024).</summary>
    public bool Debiased { get; init; }
    /// <summary>Scales a v loss to the size of an ε loss.</summary>
    public bool VelocityLikeEpsilon { get; init; }
    /// <summary>How a batch with class pictures adds up.</summary>
    public PriorPreservation Prior { get; init; } = PriorPreservation.OneMean;
}

/// <summary>
/// The training loss of diffusion models, in kohya's order: element loss, times mask, mean per sample, times the sample's weight, times the
/// weight of its timestep, mean over the batch.
/// </summary>
public sealed class DiffusionLoss(NoiseSchedule schedule, DiffusionLossOptions options)
{
    /// <summary>The noise schedule.</summary>
    public NoiseSchedule Schedule => schedule;

    /// <summary>The options.</summary>
    public DiffusionLossOptions Options => options;

    /// <summary>The model's input: √ᾱ · latents + √(1−ᾱ) · noise.</summary>
    public Tensor Noisy(Tensor latents, Tensor noise, Tensor timesteps) => TrainingNoise.AddNoise(schedule, latents, noise, timesteps);

    /// <summary>What the model should say: the noise, or the velocity.</summary>
    public Tensor Target(Tensor latents, Tensor noise, Tensor timesteps) => options.Prediction switch
    {
        Prediction.Epsilon => noise,
        Prediction.Velocity => TrainingNoise.Velocity(schedule, latents, noise, timesteps),
        Prediction.Sample => latents,
        _ => throw new ModelException($"Training on {options.Prediction} predictions is not supported: use an epsilon or v-prediction base."),
    };

    /// <summary>
    /// Mean loss of each sample [b], unweighted. <paramref name="prediction"/>, <paramref name="target"/>: [b, c, H, W];
    /// <paramref name="timesteps"/>: int64 [b]; <paramref name="mask"/>: [b, H', W'], 0..1, resized by area; the mean still divides by all elements.
    /// </summary>
    public Tensor PerSample(Tensor prediction, Tensor target, Tensor timesteps, Tensor? mask = null)
    {
        var (p, y) = (prediction.To(DType.Float32), target.To(DType.Float32));
        var loss = options.Shape switch
        {
            LossShape.Squared => p.MseLoss(y, 0),
            LossShape.Absolute => p.L1Loss(y, 0),
            _ => PseudoHuber(p - y, timesteps),
        };
        if (mask is not null) loss = loss * Resized(mask, p.Size(2), p.Size(3));
        return loss.Mean([1, 2, 3]);
    }

    /// <summary>A mask [b, H', W'] as [b, 1, H, W], every element the mean of the area that it covers.</summary>
    public static Tensor Resized(Tensor mask, long height, long width) => mask.To(DType.Float32).Unsqueeze(1).AdaptiveAvgPool2d([height, width]);

    /// <summary>c of each row, [b].</summary>
    public Tensor HuberC(Tensor timesteps)
    {
        var c = options.HuberC;
        var table = new float[schedule.Count];
        for (var t = 0; t < table.Length; t++)
        {
            var sigma = Math.Sqrt((1 - schedule.Alpha(t)) / schedule.Alpha(t));
            table[t] = (float)(options.HuberSchedule switch
            {
                HuberSchedule.Exponential => Math.Exp(Math.Log(c) / table.Length * t),
                HuberSchedule.Snr => double.IsInfinity(sigma) ? c : (1 - c) / Math.Pow(1 + sigma, 2) + c,
                _ => c,
            });
        }
        return Tensor.From(table).To(dtype: DType.Float32, device: timesteps.Device).IndexSelect(0, timesteps);
    }

    /// <summary>Weight of each row by its timestep, [b]; null when nothing is weighted.</summary>
    public Tensor? TimestepWeights(Tensor timesteps)
    {
        var o = options;
        if (o.MinSnrGamma <= 0 && !o.Debiased && !o.VelocityLikeEpsilon) return null;
        return LossWeights.Of(schedule, timesteps, snr =>
            (o.MinSnrGamma > 0 ? LossWeights.MinSnr(snr, o.MinSnrGamma, o.Prediction) : 1)
            * (o.Debiased ? DebiasedWeight(snr) : 1)
            * (o.VelocityLikeEpsilon ? LossWeights.VelocityLikeEpsilon(snr) : 1));
    }

    /// <summary>The scalar loss of a batch. <paramref name="weights"/>: weight of each sample [b], or null.</summary>
    public Tensor Total(Tensor prediction, Tensor target, Tensor timesteps, Tensor? mask = null, Tensor? weights = null)
    {
        var loss = PerSample(prediction, target, timesteps, mask);
        if (weights is not null) loss = loss * weights;
        if (TimestepWeights(timesteps) is { } w) loss = loss * w;
        if (options.Prior == PriorPreservation.OneMean) return loss.Mean();
        if (loss.Size(0) % 2 != 0) throw new ModelException($"A batch of {loss.Size(0)} has no two halves of instances and class pictures; give it an even number of rows.");
        var halves = loss.Chunk(2);
        return halves[0].Mean() + halves[1].Mean();
    }

    private double DebiasedWeight(double snr) => options.Prediction == Prediction.Velocity
        ? 1 / (Math.Min(snr, LossWeights.LargestSnr) + 1)
        : LossWeights.Debiased(snr);

    private Tensor PseudoHuber(Tensor difference, Tensor timesteps)
    {
        var c = HuberC(timesteps).View([-1, 1, 1, 1]);
        var root = (difference.Square() + c.Square()).Sqrt() - c;
        return options.Shape == LossShape.Huber ? root * (c * 2) : root * 2;
    }
}
