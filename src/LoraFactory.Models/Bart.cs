using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models;

// BART (Lewis et al. 2020) with a classification head: encoder, decoder, and a class for the pair of texts that both have read. Post-norm,
// exact gelu, learned positions that begin at row 2. Weight names as transformers writes them.
//  1 configuration   2 attention and layers   3 the model
// Shapes: b batch, s sequence, t sequence attended to, d width, h heads, n classes.

/// <summary>Sizes of a BART, as config.json gives them.</summary>
public sealed record BartConfig
{
    /// <summary>Rows of the word table, which both sides share.</summary>
    public required int Vocabulary { get; init; }
    /// <summary>d, width of the residual stream.</summary>
    public required int Width { get; init; }
    /// <summary>Longest sequence.</summary>
    public required int Positions { get; init; }
    /// <summary>Encoder: layers, heads, width inside the feed-forward blocks.</summary>
    public required (int Layers, int Heads, int Inner) Encoder { get; init; }
    /// <summary>Decoder: likewise.</summary>
    public required (int Layers, int Heads, int Inner) Decoder { get; init; }
    /// <summary>Names of the classes, by number.</summary>
    public required IReadOnlyList<string> Labels { get; init; }
    /// <summary>Id that fills up.</summary>
    public int PadToken { get; init; }
    /// <summary>Id that ends a text; the class is read where the last one stands.</summary>
    public int EndToken { get; init; }
    /// <summary>Id that the decoder begins with.</summary>
    public int StartToken { get; init; }
    /// <summary>Factor on the word vectors: 1, or √d where scale_embedding says so.</summary>
    public double WordScale { get; init; } = 1;

    /// <summary>Reads config.json of BartForSequenceClassification.</summary>
    public static BartConfig Read(ModelConfig c)
    {
        c.Only("model_type", "bart");
        c.Only("activation_function", "gelu");
        var (d, labels) = (c.Int("d_model"), c.Section("id2label"));
        var names = new List<string>();
        while (names.Count < MostLabels && labels.Has($"{names.Count}")) names.Add(labels.Text($"{names.Count}"));
        var end = c.Token("eos_token_id", 2);
        var config = new BartConfig
        {
            Vocabulary = c.Int("vocab_size"),
            Width = d,
            Positions = c.Int("max_position_embeddings", 1024),
            Encoder = (c.Layers("encoder_layers"), c.Int("encoder_attention_heads"), c.Int("encoder_ffn_dim")),
            Decoder = (c.Layers("decoder_layers"), c.Int("decoder_attention_heads"), c.Int("decoder_ffn_dim")),
            Labels = names,
            PadToken = c.Token("pad_token_id", 1),
            EndToken = end,
            StartToken = c.Token("decoder_start_token_id", end),
            WordScale = c.Bool("scale_embedding", false) ? Math.Sqrt(d) : 1,
        };
        foreach (var heads in new[] { config.Encoder.Heads, config.Decoder.Heads })
            if (d % heads != 0) throw new ModelException($"d_model {d} is not a multiple of {heads} attention heads.");
        return names.Count > 1 ? config : throw new ModelException("id2label names fewer than two classes; a model for natural-language inference such as bart-large-mnli has three.");
    }

    private const int MostLabels = 10_000;
}

/// <summary>Attention with biases, without residual sum. x: [b, s, d], source: [b, t, d] → [b, s, d].</summary>
internal sealed class BartAttention(Place at, int width, int heads)
{
    private readonly Linear q = new(at["q_proj"], width, width);
    private readonly Linear k = new(at["k_proj"], width, width);
    private readonly Linear v = new(at["v_proj"], width, width);
    private readonly Linear o = new(at["out_proj"], width, width);

    public Tensor Forward(Tensor x, Tensor source, Tensor? mask)
    {
        using var scope = new Scope();
        Tensor Split(Tensor y) => y.View([y.Size(0), y.Size(1), heads, width / heads]).Transpose(1, 2);   // [b, s, d] → [b, h, s, d/h]
        var y = Attention.Scaled(Split(q.Forward(x)), Split(k.Forward(source)), Split(v.Forward(source)), mask);
        return scope.Keep(o.Forward(y.Transpose(1, 2).Reshape(x.Shape)));
    }
}

/// <summary>A layer of either side; the decoder's attends to the encoder's states besides.</summary>
internal sealed class BartLayer(Place at, int width, int heads, int inner, bool cross)
{
    private readonly BartAttention self = new(at["self_attn"], width, heads);
    private readonly LayerNorm selfNorm = new(at["self_attn_layer_norm"], width);
    private readonly BartAttention? other = cross ? new(at["encoder_attn"], width, heads) : null;
    private readonly LayerNorm? otherNorm = cross ? new(at["encoder_attn_layer_norm"], width) : null;
    private readonly Linear fc1 = new(at["fc1"], width, inner);
    private readonly Linear fc2 = new(at["fc2"], inner, width);
    private readonly LayerNorm norm = new(at["final_layer_norm"], width);

    public Tensor Forward(Tensor x, Tensor? mask, Tensor? source = null, Tensor? sourceMask = null)
    {
        using var scope = new Scope();
        x = selfNorm.Forward(x + self.Forward(x, x, mask));
        if (other is not null) x = otherNorm!.Forward(x + other.Forward(x, source!, sourceMask));
        return scope.Keep(Tape.Note(at.Path, norm.Forward(x + fc2.Forward(Activation.Gelu(fc1.Forward(x))))));
    }
}

