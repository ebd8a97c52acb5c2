namespace LoraFactory.Models.Weights;

public static partial class LdmKeys
{
    /// <summary>AutoencoderKL; its decoder's levels count backwards in the original, and attention matrices are 1×1 convolutions there.</summary>
    private sealed class VaeKeyList(ModelConfig config, string prefix) : KeyList(prefix)
    {
        private readonly int[] channels = Channels(config);
        private readonly int layers = Layers(config, "layers_per_block");
        private readonly int latent = config.Int("latent_channels", 4);
        private readonly bool attends = config.Bool("mid_block_add_attention", true);

        public IReadOnlyList<LdmKey> Make()
        {
            Encoder();
            Decoder();
            if (config.Bool("use_quant_conv", true)) Conv("quant_conv", "quant_conv", 2 * latent, 2 * latent, 1);
            if (config.Bool("use_post_quant_conv", true)) Conv("post_quant_conv", "post_quant_conv", latent, latent, 1);
            return Keys;
        }

        private void Encoder()
        {
            Conv("encoder.conv_in", "encoder.conv_in", channels[0], config.Int("in_channels", 3), 3);
            for (var i = 0; i < channels.Length; i++)
            {
                var input = channels[Math.Max(0, i - 1)];
                for (var j = 0; j < layers; j++) Residual($"encoder.down_blocks.{i}.resnets.{j}", $"encoder.down.{i}.block.{j}", j == 0 ? input : channels[i], channels[i]);
                if (i < channels.Length - 1) Conv($"encoder.down_blocks.{i}.downsamplers.0.conv", $"encoder.down.{i}.downsample.conv", channels[i], channels[i], 3);
            }
            Middle("encoder");
            Norm("encoder.conv_norm_out", "encoder.norm_out", channels[^1]);
            Conv("encoder.conv_out", "encoder.conv_out", 2 * latent, channels[^1], 3);
        }

        private void Decoder()
        {
            var last = channels.Length - 1;
            Conv("decoder.conv_in", "decoder.conv_in", channels[last], latent, 3);
            for (var i = 0; i <= last; i++)
            {
                var (input, output) = (channels[Math.Min(last, last - i + 1)], channels[last - i]);
                for (var j = 0; j <= layers; j++) Residual($"decoder.up_blocks.{i}.resnets.{j}", $"decoder.up.{last - i}.block.{j}", j == 0 ? input : output, output);
                if (i < last) Conv($"decoder.up_blocks.{i}.upsamplers.0.conv", $"decoder.up.{last - i}.upsample.conv", output, output, 3);
            }
            Middle("decoder");
            Norm("decoder.conv_norm_out", "decoder.norm_out", channels[0]);
            Conv("decoder.conv_out", "decoder.conv_out", config.Int("out_channels", 3), channels[0], 3);
        }

        private void Middle(string half)
        {
            var width = channels[^1];
            if (attends)
            {
                var (name, ldm) = ($"{half}.mid_block.attentions.0", $"{half}.mid.attn_1");
                Norm($"{name}.group_norm", $"{ldm}.norm", width);
                Matrix($"{name}.to_q", $"{ldm}.q", width);
                Matrix($"{name}.to_k", $"{ldm}.k", width);
                Matrix($"{name}.to_v", $"{ldm}.v", width);
                Matrix($"{name}.to_out.0", $"{ldm}.proj_out", width);
            }
            Residual($"{half}.mid_block.resnets.0", $"{half}.mid.block_1", width, width);
            Residual($"{half}.mid_block.resnets.1", $"{half}.mid.block_2", width, width);
        }

        private void Matrix(string name, string ldm, long width)
        {
            Add(new LdmKey($"{name}.weight", [width, width], $"{ldm}.weight", [width, width, 1, 1]));
            Add($"{name}.bias", $"{ldm}.bias", width);
        }

        private void Residual(string name, string ldm, int input, int output)
        {
            Norm($"{name}.norm1", $"{ldm}.norm1", input);
            Conv($"{name}.conv1", $"{ldm}.conv1", output, input, 3);
            Norm($"{name}.norm2", $"{ldm}.norm2", output);
            Conv($"{name}.conv2", $"{ldm}.conv2", output, output, 3);
            if (input != output) Conv($"{name}.conv_shortcut", $"{ldm}.nin_shortcut", output, input, 1);
        }
    }
}
