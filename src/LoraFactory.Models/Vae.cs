using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models;

// The autoencoder of Stable Diffusion (Rombach et al. 2022; Kingma and Welling 2014). Names as diffusers writes them.
//  1 configuration   2 blocks   3 encoder, decoder   4 the model
// Shapes: b batch, H×W pixels, h×w latent = H/f × W/f, l latent channels.

/// <summary>Sizes of the autoencoder.</summary>
/// <param name="ImageChannels">Channels of pictures.</param>
/// <param name="LatentChannels">l.</param>
/// <param name="Channels">Channels of each level.</param>
/// <param name="LayersPerBlock">Residual blocks of an encoder level; decoder levels have one more.</param>
/// <param name="Groups">Groups of the group norms.</param>
/// <param name="MidAttention">Whether the middle blocks attend.</param>
/// <param name="ScalingFactor">Latents are multiplied by it before the UNet sees them.</param>
/// <param name="SampleSize">Side of the square picture that it was trained on, in pixels.</param>
/// <param name="QuantConv">Whether a 1×1 convolution follows the encoder and precedes the decoder.</param>
public sealed record VaeConfig(int ImageChannels, int LatentChannels, int[] Channels, int LayersPerBlock, int Groups, bool MidAttention, double ScalingFactor, int SampleSize, bool QuantConv)
{
    /// <summary>Pixels per latent along a side.</summary>
    public int Factor => 1 << (Channels.Length - 1);

    /// <summary>Reads a diffusers config.json.</summary>
    public static VaeConfig Read(ModelConfig c)
    {
        c.Only("act_fn", "silu");
        foreach (var type in c.Has("down_block_types") ? c.Texts("down_block_types") : [])
            if (type != "DownEncoderBlock2D") throw new ModelException($"down_block_types: {type} is not supported; supported: DownEncoderBlock2D.");
        c.Only("shift_factor", "null", "0", "0.0");
        return new(c.Int("in_channels", 3), c.Int("latent_channels", 4), c.Ints("block_out_channels", -1), c.Layers("layers_per_block", 1), c.Int("norm_num_groups", 32),
            c.Bool("mid_block_add_attention", true), c.Double("scaling_factor", 0.18215), c.Int("sample_size", 32), c.Bool("use_quant_conv", true));
    }
}

/// <summary>Residual block without a time embedding. x: [b, in, H, W].</summary>
internal sealed class VaeResidual(Place at, int inputs, int outputs, int groups)
{
    private readonly GroupNorm norm1 = new(at["norm1"], groups, inputs, 1e-6);
    private readonly Conv2d conv1 = new(at["conv1"], inputs, outputs, 3, padding: 1);
    private readonly GroupNorm norm2 = new(at["norm2"], groups, outputs, 1e-6);
    private readonly Conv2d conv2 = new(at["conv2"], outputs, outputs, 3, padding: 1);
    private readonly Conv2d? shortcut = inputs == outputs ? null : new(at["conv_shortcut"], inputs, outputs, 1);

    public Tensor Forward(Tensor x)
    {
        var y = conv1.Forward(Activation.Silu(norm1.Forward(x)));
        y = conv2.Forward(Activation.Silu(norm2.Forward(y)));
        return Tape.Note(at.Path, (shortcut?.Forward(x) ?? x) + y);
    }
}

/// <summary>One-head attention over all pixels.</summary>
internal sealed class VaeAttention(Place at, int channels, int groups)
{
    private readonly GroupNorm norm = new(at["group_norm"], groups, channels, 1e-6);
    private readonly Linear q = new(at["to_q"], channels, channels);
    private readonly Linear k = new(at["to_k"], channels, channels);
    private readonly Linear v = new(at["to_v"], channels, channels);
    private readonly Linear o = new(at["to_out"][0], channels, channels);

    public Tensor Forward(Tensor x)
    {
        var (b, height, width) = (x.Size(0), x.Size(2), x.Size(3));
        var y = norm.Forward(x).View([b, 1, channels, height * width]).Transpose(2, 3);       // [b,1,s,c]
        y = o.Forward(Attention.Scaled(q.Forward(y), k.Forward(y), v.Forward(y)));
        return Tape.Note(at.Path, x + y.Transpose(2, 3).Reshape([b, channels, height, width]));
    }
}

