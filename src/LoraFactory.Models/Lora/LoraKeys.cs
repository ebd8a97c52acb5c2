using System.Text.RegularExpressions;

namespace LoraFactory.Models.Lora;

/// <summary>Families of Stable Diffusion, which tools name modules of differently.</summary>
public enum ModelFamily
{
    /// <summary>Stable Diffusion 1.x.</summary>
    Sd1,
    /// <summary>Stable Diffusion 2.x.</summary>
    Sd2,
    /// <summary>Stable Diffusion XL: two text encoders; kohya's files name UNet blocks as the original code does.</summary>
    Sdxl,
}

/// <summary>Spellings of adapter files.</summary>
public enum LoraNaming
{
    /// <summary>kohya's trainers and the web UIs: lora_unet_….lora_down.weight, .lora_up.weight, .alpha.</summary>
    Kohya,
    /// <summary>diffusers: unet.….lora.down.weight, text_encoder.….lora_linear_layer.down.weight.</summary>
    Diffusers,
    /// <summary>PEFT: base_model.model.….lora_A.weight, .lora_B.weight, a folder for each component.</summary>
    Peft,
}

/// <summary>What a tensor of an adapter is.</summary>
public enum LoraPart
{
    /// <summary>A.</summary>
    Down,
    /// <summary>B.</summary>
    Up,
    /// <summary>The scale's numerator.</summary>
    Alpha,
}

/// <summary>A tensor's name taken apart. <paramref name="Component"/> is null where the name does not tell it.</summary>
public sealed record LoraKey(string? Component, string Path, LoraPart Part, LoraNaming Naming);

/// <summary>Names of adapter tensors in the spellings of kohya, diffusers and PEFT, read one by one, so that mixed files are read whole.</summary>
public static partial class LoraKeys
{
    /// <summary>Takes a name apart; null when it is in none of the spellings.</summary>
    public static LoraKey? Parse(string key)
    {
        if (key.Length > 1024) return null;
        if (Kohya().Match(key) is { Success: true } kohya)
        {
            var component = kohya.Groups["part"].Value switch { "unet" => "unet", "te2" => "text_encoder_2", _ => "text_encoder" };
            var part = kohya.Groups["what"].Value switch { "lora_down.weight" => LoraPart.Down, "lora_up.weight" => LoraPart.Up, _ => LoraPart.Alpha };
            return new(component, LoraPaths.FromFlat(component, kohya.Groups["path"].Value), part, LoraNaming.Kohya);
        }
        if (Peft().Match(key) is { Success: true } peft)
            return Named(peft.Groups["part"], peft.Groups["path"].Value, peft.Groups["what"].Value == "A" ? LoraPart.Down : LoraPart.Up, LoraNaming.Peft);
        if (Processor().Match(key) is { Success: true } old)
        {
            var layer = old.Groups["layer"].Value == "to_out" ? "to_out.0" : old.Groups["layer"].Value;
            return Named(old.Groups["part"], $"{old.Groups["path"].Value}.{layer}", old.Groups["what"].Value == "down" ? LoraPart.Down : LoraPart.Up, LoraNaming.Diffusers);
        }
        if (Diffusers().Match(key) is not { Success: true } diffusers) return null;
        return Named(diffusers.Groups["part"], diffusers.Groups["path"].Value,
            diffusers.Groups["what"].Value switch { "down.weight" => LoraPart.Down, "up.weight" => LoraPart.Up, _ => LoraPart.Alpha }, LoraNaming.Diffusers);
    }

    /// <summary>Name of a tensor in a file. Alpha has a name in kohya's spelling only.</summary>
    public static string Name(LoraNaming naming, string component, string path, LoraPart part, ModelFamily family)
    {
        switch (naming)
        {
            case LoraNaming.Kohya:
                return $"{KohyaModule(component, path, family)}.{(part switch { LoraPart.Down => "lora_down.weight", LoraPart.Up => "lora_up.weight", _ => "alpha" })}";
            case LoraNaming.Diffusers when part != LoraPart.Alpha:
                var side = part == LoraPart.Down ? "down" : "up";
                return component.StartsWith("text_encoder", StringComparison.Ordinal) ? $"{component}.{path}.lora_linear_layer.{side}.weight" : $"{component}.{path}.lora.{side}.weight";
            case LoraNaming.Peft when part != LoraPart.Alpha:
                return $"base_model.model.{path}.lora_{(part == LoraPart.Down ? 'A' : 'B')}.weight";
            default:
                throw new ModelException($"The {naming} spelling has no name for alpha: fold alpha / rank into up, or state it in the header.");
        }
    }

