using LoraFactory.Flow;
using LoraFactory.Images.Scenes;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>Reads and writes the parts of a model folder that all pocket models share.</summary>
internal static class PocketFolder
{
    private static readonly string[] TokenizerFiles = ["tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"];

    /// <summary>The tokenizer of the base, a folder in diffusers layout.</summary>
    public static ClipTokenizer Tokenizer(string folder)
    {
        var path = Path.Combine(folder, "tokenizer");
        if (!Directory.Exists(path)) throw new LoraException($"{folder} has no folder \"tokenizer\"; --base takes a model in diffusers layout, such as assets/pocket-sd.");
        return ClipTokenizer.Load(path);
    }

    /// <summary>Copies the tokenizer's files, the vocabulary included.</summary>
    public static void CopyTokenizer(string folder, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var name in TokenizerFiles)
        {
            var file = Path.Combine(folder, "tokenizer", name);
            if (File.Exists(file)) File.Copy(file, Path.Combine(to, name), overwrite: true);
        }
    }

    /// <summary>Writes all weights of a store as float16.</summary>
    public static void WriteWeights(ParameterStore store, string path)
    {
        using var scope = new Scope();
        SafetensorsWriter.Write(path, store.Parameters.Select(p => p.Value.Detach().To(DType.Float16).ToWrite(p.Name)), new Dictionary<string, string> { ["format"] = "pt" });
    }

    /// <summary>Loads weights as float32 copies of their own, as training needs them.</summary>
    public static void LoadTrainable(ParameterStore store, WeightSource source) => store.Load(name => source.TryGet(name, out var w) ? w.ToTensor().Clone() : null);

    /// <summary>preprocessor_config.json of pictures of the pocket world: −1..1.</summary>
    public static void WritePreprocessor(string folder, string type) => AtomicFile.WriteText(Path.Combine(folder, "preprocessor_config.json"), $$"""
        {
          "image_processor_type": "{{type}}",
          "do_convert_rgb": true,
          "do_resize": true,
          "size": { "height": {{SceneGenerator.Side}}, "width": {{SceneGenerator.Side}} },
          "resample": 3,
          "do_center_crop": false,
          "do_rescale": true,
          "rescale_factor": 0.00392156862745098,
          "do_normalize": true,
          "image_mean": [0.5, 0.5, 0.5],
          "image_std": [0.5, 0.5, 0.5]
        }

        """);
}
