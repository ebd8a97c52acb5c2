using System.Text.Json;
using LoraFactory.Models;

namespace LoraFactory.Tests.Models;

public sealed class ModelConfigTests
{
    private const string UNet = """
        {"block_out_channels": [32, 64], "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
         "attention_head_dim": 8, "layers_per_block": 2, "cross_attention_dim": 24, "norm_num_groups": 8}
        """;

    /// <summary>A value of another kind or size is refused in a sentence that names its key; nothing else is thrown, and nothing is built.</summary>
    [Theory]
    [InlineData("\"attention_head_dim\": 8", "\"attention_head_dim\": 0", "attention_head_dim")]
    [InlineData("\"attention_head_dim\": 8", "\"attention_head_dim\": [4, \"x\"]", "attention_head_dim")]
    [InlineData("\"attention_head_dim\": 8", "\"attention_head_dim\": [4, 0]", "attention_head_dim")]
    [InlineData("[32, 64]", "32", "block_out_channels")]
    [InlineData("[32, 64]", "[]", "block_out_channels")]
    [InlineData("[32, 64]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "block_out_channels")]
    [InlineData("[32, 64]", "[32, 99999999]", "block_out_channels")]
    [InlineData("\"layers_per_block\": 2", "\"layers_per_block\": 16000000", "layers_per_block")]
    [InlineData("\"layers_per_block\": 2", "\"layers_per_block\": 2, \"transformer_layers_per_block\": [1, 2000000]", "transformer_layers_per_block")]
    [InlineData("[\"CrossAttnDownBlock2D\", \"DownBlock2D\"]", "[1, 2]", "down_block_types")]
    [InlineData("[\"CrossAttnDownBlock2D\", \"DownBlock2D\"]", "[\"\\ud800\", \"DownBlock2D\"]", "down_block_types")]
    [InlineData("\"norm_num_groups\": 8", "\"norm_num_groups\": 0", "norm_num_groups")]
    [InlineData("\"norm_num_groups\": 8", "\"norm_num_groups\": {}", "norm_num_groups")]
    [InlineData("\"norm_num_groups\": 8", "\"norm_num_groups\": 8, \"act_fn\": \"\\udc00\"", "act_fn")]
    public void A_value_of_the_wrong_kind_or_size_is_refused_by_its_key(string good, string bad, string key)
    {
        Assert.Equal(2, UNetConfig.Read(Config(UNet)).LayersPerBlock);
        var text = UNet.Replace(good, bad, StringComparison.Ordinal);
        Assert.NotEqual(UNet, text);
        Assert.Contains(key, Assert.Throws<ModelException>(() => UNetConfig.Read(Config(text))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_of_another_kind_is_refused_and_a_long_value_is_not_repeated_whole()
    {
        var config = Config($$"""{"hidden_act": 3, "long": [{{string.Join(',', Enumerable.Repeat("1", 5000))}}], "pad_token_id": 0}""");
        Assert.Contains("hidden_act", Assert.Throws<ModelException>(() => config.Text("hidden_act")).Message, StringComparison.Ordinal);
        Assert.InRange(Assert.Throws<ModelException>(() => config.Int("long")).Message.Length, 20, 400);
        Assert.Equal(0, config.Token("pad_token_id"));
        Assert.Throws<ModelException>(() => config.Int("pad_token_id"));
    }

    private static ModelConfig Config(string json) => new(JsonDocument.Parse(json).RootElement, "config.json");
}