/// <summary>Residual, attention, residual.</summary>
internal sealed class VaeMiddle(Place at, int channels, VaeConfig c)
{
    private readonly VaeResidual first = new(at["resnets"][0], channels, channels, c.Groups);
    private readonly VaeAttention? attention = c.MidAttention ? new(at["attentions"][0], channels, c.Groups) : null;
    private readonly VaeResidual second = new(at["resnets"][1], channels, channels, c.Groups);

    public Tensor Forward(Tensor x)
    {
        x = first.Forward(x);
        if (attention is not null) x = attention.Forward(x);
        return Tape.Note(at.Path, second.Forward(x));
    }
}

/// <summary>One level: residual blocks, then a sampler where there is one.</summary>
internal sealed record VaeLevel(Place At, VaeResidual[] Residuals, Conv2d? Sampler);

/// <summary>Pictures to moments.</summary>
internal sealed class VaeEncoder
{
    private readonly Place at;
    private readonly Conv2d convIn;
    private readonly Conv2d convOut;
    private readonly GroupNorm normOut;
    private readonly VaeLevel[] levels;
    private readonly VaeMiddle middle;

    public VaeEncoder(Place at, VaeConfig c)
    {
        this.at = at;
        var n = c.Channels.Length;
        convIn = new(at["conv_in"], c.ImageChannels, c.Channels[0], 3, padding: 1);
        levels = new VaeLevel[n];
        var channels = c.Channels[0];
        for (var i = 0; i < n; i++)
        {
            var level = at["down_blocks"][i];
            var residuals = new VaeResidual[c.LayersPerBlock];
            for (var j = 0; j < residuals.Length; j++, channels = c.Channels[i]) residuals[j] = new(level["resnets"][j], channels, c.Channels[i], c.Groups);
            levels[i] = new(level, residuals, i < n - 1 ? new(level["downsamplers"][0]["conv"], channels, channels, 3, stride: 2) : null);
        }
        middle = new(at["mid_block"], channels, c);
        normOut = new(at["conv_norm_out"], c.Groups, channels, 1e-6);
        convOut = new(at["conv_out"], channels, 2 * c.LatentChannels, 3, padding: 1);
    }

    public Tensor Forward(Tensor x)
    {
        x = Tape.Note($"{at.Path}.conv_in", convIn.Forward(x));
        foreach (var level in levels)
        {
            foreach (var residual in level.Residuals) x = residual.Forward(x);
            // one zero on the right and at the bottom only, as the original model pads
            if (level.Sampler is not null) x = Tape.Note($"{level.At.Path}.downsamplers.0", level.Sampler.Forward(x.ConstantPadNd([0, 1, 0, 1], 0)));
            Tape.Note(level.At.Path, x);
        }
        x = middle.Forward(x);
        return Tape.Note(at.Path, convOut.Forward(Activation.Silu(Tape.Note($"{at.Path}.conv_norm_out", normOut.Forward(x)))));
    }
}

/// <summary>Latents to pictures.</summary>
internal sealed class VaeDecoder
{
    private readonly Place at;
    private readonly Conv2d convIn;
    private readonly Conv2d convOut;
    private readonly GroupNorm normOut;
    private readonly VaeLevel[] levels;
    private readonly VaeMiddle middle;

    public VaeDecoder(Place at, VaeConfig c)
    {
        this.at = at;
        var n = c.Channels.Length;
        var channels = c.Channels[^1];
        convIn = new(at["conv_in"], c.LatentChannels, channels, 3, padding: 1);
        middle = new(at["mid_block"], channels, c);
        levels = new VaeLevel[n];
        for (var i = 0; i < n; i++)
        {
            var level = at["up_blocks"][i];
            var outputs = c.Channels[n - 1 - i];
            var residuals = new VaeResidual[c.LayersPerBlock + 1];
            for (var j = 0; j < residuals.Length; j++, channels = outputs) residuals[j] = new(level["resnets"][j], channels, outputs, c.Groups);
            levels[i] = new(level, residuals, i < n - 1 ? new(level["upsamplers"][0]["conv"], outputs, outputs, 3, padding: 1) : null);
        }
        normOut = new(at["conv_norm_out"], c.Groups, channels, 1e-6);
        convOut = new(at["conv_out"], channels, c.ImageChannels, 3, padding: 1);
    }

