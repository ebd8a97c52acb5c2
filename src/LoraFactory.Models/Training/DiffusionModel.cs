using System.Security.Cryptography;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Models.Training;

/// <summary>The parts of a Stable Diffusion base that training needs, frozen. All calls on the tensor thread.</summary>
public sealed class DiffusionModel : IDisposable
{
    private DiffusionModel(string path, UNet unet, ClipTextModel text, AutoencoderKL vae, ClipTokenizer tokenizer, SchedulerOptions scheduler)
    {
        Path = path;
        UNet = unet;
        Text = text;
        Vae = vae;
        Tokenizer = tokenizer;
        Scheduler = scheduler;
        Noise = new(scheduler);
    }

    /// <summary>Folder.</summary>
    public string Path { get; }
    /// <summary>The noise predictor.</summary>
    public UNet UNet { get; }
    /// <summary>The text encoder.</summary>
    public ClipTextModel Text { get; }
    /// <summary>The autoencoder.</summary>
    public AutoencoderKL Vae { get; }
    /// <summary>The text encoder's tokenizer.</summary>
    public ClipTokenizer Tokenizer { get; }
    /// <summary>The base's scheduler configuration.</summary>
    public SchedulerOptions Scheduler { get; }
    /// <summary>Its noise schedule.</summary>
    public NoiseSchedule Noise { get; }

    /// <summary>Loads a folder in diffusers layout; weights become <paramref name="dtype"/> on <paramref name="device"/>.</summary>
    public static DiffusionModel Load(string path, DType dtype = DType.Float32, Device? device = null)
    {
        string Part(string name) => System.IO.Path.Combine(path, name);
        if (!Directory.Exists(Part("unet")))
            throw new ModelException($"{path} is no base model: it has no folder \"unet\". Give a folder in diffusers layout (unet, vae, text_encoder, tokenizer, scheduler).");
        var scheduler = SchedulerOptions.Read(System.IO.Path.Combine(Part("scheduler"), "scheduler_config.json"));
        var tokenizer = ClipTokenizer.Load(Part("tokenizer"));
        return new(path, UNet.Load(Part("unet"), dtype, device), ClipTextModel.Load(Part("text_encoder"), dtype, device), AutoencoderKL.Load(Part("vae"), dtype, device), tokenizer, scheduler);
    }

    /// <summary>SHA-256 (64 hex digits) over names and bytes of the base's weight and configuration files.</summary>
    public static string Hash(string path)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        IEnumerable<string> files = File.Exists(path) ? [path] : Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
            .Where(f => System.IO.Path.GetExtension(f) is ".safetensors" or ".bin" or ".json" or ".txt" or ".ckpt").Order(StringComparer.Ordinal);
        foreach (var file in files)
        {
            sha.AppendData(System.Text.Encoding.UTF8.GetBytes(System.IO.Path.GetRelativePath(path, file)));
            using var stream = File.OpenRead(file);
            sha.AppendData(SHA256.HashData(stream));
        }
        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }

    /// <summary>One window of token ids, int64 [1, t].</summary>
    public Tensor Tokens(string caption) => Tensor.From(Array.ConvertAll(Tokenizer.Encode(caption, Math.Min(Tokenizer.MaximumLength, Text.Text.Config.Positions)), i => (long)i)).Unsqueeze(0);

    /// <summary>Text states of token ids: int64 [b, t] → [b, t, ctx].</summary>
    public Tensor Encode(Tensor ids) => Text.Text.Forward(ids).LastHiddenState;

    /// <inheritdoc/>
    public void Dispose()
    {
        UNet.Dispose();
        Text.Dispose();
        Vae.Dispose();
    }
}
