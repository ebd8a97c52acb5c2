using LoraFactory.Models.Lora;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Models.Pipelines;

/// <summary>How a pipeline is loaded.</summary>
public sealed record PipelineLoading
{
    /// <summary>Type of the UNet and the text encoders; the VAE stays in float32, since those of SDXL overflow in half precision.</summary>
    public DType DType { get; init; } = DType.Float32;
    /// <summary>Where all parts go.</summary>
    public Device Device { get; init; } = Device.Cpu;
    /// <summary>For a single file, which holds no vocabulary: folder of CLIP's tokenizer. Null looks beside the file and in the Hugging Face cache.</summary>
    public string? Tokenizer { get; init; }
    /// <summary>For a single file: a diffusers folder whose configurations are taken; null tells them from the shapes in the file.</summary>
    public string? Configurations { get; init; }
    /// <summary>The sampler instead of the model's own.</summary>
    public SchedulerOptions? Sampler { get; init; }
    /// <summary>What the model predicts instead of what it says itself; for files that do not say that they predict v. Null believes the model.</summary>
    public Prediction? Prediction { get; init; }

    internal SchedulerOptions Chosen(SchedulerOptions own) => Prediction is { } said ? (Sampler ?? own) with { Prediction = said } : Sampler ?? own;
}

public sealed partial class StableDiffusionPipeline
{
    /// <summary>Models in whose cached folders CLIP's tokenizer lies.</summary>
    private static readonly string[] TokenizerModels = ["openai/clip-vit-large-patch14", "stable-diffusion-v1-5/stable-diffusion-v1-5", "stabilityai/stable-diffusion-xl-base-1.0"];

    private static readonly string[] Parts = ["unet", "vae", "text_encoder"];

    /// <summary>
    /// Loads a model by a pocket model's name, a path, or a name in the Hugging Face cache: a diffusers folder, or one file with the original names.
    /// </summary>
    public static StableDiffusionPipeline Load(string model, PipelineLoading? how = null)
    {
        var path = ModelLocator.Find(model);
        return Directory.Exists(path) ? LoadFolder(path, how) : LoadFile(path, how);
    }

    /// <summary>Loads a checkpoint in one file with the original names (SD 1, 2 or XL; safetensors or ckpt).</summary>
    public static StableDiffusionPipeline LoadFile(string file, PipelineLoading? how = null) => TorchThread.Shared.Run(() =>
    {
        how ??= new();
        using var checkpoint = LdmCheckpoint.Open(file);
        var xl = checkpoint.Family == ModelFamily.Sdxl;
        ModelConfig Config(string part) => how.Configurations is { } folder ? ModelConfig.Read(Path.Combine(folder, part, "config.json")) : checkpoint.Config(part);
        T Part<T>(string part, Func<ModelConfig, WeightSource, T> load)
        {
            var config = Config(part);
            using var weights = checkpoint.Weights(part, config);
            return load(config, weights);
        }
        var vocabulary = ClipVocabulary.Read(how.Tokenizer ?? TokenizerOf(file));
        using var parts = new Loading();
        var text = parts.Add(Part("text_encoder", (c, w) => ClipTextModel.Load(c, w, how.DType, how.Device)));
        var text2 = xl ? parts.Add(Part("text_encoder_2", (c, w) => ClipTextModel.Load(c, w, how.DType, how.Device))) : null;
        var unet = parts.Add(Part("unet", (c, w) => UNet.Load(c, w, how.DType, how.Device)));
        var vae = parts.Add(Part("vae", (c, w) => AutoencoderKL.Load(c, w, DType.Float32, how.Device)));
        // XL's second tokenizer differs in its padding alone
        var prompts = new PromptEncoder(new(vocabulary), text, xl ? new(vocabulary.PaddedWith("!")) : null, text2, zerosForMissing: xl);
        return parts.Done(new StableDiffusionPipeline(prompts, text, text2, unet, vae, how.Chosen(Usual(checkpoint, xl))));
    });