    public Tensor Forward(Tensor x)
    {
        x = middle.Forward(Tape.Note($"{at.Path}.conv_in", convIn.Forward(x)));
        foreach (var level in levels)
        {
            foreach (var residual in level.Residuals) x = residual.Forward(x);
            if (level.Sampler is not null)
                x = Tape.Note($"{level.At.Path}.upsamplers.0", level.Sampler.Forward(x.UpsampleNearest2d([x.Size(2) * 2, x.Size(3) * 2])));
            Tape.Note(level.At.Path, x);
        }
        return convOut.Forward(Activation.Silu(Tape.Note($"{at.Path}.conv_norm_out", normOut.Forward(x))));
    }
}

/// <summary>A diagonal normal over latents. Mean and LogVariance: [b, l, h, w]; the log variance lies in [−30, 20].</summary>
public sealed record LatentDistribution(Tensor Mean, Tensor LogVariance)
{
    /// <summary>From the encoder's moments [b, 2l, h, w].</summary>
    public static LatentDistribution FromMoments(Tensor moments)
    {
        var halves = moments.Chunk(2, 1);
        return new(halves[0], halves[1].Clamp(-30.0, 20.0));
    }

    /// <summary>Standard deviation.</summary>
    public Tensor Deviation => (LogVariance * 0.5).Exp();

    /// <summary>mean + deviation · noise, for standard normal noise of the mean's shape.</summary>
    public Tensor Sample(Tensor noise) => Mean + Deviation * noise;

    /// <summary>Divergence from the standard normal in nats, one number per row: [b].</summary>
    public Tensor Divergence() => (Mean.Square() + LogVariance.Exp() - 1.0 - LogVariance).Sum([1, 2, 3]) * 0.5;
}

/// <summary>The autoencoder. Pictures are [b, 3, H, W] in −1..1.</summary>
public sealed class AutoencoderKL : IDisposable
{
    private readonly VaeEncoder encoder;
    private readonly VaeDecoder decoder;
    private readonly Conv2d? quant;
    private readonly Conv2d? postQuant;

    /// <summary>Builds the model without weights.</summary>
    public AutoencoderKL(VaeConfig config)
    {
        Config = config;
        encoder = new(Store.Root["encoder"], config);
        decoder = new(Store.Root["decoder"], config);
        if (!config.QuantConv) return;
        quant = new(Store.Root["quant_conv"], 2 * config.LatentChannels, 2 * config.LatentChannels, 1);
        postQuant = new(Store.Root["post_quant_conv"], config.LatentChannels, config.LatentChannels, 1);
    }

    /// <summary>Configuration.</summary>
    public VaeConfig Config { get; }
    /// <summary>Weights by name.</summary>
    public ParameterStore Store { get; } = new();

    /// <summary>Loads a diffusers folder: config.json and weights.</summary>
    public static AutoencoderKL Load(string folder, DType dtype = DType.Float32, Device? device = null)
    {
        using var source = WeightFolder.Open(folder);
        return Load(ModelConfig.Read(Path.Combine(folder, "config.json")), source, dtype, device);
    }

    /// <summary>Loads from a configuration and weights; attention may be spelt as old files do (query, key, value, proj_attn).</summary>
    public static AutoencoderKL Load(ModelConfig config, WeightSource source, DType dtype = DType.Float32, Device? device = null)
    {
        var model = new AutoencoderKL(VaeConfig.Read(config));
        model.Store.Load(ComponentNames.OfVae(source).Finder(), dtype, device);
        return model;
    }

    /// <summary>Picture [b, 3, H, W] in −1..1 → distribution of latents [b, l, H/f, W/f], not yet scaled.</summary>
    public LatentDistribution Encode(Tensor pictures)
    {
        var moments = encoder.Forward(pictures);
        if (quant is not null) moments = Tape.Note("quant_conv", quant.Forward(moments));
        return LatentDistribution.FromMoments(moments);
    }

    /// <summary>Latents [b, l, h, w], already divided by the scaling factor → pictures [b, 3, h·f, w·f], not clamped.</summary>
    public Tensor Decode(Tensor latents) =>
        decoder.Forward(postQuant is null ? latents : Tape.Note("post_quant_conv", postQuant.Forward(latents)));

    /// <inheritdoc/>
    public void Dispose() => Store.Release();
}
