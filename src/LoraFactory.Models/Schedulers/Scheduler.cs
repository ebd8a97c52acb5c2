using System.Text.Json;
using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>What all samplers share: settings, noise tables, the plan of a run, and x0 from a model's output.</summary>
public abstract class Scheduler : IScheduler
{
    private static readonly Dictionary<string, Func<SchedulerOptions, Scheduler>> Known = new(StringComparer.Ordinal)
    {
        ["DDIMScheduler"] = o => new DdimScheduler(o),
        ["DDPMScheduler"] = o => new DdpmScheduler(o),
        ["PNDMScheduler"] = o => new PndmScheduler(o),
        ["LCMScheduler"] = o => new LcmScheduler(o),
        ["EulerDiscreteScheduler"] = o => new EulerScheduler(o),
        ["EulerAncestralDiscreteScheduler"] = o => new EulerAncestralScheduler(o),
        ["HeunDiscreteScheduler"] = o => new HeunScheduler(o),
        ["KDPM2DiscreteScheduler"] = o => new Kdpm2Scheduler(o),
        ["KDPM2AncestralDiscreteScheduler"] = o => new Kdpm2AncestralScheduler(o),
        ["LMSDiscreteScheduler"] = o => new LmsScheduler(o),
        ["DPMSolverMultistepScheduler"] = o => new DpmSolverScheduler(o),
        ["UniPCMultistepScheduler"] = o => new UniPcScheduler(o),
    };

    private int? begin;
    private int index = -1;

    private protected Scheduler(SchedulerOptions options, bool finiteSigma)
    {
        Options = options;
        Noise = new(options, finiteSigma);
    }

    /// <inheritdoc/>
    public SchedulerOptions Options { get; }
    /// <inheritdoc/>
    public NoiseSchedule Noise { get; }
    /// <inheritdoc/>
    public IReadOnlyList<double> Timesteps { get; private set; } = [];
    /// <inheritdoc/>
    public IReadOnlyList<double> Sigmas { get; private protected set; } = [];
    /// <inheritdoc/>
    public abstract double InitNoiseSigma { get; }
    /// <inheritdoc/>
    public virtual int Order => 1;

    /// <summary>Class names that can be configured.</summary>
    public static IEnumerable<string> Names => Known.Keys;

    /// <summary>Number of steps of the run.</summary>
    private protected int Steps { get; private set; }

    /// <summary>The sampler of a configuration.</summary>
    public static IScheduler Create(SchedulerOptions options)
    {
        CheckName(options.ClassName, "The sampler's configuration");
        return Known[options.ClassName](options);
    }

    /// <summary>The sampler of a JSON object in the form of scheduler_config.json.</summary>
    public static IScheduler Create(JsonElement json, string where) => Create(SchedulerOptions.From(json, where));

    internal static void CheckName(string name, string where)
    {
        if (!Known.ContainsKey(name)) throw new ModelException($"{where}: the sampler {name} is not known; known are {string.Join(", ", Known.Keys)}.");
    }

    /// <inheritdoc/>
    public void SetTimesteps(int steps)
    {
        if (steps < 1 || steps > Options.TrainTimesteps)
            throw new ModelException($"{steps} sampling steps: it has to be a number from 1 to {Options.TrainTimesteps}, the timesteps of training.");
        Steps = steps;
        begin = null;
        index = -1;
        Forget();
        Timesteps = Plan(steps);
    }

    /// <inheritdoc/>
    public void Begin(int index)
    {
        if (index < 0 || index >= Timesteps.Count) throw new ModelException($"a run cannot begin at call {index} of {Timesteps.Count}.");
        begin = index;
    }

    /// <inheritdoc/>
    public virtual Tensor ScaleModelInput(Tensor sample, double t) => sample;

    /// <inheritdoc/>
    public SchedulerStep Step(Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        var at = IndexOf(t);
        if (at >= Timesteps.Count) throw new ModelException($"{ClassWord} was asked for step {at + 1} of {Timesteps.Count}; call SetTimesteps before another run.");
        var step = Step(at, output, t, sample, noise);
        index = at + 1;
        return step;
    }

    /// <inheritdoc/>
    public abstract Tensor AddNoise(Tensor original, Tensor noise, double t);

