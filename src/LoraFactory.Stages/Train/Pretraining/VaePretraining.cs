using System.Globalization;
using System.Text.Json.Nodes;
using LoraFactory.Flow;
using LoraFactory.Images.Scenes;
using LoraFactory.Models;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>
/// The autoencoder of the pocket base: mean squared error with a light pull of the latents towards the normal (Rombach et al. 2022), on
/// scenes of all six styles, so that adapters can draw those that the UNet does not know.
/// </summary>
internal sealed class VaePretraining : IPretraining
{
    private const double DivergenceWeight = 1e-6;

    private readonly PretrainOptions options;
    private readonly SceneBatches batches;
    private readonly AutoencoderKL vae;

    public VaePretraining(PretrainOptions options)
    {
        this.options = options;
        batches = new(options.Seed, PretrainingRun.Decided(options.BatchSize, Defaults.BatchSize), EveryStyle, disturbed: false);
        if (options.From.Length > 0)
        {
            vae = AutoencoderKL.Load(options.From);
            return;
        }
        vae = new(VaeConfig.Read(ModelConfig.Read(ConfigPath)));
        vae.Store.Initialize();
    }

    public (int Steps, int BatchSize, double LearningRate) Defaults => (3000, 16, 1e-3);

    public IReadOnlyList<(string, ParameterStore)> Trained => [("", vae.Store)];

    private string ConfigPath => Path.Combine(options.Base, "vae", "config.json");

    public Tensor Loss(int step)
    {
        TorchLibrary.Seed((long)(new SceneRandom(options.Seed + 4, step).NextBits() >> 1));
        var pictures = batches.Of(step).PixelTensor();
        var latents = vae.Encode(pictures);
        var decoded = vae.Decode(latents.Sample(latents.Mean.RandnLike()));
        return (decoded - pictures).Square().Mean() + latents.Divergence().Mean() * DivergenceWeight;
    }

    public void Export(string folder)
    {
        PocketFolder.WriteWeights(vae.Store, Path.Combine(folder, "diffusion_pytorch_model.safetensors"));
        var config = JsonNode.Parse(File.ReadAllText(ConfigPath))!.AsObject();
        config["scaling_factor"] = 1 / Deviation();
        AtomicFile.WriteText(Path.Combine(folder, "config.json"), config.ToJsonString(new() { WriteIndented = true }) + "\n");
    }

    /// <summary>Standard deviation of the latents; the UNet is given latents of about 1.</summary>
    private static SceneChoice EveryStyle => new() { Styles = Enum.GetValues<SceneStyle>() };

    private double Deviation()
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        return vae.Encode(new SceneBatches(options.Seed + 5, 128, EveryStyle, disturbed: false).Of(0).PixelTensor()).Mean.Std(default, 1).Item();
    }

    public IReadOnlyList<Metric> Examine(int scenes)
    {
        const int Batch = 32;
        using var off = Autograd.NoGrad();
        var errors = Enum.GetValues<SceneStyle>().ToDictionary(s => s, _ => new List<double>());
        var fresh = new SceneBatches(options.Seed + 1_000_003, Batch, EveryStyle, disturbed: false);
        for (var step = 0; (step + 1) * Batch <= scenes; step++)
        {
            using var scope = new Scope();
            var batch = fresh.Of(step);
            var pictures = batch.PixelTensor();
            var error = (vae.Decode(vae.Encode(pictures).Mean) - pictures).Square().Mean([1, 2, 3]).ToArray<double>();
            for (var i = 0; i < error.Length; i++) errors[batch.Facts[i].Style].Add(error[i]);
        }
        return [.. errors.Select(e => Share.Mean(SceneWords.Of(e.Key), e.Value, "mean squared error on −1..1"))];
    }

    public (string, string, string) Card => ("pocket-vae",
        string.Create(CultureInfo.InvariantCulture, $"The autoencoder of a pocket Stable Diffusion: 64×64 pictures to latents of {vae.Config.LatentChannels} channels, {vae.Config.Factor} times smaller. diffusers layout."),
        "As the folder \"vae\" of a pocket base; a UNet has to be trained on its latents.");

    public void Dispose() => vae.Dispose();
}
