namespace LoraFactory.Models.Weights;

/// <summary>The weights of one model folder, whatever they are called.</summary>
public static class WeightFolder
{
    private static readonly string[] Stems = ["diffusion_pytorch_model", "model", "pytorch_model"];
    private static readonly string[] Endings = ["safetensors", "bin"];

    /// <summary>
    /// Opens the weights of a folder: safetensors before torch files, whole files before sharded ones, files without a variant before others.
    /// </summary>
    /// <param name="folder">Folder in the layout of diffusers or transformers.</param>
    /// <param name="variant">Such as "fp16"; where null the files without a variant are taken, or else those of whatever variant there is.</param>
    /// <exception cref="ModelException">There are none.</exception>
    public static WeightSource Open(string folder, string? variant = null)
    {
        foreach (var ending in Endings)
        {
            foreach (var stem in Stems)
            {
                foreach (var file in Candidates(folder, stem, ending, variant))
                    if (File.Exists(file)) return WeightSource.Open(file);
            }
        }
        var wanted = variant is null ? "" : $" of the variant {variant}";
        throw new ModelException($"{folder} holds no weights{wanted}: diffusion_pytorch_model, model or pytorch_model with .safetensors or .bin, or the index of their shards, is expected; download the model completely.");
    }

    private static IEnumerable<string> Candidates(string folder, string stem, string ending, string? variant)
    {
        IEnumerable<string> Of(string infix) =>
            ((string[])[$"{stem}{infix}.{ending}", $"{stem}{infix}.{ending}.index.json", $"{stem}.{ending}.index{infix}.json"]).Select(file => Path.Combine(folder, file));
        if (variant is not null) return Of("." + variant);
        // Shards are found through their index; model.fp16.safetensors is a file by itself.
        string[] Any(string pattern) => Directory.Exists(folder) ? Directory.GetFiles(folder, pattern) : [];
        var others = Any($"{stem}.*.{ending}").Where(file => !file.Contains("-of-", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        var indices = Any($"{stem}.*.json").Where(file => file.Contains($".{ending}.index.", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        return Of("").Concat(others).Concat(indices);
    }
}
