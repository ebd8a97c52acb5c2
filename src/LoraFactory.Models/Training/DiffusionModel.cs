using System.Security.Cryptography;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Models.Training;

/// <summary>A Stable Diffusion pipeline as training sees it: frozen, with the noise schedule that it was trained on. All calls on the tensor thread.</summary>
public sealed class DiffusionModel : IDisposable
{
    private DiffusionModel(StableDiffusionPipeline pipeline)
    {
        Pipeline = pipeline;
        Noise = new(pipeline.Sampler);
    }

    /// <summary>The whole pipeline, for pictures drawn while training.</summary>
    public StableDiffusionPipeline Pipeline { get; }
    /// <summary>The noise predictor.</summary>
    public UNet UNet => Pipeline.UNet;
    /// <summary>The text encoder.</summary>
    public ClipTextModel Text => Pipeline.Text;
    /// <summary>The autoencoder.</summary>
    public AutoencoderKL Vae => Pipeline.Vae;
    /// <summary>The model's scheduler configuration.</summary>
    public SchedulerOptions Scheduler => Pipeline.Sampler;
    /// <summary>Its noise schedule.</summary>
    public NoiseSchedule Noise { get; }
    /// <summary>Where its weights live.</summary>
    public Device Device => UNet.Store.Parameters[0].Value.Device;

    private ClipTokenizer Tokenizer => Pipeline.Prompts.Tokenizer;

    /// <summary>Loads a folder in diffusers layout or a checkpoint in one file; weights become <paramref name="dtype"/> on <paramref name="device"/>; a <paramref name="prediction"/> overrules what the model says of itself.</summary>
    public static DiffusionModel Load(string path, DType dtype = DType.Float32, Device? device = null, Prediction? prediction = null)
    {
        RequireIndex(path);
        var pipeline = StableDiffusionPipeline.Load(path, new() { DType = dtype, Device = device ?? LoraFactory.Torch.Device.Cpu, Prediction = prediction });
        if (!pipeline.IsXl) return new(pipeline);
        pipeline.Dispose();
        throw Xl(path);
    }

    /// <summary>Refuses, as <see cref="Load"/> would, what is no base to train on; reads configurations, vocabulary and the headers of the weights, and needs no libtorch.</summary>
    public static void Examine(string path)
    {
        RequireIndex(path);
        if (StableDiffusionPipeline.Examine(path)) throw Xl(path);
    }

    private static void RequireIndex(string path)
    {
        if (!File.Exists(path) && !File.Exists(Path.Combine(path, "model_index.json")))
            throw new ModelException($"{path} is no base model: it has no model_index.json. Give a folder in diffusers layout (unet, vae, text_encoder, tokenizer, scheduler) or a checkpoint in one file.");
    }

    private static ModelException Xl(string path) => new($"{path} is an SDXL model, which can be drawn with but not trained yet; give an SD1.5-like base.");

    /// <summary>The base's weight and configuration files, in order: all that <see cref="Hash"/> covers.</summary>
    public static IReadOnlyList<string> Files(string path) => File.Exists(path) ? [path] : [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
        .Where(f => Path.GetExtension(f) is ".safetensors" or ".bin" or ".json" or ".txt" or ".ckpt").Order(StringComparer.Ordinal)];

    /// <summary>SHA-256 (64 hex digits) over names and bytes of the base's weight and configuration files.</summary>
    public static string Hash(string path)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in Files(path))
        {
            sha.AppendData(System.Text.Encoding.UTF8.GetBytes(Path.GetRelativePath(path, file)));
            using var stream = File.OpenRead(file);
            sha.AppendData(SHA256.HashData(stream));
        }
        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }

    /// <summary>
    /// Where a base lies whose weights had <paramref name="hash"/> at <paramref name="path"/>: there, or, where nothing is left there, where
    /// <paramref name="name"/> finds the same weights.
    /// </summary>
    public static string Locate(string path, string hash, string name)
    {
        if (Path.Exists(path)) return path;
        var found = ModelLocator.Find(name);
        if (hash.Length == 0 || Hash(found) == hash) return found;
        throw new ModelException($"The plan was made with the base {path}, which is not there any more, and {found} has other weights. Run configure again (lora run RECIPE --from configure).");
    }

    /// <summary>One window of token ids, int64 [1, t].</summary>
    public Tensor Tokens(string caption) => Tensor.From(Array.ConvertAll(Tokenizer.Encode(caption, Math.Min(Tokenizer.MaximumLength, Text.Text.Config.Positions)), i => (long)i)).Unsqueeze(0);

    /// <summary>Text states of token ids: int64 [b, t] → [b, t, ctx].</summary>
    public Tensor Encode(Tensor ids) => Text.Text.Forward(ids).LastHiddenState;

    /// <inheritdoc/>
    public void Dispose() => Pipeline.Dispose();
}
