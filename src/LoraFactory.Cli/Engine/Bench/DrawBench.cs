using System.Text.Json.Nodes;
using LoraFactory.Models;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary>What a drawing benchmark draws.</summary>
/// <param name="Part">"pocket": whole pictures of the pocket model. "unet", "vae": one pass of that part at Stable Diffusion 1.5's dimensions.</param>
/// <param name="Dims">For "unet": name of <see cref="BenchModels"/>.</param>
/// <param name="Batch">Pictures at a time.</param>
/// <param name="Latent">Side of the latents, for the passes.</param>
/// <param name="Steps">Sampling steps, for pictures.</param>
public sealed record DrawBenchOptions(string Part = "pocket", string Dims = "sd15", int Batch = 1, int Latent = 32, int Steps = 20);

/// <summary>Pictures a second with the pocket model, or milliseconds of one pass through a full-size part on random weights.</summary>
public static class DrawBench
{
    /// <summary>Measures; gives the line.</summary>
    public static JsonObject Run(DrawBenchOptions options, BenchSettings settings) =>
        options.Part == "pocket" ? Pictures(options, settings) : Measurement.OnTensorThread(settings, () =>
        {
            using var off = Autograd.NoGrad();
            return options.Part == "vae" ? Vae(options, settings) : Noise(options, settings);
        });

    private static JsonObject Pictures(DrawBenchOptions options, BenchSettings settings)
    {
        using var pipeline = StableDiffusionPipeline.Load(ModelLocator.Find("pocket-sd"));
        var request = new GenerationRequest
        {
            Prompts = ["a red circle on a green ground"],
            PicturesPerPrompt = options.Batch,
            Steps = options.Steps,
            Cancellation = settings.Cancellation,
        };
        return Measurement.OnTensorThread(settings, () =>
        {
            var measurement = new Measurement("sd_draw", settings);
            var side = 0;
            var time = measurement.Best(() => side = pipeline.Generate(request)[0].Width);
            return measurement.Line(new()
            {
                ["part"] = options.Part,
                ["side"] = side,
                ["batch"] = options.Batch,
                ["steps"] = options.Steps,
                ["guidance"] = request.Guidance,
                ["draw_s"] = Measurement.Rounded(time.Best),
                ["pictures_per_s"] = Measurement.Rounded(options.Batch / time.Best),
                ["all_s"] = Measurement.Rounded(time.All),
            });
        });
    }

    private static JsonObject Noise(DrawBenchOptions options, BenchSettings settings)
    {
        var model = BenchModels.Of(options.Dims);
        using var unet = new UNet(model.UNet);
        unet.Store.Initialize();
        var x = Ops.Randn([options.Batch, model.UNet.InChannels, options.Latent, options.Latent]);
        var context = Ops.Randn([options.Batch, model.Tokens, model.UNet.ContextWidth]);
        var time = Ops.Full([options.Batch], 500.0, dtype: DType.Float32);
        return Pass(options, settings, unet.Store, () => unet.Forward(x, time, context));
    }

    private static JsonObject Vae(DrawBenchOptions options, BenchSettings settings)
    {
        using var vae = new AutoencoderKL(BenchModels.Vae);
        vae.Store.Initialize();
        var x = Ops.Randn([options.Batch, BenchModels.Vae.LatentChannels, options.Latent, options.Latent]);
        return Pass(options, settings, vae.Store, () => vae.Decode(x));
    }

    private static JsonObject Pass(DrawBenchOptions options, BenchSettings settings, ParameterStore store, Action pass)
    {
        var measurement = new Measurement("sd_infer", settings);
        var time = measurement.Best(pass);
        return measurement.Line(new()
        {
            ["part"] = options.Part,
            ["dims"] = options.Dims,
            ["latent"] = options.Latent,
            ["batch"] = options.Batch,
            ["params"] = store.Parameters.Sum(p => p.Count),
            ["ms"] = Measurement.Rounded(time.Best * 1e3),
            ["all_s"] = Measurement.Rounded(time.All),
        });
    }
}
