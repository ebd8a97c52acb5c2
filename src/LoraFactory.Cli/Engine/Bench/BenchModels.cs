using LoraFactory.Models;
using LoraFactory.Models.Weights;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary>A model to be measured on random weights, with the batch it is measured at.</summary>
/// <param name="UNet">Configuration.</param>
/// <param name="Batch">Pictures at a time.</param>
/// <param name="Latent">Side of the square latents.</param>
/// <param name="Tokens">Length of the text states.</param>
internal sealed record BenchModel(UNetConfig UNet, int Batch, int Latent, int Tokens);

/// <summary>The dimensions that benchmarks know by name.</summary>
internal static class BenchModels
{
    /// <summary>Names for <see cref="Of"/>.</summary>
    public static readonly string[] Names = ["tiny", "sd15", "pocket"];

    private static readonly UNetConfig StableDiffusion15 = new()
    {
        InChannels = 4,
        OutChannels = 4,
        Channels = [320, 640, 1280, 1280],
        DownAttention = [true, true, true, false],
        UpAttention = [false, true, true, true],
        LayersPerBlock = 2,
        Heads = [8, 8, 8, 8],
        TransformerLayers = [1, 1, 1, 1],
        ContextWidth = 768,
        Groups = 32,
        NormEps = 1e-5,
        LinearProjection = false,
        FlipSinToCos = true,
        FreqShift = 0,
        SampleSize = 64,
    };

    private static readonly UNetConfig Tiny = StableDiffusion15 with
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

    /// <summary>The autoencoder of Stable Diffusion 1.5.</summary>
    public static readonly VaeConfig Vae = new(3, 4, [128, 256, 512, 512], 2, 32, true, 0.18215, 512, true);

    /// <summary>
    /// "tiny": 9 M weights, latents of 32×32, batch 4. "sd15": Stable Diffusion 1.5, 860 M, 16×16, batch 1. "pocket": the pocket model that
    /// comes with the project, its own latents, batch 8.
    /// </summary>
    public static BenchModel Of(string name)
    {
        if (name == "tiny") return new(Tiny, 4, 32, 77);
        if (name == "sd15") return new(StableDiffusion15, 1, 16, 77);
        var folder = ModelLocator.Find("pocket-sd");
        var unet = UNetConfig.Read(ModelConfig.Read(Path.Combine(folder, "unet", "config.json")));
        return new(unet, 8, unet.SampleSize, ModelConfig.Read(Path.Combine(folder, "text_encoder", "config.json")).Int("max_position_embeddings"));
    }
}
