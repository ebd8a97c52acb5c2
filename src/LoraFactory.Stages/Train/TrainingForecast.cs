using System.Collections.Concurrent;
using System.Diagnostics;
using LoraFactory.Flow;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Train;

/// <summary>
/// Knows bases by their configuration files, and what a step costs here: operations by <see cref="TrainingCost"/> over the measured rate of
/// matrix products, with shares that were fitted to measured steps (docs/log.md).
/// </summary>
public sealed class TrainingForecast : ITrainingForecast
{
    /// <summary>Share of the rate of large products that a training step reaches.</summary>
    private const double Share = 0.65;
    /// <summary>Seconds per layer and step that do not depend on sizes: calls, norms, optimizer.</summary>
    private const double PerLayer = 0.00012;
    /// <summary>What bringing one weight to the processor once costs, in operations: few rows wait for memory, not for arithmetic.</summary>
    private const double PerWeight = 80;
    /// <summary>What norms, activation functions, softmax and copies cost for each number that the backward pass keeps, in operations.</summary>
    private const double PerActivation = 500;
    /// <summary>Program, libraries and allocator's slack, in MiB.</summary>
    private const double Runtime = 250;
    /// <summary>What the stage holds beside the trainer, in MiB: pictures drawn on the way, latents and texts, a second thread's buffers; by whole runs (docs/log.md).</summary>
    private const double Stage = 180;

    private static readonly TimeSpan LongestMeasurement = TimeSpan.FromSeconds(3);
    private static readonly ConcurrentDictionary<(Device Device, int Threads), double> Rates = new();

