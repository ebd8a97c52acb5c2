using System.Text.Json;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models;

/// <summary>Dimensions of a BLIP vision tower (Li et al. 2022), as "vision_config" of config.json gives them.</summary>
public sealed record BlipVisionConfig
{
    /// <summary>Width d of the tower.</summary>
    public long HiddenSize { get; init; } = 768;
    /// <summary>Width inside the feed-forward blocks.</summary>
    public long IntermediateSize { get; init; } = 3072;
    /// <summary>Attention heads; divides <see cref="HiddenSize"/>.</summary>
    public long NumAttentionHeads { get; init; } = 12;
    /// <summary>Blocks.</summary>
    public long NumHiddenLayers { get; init; } = 12;
    /// <summary>Side of the square picture in pixels.</summary>
    public long ImageSize { get; init; } = 384;
    /// <summary>Side of a patch in pixels.</summary>
    public long PatchSize { get; init; } = 16;
    /// <summary>ε of the layer norms.</summary>
    public double LayerNormEps { get; init; } = 1e-5;

    /// <summary>Patches of a picture.</summary>
    public long Patches => ImageSize / PatchSize * (ImageSize / PatchSize);
}

/// <summary>Dimensions of the text decoder, as "text_config" of config.json gives them.</summary>
public sealed record BlipTextConfig
{
    /// <summary>Entries of the vocabulary.</summary>
    public long VocabSize { get; init; } = 30524;
    /// <summary>Width of the decoder.</summary>
    public long HiddenSize { get; init; } = 768;
    /// <summary>Width of the image states that it attends to.</summary>
    public long EncoderHiddenSize { get; init; } = 768;
    /// <summary>Width inside the feed-forward blocks.</summary>
    public long IntermediateSize { get; init; } = 3072;
    /// <summary>Attention heads; divides <see cref="HiddenSize"/>.</summary>
    public long NumAttentionHeads { get; init; } = 12;
    /// <summary>Blocks.</summary>
    public long NumHiddenLayers { get; init; } = 12;
    /// <summary>Most tokens of a caption, start and end included.</summary>
    public long MaxPositionEmbeddings { get; init; } = 512;
    /// <summary>ε of the layer norms.</summary>
    public double LayerNormEps { get; init; } = 1e-12;
    /// <summary>Id that begins a caption.</summary>
    public long BosTokenId { get; init; } = 30522;
    /// <summary>Id that fills up short rows.</summary>
    public long PadTokenId { get; init; }
    /// <summary>Id that ends a caption.</summary>
    public long SepTokenId { get; init; } = 102;
    /// <summary>Share of the target's probability spread over the vocabulary in the loss, 0..1.</summary>
    public double LabelSmoothing { get; init; }
}

/// <summary>A captioning BLIP, as config.json of BlipForConditionalGeneration describes it.</summary>
public sealed record BlipConfig
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    /// <summary>"BlipForConditionalGeneration".</summary>
    public IReadOnlyList<string> Architectures { get; init; } = ["BlipForConditionalGeneration"];
    /// <summary>"blip".</summary>
    public string ModelType { get; init; } = "blip";
    /// <summary>The vision tower.</summary>
    public BlipVisionConfig VisionConfig { get; init; } = new();
    /// <summary>The text decoder.</summary>
    public BlipTextConfig TextConfig { get; init; } = new();

    /// <summary>Reads config.json; what it leaves out has transformers' default.</summary>
    public static BlipConfig Read(ModelConfig c)
    {
        c.Only("model_type", "blip");
        var (v, t) = (c.Section("vision_config"), c.Section("text_config"));
        v.Only("hidden_act", "gelu");
        t.Only("hidden_act", "gelu");
        var config = new BlipConfig
        {
            VisionConfig = new()
            {
                HiddenSize = v.Int("hidden_size", 768),
                IntermediateSize = v.Int("intermediate_size", 3072),
                NumAttentionHeads = v.Int("num_attention_heads", 12),
                NumHiddenLayers = v.Layers("num_hidden_layers", 12),
                ImageSize = v.Int("image_size", 384),
                PatchSize = v.Int("patch_size", 16),
                LayerNormEps = v.Double("layer_norm_eps", 1e-5),
            },
            TextConfig = new()
            {
                VocabSize = t.Int("vocab_size", 30524),
                HiddenSize = t.Int("hidden_size", 768),
                EncoderHiddenSize = t.Int("encoder_hidden_size", 768),
                IntermediateSize = t.Int("intermediate_size", 3072),
                NumAttentionHeads = t.Int("num_attention_heads", 12),
                NumHiddenLayers = t.Layers("num_hidden_layers", 12),
                MaxPositionEmbeddings = t.Int("max_position_embeddings", 512),
                LayerNormEps = t.Double("layer_norm_eps", 1e-12),
                BosTokenId = t.Token("bos_token_id", 30522),
                PadTokenId = t.Token("pad_token_id", 0),
                SepTokenId = t.Token("sep_token_id", 102),
                LabelSmoothing = t.Double("label_smoothing", 0),
            },
        };
        return config.Checked();
    }

    /// <summary>The configuration as config.json.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    private BlipConfig Checked()
    {
        var (v, t) = (VisionConfig, TextConfig);
        foreach (var size in (long[])[v.HiddenSize, v.IntermediateSize, v.NumAttentionHeads, v.NumHiddenLayers, v.ImageSize, v.PatchSize,
            t.VocabSize, t.HiddenSize, t.EncoderHiddenSize, t.IntermediateSize, t.NumAttentionHeads, t.NumHiddenLayers, t.MaxPositionEmbeddings])
        {
            if (size < 1) throw new ModelException($"a dimension of the BLIP configuration is {size}; each has to be at least 1.");
        }
        if (v.HiddenSize % v.NumAttentionHeads != 0 || t.HiddenSize % t.NumAttentionHeads != 0)
            throw new ModelException("hidden_size of a BLIP has to be a multiple of num_attention_heads in both towers.");
        if (v.ImageSize < v.PatchSize) throw new ModelException($"patch_size {v.PatchSize} of a BLIP is larger than its image_size {v.ImageSize}.");
        if (t.EncoderHiddenSize != v.HiddenSize)
            throw new ModelException($"encoder_hidden_size {t.EncoderHiddenSize} of a BLIP's text differs from hidden_size {v.HiddenSize} of its vision tower.");
        return this;
    }
}

