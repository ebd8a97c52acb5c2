using System.Text.Json.Nodes;
using LoraFactory.Models.Lora;

namespace LoraFactory.Models.Weights;

/// <summary>Tells the configuration of each part of a single-file checkpoint from which tensors it holds and their shapes.</summary>
internal sealed class LdmShapes(WeightSource source)
{
    private const int MostBlocks = 256, HeadWidth = 64;

    /// <summary>Configuration of the UNet. Head counts follow from the family: 8 in SD1, width / 64 later.</summary>
    public JsonObject UNet(string prefix, ModelFamily family)
    {
        var (channels, attends, depths, layers) = Levels(prefix + "input_blocks.");
        var attention = Enumerable.Range(1, MostBlocks).Select(block => $"{prefix}input_blocks.{block}.1.").First(at => source.Contains(at + "norm.weight"));
        var linear = source[attention + "proj_in.weight"].Shape.Count == 2;
        var config = new JsonObject
        {
            ["_class_name"] = "UNet2DConditionModel",
            ["in_channels"] = Size(prefix + "input_blocks.0.0.weight", 1),
            ["out_channels"] = Size(prefix + "out.2.weight", 0),
            ["block_out_channels"] = Numbers(channels),
            ["down_block_types"] = Texts(attends.Select(with => with ? "CrossAttnDownBlock2D" : "DownBlock2D")),
            ["up_block_types"] = Texts(attends.Reverse().Select(with => with ? "CrossAttnUpBlock2D" : "UpBlock2D")),
            ["layers_per_block"] = layers,
            ["transformer_layers_per_block"] = Numbers(depths),
            ["cross_attention_dim"] = Size(attention + "transformer_blocks.0.attn2.to_k.weight", 1),
            // The number of heads, under the name that the format keeps by mistake.
            ["attention_head_dim"] = family == ModelFamily.Sd1 ? 8 : Numbers(channels.Select(width => Math.Max(1, width / HeadWidth))),
            ["use_linear_projection"] = linear,
            ["norm_num_groups"] = 32,
            ["norm_eps"] = 1e-5,
            ["act_fn"] = "silu",
            ["flip_sin_to_cos"] = true,
            ["freq_shift"] = 0,
            ["downsample_padding"] = 1,
            ["sample_size"] = family == ModelFamily.Sdxl ? 128 : 64,
        };
        if (!source.Contains(prefix + "label_emb.0.0.weight")) return config;
        config["addition_embed_type"] = "text_time";
        config["addition_time_embed_dim"] = 256;
        config["projection_class_embeddings_input_dim"] = Size(prefix + "label_emb.0.0.weight", 1);
        return config;
    }

    /// <summary>Configuration of the autoencoder.</summary>
    public JsonObject Vae(string prefix, ModelFamily family)
    {
        var channels = new List<long>();
        for (var i = 0; i < MostBlocks && source.TryGet($"{prefix}encoder.down.{i}.block.0.conv1.weight", out var conv); i++) channels.Add(conv.Shape[0]);
        return new JsonObject
        {
            ["_class_name"] = "AutoencoderKL",
            ["in_channels"] = Size(prefix + "encoder.conv_in.weight", 1),
            ["out_channels"] = Size(prefix + "decoder.conv_out.weight", 0),
            ["latent_channels"] = Size(prefix + "decoder.conv_in.weight", 1),
            ["block_out_channels"] = Numbers(channels),
            ["down_block_types"] = Texts(channels.Select(_ => "DownEncoderBlock2D")),
            ["up_block_types"] = Texts(channels.Select(_ => "UpDecoderBlock2D")),
            ["layers_per_block"] = Count(j => $"{prefix}encoder.down.0.block.{j}.conv1.weight"),
            ["mid_block_add_attention"] = source.Contains(prefix + "encoder.mid.attn_1.q.weight"),
            ["use_quant_conv"] = source.Contains(prefix + "quant_conv.weight"),
            ["use_post_quant_conv"] = source.Contains(prefix + "post_quant_conv.weight"),
            ["norm_num_groups"] = 32,
            ["act_fn"] = "silu",
            ["sample_size"] = family == ModelFamily.Sdxl ? 1024 : 512,
            ["scaling_factor"] = family == ModelFamily.Sdxl ? 0.13025 : 0.18215,
            ["force_upcast"] = family == ModelFamily.Sdxl,
        };
    }