    /// <inheritdoc/>
    public BaseFacts Facts(Recipe recipe)
    {
        try
        {
            var path = ModelLocator.Find(recipe.Base.Model);
            var (config, vae) = Configs(path);
            var cost = TrainingCost.Of(config, Spec(recipe.Train with { Rank = 1 }), config.SampleSize, 77);
            return new()
            {
                Path = path,
                Hash = DiffusionModel.Hash(path),
                Family = cost.BaseParameters < 100e6 ? "pocket" : config.AdditionTimeWidth > 0 ? "sdxl" : "sd15",
                Resolution = config.SampleSize * vae.Factor,
                Prediction = recipe.Base.Prediction != "auto" ? recipe.Base.Prediction : PredictionOf(path),
                Parameters = cost.BaseParameters,
                SmallestLayer = TrainingCost.SmallestLayer(config, Spec(recipe.Train with { Rank = 1 })),
            };
        }
        catch (ModelException e)
        {
            throw new LoraException($"base.model: {e.Message}", ExitCode.BadUsage, e);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Files(Recipe recipe)
    {
        try
        {
            return DiffusionModel.Files(ModelLocator.Find(recipe.Base.Model));
        }
        catch (ModelException e)
        {
            throw new LoraException($"base.model: {e.Message}", ExitCode.BadUsage, e);
        }
    }

    /// <inheritdoc/>
    public void Examine(Recipe recipe)
    {
        try
        {
            var path = ModelLocator.Find(recipe.Base.Model);
            DiffusionModel.Examine(path);
            Configs(path);
            if (recipe.Base.Prediction == "auto") PredictionOf(path);
        }
        catch (Exception e) when (e is ModelException or IOException or UnauthorizedAccessException)
        {
            throw new LoraException($"base.model: {e.Message}", ExitCode.BadUsage, e);
        }
    }

    /// <inheritdoc/>
    public Forecast Estimate(BaseFacts facts, TrainOptions train, int pictures, ResourceOptions resources)
    {
        var (config, vae) = Configs(facts.Path);
        var cost = TrainingCost.Of(config, Spec(train), train.Resolution / vae.Factor, 77);
        var device = Compute.Use(resources.Device, resources.Threads);
        var rate = Rates.GetOrAdd((device, resources.Threads), place => MeasureRate(place.Device));
        var step = train.GradientAccumulation * Seconds(cost, train.BatchSize, train.GradientCheckpointing, rate * Reached(cost, train, device, resources.Threads, train.Resolution / vae.Factor));
        // the encoder of the pictures works at full size: about as much as a forward pass of a base of its size
        var prepare = 2 + pictures * (double)train.Resolution * train.Resolution * 2.5e6 / (rate * Share);
        return new(step, prepare, Memory(cost, facts, train), cost.AdapterParameters);
    }

    // A small base trains in parts of one thread each: more processors than parts do not help.
    private static double Reached(TrainingCost cost, TrainOptions train, Device device, int asked, long side)
    {
        var parts = train.GradientCheckpointing || train.Precision == "bfloat16" || device.Type != DeviceType.Cpu ? 1 : UNetParts.Of(cost.BaseParameters, train.BatchSize, side * side);
        var threads = asked > 0 ? asked : TorchThread.UsualThreads;
        return parts == 1 ? 1 : Math.Min(parts, threads) / (double)threads;
    }

    /// <summary>Seconds of one micro-batch of so many pictures on a machine that multiplies large matrices at <paramref name="rate"/> operations a second.</summary>
    public static double Seconds(TrainingCost cost, int pictures, bool checkpointing, double rate) =>
        (cost.StepOperations(pictures, checkpointing) / Share + cost.BaseParameters * PerWeight * (checkpointing ? 3 : 2)
            + cost.Activations * pictures * PerActivation * (checkpointing ? 1.4 : 1)) / rate + cost.Layers * PerLayer * 3;

    /// <summary>Peak resident memory in MiB of the UNet's training alone.</summary>
    public static double Memory(TrainingCost cost, int pictures, bool checkpointing) =>
        Runtime + (cost.BaseParameters * 4.0 + cost.AdapterParameters * 16.0 + cost.Activations * pictures * 4 * (checkpointing ? 0.3 : 1)) / (1024 * 1024);

    private static double Memory(TrainingCost cost, BaseFacts facts, TrainOptions train)
    {
        // autoencoder and text encoder: of a single file what the UNet in half precision leaves of it, about
        var files = File.Exists(facts.Path) ? Math.Max(0, new FileInfo(facts.Path).Length - cost.BaseParameters * 2)
            : new[] { "vae", "text_encoder" }.SelectMany(p => Directory.EnumerateFiles(Path.Combine(facts.Path, p), "*.safetensors")).Sum(f => new FileInfo(f).Length);
        return Memory(cost, train.BatchSize, train.GradientCheckpointing) + Stage + files / (1024.0 * 1024);
    }

    private static string PredictionOf(string path) => StableDiffusionPipeline.ReadSampler(path).Prediction switch
    {
        Prediction.Epsilon => "epsilon",
        Prediction.Velocity => "v_prediction",
        var other => throw new ModelException($"{path} says that it predicts {other}; training knows epsilon and v_prediction. Take another base, or set base.prediction where its configuration is wrong."),
    };

    private static LoraSpec Spec(TrainOptions train) => new()
    {
        Targets = LoraTargets.Named(train.Targets), Rank = Math.Max(1, train.Rank), Alpha = 1, ConvRank = train.ConvRank,
    };

    private static (UNetConfig UNet, VaeConfig Vae) Configs(string path)
    {
        if (File.Exists(path))
        {
            using var checkpoint = LdmCheckpoint.Open(path);
            return (UNetConfig.Read(checkpoint.Config("unet")), VaeConfig.Read(checkpoint.Config("vae")));
        }
        ModelConfig Part(string name) => Directory.Exists(Path.Combine(path, name)) ? ModelConfig.Read(Path.Combine(path, name, "config.json"))
            : throw new ModelException($"{path} is no base model: it has no folder \"{name}\". Give a folder in diffusers layout or a checkpoint in one file.");
        return (UNetConfig.Read(Part("unet")), VaeConfig.Read(Part("vae")));
    }

    /// <summary>
    /// Operations per second of a product of two matrices of 768² on a device (the processor unless given), with the threads that are set: the best of
    /// many, since other work only slows it down; at most three seconds.
    /// </summary>
    public static double MeasureRate(Device? device = null) => TorchThread.Shared.Run(() =>
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        const int n = 768;
        var place = device ?? Device.Cpu;
        var a = Ops.Randn([n, n], device: place);
        a.Mm(a).Dispose();
        TorchLibrary.Synchronize(place);
        // other work on the machine disturbs most products: go on until the best has stood for a while
        var (best, stood, began) = (double.PositiveInfinity, 0, Stopwatch.GetTimestamp());
        while (stood < 25 && Stopwatch.GetElapsedTime(began) < LongestMeasurement)
        {
            var started = Stopwatch.GetTimestamp();
            a.Mm(a).Dispose();
            TorchLibrary.Synchronize(place);
            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            stood = seconds < 0.98 * best ? 0 : stood + 1;
            best = Math.Min(best, seconds);
        }
        return 2.0 * n * n * n / best;
    });
}