/// <summary>
/// Picture → caption (BLIP, Li et al. 2022; names and numbers as Hugging Face's BlipForConditionalGeneration): a vision transformer,
/// and a BERT-like causal decoder whose blocks attend to the image states. Shapes: b batch, n = 1 + patches, s tokens, d widths, v vocabulary.
/// </summary>
public sealed class Blip : IDisposable
{
    private readonly BlipVision vision;
    private readonly BlipDecoder decoder;

    /// <summary>Declares all weights; load or initialise <see cref="Store"/> before use.</summary>
    public Blip(BlipConfig config)
    {
        Config = config;
        vision = new(Store.Root["vision_model"], config.VisionConfig);
        decoder = new(Store.Root["text_decoder"], config.TextConfig);
    }

    /// <summary>Loads a folder with config.json and weights, as float32 on <paramref name="device"/>.</summary>
    public static Blip Load(string folder, Device? device = null)
    {
        var blip = new Blip(BlipConfig.Read(ModelConfig.Read(Path.Combine(folder, "config.json"))));
        using var source = WeightFolder.Open(folder);
        blip.Store.Load(source.Finder(), device: device);
        return blip;
    }

    /// <summary>Dimensions.</summary>
    public BlipConfig Config { get; }

    /// <summary>Weights under their checkpoint names.</summary>
    public ParameterStore Store { get; } = new();

    /// <summary>Image states [b, n, d] of normalised pixels [b, 3, H, W].</summary>
    public Tensor ImageStates(Tensor pixels) => vision.Forward(pixels);

    /// <summary>Logits [b, s, v] of each next token.</summary>
    /// <param name="ids">int64 [b, s]; s at most max_position_embeddings.</param>
    /// <param name="imageStates">[b, n, d].</param>
    /// <param name="mask">[b, s], 0 where a token is padding; null when none is.</param>
    public Tensor Logits(Tensor ids, Tensor imageStates, Tensor? mask = null) => decoder.Forward(ids, imageStates, mask);

    /// <summary>Mean cross-entropy of each next token, with the configuration's label smoothing; labels of −100 do not count.</summary>
    /// <param name="logits">[b, s, v].</param>
    /// <param name="labels">int64 [b, s], the input ids themselves: the loss shifts them by one.</param>
    public Tensor Loss(Tensor logits, Tensor labels)
    {
        var s = logits.Size(1);
        return logits.Narrow(1, 0, s - 1).Reshape([-1, Config.TextConfig.VocabSize]).CrossEntropyLoss(labels.Narrow(1, 1, s - 1).Reshape([-1]),
            labelSmoothing: Config.TextConfig.LabelSmoothing);
    }

