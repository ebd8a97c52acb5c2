using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>What a step gives.</summary>
/// <param name="Sample">The sample of the next timestep, shape of the input.</param>
/// <param name="Original">What the step takes the clean sample to be; null where the method has none.</param>
public readonly record struct SchedulerStep(Tensor Sample, Tensor? Original);

/// <summary>Where samplers get Gaussian noise from.</summary>
public interface INoiseSource
{
    /// <summary>Standard normal numbers, float32, of a shape [b, …], on a device.</summary>
    Tensor Draw(ReadOnlySpan<long> shape, Device device);
}

/// <summary>
/// A sampler: turns noise into a sample with a model that is asked at falling timesteps. Configure, SetTimesteps, then for each
/// timestep: ScaleModelInput, the model, Step. Keeps what it needs from earlier steps outside any scope until the next SetTimesteps
/// or Dispose. Samples are float32. One run at a time.
/// </summary>
public interface IScheduler : IDisposable
{
    /// <summary>Its settings.</summary>
    SchedulerOptions Options { get; }
    /// <summary>The noise of every training timestep.</summary>
    NoiseSchedule Noise { get; }
    /// <summary>Timesteps of the run, one a call of the model; fractional in the σ family.</summary>
    IReadOnlyList<double> Timesteps { get; }
    /// <summary>σ's of the run, one more than the steps; empty where the method does not use any.</summary>
    IReadOnlyList<double> Sigmas { get; }
    /// <summary>Standard deviation of the noise that a run begins with.</summary>
    double InitNoiseSigma { get; }
    /// <summary>Calls of the model per step: 2 for Heun and KDPM2, else 1. Image to image skips Order timesteps per step left out.</summary>
    int Order { get; }
    /// <summary>Plans a run of <paramref name="steps"/> steps and forgets the one before.</summary>
    void SetTimesteps(int steps);
    /// <summary>Says that the run begins at Timesteps[<paramref name="index"/>], as image to image does.</summary>
    void Begin(int index);
    /// <summary>The model's input for a sample.</summary>
    Tensor ScaleModelInput(Tensor sample, double t);
    /// <summary>Takes one step. All tensors [b, …], float32; t is the entry of <see cref="Timesteps"/> whose turn it is.</summary>
    SchedulerStep Step(Tensor output, double t, Tensor sample, INoiseSource noise);
    /// <summary>A clean sample with the noise of timestep t.</summary>
    Tensor AddNoise(Tensor original, Tensor noise, double t);
}
