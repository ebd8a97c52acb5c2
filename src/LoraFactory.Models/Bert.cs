using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models;

// BERT (Devlin et al. 2019), the encoder alone: post-norm, exact gelu, learned positions. Weight names as transformers writes them.
// Shapes: b batch, s sequence, d width, h heads.

/// <summary>Sizes of a BERT encoder, as config.json gives them.</summary>
/// <param name="Vocabulary">Rows of the word table.</param>
/// <param name="Width">d, width of the residual stream.</param>
/// <param name="Heads">h; d has to be a multiple of it.</param>
/// <param name="Layers">Number of layers.</param>
/// <param name="Inner">Width inside the feed-forward blocks.</param>
/// <param name="Positions">Longest sequence.</param>
/// <param name="Types">Rows of the token type table.</param>
/// <param name="Eps">ε of the layer norms.</param>
public sealed record BertConfig(int Vocabulary, int Width, int Heads, int Layers, int Inner, int Positions, int Types, double Eps)
{
    /// <summary>Reads config.json; another architecture, activation or kind of position is refused.</summary>
    public static BertConfig Read(ModelConfig c)
    {
        c.Only("model_type", "bert");
        c.Only("hidden_act", "gelu");
        c.Only("position_embedding_type", "absolute");
        var config = new BertConfig(c.Int("vocab_size"), c.Int("hidden_size"), c.Int("num_attention_heads"), c.Layers("num_hidden_layers"), c.Int("intermediate_size"),
            c.Int("max_position_embeddings", 512), c.Int("type_vocab_size", 2), c.Double("layer_norm_eps", 1e-12));
        if (config.Width % config.Heads != 0) throw new ModelException($"hidden_size {config.Width} is not a multiple of num_attention_heads {config.Heads}.");
        return config;
    }
}

/// <summary>The encoder.</summary>
public sealed class Bert : IDisposable
{
    private readonly Embedding words;
    private readonly Embedding positions;
    private readonly Embedding types;
    private readonly LayerNorm norm;
    private readonly BertLayer[] layers;
    private readonly Linear? pooler;

    /// <summary>Builds the model without weights.</summary>
    public Bert(BertConfig config, bool pooler = false)
    {
        Config = config;
        var at = Store.Root["embeddings"];
        words = new(at["word_embeddings"], config.Vocabulary, config.Width);
        positions = new(at["position_embeddings"], config.Positions, config.Width);
        types = new(at["token_type_embeddings"], config.Types, config.Width);
        norm = new(at["LayerNorm"], config.Width, config.Eps);
        layers = [.. Enumerable.Range(0, config.Layers).Select(i => new BertLayer(Store.Root["encoder"]["layer"][i], config))];
        this.pooler = pooler ? new(Store.Root["pooler"]["dense"], config.Width, config.Width) : null;
    }

    /// <summary>Sizes.</summary>
    public BertConfig Config { get; }
    /// <summary>Weights by name.</summary>
    public ParameterStore Store { get; } = new();

    /// <summary>Loads a folder with config.json and weights; names may begin with "bert.", as in checkpoints with a head.</summary>
    public static Bert Load(string folder, Device? device = null)
    {
        using var source = WeightFolder.Open(folder);
        var prefix = source.Contains("bert.embeddings.word_embeddings.weight") ? "bert." : "";
        var model = new Bert(BertConfig.Read(ModelConfig.Read(Path.Combine(folder, "config.json"))), source.Contains(prefix + "pooler.dense.weight"));
        var find = source.Finder(prefix);
        // The first checkpoints, converted from TensorFlow, say gamma and beta.
        model.Store.Load(name => find(name) ?? find(name.Replace("LayerNorm.weight", "LayerNorm.gamma", StringComparison.Ordinal).Replace("LayerNorm.bias", "LayerNorm.beta", StringComparison.Ordinal)),
            DType.Float32, device);
        return model;
    }

