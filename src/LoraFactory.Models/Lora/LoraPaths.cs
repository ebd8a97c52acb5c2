using System.Globalization;
using System.Text.RegularExpressions;

namespace LoraFactory.Models.Lora;

/// <summary>Paths of layers: as diffusers and transformers name them, flattened with underscores, and as the original Stable Diffusion code names them.</summary>
public static partial class LoraPaths
{
    // Names with an underscore of their own, longest first: everything else is split at underscores.
    private static readonly string[] Whole =
    [
        .. new[]
        {
            "down_blocks", "up_blocks", "mid_block", "transformer_blocks", "time_emb_proj", "conv_shortcut", "proj_in", "proj_out", "to_q", "to_k", "to_v", "to_out",
            "time_embedding", "add_embedding", "linear_1", "linear_2", "conv_in", "conv_out", "conv_norm_out", "text_model", "self_attn", "q_proj", "k_proj", "v_proj",
            "out_proj", "layer_norm1", "layer_norm2", "final_layer_norm", "text_projection", "token_embedding", "position_embedding", "add_k_proj", "add_v_proj",
            "input_blocks", "output_blocks", "middle_block", "in_layers", "out_layers", "emb_layers", "skip_connection", "o_proj", "gate_proj", "up_proj", "down_proj",
        }.OrderByDescending(n => n.Length),
    ];

    /// <summary>A path from its flattened form, e.g. "mid_block_attentions_0_proj_in"; SDXL's original block names become those of diffusers.</summary>
    public static string FromFlat(string component, string flat)
    {
        var parts = new List<string>();
        for (var at = 0; at < flat.Length;)
        {
            var part = Array.Find(Whole, w => flat.AsSpan(at).StartsWith(w, StringComparison.Ordinal) && (at + w.Length == flat.Length || flat[at + w.Length] == '_'));
            var end = part is not null ? at + part.Length : flat.IndexOf('_', at);
            if (end < 0) end = flat.Length;
            parts.Add(flat[at..end]);
            at = end + 1;
        }
        var path = string.Join('.', parts);
        return component == "unet" ? FromOriginal(path) : OfTextEncoder(path);
    }

    /// <summary>Text encoder paths carry "text_model." in every file, whatever a library's own modules are called.</summary>
    public static string OfTextEncoder(string path) =>
        path.StartsWith("encoder.", StringComparison.Ordinal) || path.StartsWith("embeddings.", StringComparison.Ordinal) ? "text_model." + path : path;

    /// <summary>
    /// From the original code's UNet blocks to diffusers': input_blocks.(3i+j+1).{0,1} → down_blocks.i.{resnets,attentions}.j, output_blocks.(3i+j).{0,1} →
    /// up_blocks.i.…j, middle_block.{0,1,2}, and the samplers. Other paths stay.
    /// </summary>
    public static string FromOriginal(string path)
    {
        if (OriginalMiddle().Match(path) is { Success: true } middle)
        {
            var place = Number(middle.Groups["k"]);
            return $"mid_block.{(place == 1 ? "attentions.0" : $"resnets.{place / 2}")}.{Inner(place % 2, middle.Groups["rest"].Value)}";
        }
        var match = Original().Match(path);
        if (!match.Success) return path;
        var (n, k, rest) = (Number(match.Groups["n"]), Number(match.Groups["k"]), match.Groups["rest"].Value);
        switch (match.Groups["kind"].Value)
        {
            case "input_blocks" when n >= 1 && (n - 1) % 3 == 2:
                return $"down_blocks.{(n - 1) / 3}.downsamplers.0.{(rest == "op" ? "conv" : rest)}";
            case "input_blocks" when n >= 1:
                return $"down_blocks.{(n - 1) / 3}.{Part(k)}.{(n - 1) % 3}.{Inner(k, rest)}";
            case "output_blocks" when k == 2 || (k == 1 && rest == "conv"):
                return $"up_blocks.{n / 3}.upsamplers.0.{rest}";
            case "output_blocks":
                return $"up_blocks.{n / 3}.{Part(k)}.{n % 3}.{Inner(k, rest)}";
            default:
                return path;
        }
    }

    /// <summary>
    /// The reverse of <see cref="FromOriginal"/>, for blocks of two layers as every Stable Diffusion has them. SDXL has attention in the first up
    /// block, which moves that block's upsampler one place on.
    /// </summary>
    public static string ToOriginal(string path, ModelFamily family)
    {
        if (Middle().Match(path) is { Success: true } middle)
        {
            var attention = middle.Groups["kind"].Value == "attentions";
            return $"middle_block.{(attention ? 1 : Number(middle.Groups["j"]) * 2)}.{(attention ? middle.Groups["rest"].Value : Resnet(middle.Groups["rest"].Value))}";
        }
        if (Block().Match(path) is not { Success: true } match) return path;
        var (down, i, j, rest) = (match.Groups["way"].Value == "down", Number(match.Groups["i"]), Number(match.Groups["j"]), match.Groups["rest"].Value);
        return match.Groups["kind"].Value switch
        {
            "resnets" => down ? $"input_blocks.{3 * i + j + 1}.0.{Resnet(rest)}" : $"output_blocks.{3 * i + j}.0.{Resnet(rest)}",
            "attentions" => down ? $"input_blocks.{3 * i + j + 1}.1.{rest}" : $"output_blocks.{3 * i + j}.1.{rest}",
            "downsamplers" => $"input_blocks.{3 * i + 3}.0.{(rest == "conv" ? "op" : rest)}",
            _ => $"output_blocks.{3 * i + 2}.{(i == 0 && family != ModelFamily.Sdxl ? 1 : 2)}.{rest}",
        };
    }

    private static string Part(int k) => k == 0 ? "resnets" : "attentions";

    private static string Inner(int k, string rest) => k == 0 ? FromResnet(rest) : rest;

    private static string Resnet(string rest) => rest switch
    {
        "conv1" => "in_layers.2",
        "conv2" => "out_layers.3",
        "time_emb_proj" => "emb_layers.1",
        "conv_shortcut" => "skip_connection",
        _ => rest,
    };

    private static string FromResnet(string rest) => rest switch
    {
        "in_layers.2" => "conv1",
        "out_layers.3" => "conv2",
        "emb_layers.1" => "time_emb_proj",
        "skip_connection" => "conv_shortcut",
        _ => rest,
    };

    private static int Number(Group group) => int.Parse(group.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(?<kind>input_blocks|output_blocks)\.(?<n>\d{1,3})\.(?<k>\d)\.(?<rest>.+)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Original();

    [GeneratedRegex(@"^middle_block\.(?<k>[012])\.(?<rest>.+)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex OriginalMiddle();

    [GeneratedRegex(@"^mid_block\.(?<kind>attentions|resnets)\.(?<j>\d)\.(?<rest>.+)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Middle();

    [GeneratedRegex(@"^(?<way>down|up)_blocks\.(?<i>\d{1,2})\.(?<kind>resnets|attentions|downsamplers|upsamplers)\.(?<j>\d{1,2})\.(?<rest>.+)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Block();
}
