using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Models;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Label;

/// <summary>Describes a picture in words with a BLIP model (Li et al. 2022).</summary>
public sealed class Captioner : IDisposable
{
    private readonly Blip model;
    private readonly ClipTokenizer tokenizer;
    private readonly PictureProcessor processor;

    private Captioner(Blip model, ClipTokenizer tokenizer, PictureProcessor processor)
    {
        this.model = model;
        this.tokenizer = tokenizer;
        this.processor = processor;
    }

    /// <summary>
    /// Whether the pocket captioner may speak in this recipe: it knows the project's drawn scenes alone, so only beside the pocket base and the
    /// pocket CLIP, which know the same. Of photographs it would invent.
    /// </summary>
    public static bool Suits(Recipe recipe)
    {
        if (recipe.Base.Clip != "pocket-clip") return false;
        try
        {
            var config = Path.Combine(ModelLocator.Find(recipe.Base.Model), "unet", "config.json");
            return File.Exists(config) && UNetConfig.Read(ModelConfig.Read(config)).Channels.Max() < NarrowestReal;
        }
        catch (ModelException)
        {
            return false; // configure says what is wrong with the base
        }
    }

    // Every Stable Diffusion begins at 320 channels; bases of the project's own scenes are narrower.
    private const int NarrowestReal = 320;

    /// <summary>Its files, none where it is not installed.</summary>
    public static IReadOnlyList<string> Files => Directory.Exists(Folder) ? ModelLocator.Files(Folder) : [];

    private static string Folder => ModelLocator.Assets is { } assets ? Path.Combine(assets, "pocket-captioner") : "";

    /// <summary>The pocket captioner that comes with the project, on <paramref name="device"/>; null when it is not there.</summary>
    public static Captioner? TryLoad(Device device)
    {
        var folder = Folder;
        if (!File.Exists(Path.Combine(folder, "config.json"))) return null;
        return TorchThread.Shared.Run(() =>
        {
            using var scope = new Scope();
            var model = Blip.Load(folder, device);
            var side = (int)model.Config.VisionConfig.ImageSize;
            var config = Path.Combine(folder, "preprocessor_config.json");
            return new Captioner(model, ClipTokenizer.Load(folder), File.Exists(config) ? PictureProcessor.Parse(ModelConfig.ReadJson(config)) : PictureProcessor.Clip(side));
        });
    }

    /// <summary>One sentence about the picture, greedy.</summary>
    public string Caption(Picture picture) => TorchThread.Shared.Run(() =>
    {
        using var scope = new Scope();
        using var off = Autograd.NoGrad();
        var pixels = processor.Process(picture, out var height, out var width);
        var ids = model.Caption(Tensor.From(pixels, 1, 3, height, width).To(dtype: DType.Float32, device: model.Store.Parameters[0].Value.Device))[0];
        return Joined(tokenizer.Decode(ids.Select(i => (int)i)).Trim());
    });

    // the vocabulary ends every token with a space
    private static string Joined(string text) => ".,;:!?".Aggregate(text, (t, mark) => t.Replace($" {mark}", $"{mark}", StringComparison.Ordinal));

    /// <inheritdoc/>
    public void Dispose() => TorchThread.Shared.Run(model.Dispose);
}