    /// <summary>Configuration of a text encoder under transformers' names: OpenAI's CLIP.</summary>
    public JsonObject ClipText(string prefix)
    {
        var model = prefix + "text_model.";
        var config = Text(model + "embeddings.token_embedding.weight", model + "embeddings.position_embedding.weight",
            Count(i => $"{model}encoder.layers.{i}.mlp.fc1.weight"), Size(model + "encoder.layers.0.mlp.fc1.weight", 0), "quick_gelu");
        config["architectures"] = Texts(["CLIPTextModel"]);
        return config;
    }

    /// <summary>Configuration of a text encoder under OpenCLIP's names.</summary>
    public JsonObject OpenClip(string prefix, bool leaveOutLast)
    {
        var layers = Count(i => $"{prefix}transformer.resblocks.{i}.mlp.c_fc.weight");
        var config = Text(prefix + "token_embedding.weight", prefix + "positional_embedding", leaveOutLast ? layers - 1 : layers, Size(prefix + "transformer.resblocks.0.mlp.c_fc.weight", 0), "gelu");
        config["architectures"] = Texts([leaveOutLast ? "CLIPTextModel" : "CLIPTextModelWithProjection"]);
        if (source.TryGet(prefix + "text_projection", out var projection)) config["projection_dim"] = projection.Shape[^1];
        return config;
    }

    private JsonObject Text(string embedding, string positions, int layers, long inner, string activation)
    {
        var width = Size(embedding, 1);
        return new JsonObject
        {
            ["vocab_size"] = Size(embedding, 0),
            ["hidden_size"] = width,
            ["intermediate_size"] = inner,
            ["num_hidden_layers"] = layers,
            ["num_attention_heads"] = Math.Max(1, width / HeadWidth),
            ["max_position_embeddings"] = Size(positions, 0),
            ["hidden_act"] = activation,
            ["layer_norm_eps"] = 1e-5,
            ["projection_dim"] = width,
            ["bos_token_id"] = 0,
            ["pad_token_id"] = 1,
            ["eos_token_id"] = 2,
        };
    }

    /// <summary>Walks the input blocks: residuals up to a downsampler make a level.</summary>
    private (List<long> Channels, bool[] Attends, List<long> Depths, int Layers) Levels(string blocks)
    {
        var (channels, attends, depths, layers) = (new List<long>(), new List<bool>(), new List<long>(), 0);
        var first = true;
        for (var i = 1; i < MostBlocks; i++)
        {
            if (source.Contains($"{blocks}{i}.0.op.weight"))
            {
                first = true;
                continue;
            }
            if (!source.TryGet($"{blocks}{i}.0.out_layers.3.weight", out var conv)) break;
            // The first level tells how many residuals each has.
            if (channels.Count == 0 || (channels.Count == 1 && !first)) layers++;
            if (first)
            {
                var attention = $"{blocks}{i}.1.";
                channels.Add(conv.Shape[0]);
                attends.Add(source.Contains(attention + "norm.weight"));
                depths.Add(Math.Max(1, Count(k => $"{attention}transformer_blocks.{k}.norm1.weight")));
            }
            first = false;
        }
        if (!attends.Contains(true)) throw new ModelException($"{source.Path} holds no UNet with cross-attention under {blocks}: it is a checkpoint of another architecture.");
        return (channels, [.. attends], depths, layers);
    }

    private long Size(string name, int dimension) => source[name].Shape is { } shape && dimension < shape.Count ? shape[dimension]
        : throw new ModelException($"{source.Path}: '{name}' has the shape {Weight.Describe(source[name].Shape)}, too few dimensions.");

    private int Count(Func<int, string> name)
    {
        var count = 0;
        while (count < MostBlocks && source.Contains(name(count))) count++;
        return count;
    }

    private static JsonArray Numbers(IEnumerable<long> numbers) => [.. numbers.Select(number => (JsonNode)JsonValue.Create(number))];

    private static JsonArray Texts(IEnumerable<string> texts) => [.. texts.Select(text => (JsonNode)JsonValue.Create(text))];
}
