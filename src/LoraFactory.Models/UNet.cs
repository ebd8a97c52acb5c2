using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models;

// The conditional UNet of Stable Diffusion (Rombach et al. 2022) and SDXL (Podell et al. 2023). Names as diffusers writes them.
//  1 configuration   2 time embedding   3 residual block   4 transformer   5 down, middle, up   6 the model
// Shapes: b batch, c channels, H×W latent, s = H·W, h heads, t context length, e time embedding.

/// <summary>Sizes of the UNet.</summary>
public sealed record UNetConfig
{
    /// <summary>Latent channels in.</summary>
    public required int InChannels { get; init; }
    /// <summary>Latent channels out.</summary>
    public required int OutChannels { get; init; }
    /// <summary>Channels of each level.</summary>
    public required int[] Channels { get; init; }
    /// <summary>Whether each down level has transformers.</summary>
    public required bool[] DownAttention { get; init; }
    /// <summary>Whether each up level has transformers.</summary>
    public required bool[] UpAttention { get; init; }
    /// <summary>Residual blocks of a down level; up levels have one more.</summary>
    public required int LayersPerBlock { get; init; }
    /// <summary>Heads of each level (the key is called attention_head_dim).</summary>
    public required int[] Heads { get; init; }
    /// <summary>Transformer layers of each level.</summary>
    public required int[] TransformerLayers { get; init; }
    /// <summary>Width of the text states.</summary>
    public required int ContextWidth { get; init; }
    /// <summary>Groups of the group norms.</summary>
    public required int Groups { get; init; }
    /// <summary>Epsilon of the residual blocks' group norms.</summary>
    public required double NormEps { get; init; }
    /// <summary>Whether proj_in and proj_out are Linear (SDXL) instead of 1×1 convolutions (SD1.5).</summary>
    public required bool LinearProjection { get; init; }
    /// <summary>Sinusoid: cosines first.</summary>
    public required bool FlipSinToCos { get; init; }
    /// <summary>Sinusoid: shift of the frequency exponent's divisor.</summary>
    public required double FreqShift { get; init; }
    /// <summary>Side of the square latent that the base was trained on.</summary>
    public required int SampleSize { get; init; }
    /// <summary>SDXL: sinusoid width of each of the six time ids; 0 when there is no text_time condition.</summary>
    public int AdditionTimeWidth { get; init; }
    /// <summary>SDXL: width of pooled text plus six sinusoids.</summary>
    public int AdditionInput { get; init; }

    /// <summary>Reads a diffusers config.json; an architecture that is not supported is refused by name.</summary>
    public static UNetConfig Read(ModelConfig c)
    {
        var channels = c.Ints("block_out_channels", -1);
        var n = channels.Length;
        c.Only("act_fn", "silu");
        c.Only("mid_block_type", "UNetMidBlock2DCrossAttn");
        c.Only("resnet_time_scale_shift", "default");
        c.Only("time_embedding_type", "positional");
        c.Only("dual_cross_attention", "false");
        c.Only("only_cross_attention", "false");
        c.Only("addition_embed_type", "text_time");
        c.Only("conv_in_kernel", "3");
        c.Only("conv_out_kernel", "3");
        foreach (var key in new[] { "class_embed_type", "num_class_embeds", "encoder_hid_dim", "encoder_hid_dim_type", "time_cond_proj_dim", "time_embedding_act_fn", "timestep_post_act" })
            c.Only(key, "null");
        var down = Kinds(c, "down_block_types", "CrossAttnDownBlock2D", "DownBlock2D", n);
        var up = Kinds(c, "up_block_types", "CrossAttnUpBlock2D", "UpBlock2D", n);
        var heads = c.Has("num_attention_heads") ? c.Ints("num_attention_heads", n) : c.Ints("attention_head_dim", n, 8);
        for (var i = 0; i < n; i++)
            if (channels[i] % heads[i] != 0 && (down[i] || up[n - 1 - i])) throw new ModelException($"block_out_channels {channels[i]} is not a multiple of its {heads[i]} heads.");
        var sdxl = c.Has("addition_embed_type");
        return new()
        {
            InChannels = c.Int("in_channels", 4), OutChannels = c.Int("out_channels", 4), Channels = channels, DownAttention = down, UpAttention = up,
            LayersPerBlock = c.Layers("layers_per_block", 2), Heads = heads, TransformerLayers = c.Ints("transformer_layers_per_block", n, 1, ModelConfig.MostLayers),
            ContextWidth = c.Int("cross_attention_dim", 1280), Groups = c.Int("norm_num_groups", 32), NormEps = c.Double("norm_eps", 1e-5),
            LinearProjection = c.Bool("use_linear_projection", false), FlipSinToCos = c.Bool("flip_sin_to_cos", true), FreqShift = c.Double("freq_shift", 0),
            SampleSize = c.Int("sample_size", 64), AdditionTimeWidth = sdxl ? c.Int("addition_time_embed_dim") : 0,
            AdditionInput = sdxl ? c.Int("projection_class_embeddings_input_dim") : 0,
        };
    }

