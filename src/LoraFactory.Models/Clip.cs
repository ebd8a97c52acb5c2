using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models;

// CLIP (Radford et al. 2021): text tower, vision tower, projections. Weight names and configuration as transformers writes them.
//  1 configuration   2 blocks   3 text tower   4 vision tower   5 both with projections
// Shapes: b batch, s sequence, d width, h heads, p patches.

/// <summary>Sizes of one tower.</summary>
/// <param name="Width">d, width of the residual stream.</param>
/// <param name="Heads">h; d has to be a multiple of it.</param>
/// <param name="Layers">Number of transformer layers.</param>
/// <param name="Inner">Width inside the MLP.</param>
/// <param name="Activation">"quick_gelu" or "gelu" (exact).</param>
/// <param name="Eps">Epsilon of the layer norms.</param>
/// <param name="Projection">Width of the joint space.</param>
public sealed record ClipTowerConfig(int Width, int Heads, int Layers, int Inner, string Activation, double Eps, int Projection)
{
    internal static ClipTowerConfig Read(ModelConfig c)
    {
        c.Only("hidden_act", "quick_gelu", "gelu");
        var tower = new ClipTowerConfig(c.Int("hidden_size"), c.Int("num_attention_heads"), c.Layers("num_hidden_layers"), c.Int("intermediate_size"),
            c.Text("hidden_act", "quick_gelu"), c.Double("layer_norm_eps", 1e-5), c.Int("projection_dim", 512));
        if (tower.Heads < 1 || tower.Width % tower.Heads != 0) throw new ModelException($"hidden_size {tower.Width} is not a multiple of num_attention_heads {tower.Heads}.");
        return tower;
    }
}

/// <summary>Sizes of the text tower.</summary>
/// <param name="Tower">The transformer.</param>
/// <param name="Vocabulary">Rows of the token table.</param>
/// <param name="Positions">Longest sequence.</param>
/// <param name="EndToken">eos_token_id; 2 is the old rule: the row with the largest id.</param>
public sealed record ClipTextConfig(ClipTowerConfig Tower, int Vocabulary, int Positions, int EndToken)
{
    /// <summary>Reads config.json of a text encoder, or the text_config of a full CLIP.</summary>
    public static ClipTextConfig Read(ModelConfig c) =>
        new(ClipTowerConfig.Read(c), c.Int("vocab_size"), c.Int("max_position_embeddings", 77), c.Token("eos_token_id", 49407));
}

/// <summary>Sizes of the vision tower.</summary>
/// <param name="Tower">The transformer.</param>
/// <param name="ImageSize">Side of the square picture in pixels.</param>
/// <param name="PatchSize">Side of a patch in pixels.</param>
/// <param name="Channels">Channels of the picture.</param>
public sealed record ClipVisionConfig(ClipTowerConfig Tower, int ImageSize, int PatchSize, int Channels)
{
    /// <summary>Reads the vision_config of a full CLIP.</summary>
    public static ClipVisionConfig Read(ModelConfig c) =>
        new(ClipTowerConfig.Read(c), c.Int("image_size", 224), c.Int("patch_size", 32), c.Int("num_channels", 3));

    /// <summary>Patches along a side.</summary>
    public int Grid => ImageSize / PatchSize;
}

/// <summary>Multi-head self-attention with biases.</summary>
internal sealed class ClipAttention(Place at, ClipTowerConfig c)
{
    private readonly Linear q = new(at["q_proj"], c.Width, c.Width);
    private readonly Linear k = new(at["k_proj"], c.Width, c.Width);
    private readonly Linear v = new(at["v_proj"], c.Width, c.Width);
    private readonly Linear o = new(at["out_proj"], c.Width, c.Width);

    public Tensor Forward(Tensor x, Tensor? mask)
    {
        var (b, s) = (x.Size(0), x.Size(1));
        Tensor Split(Tensor y) => y.View([b, s, c.Heads, c.Width / c.Heads]).Transpose(1, 2);   // [b,s,d] -> [b,h,s,d/h]
        var y = Attention.Scaled(Split(Tape.Note($"{at.Path}.q_proj", q.Forward(x))), Split(k.Forward(x)), Split(v.Forward(x)), mask);
        return Tape.Note(at.Path, o.Forward(y.Transpose(1, 2).Reshape([b, s, c.Width])));
    }
}

/// <summary>Pre-norm transformer layer.</summary>
internal sealed class ClipLayer(Place at, ClipTowerConfig c)
{
    private readonly LayerNorm norm1 = new(at["layer_norm1"], c.Width, c.Eps);
    private readonly LayerNorm norm2 = new(at["layer_norm2"], c.Width, c.Eps);
    private readonly ClipAttention attention = new(at["self_attn"], c);
    private readonly Linear fc1 = new(at["mlp"]["fc1"], c.Width, c.Inner);
    private readonly Linear fc2 = new(at["mlp"]["fc2"], c.Inner, c.Width);