    /// <summary>Whether a model that has all its parts is an SDXL one; the first part that is missing or damaged is refused. Opens headers, vocabulary and configurations, loads nothing.</summary>
    public static bool Examine(string path)
    {
        if (File.Exists(path))
        {
            using var checkpoint = LdmCheckpoint.Open(path);
            ClipVocabulary.Read(TokenizerOf(path));
            return checkpoint.Family == ModelFamily.Sdxl;
        }
        foreach (var part in Parts)
        {
            ModelConfig.Read(Path.Combine(path, part, "config.json"));
            WeightFolder.Open(Path.Combine(path, part)).Dispose();
        }
        ClipTokenizer.Load(Path.Combine(path, "tokenizer"));
        ReadSampler(path);
        return Directory.Exists(Path.Combine(path, "text_encoder_2"));
    }

    /// <summary>The sampler that a model comes with, read without its weights: a diffusers folder, or one file with the original names.</summary>
    public static SchedulerOptions ReadSampler(string path)
    {
        if (Directory.Exists(path)) return SchedulerOptions.Read(Path.Combine(path, "scheduler", "scheduler_config.json"));
        using var checkpoint = LdmCheckpoint.Open(path);
        return Usual(checkpoint, checkpoint.Family == ModelFamily.Sdxl);
    }

    // What the published models of the family come with; a file may say that it was trained on v and to zero SNR by two marks.
    private static SchedulerOptions Usual(LdmCheckpoint checkpoint, bool xl) => new()
    {
        ClassName = xl ? "EulerDiscreteScheduler" : "DDIMScheduler",
        BetaSchedule = "scaled_linear",
        BetaStart = 0.00085,
        BetaEnd = 0.012,
        StepsOffset = 1,
        Prediction = checkpoint.Original("v_pred") is null ? Prediction.Epsilon : Prediction.Velocity,
        ZeroTerminalSnr = checkpoint.Original("ztsnr") is not null,
        Spacing = checkpoint.Original("ztsnr") is null ? Spacing.Leading : Spacing.Trailing,
    };

    private static string TokenizerOf(string file)
    {
        var beside = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file))!, "tokenizer");
        if (Directory.Exists(beside)) return beside;
        var cache = HuggingFaceCache.FromEnvironment();
        foreach (var folder in TokenizerModels.Select(name => cache.Find(name)).OfType<string>())
        {
            var below = Path.Combine(folder, "tokenizer");
            if (Directory.Exists(below)) return below;
            if (File.Exists(Path.Combine(folder, "vocab.json")) || File.Exists(Path.Combine(folder, "tokenizer.json"))) return folder;
        }
        throw new ModelException($"{file} is a single file, which holds no vocabulary: put CLIP's tokenizer (vocab.json and merges.txt) into {beside}, or name its folder.");
    }

    /// <summary>Loads a folder in diffusers layout: model_index.json with the parts below it.</summary>
    public static StableDiffusionPipeline LoadFolder(string folder, PipelineLoading? how = null) => TorchThread.Shared.Run(() =>
    {
        how ??= new();
        var (dtype, device) = (how.DType, how.Device);
        var index = ModelConfig.Read(Path.Combine(folder, "model_index.json"));
        index.Only("_class_name", "StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline");
        string At(string part) => Path.Combine(folder, part);
        var xl = Directory.Exists(At("text_encoder_2"));
        using var parts = new Loading();
        var text = parts.Add(ClipTextModel.Load(At("text_encoder"), dtype, device));
        var text2 = xl ? parts.Add(ClipTextModel.Load(At("text_encoder_2"), dtype, device)) : null;
        var unet = parts.Add(UNet.Load(At("unet"), dtype, device));
        var vae = parts.Add(AutoencoderKL.Load(At("vae"), DType.Float32, device));
        var prompts = new PromptEncoder(ClipTokenizer.Load(At("tokenizer")), text, xl ? ClipTokenizer.Load(At("tokenizer_2")) : null, text2,
            index.Bool("force_zeros_for_empty_prompt", xl));
        return parts.Done(new StableDiffusionPipeline(prompts, text, text2, unet, vae, how.Chosen(ReadSampler(folder))));
    });

    /// <summary>Disposes the parts that were loaded when a later one fails.</summary>
    private sealed class Loading : IDisposable
    {
        private readonly List<IDisposable> parts = [];

        public T Add<T>(T part) where T : IDisposable
        {
            parts.Add(part);
            return part;
        }

        public T Done<T>(T whole)
        {
            parts.Clear();
            return whole;
        }

        public void Dispose()
        {
            foreach (var part in parts) part.Dispose();
        }
    }
}
