using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Tests.Torch;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Tests.Models.Lora;

[Collection("torch")]
public sealed class AdapterSetTests
{
    private static LoraAdapter Trained(SmallModel model, long seed)
    {
        var adapter = LoraAdapter.Create([new("unet", model.Store, new LoraSpec { Targets = LoraTargets.All, Rank = 2, Alpha = 2 })], seed);
        TorchLibrary.Seed(seed);
        foreach (var tensor in adapter.Parameters()) tensor.Normal_(0, 0.3);
        return adapter;
    }

    private static AdapterSet Over(SmallModel model, long maximumBytes = 1 << 20) => new(new Dictionary<string, ParameterStore> { ["unet"] = model.Store }, maximumBytes);

    private static Dictionary<string, double> Row(params (string, double)[] weights) => weights.ToDictionary(w => w.Item1, w => w.Item2);

    [Fact]
    public void Each_row_sees_its_own_adapters_in_every_repeat() => OnTensorThread.Run(() =>
    {
        using var model = new SmallModel();
        using var set = Over(model);
        set.Load("a", Trained(model, 1));
        set.Load("b", Trained(model, 2));
        var x = SmallModel.Pictures(3);
        float[] Alone(int row, Dictionary<string, double> weights)
        {
            using var use = set.Use("unet", [weights]);
            return model.Conv.Forward(x.Narrow(0, row, 1)).ToArray<float>();
        }
        Dictionary<string, double>[] rows = [Row(("a", 1)), Row(), Row(("a", 0.5), ("b", -0.8))];
        float[] expected = [.. Alone(0, rows[0]), .. Alone(1, rows[1]), .. Alone(2, rows[2])];
        float[] actual;
        using (set.Use("unet", rows, repeats: 2)) actual = model.Conv.Forward(Ops.Cat([x, x])).ToArray<float>();
        Assert.Equal(expected.Length * 2, actual.Length);
        Assert.All(expected.Concat(expected).Zip(actual), p => Assert.Equal(p.First, p.Second, 1e-5));
        Assert.True(Alone(0, Row()).Zip(Alone(0, rows[0]), (p, q) => Math.Abs(p - q)).Max() > 0.01);
        Assert.Empty(model.Conv.Branches);
    });

    [Fact]
    public void Unloading_frees_the_memory_and_one_in_use_goes_when_its_use_ends() => OnTensorThread.Run(() =>
    {
        using var model = new SmallModel();
        using var set = Over(model);
        var before = Tensor.LiveCount;
        var row = set.Load("a", Trained(model, 1));
        Assert.Equal((3, before + 6), (row.Modules, Tensor.LiveCount));
        var use = set.Use("unet", [Row(("a", 1))]);
        Assert.True(set.Unload("a"));
        Assert.Empty(set.Loaded);
        Assert.Equal(before + 6, Tensor.LiveCount);
        using (new Scope()) model.Query.Forward(SmallModel.Rows(1));
        use.Dispose();
        Assert.Equal(before, Tensor.LiveCount);
        Assert.False(set.Unload("a"));
    });

    [Fact]
    public void Threads_may_load_use_and_unload_at_once()
    {
        var (model, set) = TorchThread.Shared.Run(() =>
        {
            var m = new SmallModel();
            return (m, Over(m));
        });
        var before = Tensor.LiveCount;
        Parallel.For(0, 24, new ParallelOptions { MaxDegreeOfParallelism = 6 }, i =>
        {
            var name = $"adapter-{i}";
            set.Load(name, TorchThread.Shared.Run(() => Trained(model, i + 1)));
            using (set.Use("unet", [Row((name, 1))]))
            {
                TorchThread.Shared.Run(() =>
                {
                    using var scope = new Scope();
                    model.Query.Forward(SmallModel.Rows(1));
                });
            }
            Assert.True(set.Unload(name));
        });
        Assert.Empty(set.Loaded);
        Assert.Equal(before, Tensor.LiveCount);
        Assert.Empty(model.Query.Branches);
        TorchThread.Shared.Run(() =>
        {
            set.Dispose();
            model.Dispose();
        });
    }

    [Fact]
    public void Wrong_names_components_and_too_much_memory_are_refused() => OnTensorThread.Run(() =>
    {
        using var model = new SmallModel();
        using var set = Over(model, maximumBytes: 800);
        var before = Tensor.LiveCount;
        set.Load("a", Trained(model, 1));
        Assert.Contains("loaded already", Assert.Throws<ModelException>(() => set.Load("a", "nowhere.safetensors")).Message, StringComparison.Ordinal);
        Assert.Contains("does not fit", Assert.Throws<ModelException>(() => set.Load("b", Trained(model, 2))).Message, StringComparison.Ordinal);
        var foreign = new LoraAdapter([new("text_encoder_2", "x", Ops.Zeros([2, 3]), Ops.Zeros([4, 2]), 2)]);
        Assert.Contains("text_encoder_2", Assert.Throws<ModelException>(() => set.Load("c", foreign)).Message, StringComparison.Ordinal);
        Assert.Contains("loaded are a", Assert.Throws<ModelException>(() => set.Use("unet", [Row(("z", 1))])).Message, StringComparison.Ordinal);
        Assert.Throws<ModelException>(() => set.Use("unet", [Row(("a", double.NaN))]));
        set.Unload("a");
        Assert.Equal(before, Tensor.LiveCount);
    });
}
