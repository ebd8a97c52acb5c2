using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Tests.Torch;
using LoraFactory.Torch;

namespace LoraFactory.Tests.Models.Lora;

[Collection("torch")]
public sealed class LoraCombineTests
{
    private static LoraAdapter Adapter(long seed, int rank, double alpha) =>
        new([new("unet", "x", SmallModel.Seeded(seed, [rank, 6]), SmallModel.Seeded(seed + 1, [8, rank]), alpha), new("unet", $"only-{seed}", SmallModel.Seeded(seed, [rank, 3, 3, 3]), SmallModel.Seeded(seed + 1, [4, rank, 1, 1]), alpha)]);

    [Fact]
    public void Concatenation_and_a_full_svd_are_the_weighted_sum_of_products() => OnTensorThread.Run(() =>
    {
        using var a = Adapter(1, 2, 4);
        using var b = Adapter(5, 3, 3);
        var sum = a.Modules[0].Delta(0.6) + b.Modules[0].Delta(-0.4);
        foreach (var options in new[] { new CombineOptions(), new CombineOptions { Rule = CombineRule.Linear, SvdRank = 5 } })
        {
            using var both = LoraCombine.Combine([(a, 0.6), (b, -0.4)], options);
            Assert.Equal(["x", "only-1", "only-5"], both.Modules.Select(m => m.Path));
            Assert.InRange((both.Modules[0].Delta() - sum).Abs().Max().Item(), 0, 1e-5);
            Assert.InRange((both.Modules[2].Delta() - b.Modules[1].Delta(-0.4)).Abs().Max().Item(), 0, 1e-5);
            Assert.Equal(1, both.Modules[0].Scale);
        }
    });

    [Fact]
    public void Dare_keeps_about_the_density_and_repeats_with_its_seed() => OnTensorThread.Run(() =>
    {
        using var a = new LoraAdapter([new("unet", "x", Ops.Ones([40, 50]), Ops.Ones([60, 40]), 40)]);
        float[] Kept(long seed)
        {
            using var pruned = LoraCombine.Combine([(a, 1)], new() { Rule = CombineRule.DareLinear, Density = 0.25, Seed = seed });
            return pruned.Modules[0].Down.ToArray<float>();
        }
        var values = Kept(1);
        Assert.Equal(values, Kept(1));
        Assert.NotEqual(values, Kept(2));
        Assert.All(values, v => Assert.True(v is 0 or 4));
        Assert.InRange(values.Count(v => v > 0), 400, 600);
    });

    [Fact]
    public void Ranks_that_differ_and_shapes_that_differ_are_refused() => OnTensorThread.Run(() =>
    {
        using var a = Adapter(1, 2, 4);
        using var b = Adapter(5, 3, 3);
        Assert.Contains("equal ranks", Assert.Throws<ModelException>(() => LoraCombine.Combine([(a, 1), (b, 1)], new() { Rule = CombineRule.Ties })).Message, StringComparison.Ordinal);
        using var c = new LoraAdapter([new("unet", "x", Ops.Ones([2, 7]), Ops.Ones([8, 2]), 2)]);
        Assert.Contains("[8, 7]", Assert.Throws<ModelException>(() => LoraCombine.Combine([(a, 1), (c, 1)], new())).Message, StringComparison.Ordinal);
        Assert.Throws<ModelException>(() => LoraCombine.Combine([(a, 1)], new() { Density = 0 }));
        Assert.Throws<ModelException>(() => LoraCombine.Combine([(a, double.PositiveInfinity)], new()));
    });

    [Fact]
    public void An_extracted_adapter_makes_the_base_the_tuned_model() => OnTensorThread.Run(() =>
    {
        using var model = new SmallModel(seed: 1);
        using var tuned = new SmallModel(seed: 1);
        using var change = LoraAdapter.Create([new("unet", tuned.Store, new LoraSpec { Targets = LoraTargets.OfNames(["to_q", "conv1"]), Rank = 2 })], 3);
        foreach (var tensor in change.Parameters()) tensor.Normal_(0, 0.3);
        using (var merged = LoraMerge.Apply("unet", tuned.Store, (change, 1))) merged.Commit();
        using var extracted = new LoraAdapter(LoraExtract.Modules("unet", model.Store, tuned.Store, new() { Targets = LoraTargets.All, Rank = 2 }, quantile: 1));
        Assert.Equal([SmallModel.QueryPath, SmallModel.ConvPath], extracted.Modules.Select(m => m.Path));
        using var again = LoraMerge.Apply("unet", model.Store, (extracted, 1));
        Assert.InRange((model.Conv.Weight.Value - tuned.Conv.Weight.Value).Abs().Max().Item(), 0, 1e-5);
        Assert.InRange((model.Query.Weight.Value - tuned.Query.Weight.Value).Abs().Max().Item(), 0, 1e-5);
    });

    [Fact]
    public void Resizing_beyond_the_rank_keeps_the_product() => OnTensorThread.Run(() =>
    {
        using var a = Adapter(1, 2, 4);
        using var larger = LoraResize.Resize(a, RankRule.Fixed, 5);
        Assert.Equal([5, 4], larger.Modules.Select(m => m.Rank)); // 4 outputs bound the second
        Assert.All(larger.Modules.Zip(a.Modules), p => Assert.InRange((p.First.Delta() - p.Second.Delta()).Abs().Max().Item(), 0, 1e-4));
        Assert.Throws<ModelException>(() => LoraResize.Resize(a, RankRule.CumulativeSum, 4, 1.5));
        Assert.Throws<ModelException>(() => LoraResize.Resize(a, RankRule.Fixed, 0));
    });
}
