using LoraFactory.Torch;
using LoraFactory.Torch.Nn;
using Xunit;

namespace LoraFactory.Tests.Torch.Nn;

[Collection("torch")]
public sealed class ActivationTests
{
    private static readonly double[] Inputs = [.. Enumerable.Range(-400, 801).Select(i => i / 50.0)];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Half_precision_is_rounded_once(bool gelu) => OnTensorThread.Run(() =>
    {
        var x = Tensor.From(Inputs).To(DType.BFloat16);
        var actual = gelu ? Activation.Gelu(x) : Activation.Silu(x);
        Assert.Equal(DType.BFloat16, actual.DType);
        var exact = x.To(DType.Float64);
        var expected = (gelu ? exact.Gelu() : exact.Silu()).ToArray<double>();
        // half a unit in the last of 8 bits, and what float32 loses where 1 + erf is nearly 0
        Assert.All(expected.Zip(actual.ToArray<double>()), p => Assert.Equal(p.First, p.Second, Math.Abs(p.First) * 0.501 / 128 + 1e-6));
    });

    [Fact]
    public void Gradients_flow_through_the_rounding() => OnTensorThread.Run(() =>
    {
        var x = Tensor.From([-1.5, 0.25, 3]).To(DType.BFloat16);
        x.RequiresGrad = true;
        Activation.Silu(x).Sum().Backward();
        // σ(x)·(1 + x·(1 − σ(x)))
        double Slope(double v) => 1 / (1 + Math.Exp(-v)) * (1 + v * (1 - 1 / (1 + Math.Exp(-v))));
        Assert.All(x.Grad()!.ToArray<double>().Zip([-1.5, 0.25, 3]), p => Assert.Equal(Slope(p.Second), p.First, 2));
    });

    [Fact]
    public void A_root_mean_square_norm_keeps_the_inputs_type() => OnTensorThread.Run(() =>
    {
        var store = new ParameterStore();
        var norm = new RmsNorm(store.Root["norm"], 4, 1e-6);
        store.Load(_ => Tensor.From([1f, 2, 3, 4]));
        var y = norm.Forward(Tensor.From([2f, -2, 2, -2], 1, 4)).ToArray<double>();
        Assert.All(y.Zip([1.0, -2, 3, -4]), p => Assert.Equal(p.Second, p.First, 5));
        store.Load(_ => Tensor.From([1f, 2, 3, 4]), DType.BFloat16);
        Assert.Equal(DType.BFloat16, norm.Forward(Ops.Ones([1, 4], dtype: DType.BFloat16)).DType);
        store.Release();
    });
}
