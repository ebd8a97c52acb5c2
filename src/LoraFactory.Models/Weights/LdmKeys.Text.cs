namespace LoraFactory.Models.Weights;

public static partial class LdmKeys
{
    /// <summary>CLIP text encoders, under transformers' names with text_model. in front, as published files have it.</summary>
    private sealed class TextKeyList(ModelConfig config, string prefix) : KeyList(prefix)
    {
        private readonly int width = config.Int("hidden_size");
        private readonly int inner = config.Int("intermediate_size");
        private readonly int layers = Layers(config, "num_hidden_layers");
        private readonly int vocabulary = config.Int("vocab_size", 49408);
        private readonly int positions = config.Int("max_position_embeddings", 77);

        public IReadOnlyList<LdmKey> MakeClip()
        {
            const string model = "text_model.";
            Add(model + "embeddings.token_embedding.weight", model + "embeddings.token_embedding.weight", vocabulary, width);
            Add(model + "embeddings.position_embedding.weight", model + "embeddings.position_embedding.weight", positions, width);
            for (var i = 0; i < layers; i++)
            {
                var layer = $"{model}encoder.layers.{i}.";
                foreach (var part in (string[])["k_proj", "v_proj", "q_proj", "out_proj"]) Linear($"{layer}self_attn.{part}", $"{layer}self_attn.{part}", width, width);
                Norm(layer + "layer_norm1", layer + "layer_norm1", width);
                Linear(layer + "mlp.fc1", layer + "mlp.fc1", inner, width);
                Linear(layer + "mlp.fc2", layer + "mlp.fc2", width, inner);
                Norm(layer + "layer_norm2", layer + "layer_norm2", width);
            }
            Norm(model + "final_layer_norm", model + "final_layer_norm", width);
            return Keys;
        }

        public IReadOnlyList<LdmKey> MakeOpenClip(bool projection)
        {
            Add("text_model.embeddings.token_embedding.weight", "token_embedding.weight", vocabulary, width);
            Add("text_model.embeddings.position_embedding.weight", "positional_embedding", positions, width);
            for (var i = 0; i < layers; i++)
            {
                var (layer, block) = ($"text_model.encoder.layers.{i}", $"transformer.resblocks.{i}");
                foreach (var (part, name) in (ReadOnlySpan<(int, string)>)[(1, "k_proj"), (2, "v_proj"), (0, "q_proj")])
                {
                    Add(new LdmKey($"{layer}.self_attn.{name}.weight", [width, width], $"{block}.attn.in_proj_weight", [3L * width, width], part));
                    Add(new LdmKey($"{layer}.self_attn.{name}.bias", [width], $"{block}.attn.in_proj_bias", [3L * width], part));
                }
                Linear($"{layer}.self_attn.out_proj", $"{block}.attn.out_proj", width, width);
                Norm($"{layer}.layer_norm1", $"{block}.ln_1", width);
                Linear($"{layer}.mlp.fc1", $"{block}.mlp.c_fc", inner, width);
                Linear($"{layer}.mlp.fc2", $"{block}.mlp.c_proj", width, inner);
                Norm($"{layer}.layer_norm2", $"{block}.ln_2", width);
            }
            Norm("text_model.final_layer_norm", "ln_final", width);
            var output = config.Int("projection_dim", width);
            if (projection) Add(new LdmKey("text_projection.weight", [output, width], "text_projection", [width, output], Transposed: true));
            return Keys;
        }
    }
}