    public Tensor Forward(Tensor x, Tensor? mask)
    {
        x = x + attention.Forward(Tape.Note($"{at.Path}.layer_norm1", norm1.Forward(x)), mask);
        var y = Tape.Note($"{at.Path}.mlp.fc1", fc1.Forward(Tape.Note($"{at.Path}.layer_norm2", norm2.Forward(x))));
        y = c.Activation == "gelu" ? Activation.Gelu(y) : y * (y * 1.702).Sigmoid();
        return Tape.Note(at.Path, x + Tape.Note($"{at.Path}.mlp", fc2.Forward(y)));
    }
}

/// <summary>What the text tower gives.</summary>
/// <param name="LastHiddenState">[b, s, d] after the final layer norm.</param>
/// <param name="HiddenStates">[b, s, d] each: 0 the embeddings, i after layer i; never final-normed.</param>
public sealed record ClipTextOutput(Tensor LastHiddenState, IReadOnlyList<Tensor> HiddenStates);

/// <summary>The causal text tower: SD's text encoder, and, with a projection, SDXL's second one.</summary>
public sealed class ClipText
{
    private readonly ClipTextConfig config;
    private readonly Embedding tokens;
    private readonly Embedding positions;
    private readonly ClipLayer[] layers;
    private readonly LayerNorm final;
    private readonly Linear? projection;
    private readonly string path;

    /// <summary>Declares the tower at <paramref name="root"/>; names begin with "text_model.".</summary>
    public ClipText(Place root, ClipTextConfig config, bool projection)
    {
        var at = root["text_model"];
        path = at.Path;
        this.config = config;
        tokens = new(at["embeddings"]["token_embedding"], config.Vocabulary, config.Tower.Width);
        positions = new(at["embeddings"]["position_embedding"], config.Positions, config.Tower.Width);
        layers = [.. Enumerable.Range(0, config.Tower.Layers).Select(i => new ClipLayer(at["encoder"]["layers"][i], config.Tower))];
        final = new(at["final_layer_norm"], config.Tower.Width, config.Tower.Eps);
        this.projection = projection ? new(root["text_projection"], config.Tower.Width, config.Tower.Projection, bias: false) : null;
    }

    /// <summary>Configuration.</summary>
    public ClipTextConfig Config => config;

    /// <summary>
    /// Runs the tower. <paramref name="ids"/>: int64 [b, s], s at most <see cref="ClipTextConfig.Positions"/>;
    /// <paramref name="attentionMask"/>: [b, s] with 0 at padding, or null (the Stable Diffusion pipelines give none: padding is attended to).
    /// </summary>
    public ClipTextOutput Forward(Tensor ids, Tensor? attentionMask = null)
    {
        var s = ids.Size(1);
        if (s > config.Positions) throw new ModelException($"{s} tokens are more than the text encoder's {config.Positions}; cut the prompt or tokenise with truncation.");
        var weight = positions.Weight.Value;
        var x = Tape.Note($"{path}.embeddings", tokens.Forward(ids) + weight.Narrow(0, 0, s));
        var mask = Mask(s, weight, attentionMask);
        var states = new List<Tensor> { x };
        foreach (var layer in layers) states.Add(x = layer.Forward(x, mask));
        return new(FinalNorm(x), states);
    }

    /// <summary>The final layer norm, for "clip skip": FinalNorm(HiddenStates[^2]) is clip skip 2 of Stable Diffusion tools.</summary>
    public Tensor FinalNorm(Tensor x) => Tape.Note($"{path}.final_layer_norm", final.Forward(x));

    /// <summary>The row of the end token: [b, s, d], int64 [b, s] → [b, d]. The old rule (eos id 2) takes the largest id, the new one the first end token.</summary>
    public Tensor Pooled(Tensor lastHiddenState, Tensor ids, int? endToken = null)
    {
        var end = endToken ?? config.EndToken;
        var row = end == 2 ? ids.Argmax(-1) : ids.Eq((Scalar)end).To(DType.Int64).Argmax(-1);
        return lastHiddenState.Index([Ops.Arange(ids.Size(0), dtype: DType.Int64, device: ids.Device), row]);
    }

    /// <summary>Whether <see cref="Project"/> can be called.</summary>
    public bool HasProjection => projection is not null;

    /// <summary>Projects pooled rows into the joint space: [b, d] → [b, projection].</summary>
    public Tensor Project(Tensor pooled) =>
        (projection ?? throw new ModelException("this text encoder has no text_projection; SDXL's second encoder and full CLIP models do.")).Forward(pooled);

