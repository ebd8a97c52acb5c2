using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Tests.Torch;

namespace LoraFactory.Tests.Models.Lora;

[Collection("torch")]
public sealed class LoraSpecTests
{
    [Theory]
    [InlineData("to_q", "a.b.to_q", true)]
    [InlineData("to_q", "to_q", true)]
    [InlineData("to_q", "a.into_q", false)]
    [InlineData("mlp.fc1", "layers.0.mlp.fc1", true)]
    [InlineData("fc1", "fc1.x", false)]
    public void A_name_fits_a_path_or_its_end_after_a_dot(string name, string path, bool fits) =>
        Assert.Equal(fits, LoraTargets.OfNames([name]).Fits(path));

    [Theory]
    [InlineData(".*to_[qk]", "a.to_k", true)]
    [InlineData("to_[qk]", "a.to_k", false)]
    [InlineData("a|a.b", "a.b", true)]
    public void A_pattern_has_to_fit_the_whole_path(string pattern, string path, bool fits) =>
        Assert.Equal(fits, LoraTargets.OfPattern(pattern).Fits(path));

    [Fact]
    public void The_named_sets_grow_from_attention_to_all()
    {
        string[] paths =
        [
            "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0", "text_model.encoder.layers.3.self_attn.out_proj",
            "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj", "up_blocks.1.attentions.2.proj_in", "text_model.encoder.layers.0.mlp.fc2",
            "down_blocks.0.resnets.1.time_emb_proj", "up_blocks.0.upsamplers.0.conv", "conv_in", "time_embedding.linear_1",
        ];
        int Count(string set) => paths.Count(LoraTargets.Named(set).Fits);
        Assert.Equal((2, 5, 7), (Count("attention"), Count("attention-ff"), Count("all")));
        Assert.Contains("attention-ff", Assert.Throws<ModelException>(() => LoraTargets.Named("everything")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ranks_and_alphas_follow_the_first_pattern_that_fits_and_kernels_their_own_rank() => OnTensorThread.Run(() =>
    {
        using var model = new SmallModel();
        var spec = new LoraSpec
        {
            Targets = LoraTargets.All, Rank = 4, Alpha = 2, ConvRank = 3, ConvAlpha = 1,
            RankPattern = [new("attn1\\.to_q", 2), new("to_q", 6)], AlphaPattern = [new("^attn1\\.to_q", 9)],
        };
        Assert.Equal((2, 2), spec.For(SmallModel.QueryPath, model.Query));
        Assert.Equal((4, 2), spec.For(SmallModel.PointPath, model.Point));
        Assert.Equal((3, 1), spec.For(SmallModel.ConvPath, model.Conv));
        Assert.Null((spec with { ConvRank = 0 }).For(SmallModel.ConvPath, model.Conv));
        Assert.Null((spec with { Exclude = LoraTargets.OfNames(["to_q"]) }).For(SmallModel.QueryPath, model.Query));
        Assert.Equal((2, 2 * Math.Sqrt(2)), (spec with { RankStabilized = true }).For(SmallModel.QueryPath, model.Query));
    });

    [Fact]
    public void Values_out_of_range_and_endless_patterns_are_refused()
    {
        Assert.Throws<ModelException>(() => new LoraSpec { Rank = 0 }.Validate());
        Assert.Throws<ModelException>(() => new LoraSpec { Rank = 5000 }.Validate());
        Assert.Throws<ModelException>(() => new LoraSpec { Alpha = double.NaN }.Validate());
        Assert.Throws<ModelException>(() => new LoraSpec { Dropout = 1 }.Validate());
        Assert.Throws<ModelException>(() => LoraTargets.OfPattern("(unclosed"));
        var slow = LoraTargets.OfPattern("(a+)+b(?=c)");
        Assert.Contains("takes longer", Assert.Throws<ModelException>(() => slow.Fits(new string('a', 60))).Message, StringComparison.Ordinal);
    }
}
