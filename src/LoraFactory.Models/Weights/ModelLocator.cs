namespace LoraFactory.Models.Weights;

/// <summary>Finds a model by what a recipe calls it: a pocket model of the project, a path, or a name in the Hugging Face cache.</summary>
public static class ModelLocator
{
    /// <summary>Folder with the models that come with the project; LORA_ASSETS, or assets/ beside or above the program.</summary>
    public static string? Assets
    {
        get
        {
            var named = Environment.GetEnvironmentVariable("LORA_ASSETS");
            if (!string.IsNullOrEmpty(named)) return named;
            for (var at = AppContext.BaseDirectory; at is not null; at = Path.GetDirectoryName(at))
            {
                var candidate = Path.Combine(at, "assets");
                if (Directory.Exists(Path.Combine(candidate, "pocket-sd"))) return candidate;
            }
            return null;
        }
    }

    /// <summary>The files of a model that is one file or a flat folder, such as a CLIP, in order.</summary>
    public static IReadOnlyList<string> Files(string model) => Find(model) is var path && File.Exists(path) ? [path] : [.. Directory.EnumerateFiles(path).Order(StringComparer.Ordinal)];

    /// <summary>
    /// Absolute path of a model's folder or file. Names that begin with "pocket-" are the project's own; what exists as a path is taken as
    /// one; "owner/name" is looked for in the Hugging Face cache. Anything else is refused with what was looked for.
    /// </summary>
    public static string Find(string model)
    {
        if (model.StartsWith("pocket-", StringComparison.Ordinal) && !model.Contains('/', StringComparison.Ordinal))
        {
            var folder = Assets is { } assets ? Path.Combine(assets, model) : null;
            if (folder is not null && Directory.Exists(folder)) return folder;
            var known = Assets is { } a ? string.Join(", ", Directory.EnumerateDirectories(a).Select(Path.GetFileName).Order(StringComparer.Ordinal)) : "none, the assets folder was not found (set LORA_ASSETS)";
            throw new ModelException($"There is no pocket model \"{model}\"; there are: {known}.");
        }
        if (Path.Exists(model)) return Path.GetFullPath(model);
        var cache = HuggingFaceCache.FromEnvironment();
        if (cache.Find(model) is { } cached) return cached;
        var isName = model.Contains('/', StringComparison.Ordinal) && !model.StartsWith('.') && HuggingFaceCache.IsModelName(model);
        throw new ModelException($"\"{model}\" is neither a file nor a folder here{(isName ? $", nor in the Hugging Face cache ({string.Join(", ", cache.Folders)})" : "")}. "
            + $"{(isName ? $"Fetch it there with hf download {model}, or give" : "Give")} the path of a folder in diffusers or transformers layout or of one .safetensors or .ckpt file; lora pretrain sd (or clip) --output DIR makes a small one of this project.");
    }
}
