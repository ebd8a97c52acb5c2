using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>
/// Pseudo numerical methods for diffusion models (Liu et al. 2022): four-step linear multistep, warmed up by Runge-Kutta steps or,
/// with skip_prk_steps, by taking the second timestep twice. Steps are T/n wide.
/// </summary>
public sealed class PndmScheduler : AlphaScheduler
{
    private const int MultistepOrder = 4;

    private readonly TensorHistory outputs = new(MultistepOrder);
    private readonly TensorHistory anchor = new(1);
    private readonly TensorHistory sum = new(1);
    private double[] warmUp = [];
    private int calls;

    /// <summary>From its settings.</summary>
    public PndmScheduler(SchedulerOptions options) : base(options) { }

    private int Width => Options.TrainTimesteps / Steps;

    private protected override double[] Plan(int steps)
    {
        var spaced = Spaced(steps, whole: true);
        if (Options.SkipPrkSteps)
        {
            warmUp = [];
            return steps == 1 ? spaced : [spaced[0], spaced[1], .. spaced[1..]];
        }
        if (steps < MultistepOrder) throw new ModelException($"{steps} sampling steps with PNDM's Runge-Kutta warm-up: at least {MultistepOrder} are needed, or skip_prk_steps.");
        // each of the first four timesteps t, but for the first and last call: t, t - w/2, t - w/2, t - w
        var half = Options.TrainTimesteps / steps / 2;
        var pairs = spaced[..MultistepOrder].SelectMany(t => new[] { t + half, t }).ToArray();
        warmUp = [.. pairs[1..].SelectMany(t => new[] { t, t }).Skip(1).SkipLast(1)];
        return [.. warmUp, .. spaced[3..]];
    }

    private protected override void Forget()
    {
        outputs.Clear();
        anchor.Clear();
        sum.Clear();
        calls = 0;
    }

    private protected override SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        var next = calls < warmUp.Length ? RungeKutta(output, t, sample) : Multistep(output, t, sample);
        calls++;
        return new(next, null);
    }

    private Tensor RungeKutta(Tensor output, double t, Tensor sample)
    {
        var target = t - (calls % 2 == 1 ? 0 : Width / 2);
        var from = warmUp[calls / 4 * 4];
        switch (calls % 4)
        {
            case 0:
                sum.Push(output / 6.0);
                outputs.Push(output);
                anchor.Push(sample);
                break;
            case 3:
                output = sum[0].Add(output, 1 / 6.0);
                break;
            default:
                sum.Push(sum[0].Add(output, 1 / 3.0));
                break;
        }
        return Transfer(anchor[0], from, target, output);
    }

    private Tensor Multistep(Tensor output, double t, Tensor sample)
    {
        var (from, target) = (t, t - Width);
        if (calls == 1)
        {
            // the first step once more, with the mean of the slopes at both of its ends
            (from, target) = (t + Width, t);
            return Transfer(anchor[0], from, target, (output + outputs[0]) / 2.0);
        }
        outputs.Push(output);
        if (outputs.Count == 1) anchor.Push(sample);
        var slope = outputs.Count switch
        {
            1 => output,
            2 => (outputs[0] * 1.5).Sub(outputs[1], 0.5),
            3 => (outputs[0] * (23 / 12.0)).Sub(outputs[1], 16 / 12.0).Add(outputs[2], 5 / 12.0),
            _ => (outputs[0] * (55 / 24.0)).Sub(outputs[1], 59 / 24.0).Add(outputs[2], 37 / 24.0).Sub(outputs[3], 9 / 24.0),
        };
        return Transfer(sample, from, target, slope);
    }

    // Liu et al. 2022, eq. 9.
    private Tensor Transfer(Tensor sample, double from, double to, Tensor output)
    {
        var (alpha, next) = (Noise.Alpha((long)from), AlphaBefore((long)to));
        var epsilon = NoiseOf(output, sample, Math.Sqrt(alpha), Math.Sqrt(1 - alpha));
        var divisor = alpha * Math.Sqrt(1 - next) + Math.Sqrt(alpha * (1 - alpha) * next);
        return (sample * Math.Sqrt(next / alpha)).Sub(epsilon, (next - alpha) / divisor);
    }
}
