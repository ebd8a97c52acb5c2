using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models;

// Llama (Touvron et al. 2023): decoder-only language model with RMS norms, rotary positions, grouped heads and a gated MLP. Weight names
// and configuration as transformers writes them, in the 5.x form (rope_parameters) and the 4.x form (rope_theta).
// Shapes: b batch, s sequence, d width, h heads, g key/value heads, e width of a head, v vocabulary.

/// <summary>Sizes of a Llama.</summary>
/// <param name="Vocabulary">v, rows of the token table.</param>
/// <param name="Width">d, width of the residual stream.</param>
/// <param name="Inner">Width inside the MLP.</param>
/// <param name="Layers">Number of blocks.</param>
/// <param name="Heads">h, query heads.</param>
/// <param name="KeyHeads">g, key and value heads; h is a multiple of it.</param>
/// <param name="HeadWidth">e, even; need not be d / h.</param>
/// <param name="Eps">Epsilon of the norms.</param>
/// <param name="RopeTheta">Base of the rotary frequencies.</param>
/// <param name="AttentionBias">Whether q, k, v and o have biases.</param>
/// <param name="MlpBias">Whether the MLP has biases.</param>
/// <param name="Tied">Whether the output head is the token table.</param>
public sealed record LlamaConfig(int Vocabulary, int Width, int Inner, int Layers, int Heads, int KeyHeads, int HeadWidth, double Eps, double RopeTheta, bool AttentionBias, bool MlpBias, bool Tied)
{
    /// <summary>Reads config.json; other architectures and scaled rotary positions are refused.</summary>
    public static LlamaConfig Read(ModelConfig c)
    {
        c.Only("model_type", "llama");
        c.Only("hidden_act", "silu");
        var rope = c.Has("rope_parameters") ? c.Section("rope_parameters") : c;
        rope.Only("rope_type", "default");
        if (c.Has("rope_scaling")) throw new ModelException($"rope_scaling {c.Value("rope_scaling").GetRawText()} is not supported; use a Llama with plain rotary positions.");
        var heads = c.Int("num_attention_heads");
        var config = new LlamaConfig(c.Int("vocab_size"), c.Int("hidden_size"), c.Int("intermediate_size"), c.Layers("num_hidden_layers"), heads,
            c.Int("num_key_value_heads", heads), c.Int("head_dim", c.Int("hidden_size") / Math.Max(1, heads)), c.Double("rms_norm_eps", 1e-6), rope.Double("rope_theta", 10000),
            c.Bool("attention_bias", false), c.Bool("mlp_bias", false), c.Bool("tie_word_embeddings", false));
        if (config.KeyHeads < 1 || config.Heads % config.KeyHeads != 0) throw new ModelException($"num_attention_heads {config.Heads} is not a multiple of num_key_value_heads {config.KeyHeads}.");
        if (config.HeadWidth < 2 || config.HeadWidth % 2 != 0) throw new ModelException($"head_dim {config.HeadWidth} is not an even number above 0, which rotary positions need.");
        return config;
    }
}

/// <summary>A Llama with its language-model head. All calls on the tensor thread.</summary>
public sealed class Llama : IDisposable
{
    private readonly Embedding tokens;
    private readonly LlamaBlock[] blocks;
    private readonly RmsNorm norm;
    private readonly Linear? head;

    /// <summary>Declares the weights; nothing is loaded yet.</summary>
    public Llama(LlamaConfig config)
    {
        Config = config;
        var model = Store.Root["model"];
        tokens = new(model["embed_tokens"], config.Vocabulary, config.Width);
        blocks = [.. Enumerable.Range(0, config.Layers).Select(i => new LlamaBlock(model["layers"][i], config))];
        norm = new(model["norm"], config.Width, config.Eps);
        head = config.Tied ? null : new(Store.Root["lm_head"], config.Width, config.Vocabulary, bias: false);
    }

    /// <summary>Its sizes.</summary>
    public LlamaConfig Config { get; }

    /// <summary>
    /// What the rotary frequencies are rounded to, float32 unless set. A library that keeps them as a buffer rounds them when a whole model is
    /// moved to half precision; its results are met only with the same rounding.
    /// </summary>
    public DType FrequencyDType { get; init; } = DType.Float32;

    /// <summary>Its weights.</summary>
    public ParameterStore Store { get; } = new();