    private static bool[] Kinds(ModelConfig c, string key, string with, string without, int n)
    {
        var types = c.Texts(key);
        if (types.Length != n) throw new ModelException($"{key} has {types.Length} entries where block_out_channels has {n}.");
        var bad = types.FirstOrDefault(t => t != with && t != without);
        return bad is null ? [.. types.Select(t => t == with)] : throw new ModelException($"{key}: {bad} is not supported; supported: {with}, {without}.");
    }
}

/// <summary>SDXL's added conditions. TextEmbeds: [b, p] pooled text; TimeIds: float [b, 6] (original h, w, crop top, left, target h, w).</summary>
public sealed record AddedCondition(Tensor TextEmbeds, Tensor TimeIds);

/// <summary>Sinusoid of positions (Vaswani et al. 2017) in float32: [n] → [n, width].</summary>
public static class Sinusoid
{
    /// <summary>Frequencies exp(−ln 10000 · i / (half − shift)); fractional positions count as they are.</summary>
    public static Tensor Of(Tensor positions, int width, bool cosFirst, double shift)
    {
        var half = width / 2;
        var exponent = Ops.Arange(half, dtype: DType.Float32, device: positions.Device) * (-Math.Log(10000) / (half - shift));
        var angle = positions.To(DType.Float32).Unsqueeze(1) * exponent.Exp().Unsqueeze(0);
        return cosFirst ? Ops.Cat([angle.Cos(), angle.Sin()], -1) : Ops.Cat([angle.Sin(), angle.Cos()], -1);
    }
}

/// <summary>Linear → SiLU → Linear: [b, in] → [b, e].</summary>
internal sealed class TimeEmbedding(Place at, int inputs, int width)
{
    private readonly Linear linear1 = new(at["linear_1"], inputs, width);
    private readonly Linear linear2 = new(at["linear_2"], width, width);

    public Tensor Forward(Tensor x) => Tape.Note(at.Path, linear2.Forward(Activation.Silu(linear1.Forward(x))));
}

/// <summary>Residual block with the time embedding added in the middle. x: [b, in, H, W], emb: SiLU of the time embedding [b, e].</summary>
internal sealed class ResidualBlock(Place at, int inputs, int outputs, int embedding, UNetConfig c)
{
    private readonly GroupNorm norm1 = new(at["norm1"], c.Groups, inputs, c.NormEps);
    private readonly Conv2d conv1 = new(at["conv1"], inputs, outputs, 3, padding: 1);
    private readonly Linear time = new(at["time_emb_proj"], embedding, outputs);
    private readonly GroupNorm norm2 = new(at["norm2"], c.Groups, outputs, c.NormEps);
    private readonly Conv2d conv2 = new(at["conv2"], outputs, outputs, 3, padding: 1);
    private readonly Conv2d? shortcut = inputs == outputs ? null : new(at["conv_shortcut"], inputs, outputs, 1);