    /// <summary>
    /// Greedy captions. Each row holds the ids after the prompt, without start and end id.
    /// </summary>
    /// <param name="pixels">Normalised [b, 3, H, W].</param>
    /// <param name="maxNewTokens">Most tokens of a caption.</param>
    /// <param name="prompt">Ids after the start id that every caption begins with.</param>
    public IReadOnlyList<IReadOnlyList<long>> Caption(Tensor pixels, int maxNewTokens = 30, IReadOnlyList<long>? prompt = null)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var text = Config.TextConfig;
        var states = ImageStates(pixels);
        var batch = (int)pixels.Size(0);
        var rows = Enumerable.Range(0, batch).Select(_ => new List<long> { text.BosTokenId }).ToArray();
        foreach (var row in rows) row.AddRange(prompt ?? []);
        var begun = rows[0].Count;
        var ended = new bool[batch];
        for (var step = 0; step < maxNewTokens && rows[0].Count < text.MaxPositionEmbeddings && !ended.All(e => e); step++)
        {
            using var inner = new Scope();
            var logits = Logits(Tensor.From(rows.SelectMany(r => r).ToArray(), batch, rows[0].Count).To(dtype: DType.Int64, device: pixels.Device), states);
            var next = logits.Narrow(1, rows[0].Count - 1, 1).Argmax(-1).ToArray<long>();
            for (var i = 0; i < batch; i++)
            {
                rows[i].Add(ended[i] ? text.PadTokenId : next[i]);
                ended[i] |= next[i] == text.SepTokenId;
            }
        }
        return [.. rows.Select(row => row.Skip(begun).TakeWhile(id => id != text.SepTokenId).ToArray())];
    }

    /// <inheritdoc/>
    public void Dispose() => Store.Release();
}

/// <summary>Vision transformer, pre-norm, exact gelu. Pixels [b, 3, H, W] → [b, n, d].</summary>
internal sealed class BlipVision
{
    private readonly Parameter classEmbedding;
    private readonly Parameter positions;
    private readonly Conv2d patches;
    private readonly BlipVisionBlock[] blocks;
    private readonly LayerNorm last;

    public BlipVision(Place at, BlipVisionConfig c)
    {
        classEmbedding = at["embeddings"].Parameter("class_embedding", Init.Normal, 1, 1, c.HiddenSize);
        positions = at["embeddings"].Parameter("position_embedding", Init.Normal, 1, c.Patches + 1, c.HiddenSize);
        patches = new(at["embeddings"]["patch_embedding"], 3, c.HiddenSize, c.PatchSize, stride: c.PatchSize);
        blocks = [.. Enumerable.Range(0, (int)c.NumHiddenLayers).Select(i => new BlipVisionBlock(at["encoder"]["layers"][i], c))];
        last = new(at["post_layernorm"], c.HiddenSize, c.LayerNormEps);
    }

    public Tensor Forward(Tensor pixels)
    {
        var b = pixels.Size(0);
        var x = patches.Forward(pixels).Flatten(2).Transpose(1, 2); // [b, n − 1, d], row-major over the picture
        x = Ops.Cat([classEmbedding.Value.Expand([b, -1, -1]), x], 1) + positions.Value;
        foreach (var block in blocks) x = block.Forward(x);
        return last.Forward(x);
    }
}

internal sealed class BlipVisionBlock
{
    private readonly LayerNorm norm1;
    private readonly LayerNorm norm2;
    private readonly Linear qkv;
    private readonly Linear projection;
    private readonly Linear fc1;
    private readonly Linear fc2;
    private readonly long heads;

    public BlipVisionBlock(Place at, BlipVisionConfig c)
    {
        heads = c.NumAttentionHeads;
        norm1 = new(at["layer_norm1"], c.HiddenSize, c.LayerNormEps);
        qkv = new(at["self_attn"]["qkv"], c.HiddenSize, 3 * c.HiddenSize);
        projection = new(at["self_attn"]["projection"], c.HiddenSize, c.HiddenSize);
        norm2 = new(at["layer_norm2"], c.HiddenSize, c.LayerNormEps);
        fc1 = new(at["mlp"]["fc1"], c.HiddenSize, c.IntermediateSize);
        fc2 = new(at["mlp"]["fc2"], c.IntermediateSize, c.HiddenSize);
    }

    public Tensor Forward(Tensor x)
    {
        var (b, n, d) = (x.Size(0), x.Size(1), x.Size(2));
        // [b, n, 3·d] → 3 × [b, h, n, d/h]
        var parts = qkv.Forward(norm1.Forward(x)).View([b, n, 3, heads, d / heads]).Permute([2, 0, 3, 1, 4]).Unbind(0);
        var mixed = Attention.Scaled(parts[0], parts[1], parts[2]).Transpose(1, 2).Reshape([b, n, d]);
        x += projection.Forward(mixed);
        return x + fc2.Forward(Activation.Gelu(fc1.Forward(norm2.Forward(x))));
    }
}

