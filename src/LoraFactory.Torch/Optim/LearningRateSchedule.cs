using System.Globalization;

namespace LoraFactory.Torch.Optim;

/// <summary>
/// The learning rate of each step, from the base rate. Steps count from 0; with a warm-up of w steps step i &lt; w has i / w of the rate,
/// so that step 0 does not move anything. Formulas are those of the trainers that named them.
/// </summary>
public sealed class LearningRateSchedule
{
    private readonly Func<long, double, double> rate;

    private LearningRateSchedule(Func<long, double, double> rate) => this.rate = rate;

    /// <summary>Rate of step <paramref name="step"/> (≥ 0) for a base rate.</summary>
    public double At(long step, double baseRate) => rate(step, baseRate);

    private static LearningRateSchedule Factor(Func<long, double> factor) => new((step, b) => b * factor(step));

    private static LearningRateSchedule Warm(long warmup, Func<long, double> after) =>
        Factor(step => step < warmup ? (double)step / Math.Max(1, warmup) : after(step));

    private static double Progress(long step, long warmup, long total) => (double)(step - warmup) / Math.Max(1, total - warmup);

    /// <summary>The base rate after a warm-up.</summary>
    public static LearningRateSchedule Constant(long warmup = 0) => Warm(warmup, _ => 1);

    /// <summary>Falls linearly to 0 at step <paramref name="total"/>.</summary>
    public static LearningRateSchedule Linear(long warmup, long total) => Warm(warmup, s => Math.Max(0, 1 - Progress(s, warmup, total)));

    /// <summary>
    /// <paramref name="cycles"/> cosine waves (½: from the top to 0) between warm-up and <paramref name="total"/>, not below
    /// <paramref name="minRate"/> (an absolute rate).
    /// </summary>
    public static LearningRateSchedule Cosine(long warmup, long total, double cycles = 0.5, double minRate = 0) => new((step, b) =>
    {
        if (step < warmup) return b * step / Math.Max(1, warmup);
        var wave = 0.5 * (1 + Math.Cos(Math.PI * cycles * 2 * Progress(step, warmup, total)));
        var least = minRate / b;
        return minRate == 0 ? b * Math.Max(0, wave) : b * Math.Max(0, wave * (1 - least) + least);
    });