    public string Path => at.Path;

    public Tensor Forward(Tensor x, Tensor emb)
    {
        using var scope = new Scope();   // what the backward pass does not need goes at once
        var y = conv1.Forward(Activation.Silu(norm1.Forward(x)));
        y = y + time.Forward(emb).Unsqueeze(-1).Unsqueeze(-1);
        y = conv2.Forward(Activation.Silu(norm2.Forward(y)));
        return scope.Keep(Tape.Note(at.Path, (shortcut?.Forward(x) ?? x) + y));
    }
}

/// <summary>Attention of pictures to themselves or to text. x: [b, s, c], context: [b, t, ctx].</summary>
internal sealed class CrossAttention(Place at, int width, int context, int heads)
{
    private readonly Linear q = new(at["to_q"], width, width, bias: false);
    private readonly Linear k = new(at["to_k"], context, width, bias: false);
    private readonly Linear v = new(at["to_v"], context, width, bias: false);
    private readonly Linear o = new(at["to_out"][0], width, width);

    public Tensor Forward(Tensor x, Tensor context)
    {
        using var scope = new Scope();
        var b = x.Size(0);
        Tensor Split(Tensor y) => y.View([b, -1, heads, width / heads]).Transpose(1, 2);        // [b,s,c] -> [b,h,s,c/h]
        var y = Attention.Scaled(Split(q.Forward(x)), Split(k.Forward(context)), Split(v.Forward(context)));
        return scope.Keep(Tape.Note(at.Path, o.Forward(y.Transpose(1, 2).Reshape([b, -1, width]))));
    }
}

/// <summary>Gated feed-forward (Shazeer 2020): value · gelu(gate), then back to the width.</summary>
internal sealed class FeedForward(Place at, int width)
{
    private readonly Linear proj = new(at["net"][0]["proj"], width, width * 8);
    private readonly Linear back = new(at["net"][2], width * 4, width);

    public Tensor Forward(Tensor x)
    {
        using var scope = new Scope();
        var halves = proj.Forward(x).Chunk(2, -1);                                              // [value | gate]
        return scope.Keep(Tape.Note(at.Path, back.Forward(Tape.Note($"{at.Path}.net.0", halves[0] * Activation.Gelu(halves[1])))));
    }
}

/// <summary>One transformer layer: self-attention, attention to text, feed-forward.</summary>
internal sealed class TransformerLayer(Place at, int width, int context, int heads)
{
    private readonly LayerNorm norm1 = new(at["norm1"], width);
    private readonly LayerNorm norm2 = new(at["norm2"], width);
    private readonly LayerNorm norm3 = new(at["norm3"], width);
    private readonly CrossAttention self = new(at["attn1"], width, width, heads);
    private readonly CrossAttention cross = new(at["attn2"], width, context, heads);
    private readonly FeedForward feed = new(at["ff"], width);

    public Tensor Forward(Tensor x, Tensor context)
    {
        using var scope = new Scope();
        var n = Tape.Note($"{at.Path}.norm1", norm1.Forward(x));
        x = self.Forward(n, n) + x;
        x = cross.Forward(Tape.Note($"{at.Path}.norm2", norm2.Forward(x)), context) + x;
        return scope.Keep(Tape.Note(at.Path, feed.Forward(Tape.Note($"{at.Path}.norm3", norm3.Forward(x))) + x));
    }
}

/// <summary>Transformer over the pixels of a feature map. x: [b, c, H, W].</summary>
internal sealed class SpatialTransformer
{
    private readonly Place at;
    private readonly int channels;
    private readonly GroupNorm norm;
    private readonly AdaptableLayer projIn;
    private readonly AdaptableLayer projOut;
    private readonly TransformerLayer[] layers;

