using LoraFactory.Torch;

namespace LoraFactory.Tests.Torch;

/// <summary>The door's own layers against libtorch's in float64, for every instruction set that the processor has.</summary>
[Collection("torch")]
public sealed class FrozenLayerTests
{
    [Theory]
    [InlineData(1, 16, 48, true)]
    [InlineData(4, 1280, 1280, true)]     // the middle of SD1.5
    [InlineData(7, 33, 2064, false)]      // odd columns; more than one piece of the inner dimension
    [InlineData(16, 130, 1040, true)]
    [InlineData(77, 320, 768, false)]     // text states
    [InlineData(128, 65, 336, true)]
    [InlineData(129, 64, 80, true)]       // libtorch forward, the door's product backward
    [InlineData(300, 64, 80, true)]       // libtorch alone
    [InlineData(5, 12, 36, true)]         // no whole number of registers
    public void Linear_gives_what_float64_gives(long rows, long outputs, long inputs, bool bias) => WithEachSet(() =>
    {
        var (x, w) = (Ops.Randn([rows, inputs]), Ops.Randn([outputs, inputs]));
        var b = bias ? Ops.Randn([outputs]) : null;
        Same(x, i => Ops.LinearFrozen(i, w, b), i => Ops.Linear(i, w.To(DType.Float64), b?.To(DType.Float64)), inputs);
    });

    [Theory]
    [InlineData(1, 32, 4, 4, 3, 1, 1)]
    [InlineData(1, 64, 2, 2, 3, 1, 1)]    // every point at an edge
    [InlineData(1, 16, 8, 8, 3, 2, 1)]    // down-sampling
    [InlineData(2, 16, 5, 7, 3, 2, 0)]    // a batch, odd sides
    [InlineData(3, 48, 4, 4, 1, 1, 0)]
    [InlineData(1, 16, 16, 16, 3, 1, 1)]  // too many rows: libtorch alone
    [InlineData(1, 4, 4, 4, 3, 1, 1)]     // no whole number of registers
    public void A_convolution_gives_what_float64_gives(long batch, long inputs, long height, long width, long kernel, long stride, long padding) => WithEachSet(() =>
    {
        var (x, w, b) = (Ops.Randn([batch, inputs, height, width]), Ops.Randn([21, inputs, kernel, kernel]), Ops.Randn([21]));
        Same(x, i => Ops.Conv2dFrozen(i, w, b, [stride, stride], [padding, padding]),
            i => Ops.Conv2d(i, w.To(DType.Float64), b.To(DType.Float64), [stride, stride], [padding, padding]), inputs * kernel * kernel);
    });

    [Fact]
    public void Three_dimensions_gaps_and_a_bias_of_one_row_are_taken_right() => WithEachSet(() =>
    {
        var (w, b) = (Ops.Randn([32, 64]), Ops.Randn([32]));
        var before = b.ToArray<float>();
        var x = Ops.Randn([2, 64, 3]).Transpose(1, 2);
        Assert.Equal([2L, 3, 32], Ops.LinearFrozen(x, w, b).Shape);
        Same(x, i => Ops.LinearFrozen(i, w, b), i => Ops.Linear(i, w.To(DType.Float64), b.To(DType.Float64)), 64);
        Ops.LinearFrozen(Ops.Randn([1, 64]), w, b).Zero_();
        Assert.Equal(before, b.ToArray<float>());
    });

    [Fact]
    public void A_branch_may_be_added_in_place_and_a_trained_weight_gets_its_gradient() => WithEachSet(() =>
    {
        var (x, w, low, up) = (Ops.Randn([4, 64]), Ops.Randn([32, 64]), Ops.Randn([4, 8]), Ops.Randn([32, 8]));
        foreach (var t in new[] { x, low, up }) t.RequiresGrad = true;
        Ops.LinearFrozen(x, w).Addmm_(low, up.T()).Square().Sum().Backward();
        var d = (Ops.Linear(x.Detach(), w) + low.Detach().Mm(up.Detach().T())) * 2;
        Close(d.Mm(w), x.Grad()!, 1e-3);
        Close(d.Mm(up.Detach()), low.Grad()!, 1e-3);
        w.RequiresGrad = true;
        Ops.LinearFrozen(x, w).Sum().Backward();
        Close(x.Detach().Sum([0]).Unsqueeze(0).Expand([32, 64]), w.Grad()!, 1e-4);
    });

    [Fact]
    public void The_number_of_threads_does_not_change_a_bit() => OnTensorThread.Run(() =>
    {
        var (x, w) = (Ops.Randn([9, 1280]), Ops.Randn([1290, 1280]));
        float[][] Of(int n)
        {
            TorchLibrary.Threads = n;
            var leaf = x.Detach();
            leaf.RequiresGrad = true;
            var y = Ops.LinearFrozen(leaf, w);
            return [y.ToArray<float>(), Autograd.Gradients(y.Square().Sum(), [leaf])[0]!.ToArray<float>()];
        }
        Assert.Equal(Of(1), Of(3));
    });

    private static void WithEachSet(Action body)
    {
        foreach (var lanes in new[] { 16, 8, 0 }) OnTensorThread.Run(() =>
        {
            TorchLibrary.Lanes = lanes;
            body();
        });
    }

    // Output and gradient by the input, of random weights over the output.
    private static void Same(Tensor x, Func<Tensor, Tensor> ours, Func<Tensor, Tensor> exact, long terms)
    {
        (Tensor Output, Tensor Gradient) Of(Func<Tensor, Tensor> layer, Tensor leaf, Tensor? weights)
        {
            leaf.RequiresGrad = true;
            var y = layer(leaf);
            var g = Autograd.Gradients((y * (weights ?? y.Detach())).Sum(), [leaf])[0]!;
            return (y.Detach(), g);
        }
        var truth = Of(exact, x.To(DType.Float64).Detach(), null);
        var found = Of(ours, x.Detach(), truth.Output.To(DType.Float32));
        Close(truth.Output, found.Output, 1e-6 * terms);
        Close(truth.Gradient, found.Gradient, 1e-5 * terms);
        using var off = Autograd.NoGrad();
        Close(truth.Output, ours(x), 1e-6 * terms);
    }

    private static void Close(Tensor expected, Tensor found, double tolerance)
    {
        Assert.Equal(expected.Shape, found.Shape);
        Assert.InRange((expected.Detach().To(DType.Float64) - found.Detach().To(DType.Float64)).Abs().Max().Item(), 0, tolerance);
    }
}