    /// <summary>A module's name in kohya's files, e.g. "lora_unet_mid_block_attentions_0_proj_in"; SDXL's UNet with the original code's block names.</summary>
    public static string KohyaModule(string component, string path, ModelFamily family)
    {
        var flat = path.Replace('.', '_');
        return (component, family) switch
        {
            ("unet", ModelFamily.Sdxl) => "lora_unet_" + LoraPaths.ToOriginal(path, family).Replace('.', '_'),
            ("unet", _) => "lora_unet_" + flat,
            ("text_encoder", ModelFamily.Sdxl) => "lora_te1_" + flat,
            ("text_encoder", _) => "lora_te_" + flat,
            ("text_encoder_2", _) => "lora_te2_" + flat,
            _ => throw new ModelException($"kohya's spelling knows unet, text_encoder and text_encoder_2, not '{component}': write PEFT's."),
        };
    }

    /// <summary>
    /// The layer that the Stable Diffusion web UI derives from a module: the original code's names, for the second text encoder of SDXL and that of SD 2
    /// those of OpenCLIP.
    /// </summary>
    public static string WebUiLayer(string component, string path, ModelFamily family)
    {
        var flat = path.Replace('.', '_');
        return (component, family) switch
        {
            ("unet", _) => "diffusion_model_" + LoraPaths.ToOriginal(path, family).Replace('.', '_'),
            ("text_encoder", ModelFamily.Sd1) => "transformer_" + flat,
            ("text_encoder", ModelFamily.Sd2) => "model_" + OpenClip(flat),
            ("text_encoder", _) => "0_transformer_" + flat,
            ("text_encoder_2", _) => "1_model_" + OpenClip(flat),
            _ => throw new ModelException($"The web UI has no name for layers of '{component}'; it knows unet, text_encoder and text_encoder_2."),
        };
    }

    private static string OpenClip(string flat) => flat.Replace("text_model_encoder_layers_", "transformer_resblocks_", StringComparison.Ordinal)
        .Replace("self_attn_", "attn_", StringComparison.Ordinal).Replace("mlp_fc1", "mlp_c_fc", StringComparison.Ordinal).Replace("mlp_fc2", "mlp_c_proj", StringComparison.Ordinal);

    private static LoraKey Named(Group component, string path, LoraPart part, LoraNaming naming)
    {
        var name = component.Success ? component.Value : null;
        return new(name, name is "text_encoder" or "text_encoder_2" ? LoraPaths.OfTextEncoder(path) : path, part, naming);
    }

    [GeneratedRegex(@"^lora_(?<part>unet|te|te1|te2)_(?<path>[^.]+)\.(?<what>lora_down\.weight|lora_up\.weight|alpha)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Kohya();

    [GeneratedRegex(@"^((?<part>unet|text_encoder|text_encoder_2)\.)?(base_model\.model\.)?(?<path>.+)\.lora_(?<what>A|B)(\.[A-Za-z0-9_-]+)?\.weight$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Peft();

    [GeneratedRegex(@"^((?<part>unet|text_encoder|text_encoder_2)\.)?(?<path>.+)\.(lora|lora_linear_layer)\.(?<what>down\.weight|up\.weight|alpha)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Diffusers();

    // how the first training scripts of diffusers wrote attention processors
    [GeneratedRegex(@"^((?<part>unet|text_encoder|text_encoder_2)\.)?(?<path>.+)\.processor\.(?<layer>to_q|to_k|to_v|to_out)_lora\.(?<what>down|up)\.weight$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Processor();
}
