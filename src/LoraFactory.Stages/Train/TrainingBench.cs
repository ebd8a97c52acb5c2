using System.Diagnostics;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Stages.Train;

/// <summary>What a training bench measures: dimensions as in the peers' scripts, so that the lines compare.</summary>
public sealed record TrainingBenchOptions
{
    /// <summary>"tiny" (9 M weights, latents 32×32, batch 4) or "sd15" (860 M, 16×16, batch 1).</summary>
    public string Dims { get; init; } = "tiny";
    /// <summary>Pictures; 0 takes the dimension's own.</summary>
    public int Batch { get; init; }
    /// <summary>Side of the latents; 0 takes the dimension's own.</summary>
    public int Latent { get; init; }
    /// <summary>Rank on the attention projections.</summary>
    public int Rank { get; init; } = 8;
    /// <summary>Gradient checkpointing.</summary>
    public bool Checkpointing { get; init; }
    /// <summary>Measured steps.</summary>
    public int Repetitions { get; init; } = 3;
    /// <summary>Steps before them.</summary>
    public int Warm { get; init; } = 1;
}

/// <summary>One line of a training bench.</summary>
public sealed record TrainingBenchLine(string Bench, string Torch, int Threads, string Dims, bool Ckpt, int Batch, int Latent, long Params, long Trainable,
    double StepS, double StepsPerS, double CpuS, double PeakRssMb, double CalibGflops, IReadOnlyList<double> AllS);

/// <summary>Steps of LoRA training on random weights, through the trainer of the stage.</summary>
public static class TrainingBench
{
    /// <summary>Runs the bench on the tensor thread.</summary>
    public static TrainingBenchLine Run(TrainingBenchOptions options) => TorchThread.Shared.Run(() =>
    {
        using var scope = new Scope();
        var tiny = options.Dims == "tiny";
        var config = tiny ? Tiny : StableDiffusion;
        var (batch, latent) = (options.Batch > 0 ? options.Batch : tiny ? 4 : 1, options.Latent > 0 ? options.Latent : tiny ? 32 : 16);
        using var unet = new UNet(config) { GradientCheckpointing = options.Checkpointing };
        unet.Store.Initialize();
        using var adapter = LoraAdapter.Create([new("unet", unet.Store, new LoraSpec { Rank = options.Rank, Alpha = options.Rank })], 0);
        adapter.RequireGrad(true);
        adapter.Attach("unet", unet.Store);
        using var optimizer = new Adam([new([.. TrainingCheckpoint.Named(adapter).Select(t => new Trainable(t.Name, t.Tensor))], 1e-4, 0.01)]);
        var trainer = new DiffusionTrainer(unet, new(NoiseSchedule.StableDiffusion(), new()), optimizer);
        var x = Ops.Randn([batch, 4, latent, latent]);
        var data = new DiffusionBatch { Latents = x, Noise = x.RandnLike(), Timesteps = Ops.Randint(1000, [batch]), Context = Ops.Randn([batch, 77, config.ContextWidth]) };
        for (var i = 0; i < options.Warm; i++) trainer.Step(data);
        var (times, cpu) = (new List<double>(), double.PositiveInfinity);
        for (var i = 0; i < options.Repetitions; i++)
        {
            var started = Stopwatch.GetTimestamp();
            var before = Environment.CpuUsage.TotalTime;
            trainer.Step(data);
            times.Add(Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 4));
            cpu = Math.Min(cpu, (Environment.CpuUsage.TotalTime - before).TotalSeconds);
        }
        var best = times.Min();
        return new TrainingBenchLine("unet_lora", TorchLibrary.Version, TorchLibrary.Threads, options.Dims, options.Checkpointing, batch, latent, unet.Store.Parameters.Sum(p => p.Count),
            adapter.Parameters().Sum(p => p.Count), best, Math.Round(1 / best, 4), Math.Round(cpu, 3), Math.Round(ProcessMemory.PeakMiB), Math.Round(TrainingForecast.MeasureRate() / 1e9, 1), times);
    });

    private static readonly UNetConfig StableDiffusion = new()
    {
        InChannels = 4, OutChannels = 4, Channels = [320, 640, 1280, 1280], DownAttention = [true, true, true, false], UpAttention = [false, true, true, true],
        LayersPerBlock = 2, Heads = [8, 8, 8, 8], TransformerLayers = [1, 1, 1, 1], ContextWidth = 768, Groups = 32, NormEps = 1e-5,
        LinearProjection = false, FlipSinToCos = true, FreqShift = 0, SampleSize = 64,
    };

    private static readonly UNetConfig Tiny = StableDiffusion with
    {
        Channels = [64, 128, 192],
        DownAttention = [true, true, false],
        UpAttention = [false, true, true],
        LayersPerBlock = 1,
        Heads = [8, 8, 8],
        TransformerLayers = [1, 1, 1],
        ContextWidth = 256,
        SampleSize = 32,
    };
}