    /// <inheritdoc/>
    public void Dispose()
    {
        Forget();
        GC.SuppressFinalize(this);
    }

    /// <summary>Timesteps of a run, and the σ's where the method uses them.</summary>
    private protected abstract double[] Plan(int steps);

    /// <summary>Call number <paramref name="at"/> of the run.</summary>
    private protected abstract SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise);

    /// <summary>Releases what is kept from earlier steps.</summary>
    private protected virtual void Forget() { }

    /// <summary>Place in the run: counted from the first call, which is found by its timestep.</summary>
    private protected int IndexOf(double t)
    {
        if (Timesteps.Count == 0) throw new ModelException($"{ClassWord} has no timesteps yet; call SetTimesteps first.");
        return index >= 0 ? index : PlaceOf(t);
    }

    /// <summary>Where noise of timestep t is to be added: the begin of the run, or the timestep's place (the second one of a pair).</summary>
    private protected int PlaceOf(double t)
    {
        if (begin is { } given) return given;
        var first = -1;
        for (var i = 0; i < Timesteps.Count; i++)
        {
            if (Timesteps[i] != t) continue;
            if (first >= 0) return i;
            first = i;
        }
        return first >= 0 ? first : throw new ModelException($"timestep {t} is not one of the run's {Timesteps.Count}.");
    }

    /// <summary>The timesteps of training that the spacing chooses; <paramref name="whole"/> rounds those of linspace.</summary>
    private protected double[] Spaced(int n, bool whole)
    {
        var total = Options.TrainTimesteps;
        var result = new double[n];
        for (var i = 0; i < n; i++)
        {
            result[i] = Options.Spacing switch
            {
                Spacing.Leading => (n - 1 - i) * (double)(total / n) + Options.StepsOffset,
                Spacing.Trailing => Math.Round(total - i * ((double)total / n)) - 1,
                _ => n == 1 ? 0 : (n - 1 - i) * ((total - 1.0) / (n - 1)),
            };
            if (whole) result[i] = Math.Round(result[i]);
        }
        return result;
    }

    /// <summary>x0 from the model's output at x = α·x0 + σ·ε, before any clamp.</summary>
    private protected Tensor Original(Tensor output, Tensor sample, double alpha, double sigma) => Options.Prediction switch
    {
        Prediction.Epsilon => sample.Sub(output, sigma) / alpha,
        Prediction.Velocity => (sample * alpha).Sub(output, sigma),
        Prediction.Flow => sample.Sub(output, sigma),
        _ => output,
    };

    /// <summary>ε from the model's output at x = α·x0 + σ·ε.</summary>
    private protected Tensor NoiseOf(Tensor output, Tensor sample, double alpha, double sigma) => Options.Prediction switch
    {
        Prediction.Epsilon => output,
        Prediction.Velocity => (output * alpha).Add(sample, sigma),
        Prediction.Flow => throw new ModelException($"{ClassWord}: flow_prediction needs a method that predicts x0, such as dpmsolver++."),
        _ => sample.Sub(output, alpha) / sigma,
    };

    /// <summary>Clamps or thresholds x0 as the settings say.</summary>
    private protected Tensor Bounded(Tensor original)
    {
        if (Options.Thresholding) return Thresholded(original);
        return Options.ClipSample ? original.Clamp((Scalar)(-Options.ClipRange), (Scalar)Options.ClipRange) : original;
    }

    /// <summary>Clamps each row to its quantile of |x0|, within [1, maximum], and divides by it. [b, …].</summary>
    private protected Tensor Thresholded(Tensor original)
    {
        var rows = original.Reshape([original.Size(0), -1]);
        var ratio = Ops.ScalarTensor(Options.ThresholdRatio, dtype: rows.DType, device: rows.Device);
        var bound = rows.Abs().Quantile(ratio, 1).Clamp((Scalar)1.0, (Scalar)Math.Max(1, Options.ThresholdMax)).Unsqueeze(1);
        return (rows.Maximum(-bound).Minimum(bound) / bound).View(original.Shape);
    }

    /// <summary>Name for messages.</summary>
    private protected string ClassWord => Options.ClassName;
}