    // Additive [b or 1, 1, s, s]: the most negative float where row i may not look at column j.
    private static Tensor Mask(long s, Tensor like, Tensor? attentionMask)
    {
        var lowest = like.DType == DType.Float32 ? (double)float.MinValue : -65504;
        var causal = Ops.Full([s, s], lowest, dtype: like.DType, device: like.Device).Triu(1).View([1, 1, s, s]);
        if (attentionMask is null) return causal;
        var hidden = attentionMask.Eq((Scalar)0).View([-1, 1, 1, s]);
        return causal.Expand([attentionMask.Size(0), 1, s, s]).MaskedFill(hidden, lowest);
    }
}

/// <summary>The text encoder of a Stable Diffusion model: a text tower with its own weights.</summary>
public sealed class ClipTextModel : IDisposable
{
    /// <summary>Builds the model without weights.</summary>
    public ClipTextModel(ClipTextConfig config, bool projection = false) => Text = new(Store.Root, config, projection);

    /// <summary>Weights by name.</summary>
    public ParameterStore Store { get; } = new();
    /// <summary>The tower.</summary>
    public ClipText Text { get; }

    /// <summary>
    /// Loads a folder with config.json and weights; names may begin with "text_model." or not. Architecture
    /// CLIPTextModelWithProjection, or a text_projection among the weights, gives the projection.
    /// </summary>
    public static ClipTextModel Load(string folder, DType dtype = DType.Float32, Device? device = null)
    {
        using var source = WeightFolder.Open(folder);
        return Load(ModelConfig.Read(Path.Combine(folder, "config.json")), source, dtype, device);
    }

    /// <summary>Loads from a configuration and weights.</summary>
    public static ClipTextModel Load(ModelConfig config, WeightSource source, DType dtype = DType.Float32, Device? device = null)
    {
        var model = new ClipTextModel(ClipTextConfig.Read(config), source.Contains("text_projection.weight"));
        model.Store.Load(ComponentNames.OfText(source).Finder(), dtype, device);
        return model;
    }

    /// <inheritdoc/>
    public void Dispose() => Store.Release();
}

/// <summary>Both spellings of text encoder weights on disk.</summary>
/// <summary>What the vision tower gives.</summary>
/// <param name="LastHiddenState">[b, p+1, d], class token first, not post-normed.</param>
/// <param name="HiddenStates">0 after the pre-norm, i after layer i.</param>
/// <param name="Pooled">[b, d]: the class token through the post-norm.</param>
public sealed record ClipVisionOutput(Tensor LastHiddenState, IReadOnlyList<Tensor> HiddenStates, Tensor Pooled);

/// <summary>The vision tower.</summary>
public sealed class ClipVision
{
    private readonly ClipVisionConfig config;
    private readonly Parameter classToken;
    private readonly Conv2d patches;
    private readonly Embedding positions;
    private readonly LayerNorm pre;
    private readonly LayerNorm post;
    private readonly ClipLayer[] layers;

    /// <summary>Declares the tower at <paramref name="root"/>; names begin with "vision_model.".</summary>
    public ClipVision(Place root, ClipVisionConfig config)
    {
        var at = root["vision_model"];
        var d = config.Tower.Width;
        this.config = config;
        classToken = at["embeddings"].Parameter("class_embedding", Init.Normal, d);
        patches = new(at["embeddings"]["patch_embedding"], config.Channels, d, config.PatchSize, stride: config.PatchSize, bias: false);
        positions = new(at["embeddings"]["position_embedding"], config.Grid * config.Grid + 1, d);
        pre = new(at["pre_layrnorm"], d, config.Tower.Eps);
        layers = [.. Enumerable.Range(0, config.Tower.Layers).Select(i => new ClipLayer(at["encoder"]["layers"][i], config.Tower))];
        post = new(at["post_layernorm"], d, config.Tower.Eps);
    }

    /// <summary>Configuration.</summary>
    public ClipVisionConfig Config => config;

