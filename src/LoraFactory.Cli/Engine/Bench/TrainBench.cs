using System.Text.Json.Nodes;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Torch;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary>What a training benchmark trains.</summary>
/// <param name="Dims">Name of <see cref="BenchModels"/>.</param>
/// <param name="Batch">Pictures a step; 0 takes the dimensions' own.</param>
/// <param name="Latent">Side of the latents, a multiple of 4; 0 takes the dimensions' own.</param>
/// <param name="Rank">Rank of the adapter.</param>
/// <param name="Steps">Steps of one timed run.</param>
/// <param name="Checkpointing">Recompute activations in the backward pass.</param>
/// <param name="Targets">Layers that carry the adapter, a name of train.targets.</param>
public sealed record TrainBenchOptions(string Dims = "tiny", int Batch = 0, int Latent = 0, int Rank = 8, int Steps = 1, bool Checkpointing = false, string Targets = "attention");

/// <summary>LoRA training steps through the trainer that the stage uses: AdamW, random frozen weights.</summary>
public static class TrainBench
{
    /// <summary>Measures; gives the line.</summary>
    public static JsonObject Run(TrainBenchOptions options, BenchSettings settings) => Measurement.OnTensorThread(settings, () =>
    {
        var model = BenchModels.Of(options.Dims);
        var (batch, latent) = (options.Batch > 0 ? options.Batch : model.Batch, options.Latent > 0 ? options.Latent : model.Latent);
        using var unet = new UNet(model.UNet) { GradientCheckpointing = options.Checkpointing };
        unet.Store.Initialize();
        using var adapter = LoraAdapter.Create([new("unet", unet.Store, new() { Targets = LoraTargets.Named(options.Targets), Rank = options.Rank, Alpha = options.Rank })], seed: 0);
        adapter.RequireGrad(true);
        adapter.Attach("unet", unet.Store);
        var trainable = adapter.Parameters();
        using var optimizer = new Adam([new([.. trainable.Select((p, i) => new Trainable($"{i}", p))], 1e-4, 0.01)]);
        var trainer = new DiffusionTrainer(unet, new(NoiseSchedule.StableDiffusion(), new()), optimizer)
        {
            Parts = options.Checkpointing ? 1 : UNetParts.Of(unet, batch, (long)latent * latent),
        };
        var latents = Ops.Randn([batch, model.UNet.InChannels, latent, latent]);
        var data = new DiffusionBatch
        {
            Latents = latents,
            Noise = latents.RandnLike(),
            Timesteps = Ops.Randint(1000, [batch]),
            Context = Ops.Randn([batch, model.Tokens, model.UNet.ContextWidth]),
        };
        var measurement = new Measurement("unet_lora", settings);
        var time = measurement.Best(() =>
        {
            for (var i = 0; i < options.Steps; i++)
                if (!trainer.Step(data).Taken) throw new ModelException("A step of the training benchmark gave no finite loss: this build of libtorch, or its BLAS, computes wrongly. lora verify tells more.");
        });
        return measurement.Line(new()
        {
            ["dims"] = options.Dims,
            ["ckpt"] = options.Checkpointing ? 1 : 0,
            ["batch"] = batch,
            ["latent"] = latent,
            ["rank"] = options.Rank,
            ["targets"] = options.Targets,
            ["parts"] = trainer.Parts,
            ["params"] = unet.Store.Parameters.Sum(p => p.Count),
            ["trainable"] = trainable.Sum(p => p.Count),
            ["step_s"] = Measurement.Rounded(time.Best / options.Steps),
            ["steps_per_s"] = Measurement.Rounded(options.Steps / time.Best),
            ["all_s"] = Measurement.Rounded(time.All),
        });
    });
}
