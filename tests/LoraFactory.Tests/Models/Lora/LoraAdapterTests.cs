using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Tests.Torch;
using LoraFactory.Torch;

namespace LoraFactory.Tests.Models.Lora;

[Collection("torch")]
public sealed class LoraAdapterTests
{
    private static LoraAdapter New(SmallModel model, long seed = 5, LoraSpec? spec = null) =>
        LoraAdapter.Create([new("unet", model.Store, spec ?? new LoraSpec { Targets = LoraTargets.All, Rank = 3, Alpha = 6 })], seed);

    private static void Disturb(LoraAdapter adapter, double by = 0.3)
    {
        TorchLibrary.Seed(33);
        foreach (var tensor in adapter.Parameters()) tensor.Normal_(0, by);
    }

    private static float[] Outputs(SmallModel model)
    {
        using var scope = new Scope();
        var point = SmallModel.Seeded(13, [2, 6, 3, 3]);
        return [.. model.Query.Forward(SmallModel.Rows(4)).ToArray<float>(), .. model.Point.Forward(point).ToArray<float>(), .. model.Conv.Forward(SmallModel.Pictures(2)).ToArray<float>()];
    }

    private static void AssertNear(float[] expected, float[] actual, double bound)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.True(expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max() <= bound, $"off by {expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max()}");
    }

    [Fact]
    public void A_new_adapter_changes_nothing_and_its_numbers_follow_the_seed() => OnTensorThread.Run(() =>
    {
        using var model = new SmallModel();
        using var adapter = New(model);
        Assert.Equal([SmallModel.QueryPath, SmallModel.PointPath, SmallModel.ConvPath], adapter.Modules.Select(m => m.Path));
        var before = Outputs(model);
        adapter.Attach("unet", model.Store);
        Assert.Equal(before, Outputs(model));
        using var same = New(model);
        using var other = New(model, 6);
        float[] Numbers(LoraAdapter a) => [.. a.Modules.SelectMany(m => m.Down.ToArray<float>())];
        Assert.Equal(Numbers(adapter), Numbers(same));
        Assert.NotEqual(Numbers(adapter), Numbers(other));
        var conv = adapter.Modules[2].Down;
        Assert.Equal([3L, 3, 3, 3], conv.Shape);
        var bound = 1 / Math.Sqrt(27);
        Assert.InRange(conv.Abs().Max().Item(), bound / 2, bound);
        Assert.All(adapter.Modules, m => Assert.Equal(0, m.Up.Abs().Max().Item()));
    });

    [Fact]
    public void Merged_and_attached_outputs_are_equal_and_unmerging_is_exact() => OnTensorThread.Run(() =>
    {
        using var model = new SmallModel();
        using var adapter = New(model);
        Disturb(adapter);
        var plain = Outputs(model);
        adapter.Strength = 0.7;
        adapter.Attach("unet", model.Store);
        var attached = Outputs(model);
        Assert.True(attached.Zip(plain, (a, b) => Math.Abs(a - b)).Max() > 0.1);
        adapter.Detach();
        Assert.Equal(plain, Outputs(model));
        using (var merged = LoraMerge.Apply("unet", model.Store, (adapter, 0.7)))
        {
            Assert.Equal(3, merged.Count);
            AssertNear(attached, Outputs(model), 1e-5);
        }
        Assert.Equal(plain, Outputs(model));
    });

    [Fact]
    public void A_half_precision_base_is_rounded_once() => OnTensorThread.Run(() =>
    {
        using var model = new SmallModel(DType.Float16);
        using var adapter = New(model);
        using var second = New(model, 9);
        Disturb(adapter, 0.01);
        Disturb(second, 0.02);
        var weight = model.Query.Weight.Value;
        var exact = weight.To(DType.Float32) + adapter.Modules[0].Delta() + second.Modules[0].Delta(0.5);
        using var merged = LoraMerge.Apply("unet", model.Store, (adapter, 1), (second, 0.5));
        Assert.Equal(DType.Float16, model.Query.Weight.Value.DType);
        Assert.Equal(exact.To(DType.Float16).ToArray<float>(), model.Query.Weight.Value.ToArray<float>());
    });

    [Fact]
    public void Gradients_reach_the_matrices_and_nothing_else() => OnTensorThread.Run(() =>
    {
        using var model = new SmallModel();
        using var adapter = New(model);
        adapter.RequireGrad(true);
        adapter.Attach("unet", model.Store);
        model.Query.Forward(SmallModel.Rows(4)).Square().Sum().Backward();
        var module = adapter.Modules[0];
        Assert.Equal(0, module.Down.Grad()!.Abs().Max().Item());
        Assert.True(module.Up.Grad()!.Abs().Max().Item() > 0);
        Assert.Null(adapter.Modules[1].Up.Grad());
        Assert.Null(model.Query.Weight.Value.Grad());
        module.Down.SetGrad(null);
        module.Up.SetGrad(null);
    });

    [Fact]
    public void What_does_not_fit_the_base_is_refused_with_both_shapes_and_nothing_is_attached() => OnTensorThread.Run(() =>
    {
        using var model = new SmallModel();
        using var wrong = new LoraAdapter([new("unet", SmallModel.ConvPath, Ops.Zeros([2, 3, 3, 3]), Ops.Zeros([4, 2, 1, 1]), 2), new("unet", SmallModel.QueryPath, Ops.Zeros([2, 7]), Ops.Zeros([8, 2]), 2)]);
        var e = Assert.Throws<ModelException>(() => wrong.Attach("unet", model.Store));
        Assert.Contains($"'{SmallModel.QueryPath}'", e.Message, StringComparison.Ordinal);
        Assert.Contains("[8, 7]", e.Message, StringComparison.Ordinal);
        Assert.Contains("[8, 6]", e.Message, StringComparison.Ordinal);
        Assert.Empty(model.Conv.Branches);
        using var foreign = new LoraAdapter([new("unet", "no.such.layer", Ops.Zeros([2, 7]), Ops.Zeros([8, 2]), 2)]);
        Assert.Contains("'no.such.layer'", Assert.Throws<ModelException>(() => foreign.Attach("unet", model.Store)).Message, StringComparison.Ordinal);
        Assert.Throws<ModelException>(() => new LoraModule("unet", "x", Ops.Zeros([2, 7]), Ops.Zeros([8, 3]), 2));
        Assert.Throws<ModelException>(() => LoraAdapter.Create([new("unet", model.Store, new LoraSpec { Targets = LoraTargets.OfNames(["none"]) })], 1));
    });

    [Fact]
    public void A_point_convolutions_matrices_fit_a_linear_layer_and_the_other_way_round() => OnTensorThread.Run(() =>
    {
        using var model = new SmallModel();
        var (down, up) = (SmallModel.Seeded(3, [2, 6]), SmallModel.Seeded(4, [8, 2]));
        using var flat = new LoraAdapter([new("unet", SmallModel.QueryPath, down.Clone(), up.Clone(), 2)]);
        using var wide = new LoraAdapter([new("unet", SmallModel.QueryPath, down.View([2, 6, 1, 1]).Clone(), up.View([8, 2, 1, 1]).Clone(), 2)]);
        flat.Attach("unet", model.Store);
        var expected = model.Query.Forward(SmallModel.Rows(3)).ToArray<float>();
        flat.Detach();
        wide.Attach("unet", model.Store);
        Assert.Equal(expected, model.Query.Forward(SmallModel.Rows(3)).ToArray<float>());
        wide.Detach();
    });
}
