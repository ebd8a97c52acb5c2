using LoraFactory.Torch;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Tests.Torch.Optim;

[Collection("torch")]
public sealed class OptimizerTests
{
    public static TheoryData<string> Methods() => [.. Makers.Keys];

    private static readonly Dictionary<string, Func<IReadOnlyList<ParameterGroup>, Optimizer>> Makers = new()
    {
        ["adamw"] = g => new Adam(g),
        ["sgd"] = g => new Sgd(g, new() { Momentum = 0.9 }),
        ["rmsprop"] = g => new RmsProp(g),
        ["adagrad"] = g => new Adagrad(g),
        ["lion"] = g => new Lion(g),
        ["adafactor"] = g => new Adafactor(g),
        ["came"] = g => new Came(g, (0.9, 0.999, 0.9999), (1e-30, 1e-16)),
        ["prodigy"] = g => new Prodigy(g, new() { Start = 1e-3 }),
        ["schedule-free"] = g => new ScheduleFreeAdamW(g),
        ["adam-8bit"] = g => new Adam8Bit(g),
    };

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_resumed_optimizer_goes_on_to_the_same_bits(string method) => OnTensorThread.Run(() =>
    {
        var straight = Run(method, 0, 12, null, out var none);
        none.Dispose();
        var half = Run(method, 0, 5, null, out var first);
        var resumed = Run(method, 5, 12, (half, first), out var second);
        first.Dispose();
        second.Dispose();
        Assert.Equal(straight, resumed);
    });

    // Numbers that depend on the step alone stand for gradients.
    private static float[] Run(string method, int from, int to, (float[] Values, Optimizer State)? before, out Optimizer optimizer)
    {
        TorchLibrary.Seed(11);
        var w = before is { } b ? Tensor.From(b.Values, 6, 5) : Ops.Randn([6, 5]);
        w.RequiresGrad = true;
        optimizer = Makers[method]([new([new("w", w)], 0.01, 0.02)]);
        if (before is { } old) optimizer.Load(old.State.Steps, old.State.State.ToDictionary(s => s.Key, s => s.Value), old.State.Numbers);
        for (var i = from; i < to; i++)
        {
            TorchLibrary.Seed(100 + i);
            w.SetGrad(Ops.Randn([6, 5]));
            optimizer.Step();
        }
        optimizer.ClearGradients();
        return w.Detach().ToArray<float>();
    }

    [Fact]
    public void State_from_a_file_goes_to_where_its_parameter_is() => OnTensorThread.Run(() =>
    {
        // libtorch's meta device stands for an accelerator: tensors there are not on the processor either
        var elsewhere = new Device((DeviceType)14);
        using var adam = new Adam([new([new("unet.conv.down", Ops.Empty([2], device: elsewhere)), new("here", Ops.Ones([2]))], 0.1)]);
        var live = Tensor.LiveCount;
        adam.Load(3, [KeyValuePair.Create("unet.conv.down.exp_avg", Ops.Ones([2])), KeyValuePair.Create("here.exp_avg", Ops.Ones([2]))]);
        Assert.Equal(elsewhere.Type, adam.State["unet.conv.down.exp_avg"].Device.Type);
        Assert.Equal(Device.Cpu, adam.State["here.exp_avg"].Device);
        Assert.Equal([1f, 1f], adam.State["here.exp_avg"].ToArray<float>());
        Assert.Equal(live + 4, Tensor.LiveCount); // the two given, the two copied
    });

    [Fact]
    public void A_parameter_without_a_gradient_stays_and_a_name_twice_is_refused() => OnTensorThread.Run(() =>
    {
        var a = Ops.Ones([2]);
        var b = Ops.Ones([2]);
        using var adam = new Adam([new([new("a", a), new("b", b)], 0.1)]);
        a.RequiresGrad = true;
        a.SetGrad(Ops.Ones([2]));
        adam.Step();
        Assert.Equal(0.9f, a.Detach().ToArray<float>()[0], 5);
        Assert.Equal([1f, 1f], b.ToArray<float>());
        adam.ClearGradients();
        Assert.Null(a.Grad());
        var e = Assert.Throws<TorchException>(() => new Adam([new([new("a", a)], 0.1), new([new("a", b)], 0.1)]));
        Assert.Contains("twice", e.Message, StringComparison.Ordinal);
    });
}