    /// <summary>
    /// Runs the tower. <paramref name="pixels"/>: [b, 3, H, W], normalised. Another size than the configured square is refused unless
    /// <paramref name="interpolate"/> stretches the position table (bicubic, a = −0.75).
    /// </summary>
    public ClipVisionOutput Forward(Tensor pixels, bool interpolate = false)
    {
        var (b, height, width) = (pixels.Size(0), pixels.Size(2), pixels.Size(3));
        if (!interpolate && (height != config.ImageSize || width != config.ImageSize))
            throw new ModelException($"a picture of {width}×{height} where the model takes {config.ImageSize}×{config.ImageSize}; scale it, or turn position interpolation on.");
        var grid = patches.Forward(pixels);                                            // [b, d, H/P, W/P]
        var (rows, columns) = (grid.Size(2), grid.Size(3));
        var x = grid.Flatten(2).Transpose(1, 2);                                       // [b, p, d]
        x = Ops.Cat([classToken.Value.Expand([b, 1, -1]), x], 1) + Positions(rows, columns);
        Tape.Note("vision_model.embeddings", x);
        x = Tape.Note("vision_model.pre_layrnorm", pre.Forward(x));
        var states = new List<Tensor> { x };
        foreach (var layer in layers) states.Add(x = layer.Forward(x, null));
        return new(x, states, post.Forward(x.Select(1, 0)));
    }

    private Tensor Positions(long rows, long columns)
    {
        var table = positions.Weight.Value;
        if (rows == config.Grid && columns == config.Grid) return table;
        var d = table.Size(1);
        var grid = table.Narrow(0, 1, table.Size(0) - 1).Reshape([1, config.Grid, config.Grid, d]).Permute([0, 3, 1, 2]);
        var stretched = grid.UpsampleBicubic2d([rows, columns], alignCorners: false);
        return Ops.Cat([table.Narrow(0, 0, 1), stretched.Permute([0, 2, 3, 1]).Reshape([rows * columns, d])], 0);
    }
}

/// <summary>Full CLIP: both towers with projections into one space, where a picture and its words lie close together.</summary>
public sealed class ClipModel : IDisposable
{
    private readonly Linear visualProjection;
    private readonly Parameter logitScale;

    /// <summary>Builds the model without weights.</summary>
    public ClipModel(ClipTextConfig text, ClipVisionConfig vision)
    {
        Text = new(Store.Root, text, projection: true);
        Vision = new(Store.Root, vision);
        visualProjection = new(Store.Root["visual_projection"], vision.Tower.Width, vision.Tower.Projection, bias: false);
        logitScale = Store.Root.Parameter("logit_scale", Init.Zero);
    }

    /// <summary>Weights by name.</summary>
    public ParameterStore Store { get; } = new();
    /// <summary>Text tower.</summary>
    public ClipText Text { get; }
    /// <summary>Vision tower.</summary>
    public ClipVision Vision { get; }
    /// <summary>Learned temperature as ln(1/τ), a scalar.</summary>
    public Parameter LogitScale => logitScale;

    /// <summary>Reads the two configurations of a full CLIP's config.json; projection_dim at the top holds for both towers.</summary>
    public static (ClipTextConfig Text, ClipVisionConfig Vision) ReadConfig(ModelConfig c)
    {
        var text = ClipTextConfig.Read(c.Section("text_config"));
        var vision = ClipVisionConfig.Read(c.Section("vision_config"));
        var projection = c.Int("projection_dim", text.Tower.Projection);
        return (text with { Tower = text.Tower with { Projection = projection } }, vision with { Tower = vision.Tower with { Projection = projection } });
    }

    /// <summary>Loads a folder with config.json and weights.</summary>
    public static ClipModel Load(string folder, DType dtype = DType.Float32, Device? device = null)
    {
        var (text, vision) = ReadConfig(ModelConfig.Read(Path.Combine(folder, "config.json")));
        var model = new ClipModel(text, vision);
        using var source = WeightFolder.Open(folder);
        model.Store.Load(source.Finder(), dtype, device);
        return model;
    }

    /// <summary>Unit vectors of texts: int64 [b, s] → [b, projection].</summary>
    public Tensor EmbedText(Tensor ids, Tensor? attentionMask = null) =>
        Unit(Text.Project(Text.Pooled(Text.Forward(ids, attentionMask).LastHiddenState, ids)));

    /// <summary>Unit vectors of pictures: [b, 3, H, W] normalised → [b, projection].</summary>
    public Tensor EmbedImage(Tensor pixels, bool interpolate = false) => EmbedPooled(Vision.Forward(pixels, interpolate).Pooled);

    /// <summary>Unit vectors of pictures that went through the vision tower already: pooled [b, d] → [b, projection].</summary>
    public Tensor EmbedPooled(Tensor pooled) => Unit(visualProjection.Forward(pooled));

    /// <summary>Logits [pictures, texts] of unit vectors: exp(logit_scale) · image · textᵀ.</summary>
    public Tensor Logits(Tensor image, Tensor text) => logitScale.Value.Exp() * image.Matmul(text.T());

    private static Tensor Unit(Tensor x) => x / x.LinalgVectorNorm(2.0, [-1], keepdim: true);

    /// <inheritdoc/>
    public void Dispose() => Store.Release();
}
