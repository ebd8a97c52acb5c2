using LoraFactory.Flow;
using LoraFactory.Images.Scenes;
using LoraFactory.Models;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>
/// Pocket Stable Diffusion: UNet and text encoder together, by ε-prediction with min-SNR-γ weights, on scenes in the base styles.
/// The autoencoder, tokenizer and sizes are those of the base. The other styles are kept from it, so that adapters have something to learn.
/// </summary>
internal sealed class DiffusionPretraining : IPretraining
{
    private const double Gamma = 5;
    private const double CaptionDropout = 0.1;

    private readonly PretrainOptions options;
    private readonly ClipTokenizer tokenizer;
    private readonly SceneBatches batches;
    private readonly NoiseSchedule schedule = NoiseSchedule.StableDiffusion();
    private readonly AutoencoderKL vae;
    private readonly UNet unet;
    private readonly ClipTextModel text;

    public DiffusionPretraining(PretrainOptions options)
    {
        this.options = options;
        tokenizer = PocketFolder.Tokenizer(options.Base);
        batches = new(options.Seed, PretrainingRun.Decided(options.BatchSize, Defaults.BatchSize), Scenes, disturbed: false);
        vae = AutoencoderKL.Load(Path.Combine(options.Base, "vae"));
        if (options.From.Length > 0)
        {
            unet = UNet.Load(Path.Combine(options.From, "unet"));
            text = ClipTextModel.Load(Path.Combine(options.From, "text_encoder"));
            return;
        }
        unet = new(UNetConfig.Read(ModelConfig.Read(Path.Combine(options.Base, "unet", "config.json"))));
        text = new(ClipTextConfig.Read(ModelConfig.Read(Path.Combine(options.Base, "text_encoder", "config.json"))));
        unet.Store.Initialize();
        text.Store.Initialize();
    }

    public (int Steps, int BatchSize, double LearningRate) Defaults => options.From.Length > 0 ? (1000, 16, 2e-4) : (6000, 16, 5e-4);

    public IReadOnlyList<(string, ParameterStore)> Trained => [("unet", unet.Store), ("text_encoder", text.Store)];

    // lines alone are the hardest to draw, so they come twice as often
    private static SceneChoice Scenes => new() { Styles = [.. SceneChoice.BaseStyles, SceneStyle.ChalkDrawing, SceneStyle.PencilSketch], SingleShare = 0.75 };

    public Tensor Loss(int step)
    {
        TorchLibrary.Seed(HashCode(options.Seed, step));
        var random = new SceneRandom(options.Seed + 2, step);
        return Loss(batches.Of(step), ref random, CaptionDropout).Mean();
    }

    /// <summary>Weighted loss of each row, [b].</summary>
    private Tensor Loss(SceneBatch batch, ref SceneRandom random, double dropout)
    {
        var captions = new string[batch.Count];
        for (var i = 0; i < captions.Length; i++) captions[i] = random.Chance(dropout) ? "" : batch.Facts[i].Caption((CaptionForm)random.Next(3));
        var ids = Tensor.From(captions.SelectMany(c => tokenizer.Encode(c)).Select(id => (long)id).ToArray(), batch.Count, tokenizer.MaximumLength);
        Tensor latents;
        using (Autograd.NoGrad())
        {
            var found = vae.Encode(batch.PixelTensor());
            latents = found.Sample(found.Mean.RandnLike()) * vae.Config.ScalingFactor;
        }
        var noise = latents.RandnLike();
        var timesteps = Ops.Randint(schedule.Count, [batch.Count], dtype: DType.Int64);
        var noisy = TrainingNoise.AddNoise(schedule, latents, noise, timesteps);
        var predicted = unet.Forward(noisy, timesteps, text.Text.Forward(ids).LastHiddenState);
        var weights = LossWeights.Of(schedule, timesteps, snr => LossWeights.MinSnr(snr, Gamma, Prediction.Epsilon));
        return (predicted - noise).Square().Mean([1, 2, 3]) * weights;
    }

    private static long HashCode(long seed, int step) => (long)(new SceneRandom(seed, step).NextBits() >> 1);

    public void Export(string folder)
    {
        PocketFolder.WriteWeights(unet.Store, Path.Combine(folder, "unet", "diffusion_pytorch_model.safetensors"));
        PocketFolder.WriteWeights(text.Store, Path.Combine(folder, "text_encoder", "model.safetensors"));
        PocketFolder.CopyTokenizer(options.Base, Path.Combine(folder, "tokenizer"));
        foreach (var name in (string[])["model_index.json", "scheduler/scheduler_config.json", "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "unet/config.json", "text_encoder/config.json"])
        {
            var to = Path.Combine(folder, name);
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(Path.Combine(options.Base, name), to, overwrite: true);
        }
    }

    public IReadOnlyList<Metric> Examine(int scenes)
    {
        const int Batch = 32;
        using var off = Autograd.NoGrad();
        var fresh = new SceneBatches(options.Seed + 1_000_003, Batch, Scenes, disturbed: false);
        var losses = new List<double>();
        TorchLibrary.Seed(options.Seed);
        for (var step = 0; (step + 1) * Batch <= scenes; step++)
        {
            using var scope = new Scope();
            var random = new SceneRandom(options.Seed + 3, step);
            losses.AddRange(Loss(fresh.Of(step), ref random, 0).ToArray<double>());
        }
        return [Share.Mean("loss", losses, "weighted noise error of fresh scenes")];
    }

    public (string, string, string) Card => ("pocket-sd",
        "A Stable-Diffusion-shaped model small enough for a processor: 64×64 pictures, UNet of SD1.5's topology, CLIP text encoder of 32 tokens. diffusers layout.",
        "Prompts in the words of the scenes, such as `a red house in a green field, flat illustration`; guidance 3 to 5. The base of the demo's adapters.");

    public void Dispose()
    {
        vae.Dispose();
        unet.Dispose();
        text.Dispose();
    }
}