    public SpatialTransformer(Place at, int channels, int heads, int depth, UNetConfig c)
    {
        this.at = at;
        this.channels = channels;
        norm = new(at["norm"], c.Groups, channels, 1e-6);   // not norm_eps: the reference fixes it here
        AdaptableLayer Project(string name) => c.LinearProjection ? new Linear(at[name], channels, channels) : new Conv2d(at[name], channels, channels, 1);
        projIn = Project("proj_in");
        layers = [.. Enumerable.Range(0, depth).Select(i => new TransformerLayer(at["transformer_blocks"][i], channels, c.ContextWidth, heads))];
        projOut = Project("proj_out");
    }

    public string Path => at.Path;

    public Tensor Forward(Tensor x, Tensor context)
    {
        using var scope = new Scope();
        var (b, height, width) = (x.Size(0), x.Size(2), x.Size(3));
        Tensor Flat(Tensor y) => y.Permute([0, 2, 3, 1]).Reshape([b, height * width, channels]);             // [b,c,H,W] -> [b,s,c]
        Tensor Map(Tensor y) => y.View([b, height, width, channels]).Permute([0, 3, 1, 2]).Contiguous();     // [b,s,c] -> [b,c,H,W]
        var y = Tape.Note($"{at.Path}.norm", norm.Forward(x));
        y = projIn is Conv2d conv ? Flat(Tape.Note($"{at.Path}.proj_in", conv.Forward(y))) : Tape.Note($"{at.Path}.proj_in", ((Linear)projIn).Forward(Flat(y)));
        foreach (var layer in layers) y = layer.Forward(y, context);
        y = projOut is Conv2d last ? Tape.Note($"{at.Path}.proj_out", last.Forward(Map(y))) : Map(Tape.Note($"{at.Path}.proj_out", ((Linear)projOut).Forward(y)));
        return scope.Keep(Tape.Note(at.Path, y + x));
    }
}

/// <summary>One level of the way down or up: residual blocks, each with a transformer where the level has them, then a sampler.</summary>
internal sealed record Level(Place At, ResidualBlock[] Residuals, SpatialTransformer[] Transformers, Conv2d? Sampler);

/// <summary>The noise predictor. Build it from a configuration, then load weights or initialise them.</summary>
public sealed class UNet : IDisposable
{
    private readonly UNetConfig c;
    private readonly TimeEmbedding time;
    private readonly TimeEmbedding? addition;
    private readonly Conv2d convIn;
    private readonly Conv2d convOut;
    private readonly GroupNorm normOut;
    private readonly Level[] down;
    private readonly Level[] up;
    private readonly ResidualBlock mid0;
    private readonly ResidualBlock mid1;
    private readonly SpatialTransformer midAttention;
    private readonly Dictionary<string, AdaptableLayer[]> layersBelow = new(StringComparer.Ordinal);

