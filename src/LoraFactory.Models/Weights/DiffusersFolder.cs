namespace LoraFactory.Models.Weights;

/// <summary>
/// A pipeline or a single model in the layout of diffusers and transformers: model_index.json names the components, each a folder with its
/// configuration and weights.
/// </summary>
public sealed class DiffusersFolder
{
    private static readonly string[] WeightNames = ["diffusion_pytorch_model", "model", "pytorch_model"];
    private static readonly string[] Endings = ["safetensors", "bin"];

    private DiffusersFolder(string path, ModelConfig index)
    {
        Path = path;
        Index = index;
    }

    /// <summary>The folder, absolute.</summary>
    public string Path { get; }

    /// <summary>Content of model_index.json.</summary>
    public ModelConfig Index { get; }

    /// <summary>
    /// Opens a folder with model_index.json, or a model's name on the hub ("stable-diffusion-v1-5/stable-diffusion-v1-5") that a cache holds.
    /// </summary>
    public static DiffusersFolder Open(string pathOrName, HuggingFaceCache? cache = null)
    {
        if (Find(pathOrName, cache) is { } folder) return new(folder, ModelConfig.Read(System.IO.Path.Combine(folder, "model_index.json")));
        var searched = (cache ?? HuggingFaceCache.FromEnvironment()).Folders;
        throw new ModelException($"{pathOrName} is neither a folder with model_index.json nor a model in the caches {string.Join(", ", searched)}: give the path of a diffusers folder or download the model first.");
    }

    /// <summary>Folder of a pipeline by path or by its name on the hub; null when there is none.</summary>
    public static string? Find(string pathOrName, HuggingFaceCache? cache = null)
    {
        if (File.Exists(System.IO.Path.Combine(pathOrName, "model_index.json"))) return System.IO.Path.GetFullPath(pathOrName);
        var found = (cache ?? HuggingFaceCache.FromEnvironment()).Find(pathOrName);
        return found is not null && File.Exists(System.IO.Path.Combine(found, "model_index.json")) ? found : null;
    }

    /// <summary>Whether the pipeline has a component: its folder is there.</summary>
    public bool Has(string component) => Directory.Exists(Folder(component));

    /// <summary>Folder of a component such as "unet".</summary>
    public string Folder(string component) => System.IO.Path.Combine(Path, component);

    /// <summary>Configuration of a component: config.json, or for schedulers scheduler_config.json.</summary>
    public ModelConfig Config(string component)
    {
        var scheduler = System.IO.Path.Combine(Folder(component), "scheduler_config.json");
        return ModelConfig.Read(File.Exists(scheduler) ? scheduler : System.IO.Path.Combine(Folder(component), "config.json"));
    }

    /// <summary>Weights of a component under the present names, see <see cref="ComponentNames"/>.</summary>
    /// <param name="component">Such as "unet", "vae", "text_encoder".</param>
    /// <param name="variant">Such as "fp16"; where null the files without a variant are taken, or else those of whatever variant there is.</param>
    public WeightSource Weights(string component, string? variant = null)
    {
        var source = OpenWeights(Folder(component), variant);
        if (component.StartsWith("text_encoder", StringComparison.Ordinal)) return ComponentNames.OfText(source);
        return component == "vae" ? ComponentNames.OfVae(source) : source;
    }

    /// <summary>The weights of a model's folder: safetensors before torch files, whole files before sharded ones.</summary>
    public static WeightSource OpenWeights(string folder, string? variant = null)
    {
        foreach (var ending in Endings)
        {
            foreach (var name in WeightNames)
            {
                foreach (var file in Candidates(folder, name, ending, variant))
                    if (File.Exists(file)) return WeightSource.Open(file);
            }
        }
        var wanted = variant is null ? "" : $" of the variant {variant}";
        throw new ModelException($"{folder} holds no weights{wanted}: diffusion_pytorch_model.safetensors or model.safetensors is expected; download the model completely.");
    }

    private static IEnumerable<string> Candidates(string folder, string name, string ending, string? variant)
    {
        string At(string file) => System.IO.Path.Combine(folder, file);
        IEnumerable<string> Of(string infix) =>
            [At($"{name}{infix}.{ending}"), At($"{name}{infix}.{ending}.index.json"), At($"{name}.{ending}.index{infix}.json")];
        if (variant is not null) return Of("." + variant);
        string[] any = Directory.Exists(folder) ? Directory.GetFiles(folder, $"{name}.*.{ending}") : [];
        // Shards are found through their index; model.fp16.safetensors is a file by itself.
        return Of("").Concat(any.Where(file => !file.Contains("-of-", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }
}
