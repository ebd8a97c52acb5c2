namespace LoraFactory.Models.Schedulers;

/// <summary>
/// The noise of every training timestep: β, ᾱ = ∏(1−β), σ = √((1−ᾱ)/ᾱ), and the ways between t and σ. Tables are float32, as the
/// reference library keeps them; what is derived from them is calculated in double precision.
/// </summary>
public sealed class NoiseSchedule
{
    /// <summary>Stands for ᾱ = 0 where σ has to stay finite.</summary>
    private const float SmallestAlpha = 1f / (1 << 24);

    /// <summary>Names of the β schedules.</summary>
    internal static readonly string[] BetaSchedules = ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace", "exp"];

    private readonly float[] betas;
    private readonly float[] alphas;
    private readonly float[] sigmas;
    private readonly float[] logSigmas;

    /// <summary>Calculates the tables. <paramref name="finiteSigma"/>: with zero terminal SNR the last ᾱ is 2⁻²⁴ instead of 0.</summary>
    public NoiseSchedule(SchedulerOptions options, bool finiteSigma = false)
    {
        betas = options.TrainedBetas is { } given ? [.. given] : Betas(options);
        if (betas.Length != options.TrainTimesteps)
            throw new ModelException($"trained_betas has {betas.Length} numbers where num_train_timesteps is {options.TrainTimesteps}; both have to agree.");
        if (options.ZeroTerminalSnr) betas = ZeroTerminal(betas);
        alphas = Cumulative(betas);
        if (finiteSigma && options.ZeroTerminalSnr) alphas[^1] = SmallestAlpha;
        sigmas = Array.ConvertAll(alphas, a => MathF.Sqrt((1 - a) / a));
        logSigmas = Array.ConvertAll(sigmas, MathF.Log);
    }

    /// <summary>SD1.5's schedule: scaled_linear from 0.00085 to 0.012 over 1000 steps.</summary>
    public static NoiseSchedule StableDiffusion(bool zeroTerminalSnr = false) => new(new SchedulerOptions
    {
        ClassName = "DDPMScheduler", BetaSchedule = "scaled_linear", BetaStart = 0.00085, BetaEnd = 0.012, ZeroTerminalSnr = zeroTerminalSnr,
    });

    /// <summary>T.</summary>
    public int Count => betas.Length;
    /// <summary>β of each timestep.</summary>
    public IReadOnlyList<float> BetaTable => betas;
    /// <summary>ᾱ of each timestep, falling.</summary>
    public IReadOnlyList<float> AlphaTable => alphas;
    /// <summary>σ of each timestep, rising; infinite at the end with zero terminal SNR.</summary>
    public IReadOnlyList<float> SigmaTable => sigmas;

    /// <summary>ᾱ at a timestep of the table.</summary>
    public double Alpha(long t) => t >= 0 && t < alphas.Length ? alphas[t]
        : throw new ModelException($"timestep {t} is outside the {alphas.Length} of training; fewer steps, or a smaller steps_offset, keep within.");

    /// <summary>σ at a real t, linearly between the table's entries.</summary>
    public double SigmaAt(double t)
    {
        if (t <= 0) return sigmas[0];
        if (t >= Count - 1) return sigmas[^1];
        var low = (int)t;
        return sigmas[low] + (t - low) * ((double)sigmas[low + 1] - sigmas[low]);
    }

