namespace LoraFactory.Models.Weights;

public static partial class LdmKeys
{
    /// <summary>UNet2DConditionModel of Stable Diffusion 1, 2 and XL.</summary>
    private sealed class UNetKeyList : KeyList
    {
        private readonly ModelConfig config;
        private readonly int[] channels;
        private readonly int[] depths;
        private readonly bool[] downAttends, upAttends;
        private readonly int layers, time, context;
        private readonly bool linear;

        public UNetKeyList(ModelConfig config, string prefix) : base(prefix)
        {
            this.config = config;
            channels = Channels(config);
            layers = Layers(config, "layers_per_block");
            depths = config.Ints("transformer_layers_per_block", channels.Length, 1);
            downAttends = Attends(config, "down_block_types", "CrossAttnDownBlock2D", "DownBlock2D");
            upAttends = Attends(config, "up_block_types", "CrossAttnUpBlock2D", "UpBlock2D");
            config.Only("mid_block_type", "UNetMidBlock2DCrossAttn");
            config.Only("class_embed_type", "null");
            config.Only("addition_embed_type", "text_time");
            time = 4 * channels[0];
            context = config.Int("cross_attention_dim");
            linear = config.Bool("use_linear_projection", false);
        }

        public IReadOnlyList<LdmKey> Make()
        {
            Conv("conv_in", "input_blocks.0.0", channels[0], config.Int("in_channels", 4), 3);
            Linear("time_embedding.linear_1", "time_embed.0", time, channels[0]);
            Linear("time_embedding.linear_2", "time_embed.2", time, time);
            if (config.Has("addition_embed_type"))
            {
                Linear("add_embedding.linear_1", "label_emb.0.0", time, config.Int("projection_class_embeddings_input_dim"));
                Linear("add_embedding.linear_2", "label_emb.0.2", time, time);
            }
            Down();
            Up();
            Middle();
            Norm("conv_norm_out", "out.0", channels[0]);
            Conv("conv_out", "out.2", config.Int("out_channels", 4), channels[0], 3);
            return Keys;
        }

        private bool[] Attends(ModelConfig of, string key, string with, string without)
        {
            var types = of.Texts(key);
            foreach (var type in types)
                if (type != with && type != without) throw new ModelException($"A UNet with {type} in {key} is not supported: {with} and {without} are.");
            return types.Length == channels.Length ? [.. types.Select(type => type == with)]
                : throw new ModelException($"A UNet with {types.Length} {key} and {channels.Length} block_out_channels contradicts itself.");
        }

        private void Down()
        {
            for (var i = 0; i < channels.Length; i++)
            {
                var input = i == 0 ? channels[0] : channels[i - 1];
                if (downAttends[i])
                    for (var j = 0; j < layers; j++) Transformer($"down_blocks.{i}.attentions.{j}", $"input_blocks.{i * (layers + 1) + j + 1}.1", channels[i], depths[i]);
                for (var j = 0; j < layers; j++) Residual($"down_blocks.{i}.resnets.{j}", $"input_blocks.{i * (layers + 1) + j + 1}.0", j == 0 ? input : channels[i], channels[i]);
                if (i < channels.Length - 1) Conv($"down_blocks.{i}.downsamplers.0.conv", $"input_blocks.{(i + 1) * (layers + 1)}.0.op", channels[i], channels[i], 3);
            }
        }

        private void Middle()
        {
            var deepest = channels[^1];
            Transformer("mid_block.attentions.0", "middle_block.1", deepest, depths[^1]);
            Residual("mid_block.resnets.0", "middle_block.0", deepest, deepest);
            Residual("mid_block.resnets.1", "middle_block.2", deepest, deepest);
        }

        private void Up()
        {
            var last = channels.Length - 1;
            for (var i = 0; i <= last; i++)
            {
                var (output, previous) = (channels[last - i], channels[Math.Min(last, last - i + 1)]);
                // The skip of the block's last residual comes from one level higher.
                var higher = channels[Math.Max(0, last - i - 1)];
                if (upAttends[i])
                    for (var j = 0; j <= layers; j++) Transformer($"up_blocks.{i}.attentions.{j}", $"output_blocks.{i * (layers + 1) + j}.1", output, depths[last - i]);
                for (var j = 0; j <= layers; j++)
                    Residual($"up_blocks.{i}.resnets.{j}", $"output_blocks.{i * (layers + 1) + j}.0", (j == 0 ? previous : output) + (j == layers ? higher : output), output);
                if (i < last) Conv($"up_blocks.{i}.upsamplers.0.conv", $"output_blocks.{i * (layers + 1) + layers}.{(upAttends[i] ? 2 : 1)}.conv", output, output, 3);
            }
        }

        private void Residual(string name, string ldm, int input, int output)
        {
            Norm($"{name}.norm1", $"{ldm}.in_layers.0", input);
            Conv($"{name}.conv1", $"{ldm}.in_layers.2", output, input, 3);
            Linear($"{name}.time_emb_proj", $"{ldm}.emb_layers.1", output, time);
            Norm($"{name}.norm2", $"{ldm}.out_layers.0", output);
            Conv($"{name}.conv2", $"{ldm}.out_layers.3", output, output, 3);
            if (input != output) Conv($"{name}.conv_shortcut", $"{ldm}.skip_connection", output, input, 1);
        }

        private void Transformer(string name, string ldm, int width, int depth)
        {
            Norm($"{name}.norm", $"{ldm}.norm", width);
            Projection($"{name}.proj_in", $"{ldm}.proj_in", width);
            for (var k = 0; k < Math.Min(depth, ModelConfig.MostLayers); k++)
            {
                var (block, there) = ($"{name}.transformer_blocks.{k}", $"{ldm}.transformer_blocks.{k}");
                Norm($"{block}.norm1", $"{there}.norm1", width);
                Attention($"{block}.attn1", $"{there}.attn1", width, width);
                Norm($"{block}.norm2", $"{there}.norm2", width);
                Attention($"{block}.attn2", $"{there}.attn2", width, context);
                Norm($"{block}.norm3", $"{there}.norm3", width);
                Linear($"{block}.ff.net.0.proj", $"{there}.ff.net.0.proj", 8 * width, width);
                Linear($"{block}.ff.net.2", $"{there}.ff.net.2", width, 4 * width);
            }
            Projection($"{name}.proj_out", $"{ldm}.proj_out", width);
        }

        private void Projection(string name, string ldm, int width)
        {
            if (linear) Linear(name, ldm, width, width);
            else Conv(name, ldm, width, width, 1);
        }

        private void Attention(string name, string ldm, int width, int from)
        {
            Linear($"{name}.to_q", $"{ldm}.to_q", width, width, bias: false);
            Linear($"{name}.to_k", $"{ldm}.to_k", width, from, bias: false);
            Linear($"{name}.to_v", $"{ldm}.to_v", width, from, bias: false);
            Linear($"{name}.to_out.0", $"{ldm}.to_out.0", width, width);
        }
    }
}
