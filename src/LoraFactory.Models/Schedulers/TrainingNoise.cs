using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>
/// The noise of training, as pure functions: what is random comes in as draws. x0, noise: [b, c, H, W]; timesteps: int64 [b] in [0, T).
/// </summary>
public static class TrainingNoise
{
    /// <summary>Most levels of a pyramid.</summary>
    private const int MostLevels = 10;

    /// <summary>√ᾱ·x0 + √(1−ᾱ)·noise.</summary>
    public static Tensor AddNoise(NoiseSchedule schedule, Tensor original, Tensor noise, Tensor timesteps)
    {
        var (signal, spread) = Roots(schedule, original, timesteps);
        return (signal * original).Addcmul(spread, noise);
    }

    /// <summary>v = √ᾱ·noise − √(1−ᾱ)·x0, the target of v-prediction.</summary>
    public static Tensor Velocity(NoiseSchedule schedule, Tensor original, Tensor noise, Tensor timesteps)
    {
        var (signal, spread) = Roots(schedule, original, timesteps);
        return (signal * noise).Addcmul(spread, original, -1.0);
    }

    /// <summary>Noise offset (Guttenberg 2023): the whole of a channel is shifted. draw: [b, c, 1, 1]; amount 0..0.2, commonly 0.05.</summary>
    public static Tensor Offset(Tensor noise, Tensor draw, double amount) => noise.Add(draw, amount);

    /// <summary>Offset that grows with the brightness of the latents: amount + adaptive·|mean of x0 over H, W|, at least 0.</summary>
    public static Tensor AdaptiveOffset(Tensor noise, Tensor draw, Tensor original, double amount, double adaptive)
    {
        var factor = (original.Mean([2, 3], true).Abs() * adaptive + amount).ClampMin((Scalar)0.0);
        return noise.Addcmul(factor, draw);
    }

    /// <summary>
    /// Input perturbation (Ning et al. 2023): the noise that the model's input gets; the target stays the unperturbed one. draw: shape of noise.
    /// </summary>
    public static Tensor Perturbed(Tensor noise, Tensor draw, double gamma) => noise.Add(draw, gamma);

    /// <summary>Sizes of a pyramid's levels for uniform numbers u in [0, 1): level i is 1/(2+2u)^i of the picture, down to a side of 1.</summary>
    public static IReadOnlyList<(long Height, long Width)> PyramidLevels(long height, long width, IReadOnlyList<double> uniforms, int mostLevels = MostLevels)
    {
        var levels = new List<(long, long)>();
        for (var i = 0; i < Math.Min(mostLevels, uniforms.Count); i++)
        {
            var shrink = Math.Pow(2 + 2 * uniforms[i], i);
            var (h, w) = (Math.Max(1, (long)(height / shrink)), Math.Max(1, (long)(width / shrink)));
            levels.Add((h, w));
            if (h == 1 || w == 1) break;
        }
        return levels;
    }

    /// <summary>
    /// Pyramid noise (multi-resolution; Whitaker 2023): to the noise come draws of falling size, blown up, level i weighted discount^i; then
    /// the whole batch is brought back to a standard deviation of 1. <paramref name="draw"/> gives normal numbers [b, c, h, w] for a level.
    /// </summary>
    public static Tensor Pyramid(Tensor noise, double discount, IReadOnlyList<(long Height, long Width)> levels, Func<int, long, long, Tensor> draw)
    {
        var total = PyramidSum(noise, discount, levels, draw);
        return total / total.Std(default, 1);
    }

    /// <summary>The sum of noise and levels before it is brought back to a standard deviation of 1.</summary>
    public static Tensor PyramidSum(Tensor noise, double discount, IReadOnlyList<(long Height, long Width)> levels, Func<int, long, long, Tensor> draw)
    {
        var (height, width) = (noise.Size(2), noise.Size(3));
        var total = noise;
        for (var i = 0; i < levels.Count; i++)
        {
            var (h, w) = levels[i];
            var level = draw(i, h, w);
            if (h != height || w != width) level = level.UpsampleBilinear2d([height, width], false);
            total = total.Add(level, Math.Pow(discount, i));
        }
        return total;
    }

    // √ᾱ and √(1−ᾱ) of each row, [b, 1, 1, 1].
    private static (Tensor Signal, Tensor Spread) Roots(NoiseSchedule schedule, Tensor like, Tensor timesteps)
    {
        var shape = new long[like.Dim];
        Array.Fill(shape, 1);
        shape[0] = timesteps.Size(0);
        var alpha = Tensor.From(schedule.AlphaTable.ToArray()).To(dtype: DType.Float32, device: like.Device).IndexSelect(0, timesteps).View(shape);
        return (alpha.Sqrt().To(like.DType), (1.0 - alpha).Sqrt().To(like.DType));
    }
}