    /// <summary>Builds the model without weights.</summary>
    public UNet(UNetConfig config)
    {
        c = config;
        var root = Store.Root;
        var n = c.Channels.Length;
        var e = c.Channels[0] * 4;
        convIn = new(root["conv_in"], c.InChannels, c.Channels[0], 3, padding: 1);
        time = new(root["time_embedding"], c.Channels[0], e);
        addition = c.AdditionTimeWidth > 0 ? new(root["add_embedding"], c.AdditionInput, e) : null;
        down = new Level[n];
        var skips = new List<int> { c.Channels[0] };
        var channels = c.Channels[0];
        for (var i = 0; i < n; i++)
        {
            var at = root["down_blocks"][i];
            var outputs = c.Channels[i];
            var residuals = new ResidualBlock[c.LayersPerBlock];
            for (var j = 0; j < residuals.Length; j++, channels = outputs)
            {
                residuals[j] = new(at["resnets"][j], channels, outputs, e, c);
                skips.Add(outputs);
            }
            var sampler = i < n - 1 ? new Conv2d(at["downsamplers"][0]["conv"], outputs, outputs, 3, stride: 2, padding: 1) : null;
            if (sampler is not null) skips.Add(outputs);
            down[i] = new(at, residuals, Transformers(at, c.DownAttention[i], residuals.Length, outputs, i), sampler);
        }
        var mid = root["mid_block"];
        mid0 = new(mid["resnets"][0], channels, channels, e, c);
        midAttention = new(mid["attentions"][0], channels, c.Heads[^1], c.TransformerLayers[^1], c);
        mid1 = new(mid["resnets"][1], channels, channels, e, c);
        up = new Level[n];
        for (var i = 0; i < n; i++)
        {
            var at = root["up_blocks"][i];
            var outputs = c.Channels[n - 1 - i];
            var residuals = new ResidualBlock[c.LayersPerBlock + 1];
            for (var j = 0; j < residuals.Length; j++, channels = outputs)
            {
                residuals[j] = new(at["resnets"][j], channels + skips[^1], outputs, e, c);
                skips.RemoveAt(skips.Count - 1);
            }
            var sampler = i < n - 1 ? new Conv2d(at["upsamplers"][0]["conv"], outputs, outputs, 3, padding: 1) : null;
            up[i] = new(at, residuals, Transformers(at, c.UpAttention[i], residuals.Length, outputs, n - 1 - i), sampler);
        }
        normOut = new(root["conv_norm_out"], c.Groups, c.Channels[0], c.NormEps);
        convOut = new(root["conv_out"], c.Channels[0], c.OutChannels, 3, padding: 1);
    }

    /// <summary>Weights by name, and the layers that adapters hang on.</summary>
    public ParameterStore Store { get; } = new();
    /// <summary>Configuration.</summary>
    public UNetConfig Config => c;

    /// <summary>Recompute residual blocks and transformers in the backward pass instead of keeping their activations.</summary>
    public bool GradientCheckpointing { get; set; }

    /// <summary>Loads a diffusers folder: config.json and weights.</summary>
    public static UNet Load(string folder, DType dtype = DType.Float32, Device? device = null)
    {
        using var source = WeightFolder.Open(folder);
        return Load(ModelConfig.Read(System.IO.Path.Combine(folder, "config.json")), source, dtype, device);
    }

    /// <summary>Loads from a configuration and weights.</summary>
    public static UNet Load(ModelConfig config, WeightSource source, DType dtype = DType.Float32, Device? device = null)
    {
        var model = new UNet(UNetConfig.Read(config));
        model.Store.Load(source.Finder(), dtype, device);
        return model;
    }

    /// <summary>
    /// Predicts noise (or velocity). <paramref name="sample"/>: [b, c, H, W]; <paramref name="timesteps"/>: [b], 0..1000, may be fractional;
    /// <paramref name="context"/>: [b, t, ctx] text states; <paramref name="added"/>: SDXL's conditions. Gives [b, c, H, W].
    /// </summary>
    public Tensor Forward(Tensor sample, Tensor timesteps, Tensor context, AddedCondition? added = null)
    {
        var b = sample.Size(0);
        Check.Shape(sample, b, c.InChannels, -1, -1);
        Check.Shape(timesteps, b);
        Check.Shape(context, b, -1, c.ContextWidth);
        var emb = Activation.Silu(Embed(timesteps, added, sample.DType));
        var x = Tape.Note("conv_in", convIn.Forward(sample));
        var skips = new List<Tensor> { x };
        foreach (var level in down) x = Down(level, x, emb, context, skips);
        x = Residual(mid0, x, emb);
        x = Transform(midAttention, x, context);
        x = Tape.Note("mid_block", Residual(mid1, x, emb));
        foreach (var level in up) x = Up(level, x, emb, context, skips);
        x = Activation.Silu(Tape.Note("conv_norm_out", normOut.Forward(x)));
        return Tape.Note("conv_out", convOut.Forward(x));
    }

    /// <inheritdoc/>
    public void Dispose() => Store.Release();