    /// <summary>
    /// Hidden states after the last layer, [b, s, d]. <paramref name="ids"/>: int64 [b, s], s at most <see cref="BertConfig.Positions"/>;
    /// <paramref name="mask"/>: [b, s] with 0 at padding, null where nothing is padded; <paramref name="types"/>: int64 [b, s], null for all 0.
    /// </summary>
    public Tensor Forward(Tensor ids, Tensor? mask = null, Tensor? types = null)
    {
        var s = ids.Size(1);
        if (s > Config.Positions) throw new ModelException($"{s} tokens are more than the encoder's {Config.Positions}; tokenise with truncation.");
        using var scope = new Scope();
        var x = words.Forward(ids);                                                    // [b, s, d]
        var place = positions.Weight.Value.Narrow(0, 0, s);                            // [s, d]
        if (types is null) x = x.Add(place + this.types.Weight.Value.Select(0, 0));
        else x = x.Add(place).Add(this.types.Forward(types));
        x = Tape.Note("embeddings", norm.Forward(x));
        // Additive [b, 1, 1, s]: nobody looks at padding.
        var hidden = mask is null ? null : Ops.Zeros([1], dtype: x.DType, device: x.Device).MaskedFill(mask.Eq((Scalar)0).View([-1, 1, 1, s]), float.MinValue);
        foreach (var layer in layers) x = layer.Forward(x, hidden);
        return scope.Keep(x);
    }

    /// <summary>tanh(W · h[CLS] + b): [b, s, d] → [b, d].</summary>
    /// <exception cref="ModelException">The checkpoint has no pooler.</exception>
    public Tensor Pooled(Tensor hidden) => (pooler ?? throw new ModelException("this BERT has no pooler.dense among its weights.")).Forward(hidden.Select(1, 0)).Tanh();

    /// <summary>Mean of the rows that <paramref name="mask"/> does not hide: [b, s, d], [b, s] → [b, d]; a null mask hides none.</summary>
    public static Tensor MeanPooled(Tensor hidden, Tensor? mask = null)
    {
        if (mask is null) return hidden.Mean([1]);
        var weight = mask.To(dtype: hidden.DType, device: hidden.Device).Unsqueeze(-1); // [b, s, 1]
        return (hidden * weight).Sum([1]) / weight.Sum([1]).ClampMin(1e-9);
    }

    /// <summary>Rows divided by their length, at least 1e-12: [b, d] → [b, d].</summary>
    public static Tensor Normalized(Tensor rows) => rows / rows.LinalgVectorNorm(2, [-1], true).ClampMin(1e-12);

    /// <inheritdoc/>
    public void Dispose() => Store.Release();
}

/// <summary>Attention and feed-forward block, each with its residual sum and norm behind it.</summary>
internal sealed class BertLayer(Place at, BertConfig c)
{
    private readonly Linear query = new(at["attention"]["self"]["query"], c.Width, c.Width);
    private readonly Linear key = new(at["attention"]["self"]["key"], c.Width, c.Width);
    private readonly Linear value = new(at["attention"]["self"]["value"], c.Width, c.Width);
    private readonly Linear dense = new(at["attention"]["output"]["dense"], c.Width, c.Width);
    private readonly LayerNorm attentionNorm = new(at["attention"]["output"]["LayerNorm"], c.Width, c.Eps);
    private readonly Linear up = new(at["intermediate"]["dense"], c.Width, c.Inner);
    private readonly Linear down = new(at["output"]["dense"], c.Inner, c.Width);
    private readonly LayerNorm norm = new(at["output"]["LayerNorm"], c.Width, c.Eps);

    public Tensor Forward(Tensor x, Tensor? mask)
    {
        using var scope = new Scope();
        x = Tape.Note($"{at.Path}.attention", attentionNorm.Forward(Attended(x, mask).Add_(x)));
        return scope.Keep(Tape.Note(at.Path, norm.Forward(down.Forward(Activation.Gelu(up.Forward(x))).Add_(x))));
    }

    private Tensor Attended(Tensor x, Tensor? mask)
    {
        using var scope = new Scope();
        var (b, s) = (x.Size(0), x.Size(1));
        Tensor Split(Tensor y) => y.View([b, s, c.Heads, c.Width / c.Heads]).Transpose(1, 2);   // [b, s, d] → [b, h, s, d/h]
        var (q, k) = (Tape.Note($"{at.Path}.query", Split(query.Forward(x))), Tape.Note($"{at.Path}.key", Split(key.Forward(x))));
        var y = Attention.Scaled(q, k, Split(value.Forward(x)), mask);
        return scope.Keep(dense.Forward(y.Transpose(1, 2).Reshape([b, s, c.Width])));
    }
}
