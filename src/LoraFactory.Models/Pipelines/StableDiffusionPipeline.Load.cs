using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Torch;

namespace LoraFactory.Models.Pipelines;

public sealed partial class StableDiffusionPipeline
{
    /// <summary>
    /// Loads a folder in diffusers layout (model_index.json with the parts below it). UNet and text encoders take <paramref name="dtype"/>;
    /// the VAE stays in float32, since those of SDXL overflow in half precision.
    /// </summary>
    public static StableDiffusionPipeline LoadFolder(string folder, DType dtype = DType.Float32, Device? device = null) => TorchThread.Shared.Run(() =>
    {
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
        var sampler = SchedulerOptions.Read(Path.Combine(At("scheduler"), "scheduler_config.json"));
        return parts.Done(new StableDiffusionPipeline(prompts, text, text2, unet, vae, sampler));
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