/// <summary>Encoder or decoder: words and positions, a norm, layers.</summary>
internal sealed class BartSide
{
    private const int FirstPosition = 2; // rows 0 and 1 are left over from a table that kept places for padding
    private readonly Embedding positions;
    private readonly LayerNorm norm;
    private readonly BartLayer[] layers;
    private readonly string path;

    public BartSide(Place at, BartConfig c, (int Layers, int Heads, int Inner) sizes, bool cross)
    {
        path = at.Path;
        positions = new(at["embed_positions"], c.Positions + FirstPosition, c.Width);
        norm = new(at["layernorm_embedding"], c.Width);
        layers = [.. Enumerable.Range(0, sizes.Layers).Select(i => new BartLayer(at["layers"][i], c.Width, sizes.Heads, sizes.Inner, cross))];
    }

    // words [b, s, d]; masks are additive
    public Tensor Forward(Tensor words, Tensor? mask, Tensor? source = null, Tensor? sourceMask = null)
    {
        using var scope = new Scope();
        var x = Tape.Note($"{path}.layernorm_embedding", norm.Forward(words + positions.Weight.Value.Narrow(0, FirstPosition, words.Size(1))));
        foreach (var layer in layers) x = layer.Forward(x, mask, source, sourceMask);
        return scope.Keep(x);
    }
}

/// <summary>The model with its head.</summary>
public sealed class Bart : IDisposable
{
    private readonly Embedding words;
    private readonly BartSide encoder;
    private readonly BartSide decoder;
    private readonly Linear dense;
    private readonly Linear classes;

    /// <summary>Builds the model without weights.</summary>
    public Bart(BartConfig config)
    {
        Config = config;
        var at = Store.Root["model"];
        words = new(at["shared"], config.Vocabulary, config.Width);
        encoder = new(at["encoder"], config, config.Encoder, cross: false);
        decoder = new(at["decoder"], config, config.Decoder, cross: true);
        dense = new(Store.Root["classification_head"]["dense"], config.Width, config.Width);
        classes = new(Store.Root["classification_head"]["out_proj"], config.Width, config.Labels.Count);
    }

    /// <summary>Sizes.</summary>
    public BartConfig Config { get; }
    /// <summary>Weights by name.</summary>
    public ParameterStore Store { get; } = new();

    /// <summary>Loads a folder with config.json and weights.</summary>
    public static Bart Load(string folder, Device? device = null)
    {
        using var source = WeightFolder.Open(folder);
        var model = new Bart(BartConfig.Read(ModelConfig.Read(Path.Combine(folder, "config.json"))));
        var find = source.Finder();
        // Some files keep the shared table under the encoder's name alone.
        model.Store.Load(name => find(name) ?? (name == "model.shared.weight" ? find("model.encoder.embed_tokens.weight") : null), DType.Float32, device);
        return model;
    }

    /// <summary>What the decoder reads: the ids shifted right behind the start token. [b, s] → [b, s].</summary>
    public Tensor Shifted(Tensor ids) =>
        Ops.Cat([Ops.Full([ids.Size(0), 1], Config.StartToken, dtype: DType.Int64, device: ids.Device), ids.Narrow(1, 0, ids.Size(1) - 1)], 1);

    /// <summary>
    /// Class logits [b, n] of ids, int64 [b, s], each row with at least one end token; <paramref name="mask"/>: [b, s] with 0 at padding, null
    /// where nothing is padded.
    /// </summary>
    public Tensor Logits(Tensor ids, Tensor? mask = null)
    {
        var (b, s) = (ids.Size(0), ids.Size(1));
        if (s > Config.Positions) throw new ModelException($"{s} tokens are more than the model's {Config.Positions}; tokenise with truncation.");
        using var scope = new Scope();
        var unseen = mask is null ? null : Additive(mask.Eq((Scalar)0).View([b, 1, 1, s]));
        var states = encoder.Forward(Words(ids), unseen);
        var ahead = Additive(Ops.Ones([s, s], dtype: DType.Bool, device: ids.Device).Triu(1).View([1, 1, s, s]));
        var y = decoder.Forward(Words(Shifted(ids)), ahead, states, unseen);
        // The last end token: the largest place at which one stands.
        var place = Ops.Arange(1, s + 1, dtype: DType.Int64, device: ids.Device);
        var last = (ids.Eq((Scalar)Config.EndToken).To(DType.Int64) * place).Argmax(-1);
        var row = y.Index([Ops.Arange(b, dtype: DType.Int64, device: ids.Device), last]);   // [b, d]
        return scope.Keep(classes.Forward(dense.Forward(row).Tanh()));
    }

    private Tensor Words(Tensor ids) => Config.WordScale == 1 ? words.Forward(ids) : words.Forward(ids) * Config.WordScale;

    private static Tensor Additive(Tensor hidden) => Ops.Zeros([1], dtype: DType.Float32, device: hidden.Device).MaskedFill(hidden, float.MinValue);

    /// <inheritdoc/>
    public void Dispose() => Store.Release();
}
