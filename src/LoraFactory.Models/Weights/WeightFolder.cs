namespace LoraFactory.Models.Weights;

/// <summary>The weights of one model folder, whatever they are called.</summary>
public static class WeightFolder
{
    private static readonly string[] Stems = ["model", "diffusion_pytorch_model", "pytorch_model"];

    /// <summary>
    /// Opens the first that is there: a safetensors file, a sharded index, an fp16 variant, a torch checkpoint; safetensors are preferred.
    /// </summary>
    public static WeightSource Open(string folder)
    {
        foreach (var ending in new[] { ".safetensors", ".safetensors.index.json", ".fp16.safetensors", ".bin" })
        {
            foreach (var stem in Stems)
            {
                var path = Path.Combine(folder, stem + ending);
                if (File.Exists(path)) return WeightSource.Open(path);
            }
        }
        throw new ModelException($"{folder} has no weights: looked for model, diffusion_pytorch_model and pytorch_model with .safetensors, .safetensors.index.json, .fp16.safetensors or .bin.");
    }
}