    /// <summary>Half waves that jump back to the top, <paramref name="cycles"/> of them; 0 from <paramref name="total"/> on.</summary>
    public static LearningRateSchedule CosineWithRestarts(long warmup, long total, long cycles) => Warm(warmup, s =>
    {
        var progress = Progress(s, warmup, total);
        return progress >= 1 ? 0 : Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * (cycles * progress % 1))));
    });

    /// <summary>Falls as a power to <paramref name="end"/> (an absolute rate).</summary>
    public static LearningRateSchedule Polynomial(long warmup, long total, double power, double end = 1e-7) => new((step, b) =>
    {
        if (step < warmup) return b * step / Math.Max(1, warmup);
        return step > total ? end : (b - end) * Math.Pow(1 - Progress(step, warmup, total), power) + end;
    });

    /// <summary>Falls as 1 / √step; <paramref name="timescale"/> steps is where the fall begins to bend, the warm-up unless given.</summary>
    public static LearningRateSchedule InverseSqrt(long warmup, long? timescale = null)
    {
        var t = timescale ?? (warmup > 0 ? warmup : 10_000);
        return Warm(warmup, s => 1 / Math.Sqrt((double)(s + t - warmup) / t));
    }

    /// <summary>
    /// Warm-up from <paramref name="minRatio"/> of the base rate, plateau, then a fall ("linear", "cosine" or "1-sqrt") back to it.
    /// </summary>
    public static LearningRateSchedule WarmupStableDecay(long warmup, long stable, long decay, double minRatio, string shape, double cycles = 0.5, string warmupShape = "linear") => Factor(step =>
    {
        if (step < warmup) return Math.Max(0, Shape(warmupShape, 1 - (double)step / Math.Max(1, warmup), 0.5) * (1 - minRatio) + minRatio);
        if (step < warmup + stable) return 1;
        if (step >= warmup + stable + decay) return minRatio;
        var fall = Shape(shape, (double)(step - warmup - stable) / Math.Max(1, decay), cycles);
        return Math.Max(0, fall * (1 - minRatio) + minRatio);
    });

    private static double Shape(string shape, double progress, double cycles) => shape switch
    {
        "linear" => 1 - progress,
        "cosine" => 0.5 * (1 + Math.Cos(Math.PI * cycles * 2 * progress)),
        "1-sqrt" => 1 - Math.Sqrt(progress),
        _ => throw new TorchException($"\"{shape}\" is no shape of a fall; there are linear, cosine and 1-sqrt", "LearningRateSchedule", TorchError.Value),
    };

    /// <summary>Rules such as "1:20,0.5:50,0.1": factor 1 while step &lt; 20, 0.5 while step &lt; 50, then 0.1.</summary>
    public static LearningRateSchedule Piecewise(string rules)
    {
        var parts = rules.Split(',');
        var pieces = new List<(double Factor, long End)>();
        foreach (var part in parts[..^1])
        {
            var pair = part.Split(':');
            pieces.Add((Number(pair[0]), (long)Number(pair[1])));
        }
        var last = Number(parts[^1]);
        return Factor(step =>
        {
            foreach (var (factor, end) in pieces)
                if (step < end) return factor;
            return last;
        });
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    /// <summary>Multiplied by <paramref name="gamma"/> each step.</summary>
    public static LearningRateSchedule Exponential(double gamma) => Factor(step => Math.Pow(gamma, step));

    /// <summary>Multiplied by <paramref name="gamma"/> every <paramref name="size"/> steps.</summary>
    public static LearningRateSchedule Step(long size, double gamma) => Factor(step => Math.Pow(gamma, step / size));

    /// <summary>Multiplied by <paramref name="gamma"/> at each milestone.</summary>
    public static LearningRateSchedule MultiStep(IReadOnlyList<long> milestones, double gamma) => Factor(step => Math.Pow(gamma, milestones.Count(m => m <= step)));

    /// <summary>A half wave of <paramref name="period"/> steps down to <paramref name="min"/> (an absolute rate), and back up (Loshchilov and Hutter 2017).</summary>
    public static LearningRateSchedule CosineAnnealing(long period, double min) => new((step, b) => min + (b - min) * (1 + Math.Cos(Math.PI * step / period)) / 2);

    /// <summary>Half waves that restart, each <paramref name="growth"/> times as long as the one before.</summary>
    public static LearningRateSchedule CosineAnnealingWarmRestarts(long first, long growth, double min) => new((step, b) =>
    {
        var length = first;
        var at = step;
        while (at >= length)
        {
            at -= length;
            length *= growth;
        }
        return min + (b - min) * (1 + Math.Cos(Math.PI * at / length)) / 2;
    });

    /// <summary>
    /// One cycle (Smith and Topin 2018): from max / div up to max in <paramref name="rise"/> of the steps, then down to
    /// max / div / finalDiv; with three phases first back to max / div. The base rate does not matter.
    /// </summary>
    public static LearningRateSchedule OneCycle(double max, long total, double rise, bool linear, bool threePhase, double div, double finalDiv)
    {
        var start = max / div;
        var end = start / finalDiv;
        (double End, double From, double To)[] phases = threePhase
            ? [(rise * total - 1, start, max), (2 * rise * total - 2, max, start), (total - 1, start, end)]
            : [(rise * total - 1, start, max), (total - 1, max, end)];
        return new((step, _) =>
        {
            var begin = 0.0;
            for (var i = 0; i < phases.Length; i++)
            {
                var (stop, from, to) = phases[i];
                if (step <= stop || i == phases.Length - 1)
                {
                    var share = (step - begin) / (stop - begin);
                    return linear ? (to - from) * share + from : to + (from - to) / 2 * (Math.Cos(Math.PI * share) + 1);
                }
                begin = stop;
            }
            return end;
        });
    }
}

/// <summary>Lowers the rate when a measure that should fall has not fallen for a while.</summary>
/// <param name="rate">Rate at the start.</param>
/// <param name="factor">What the rate is multiplied by.</param>
/// <param name="patience">Bad measures in a row that are still borne.</param>
/// <param name="threshold">A measure is better when it is below best · (1 − threshold).</param>
/// <param name="cooldown">Measures after a fall that are not counted as bad.</param>
/// <param name="min">Lowest rate.</param>
/// <param name="least">A change smaller than this is not made.</param>
public sealed class PlateauSchedule(double rate, double factor, int patience, double threshold, int cooldown = 0, double min = 0, double least = 1e-8)
{
    private double best = double.PositiveInfinity;
    private int bad;
    private int cooling;

    /// <summary>The rate now.</summary>
    public double Rate { get; private set; } = rate;

    /// <summary>Takes the measure of the step that just ended.</summary>
    public void Report(double measure)
    {
        if (measure < best * (1 - threshold) || double.IsPositiveInfinity(best))
        {
            best = measure;
            bad = 0;
        }
        else
        {
            bad++;
        }
        if (cooling > 0)
        {
            cooling--;
            bad = 0;
        }
        if (bad <= patience) return;
        var lower = Math.Max(Rate * factor, min);
        if (Rate - lower > least) Rate = lower;
        cooling = cooldown;
        bad = 0;
    }
}
