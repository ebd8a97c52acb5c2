using System.Text.Json;
using LoraFactory.Models.Lora;

namespace LoraFactory.Models.Weights;

/// <summary>
/// A checkpoint in one file with the original names, such as v1-5-pruned.safetensors: its parts under the names of diffusers, and their
/// configurations as the shapes in the file tell.
/// </summary>
public sealed class LdmCheckpoint : IDisposable
{
    private const string UNetPrefix = "model.diffusion_model.", Sd1Text = "cond_stage_model.transformer.", Sd2Text = "cond_stage_model.model.";
    private const string SdxlText = "conditioner.embedders.0.transformer.", SdxlText2 = "conditioner.embedders.1.model.", VaePrefix = "first_stage_model.";

    private readonly WeightSource source;
    private readonly LdmShapes shapes;

    private LdmCheckpoint(WeightSource source, ModelFamily family)
    {
        this.source = source;
        Family = family;
        shapes = new LdmShapes(source);
    }

    /// <summary>Which Stable Diffusion it is.</summary>
    public ModelFamily Family { get; }

    /// <summary>Names of the parts: unet, vae, text_encoder, and for XL text_encoder_2.</summary>
    public IReadOnlyList<string> Components => Family == ModelFamily.Sdxl ? ["unet", "vae", "text_encoder", "text_encoder_2"] : ["unet", "vae", "text_encoder"];

    /// <summary>Opens a .safetensors or .ckpt file; one that is no such checkpoint is refused.</summary>
    public static LdmCheckpoint Open(string path) => Over(WeightSource.Open(path));

    /// <summary>Takes over a source and disposes it.</summary>
    public static LdmCheckpoint Over(WeightSource source)
    {
        try
        {
            return new LdmCheckpoint(WithLongNames(source), FamilyOf(source));
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Whether a source looks like such a checkpoint.</summary>
    public static bool Is(WeightSource source) => source.Contains(UNetPrefix + "input_blocks.0.0.weight");

    /// <summary>A part's configuration in the form of its config.json, from the shapes in the file.</summary>
    public ModelConfig Config(string component)
    {
        var json = component switch
        {
            "unet" => shapes.UNet(UNetPrefix, Family),
            "vae" => shapes.Vae(VaePrefix, Family),
            "text_encoder" when Family == ModelFamily.Sd1 => shapes.ClipText(Sd1Text),
            "text_encoder" when Family == ModelFamily.Sd2 => shapes.OpenClip(Sd2Text, leaveOutLast: true),
            "text_encoder" => shapes.ClipText(SdxlText),
            "text_encoder_2" when Family == ModelFamily.Sdxl => shapes.OpenClip(SdxlText2, leaveOutLast: false),
            _ => throw NoComponent(component),
        };
        using var document = JsonDocument.Parse(json.ToJsonString());
        return new ModelConfig(document.RootElement.Clone(), $"{source.Path} ({component})");
    }

    /// <summary>A part's tensors under the names of diffusers, as views that are valid while this is open.</summary>
    /// <param name="component">Name of the part.</param>
    /// <param name="config">Its configuration; where null the one that the shapes tell.</param>
    public WeightSource Weights(string component, ModelConfig? config = null) => LdmKeys.FromLdm(source, Keys(component, config ?? Config(component)));

    /// <summary>What this file would hold for a part's tensors under the names of diffusers: the reverse of <see cref="Weights"/>.</summary>
    public IEnumerable<WeightToWrite> ToSingleFile(string component, WeightSource weights, ModelConfig config) => LdmKeys.ToLdm(weights, Keys(component, config));

    /// <summary>A tensor under its name in the file; null where there is none.</summary>
    public Weight? Original(string name) => source.TryGet(name, out var weight) ? weight : null;

    /// <inheritdoc/>
    public void Dispose() => source.Dispose();

    private IReadOnlyList<LdmKey> Keys(string component, ModelConfig config) => component switch
    {
        "unet" => LdmKeys.UNet(config, UNetPrefix),
        "vae" => LdmKeys.Vae(config, VaePrefix),
        "text_encoder" when Family == ModelFamily.Sd1 => LdmKeys.ClipText(config, Sd1Text),
        "text_encoder" when Family == ModelFamily.Sd2 => LdmKeys.OpenClip(config, Sd2Text, projection: false),
        "text_encoder" => LdmKeys.ClipText(config, SdxlText),
        "text_encoder_2" when Family == ModelFamily.Sdxl => LdmKeys.OpenClip(config, SdxlText2),
        _ => throw NoComponent(component),
    };

    /// <summary>Some tools leave text_model. out of the first text encoder's names.</summary>
    private static WeightSource WithLongNames(WeightSource source)
    {
        foreach (var prefix in (string[])[Sd1Text, SdxlText])
        {
            if (!source.Contains(prefix + "embeddings.token_embedding.weight")) continue;
            var renamed = source.Weights.Select(weight => weight.Name.StartsWith(prefix, StringComparison.Ordinal)
                ? weight.Named($"{prefix}text_model.{weight.Name[prefix.Length..]}") : weight);
            return new WeightSource(source.Path, renamed, source.Metadata, source);
        }
        return source;
    }

    private ModelException NoComponent(string component) => new($"{source.Path} has no part '{component}'; it has {string.Join(", ", Components)}.");

    private static ModelFamily FamilyOf(WeightSource source)
    {
        if (!Is(source))
            throw new ModelException($"{source.Path} is not a Stable Diffusion checkpoint in one file: it lacks {UNetPrefix}input_blocks.0.0.weight. A LoRA, a VAE or a diffusers folder is loaded another way.");
        if (source.Contains(SdxlText2 + "positional_embedding")) return ModelFamily.Sdxl;
        if (source.Contains(Sd2Text + "positional_embedding")) return ModelFamily.Sd2;
        if (source.Names.Any(name => name.StartsWith(Sd1Text, StringComparison.Ordinal))) return ModelFamily.Sd1;
        throw new ModelException($"{source.Path} holds no text encoder of Stable Diffusion 1, 2 or XL; a checkpoint with all parts is needed.");
    }
}
