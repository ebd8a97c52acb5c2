namespace LoraFactory.Models.Weights;

/// <summary>One tensor of a model and where it lies in a checkpoint with the names of the original (latent diffusion) code.</summary>
/// <param name="Name">Name in diffusers or transformers.</param>
/// <param name="Shape">Shape there.</param>
/// <param name="Ldm">Name in the single file.</param>
/// <param name="LdmShape">Shape there.</param>
/// <param name="Part">Which third of a fused tensor [q; k; v] it is, where it is one.</param>
/// <param name="Transposed">Whether it is stored transposed there.</param>
public sealed record LdmKey(string Name, long[] Shape, string Ldm, long[] LdmShape, int? Part = null, bool Transposed = false);

/// <summary>
/// Every tensor of Stable Diffusion's parts under both names, derived from their configurations by level arithmetic: with L = layers_per_block,
/// residual j of down block i is input_blocks.{i(L+1)+j+1}.0, of up block i output_blocks.{i(L+1)+j}.0.
/// </summary>
public static partial class LdmKeys
{
    /// <summary>Tensors of a UNet2DConditionModel, in the order of its state dictionary.</summary>
    public static IReadOnlyList<LdmKey> UNet(ModelConfig config, string prefix = "model.diffusion_model.") => new UNetKeyList(config, prefix).Make();

    /// <summary>Tensors of an AutoencoderKL.</summary>
    public static IReadOnlyList<LdmKey> Vae(ModelConfig config, string prefix = "first_stage_model.") => new VaeKeyList(config, prefix).Make();

    /// <summary>Tensors of a CLIP text encoder that is stored under transformers' names, behind a prefix.</summary>
    public static IReadOnlyList<LdmKey> ClipText(ModelConfig config, string prefix = "cond_stage_model.transformer.") => new TextKeyList(config, prefix).MakeClip();

    /// <summary>Tensors of a CLIP text encoder that is stored under OpenCLIP's names: q, k and v fused, text_projection transposed.</summary>
    public static IReadOnlyList<LdmKey> OpenClip(ModelConfig config, string prefix = "conditioner.embedders.1.model.", bool projection = true) =>
        new TextKeyList(config, prefix).MakeOpenClip(projection);

    /// <summary>
    /// The tensors of <paramref name="source"/> under the names of diffusers, as views. A missing tensor or one of another size is an error; what the
    /// list does not name (EMA copies, schedule buffers, position ids) is left out.
    /// </summary>
    public static WeightSource FromLdm(WeightSource source, IReadOnlyList<LdmKey> keys) => new(source.Path, keys.Select(key => Take(source, key)), source.Metadata);

    /// <summary>What a single file holds for these tensors: the reverse of <see cref="FromLdm"/>.</summary>
    public static IEnumerable<WeightToWrite> ToLdm(WeightSource source, IReadOnlyList<LdmKey> keys)
    {
        foreach (var group in keys.GroupBy(key => key.Ldm, StringComparer.Ordinal))
        {
            var parts = group.OrderBy(key => key.Part ?? 0).Select(key => key.Transposed ? source[key.Name].Transposed() : source[key.Name]).ToList();
            yield return new WeightToWrite(group.Key, parts[0].DType, group.First().LdmShape, stream => parts.ForEach(part => part.WriteTo(stream)));
        }
    }

    private static Weight Take(WeightSource source, LdmKey key)
    {
        var weight = source[key.Ldm];
        var expected = key.LdmShape.Aggregate(1L, (product, size) => product * size);
        if (weight.Count != expected || (weight.Shape.Count > 0 && weight.Shape[0] != key.LdmShape[0]))
            throw new ModelException($"{source.Path}: '{key.Ldm}' has the shape {Weight.Describe(weight.Shape)} where {Weight.Describe(key.LdmShape)} is due: the checkpoint belongs to another configuration.");
        if (key.Part is { } part) weight = weight.Rows(part * key.Shape[0], key.Shape[0]);
        if (key.Transposed) weight = weight.Transposed();
        return weight.Reshaped(key.Shape).Named(key.Name);
    }

    /// <summary>A growing list, with the short forms that the three kinds of model share.</summary>
    private abstract class KeyList(string prefix)
    {
        protected List<LdmKey> Keys { get; } = [];

        protected void Add(string name, string ldm, params long[] shape) => Keys.Add(new LdmKey(name, shape, prefix + ldm, shape));

        protected void Add(LdmKey key) => Keys.Add(key with { Ldm = prefix + key.Ldm });

        /// <summary>Scale and shift of a norm.</summary>
        protected void Norm(string name, string ldm, long channels)
        {
            Add(name + ".weight", ldm + ".weight", channels);
            Add(name + ".bias", ldm + ".bias", channels);
        }

        protected void Linear(string name, string ldm, long output, long input, bool bias = true)
        {
            Add(name + ".weight", ldm + ".weight", output, input);
            if (bias) Add(name + ".bias", ldm + ".bias", output);
        }

        protected void Conv(string name, string ldm, long output, long input, long kernel)
        {
            Add(name + ".weight", ldm + ".weight", output, input, kernel, kernel);
            Add(name + ".bias", ldm + ".bias", output);
        }

        protected static int[] Channels(ModelConfig config) => config.Ints("block_out_channels", -1);

        protected static int Layers(ModelConfig config, string key) => config.Layers(key);
    }
}