    /// <summary>t at a σ, linearly in log σ between the table's entries, within [0, T−1].</summary>
    public double TimeAt(double sigma)
    {
        var log = Math.Log(Math.Max(sigma, 1e-10));
        var low = 0;
        var high = Count - 1;
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            if (logSigmas[middle] <= log) low = middle;
            else high = middle;
        }
        if (high == low) return 0;
        return low + Math.Clamp((log - logSigmas[low]) / ((double)logSigmas[high] - logSigmas[low]), 0, 1);
    }

    /// <summary>How many timesteps, from the noisy end, have a log SNR ½·ln(ᾱ/(1−ᾱ)) below <paramref name="least"/>.</summary>
    public int BelowLogSnr(double least) => double.IsNegativeInfinity(least) ? 0 : logSigmas.Count(l => -l < least);

    /// <summary>n σ's from the largest to the smallest, spread as asked.</summary>
    internal static double[] Spread(SigmaSpread spread, double largest, double smallest, int n)
    {
        var result = new double[n];
        for (var i = 0; i < n; i++)
        {
            var ramp = n == 1 ? 0 : (double)i / (n - 1);
            result[i] = spread switch
            {
                SigmaSpread.Karras => Math.Pow(Math.Pow(largest, 1 / 7.0) + ramp * (Math.Pow(smallest, 1 / 7.0) - Math.Pow(largest, 1 / 7.0)), 7),
                SigmaSpread.Beta => smallest + BetaDistribution.Quantile(1 - ramp, 0.6, 0.6) * (largest - smallest),
                _ => Math.Exp(Math.Log(largest) + ramp * (Math.Log(smallest) - Math.Log(largest))),
            };
        }
        return result;
    }

    private static float[] Betas(SchedulerOptions o)
    {
        var n = o.TrainTimesteps;
        return o.BetaSchedule switch
        {
            "linear" => Linspace(o.BetaStart, o.BetaEnd, n),
            "scaled_linear" => Array.ConvertAll(Linspace(Math.Sqrt(o.BetaStart), Math.Sqrt(o.BetaEnd), n), b => b * b),
            "sigmoid" => Array.ConvertAll(Linspace(-6, 6, n), x => 1 / (1 + MathF.Exp(-x)) * (float)(o.BetaEnd - o.BetaStart) + (float)o.BetaStart),
            "squaredcos_cap_v2" => FromBar(n, t => Math.Pow(Math.Cos((t + 0.008) / 1.008 * Math.PI / 2), 2)),
            "exp" => FromBar(n, t => Math.Exp(-12 * t)),
            _ => FromBar(n, t =>
            {
                var snr = Math.Exp(-0.5 * Math.CopySign(1, 0.5 - t) * Math.Log(1 - 2 * Math.Abs(0.5 - t) + 1e-6));
                return Math.Sqrt(snr / (1 + snr));
            }),
        };
    }

    // From both ends, in float32 with fused products: libtorch's own rounding, bit for bit.
    private static float[] Linspace(double start, double end, int n)
    {
        var result = new float[n];
        var (a, b) = ((float)start, (float)end);
        var step = n == 1 ? 0 : (b - a) / (n - 1);
        for (var i = 0; i < n; i++) result[i] = i < n / 2 ? MathF.FusedMultiplyAdd(step, i, a) : MathF.FusedMultiplyAdd(-step, n - 1 - i, b);
        if (n == 1) result[0] = a;
        return result;
    }

    // β_i = 1 − ᾱ((i+1)/n) / ᾱ(i/n), at most 0.999 (Nichol and Dhariwal 2021).
    private static float[] FromBar(int n, Func<double, double> bar)
    {
        var result = new float[n];
        for (var i = 0; i < n; i++) result[i] = (float)Math.Min(1 - bar((i + 1.0) / n) / bar((double)i / n), 0.999);
        return result;
    }

    // libtorch's cumprod on the CPU: the running product in double, each entry rounded.
    private static float[] Cumulative(float[] betas)
    {
        var product = 1.0;
        return Array.ConvertAll(betas, b => (float)(product *= 1f - b));
    }

    // Lin et al. 2023, algorithm 1: √ᾱ shifted to end at 0 and stretched to keep its beginning. The differences near the end cancel
    // digits, so they are taken in double.
    private static float[] ZeroTerminal(float[] betas)
    {
        var roots = Array.ConvertAll(Cumulative(betas), a => Math.Sqrt(a));
        var (first, last) = (roots[0], roots[^1]);
        var bars = Array.ConvertAll(roots, r => Math.Pow((r - last) * first / (first - last), 2));
        var result = new float[betas.Length];
        for (var i = 0; i < result.Length; i++) result[i] = (float)(1 - (i == 0 ? bars[0] : bars[i] / bars[i - 1]));
        return result;
    }
}