    /// <summary>Loads config.json and the weights of a folder in transformers layout; <paramref name="frequencies"/> as <see cref="FrequencyDType"/>.</summary>
    public static Llama Load(string folder, DType dtype = DType.Float32, Device? device = null, DType frequencies = DType.Float32)
    {
        var llama = new Llama(LlamaConfig.Read(ModelConfig.Read(Path.Combine(folder, "config.json")))) { FrequencyDType = frequencies };
        try
        {
            using var weights = WeightFolder.Open(folder);
            llama.Store.Load(weights.Finder(), dtype, device);
            return llama;
        }
        catch
        {
            llama.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Logits [b, s, v] of token ids, int64 [b, s]. <paramref name="mask"/>: int64 [b, s], 0 at padding, which comes at the right; the logits
    /// there mean nothing.
    /// </summary>
    public Tensor Forward(Tensor ids, Tensor? mask = null)
    {
        using var scope = new Scope();
        var s = ids.Size(1);
        var x = Tape.Note("model.embed_tokens", tokens.Forward(ids));
        var unseen = Ops.Ones([s, s], dtype: DType.Bool, device: ids.Device).Triu(1).View([1, 1, s, s]);
        if (mask is not null) unseen = unseen.LogicalOr(mask.Eq(0).View([-1, 1, 1, s]));
        var positions = new RotaryPositions(Config, s, FrequencyDType, x.DType, ids.Device);
        foreach (var block in blocks) x = block.Forward(x, positions, unseen);
        x = Tape.Note("model.norm", norm.Forward(x));
        return scope.Keep(Tape.Note("lm_head", head is null ? Ops.Linear(x, tokens.Weight.Value) : head.Forward(x)));
    }

    /// <summary>
    /// Mean cross-entropy, in float32, of the logits at each position against the next label; labels int64 [b, s], −100 does not count.
    /// </summary>
    public Tensor Loss(Tensor logits, Tensor labels)
    {
        var s = logits.Size(1);
        return logits.Narrow(1, 0, s - 1).Reshape([-1, Config.Vocabulary]).To(DType.Float32).CrossEntropyLoss(labels.Narrow(1, 1, s - 1).Reshape([-1]));
    }

    /// <inheritdoc/>
    public void Dispose() => Store.Release();
}

/// <summary>Cosines and sines [s, e] of the rotary positions (Su et al. 2021), made in float32: both halves of a head turn by the same angles.</summary>
internal sealed class RotaryPositions
{
    private readonly Tensor cos;
    private readonly Tensor sin;

    public RotaryPositions(LlamaConfig c, long length, DType rounded, DType dtype, Device device)
    {
        var half = c.HeadWidth / 2;
        var frequencies = Tensor.From([.. Enumerable.Range(0, half).Select(i => (float)Math.Pow(c.RopeTheta, -2.0 * i / c.HeadWidth))], half).To(rounded).To(DType.Float32);
        var angles = Ops.Arange(length, dtype: DType.Float32).Unsqueeze(1) * frequencies.Unsqueeze(0);   // [s, e/2]
        angles = Ops.Cat([angles, angles], -1);
        cos = angles.Cos().To(dtype: dtype, device: device);
        sin = angles.Sin().To(dtype: dtype, device: device);
    }

    // x: [b, h, s, e]
    public Tensor Turn(Tensor x)
    {
        var halves = x.Chunk(2, -1);
        return x * cos + Ops.Cat([-halves[1], halves[0]], -1) * sin;
    }
}

internal sealed class LlamaBlock
{
    private readonly string path;
    private readonly RmsNorm before;
    private readonly LlamaAttention attention;
    private readonly RmsNorm after;
    private readonly Linear gate;
    private readonly Linear up;
    private readonly Linear down;

    public LlamaBlock(Place at, LlamaConfig c)
    {
        path = at.Path;
        before = new(at["input_layernorm"], c.Width, c.Eps);
        attention = new(at["self_attn"], c);
        after = new(at["post_attention_layernorm"], c.Width, c.Eps);
        gate = new(at["mlp"]["gate_proj"], c.Width, c.Inner, c.MlpBias);
        up = new(at["mlp"]["up_proj"], c.Width, c.Inner, c.MlpBias);
        down = new(at["mlp"]["down_proj"], c.Inner, c.Width, c.MlpBias);
    }

    public Tensor Forward(Tensor x, RotaryPositions positions, Tensor unseen)
    {
        using var scope = new Scope();
        x += attention.Forward(Tape.Note($"{path}.input_layernorm", before.Forward(x)), positions, unseen);
        var y = Tape.Note($"{path}.post_attention_layernorm", after.Forward(x));
        y = Activation.Silu(Noted(gate, y)) * Noted(up, y);
        return scope.Keep(Tape.Note(path, x + Tape.Note($"{path}.mlp", Noted(down, y))));
    }

    private static Tensor Noted(Linear layer, Tensor x) => Tape.Note(layer.Path, layer.Forward(x));
}

internal sealed class LlamaAttention(Place at, LlamaConfig c)
{
    private readonly Linear q = new(at["q_proj"], c.Width, c.Heads * c.HeadWidth, c.AttentionBias);
    private readonly Linear k = new(at["k_proj"], c.Width, c.KeyHeads * c.HeadWidth, c.AttentionBias);
    private readonly Linear v = new(at["v_proj"], c.Width, c.KeyHeads * c.HeadWidth, c.AttentionBias);
    private readonly Linear o = new(at["o_proj"], c.Heads * c.HeadWidth, c.Width, c.AttentionBias);

    public Tensor Forward(Tensor x, RotaryPositions positions, Tensor unseen)
    {
        using var scope = new Scope();
        var (b, s) = (x.Size(0), x.Size(1));
        Tensor Heads(Linear layer) => Tape.Note(layer.Path, layer.Forward(x)).View([b, s, -1, c.HeadWidth]).Transpose(1, 2);   // [b, s, n·e] → [b, n, s, e]
        // key/value head j serves the query heads j·h/g … (j + 1)·h/g − 1
        Tensor Grouped(Tensor y) => c.KeyHeads == c.Heads ? y : y.RepeatInterleave(c.Heads / c.KeyHeads, 1);
        var queries = positions.Turn(Heads(q));
        var (keys, values) = (Grouped(positions.Turn(Heads(k))), Grouped(Heads(v)));
        var scores = queries.Matmul(keys.Transpose(2, 3));
        // in float32 and rounded back: libtorch 1.13 rounds the factor itself to half precision
        scores = (scores.To(DType.Float32) * (1 / Math.Sqrt(c.HeadWidth))).To(scores.DType);
        // the smallest finite number, not −∞: a row of padding must not become NaN
        var weights = scores.To(DType.Float32).MaskedFill(unseen, float.MinValue).Softmax(-1).To(queries.DType);
        var y = weights.Matmul(values).Transpose(1, 2).Reshape([b, s, c.Heads * c.HeadWidth]);
        return scope.Keep(Tape.Note(at.Path, Tape.Note(o.Path, o.Forward(y))));
    }
}
