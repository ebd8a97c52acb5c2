namespace LoraFactory.Models.Weights;

/// <summary>
/// A pipeline or a single model in the layout of diffusers and transformers: model_index.json names the components, each a folder with its
/// configuration and weights.
/// </summary>
public sealed class DiffusersFolder
{
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
        var source = WeightFolder.Open(Folder(component), variant);
        if (component.StartsWith("text_encoder", StringComparison.Ordinal)) return ComponentNames.OfText(source);
        return component == "vae" ? ComponentNames.OfVae(source) : source;
    }
}