/// <summary>BERT-like causal decoder, post-norm, with cross-attention in every block. Gives logits [b, s, v].</summary>
internal sealed class BlipDecoder
{
    private readonly Embedding words;
    private readonly Embedding positions;
    private readonly LayerNorm norm;
    private readonly BlipDecoderBlock[] blocks;
    private readonly Linear transform;
    private readonly LayerNorm transformNorm;
    private readonly Parameter bias;

    public BlipDecoder(Place at, BlipTextConfig c)
    {
        var bert = at["bert"];
        words = new(bert["embeddings"]["word_embeddings"], c.VocabSize, c.HiddenSize);
        positions = new(bert["embeddings"]["position_embeddings"], c.MaxPositionEmbeddings, c.HiddenSize);
        norm = new(bert["embeddings"]["LayerNorm"], c.HiddenSize, c.LayerNormEps);
        blocks = [.. Enumerable.Range(0, (int)c.NumHiddenLayers).Select(i => new BlipDecoderBlock(bert["encoder"]["layer"][i], c))];
        var head = at["cls"]["predictions"];
        transform = new(head["transform"]["dense"], c.HiddenSize, c.HiddenSize);
        transformNorm = new(head["transform"]["LayerNorm"], c.HiddenSize, c.LayerNormEps);
        bias = head.Parameter("bias", Init.Zero, c.VocabSize);
    }

    public Tensor Forward(Tensor ids, Tensor imageStates, Tensor? mask)
    {
        var s = ids.Size(1);
        var x = norm.Forward(words.Forward(ids) + positions.Weight.Value.Narrow(0, 0, s));
        // Additive: nobody looks ahead, and nobody at padding.
        var unseen = Ops.Ones([s, s], dtype: DType.Bool, device: ids.Device).Triu(1).View([1, 1, s, s]);
        if (mask is not null) unseen = unseen.LogicalOr(mask.Eq(0).View([-1, 1, 1, s]));
        var bias = Ops.Zeros([1], dtype: x.DType, device: x.Device).MaskedFill(unseen, -1e9);
        foreach (var block in blocks) x = block.Forward(x, imageStates, bias);
        return Ops.Linear(transformNorm.Forward(Activation.Gelu(transform.Forward(x))), words.Weight.Value, this.bias.Value);
    }
}

internal sealed class BlipDecoderBlock
{
    private readonly BlipTextAttention self;
    private readonly BlipTextAttention cross;
    private readonly Linear up;
    private readonly Linear down;
    private readonly LayerNorm norm;

    public BlipDecoderBlock(Place at, BlipTextConfig c)
    {
        self = new(at["attention"], c, c.HiddenSize);
        cross = new(at["crossattention"], c, c.EncoderHiddenSize);
        up = new(at["intermediate"]["dense"], c.HiddenSize, c.IntermediateSize);
        down = new(at["output"]["dense"], c.IntermediateSize, c.HiddenSize);
        norm = new(at["output"]["LayerNorm"], c.HiddenSize, c.LayerNormEps);
    }

    public Tensor Forward(Tensor x, Tensor imageStates, Tensor mask)
    {
        x = self.Forward(x, x, mask);
        x = cross.Forward(x, imageStates, null);
        return norm.Forward(down.Forward(Activation.Gelu(up.Forward(x))) + x);
    }
}

/// <summary>Attention with its residual sum and norm. x: [b, s, d], source: [b, t, e] → [b, s, d].</summary>
internal sealed class BlipTextAttention
{
    private readonly Linear query;
    private readonly Linear key;
    private readonly Linear value;
    private readonly Linear dense;
    private readonly LayerNorm norm;
    private readonly long heads;

    public BlipTextAttention(Place at, BlipTextConfig c, long sourceSize)
    {
        heads = c.NumAttentionHeads;
        query = new(at["self"]["query"], c.HiddenSize, c.HiddenSize);
        key = new(at["self"]["key"], sourceSize, c.HiddenSize);
        value = new(at["self"]["value"], sourceSize, c.HiddenSize);
        dense = new(at["output"]["dense"], c.HiddenSize, c.HiddenSize);
        norm = new(at["output"]["LayerNorm"], c.HiddenSize, c.LayerNormEps);
    }

    public Tensor Forward(Tensor x, Tensor source, Tensor? mask)
    {
        var mixed = Attention.Scaled(Heads(query.Forward(x)), Heads(key.Forward(source)), Heads(value.Forward(source)), mask);
        return norm.Forward(dense.Forward(mixed.Transpose(1, 2).Reshape(x.Shape)) + x);
    }

    /// <summary>[b, t, d] → [b, h, t, d/h].</summary>
    private Tensor Heads(Tensor x) => x.View([x.Size(0), x.Size(1), heads, -1]).Transpose(1, 2);
}