    private SpatialTransformer[] Transformers(Place at, bool has, int count, int channels, int level) =>
        has ? [.. Enumerable.Range(0, count).Select(j => new SpatialTransformer(at["attentions"][j], channels, c.Heads[level], c.TransformerLayers[level], c))] : [];

    private Tensor Embed(Tensor timesteps, AddedCondition? added, DType dtype)
    {
        var sinusoid = Tape.Note("time_proj", Sinusoid.Of(timesteps, c.Channels[0], c.FlipSinToCos, c.FreqShift));
        var emb = time.Forward(sinusoid.To(dtype));
        if (addition is null) return emb;
        if (added is null) throw new ModelException("this UNet (SDXL) needs pooled text and time ids as added conditions; give them, or use an SD1.5 base.");
        var b = timesteps.Size(0);
        Check.Shape(added.TimeIds, b, 6);
        var ids = Tape.Note("add_time_proj", Sinusoid.Of(added.TimeIds.Reshape([b * 6]), c.AdditionTimeWidth, c.FlipSinToCos, c.FreqShift));
        return emb + addition.Forward(Ops.Cat([added.TextEmbeds, ids.View([b, -1]).To(dtype)], -1));
    }

    private Tensor Down(Level level, Tensor x, Tensor emb, Tensor context, List<Tensor> skips)
    {
        var first = skips.Count;
        for (var j = 0; j < level.Residuals.Length; j++)
        {
            x = Residual(level.Residuals[j], x, emb);
            if (level.Transformers.Length > 0) x = Transform(level.Transformers[j], x, context);
            skips.Add(x);
        }
        if (level.Sampler is not null) skips.Add(x = level.Sampler.Forward(x));
        for (var k = first; k < skips.Count; k++) Tape.Note($"{level.At.Path}.res.{k - first}", skips[k]);
        return Tape.Note(level.At.Path, x);
    }

    private Tensor Up(Level level, Tensor x, Tensor emb, Tensor context, List<Tensor> skips)
    {
        for (var j = 0; j < level.Residuals.Length; j++)
        {
            x = Residual(level.Residuals[j], Ops.Cat([x, skips[^1]], 1), emb);
            skips.RemoveAt(skips.Count - 1);
            if (level.Transformers.Length > 0) x = Transform(level.Transformers[j], x, context);
        }
        // to the size of the next skip: the same as doubling, except that odd sizes come out right
        if (level.Sampler is not null)
            x = Tape.Note($"{level.At.Path}.upsamplers.0", level.Sampler.Forward(x.UpsampleNearest2d([skips[^1].Size(2), skips[^1].Size(3)])));
        return Tape.Note(level.At.Path, x);
    }

    private Tensor Residual(ResidualBlock block, Tensor x, Tensor emb) =>
        GradientCheckpointing && Autograd.Enabled ? Autograd.Checkpoint(i => block.Forward(i[0], i[1]), [x, emb], Trainable(block.Path)) : block.Forward(x, emb);

    private Tensor Transform(SpatialTransformer block, Tensor x, Tensor context) =>
        GradientCheckpointing && Autograd.Enabled ? Autograd.Checkpoint(i => block.Forward(i[0], i[1]), [x, context], Trainable(block.Path)) : block.Forward(x, context);

    // What the block trains: branches of its layers, or its own weights when nothing is frozen.
    private Tensor[] Trainable(string path)
    {
        if (!layersBelow.TryGetValue(path, out var layers))
            layersBelow[path] = layers = [.. Store.Layers.Where(l => l.Key.StartsWith(path + ".", StringComparison.Ordinal)).Select(l => l.Value)];
        var branches = layers.SelectMany(l => l.Branches).SelectMany(r => new[] { r.Down, r.Up });
        var own = Store.Parameters.Where(p => p.Name.StartsWith(path + ".", StringComparison.Ordinal)).Select(p => p.Value);
        return [.. branches.Concat(own).Where(t => t.RequiresGrad)];
    }
}
