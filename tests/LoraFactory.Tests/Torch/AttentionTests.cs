using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Tests.Torch;

/// <summary>The door's attention against products and a softmax in float64, for every instruction set that the processor has.</summary>
[Collection("torch")]
public sealed class AttentionTests
{
    [Theory]
    [InlineData(2, 3, 64, 64, 8, 8)]
    [InlineData(1, 8, 256, 256, 40, 40)]   // SD1.5's first level
    [InlineData(2, 2, 37, 77, 16, 16)]     // neither side a whole number of blocks
    [InlineData(1, 1, 1, 1, 5, 3)]
    [InlineData(1, 2, 4, 77, 160, 160)]    // SD1.5's middle, to text
    [InlineData(1, 1, 130, 65, 256, 6)]
    public void Output_and_gradients_are_those_of_float64(long b, long h, long s, long t, long d, long e)
    {
        foreach (var lanes in new[] { 16, 8, 0 }) OnTensorThread.Run(() =>
        {
            TorchLibrary.Lanes = lanes;
            Tensor[] inputs = [Heads(b, h, s, d), Heads(b, h, t, d), Heads(b, h, t, e)];
            var weights = Ops.Randn([b, h, s, e]);
            Tensor[] Of(Func<Tensor[], Tensor> attention, DType dtype)
            {
                var leaves = Array.ConvertAll(inputs, i => i.To(dtype).Detach());
                foreach (var leaf in leaves) leaf.RequiresGrad = true;
                var y = attention(leaves);
                return [y, .. Autograd.Gradients((y * weights.To(dtype)).Sum(), leaves).Select(g => g!)];
            }
            var found = Of(i => Ops.Attention(i[0], i[1], i[2], 0.3), DType.Float32);
            var truth = Of(i => (i[0] * 0.3).Matmul(i[1].Transpose(2, 3)).Softmax(-1).Matmul(i[2]), DType.Float64);
            foreach (var (expected, got) in truth.Zip(found)) Close(expected, got, 2e-5);
            using var off = Autograd.NoGrad();
            Close(truth[0], Attention.Scaled(inputs[0], inputs[1], inputs[2], scale: 0.3), 2e-5);
        });
    }

    [Fact]
    public void Scores_far_apart_neither_overflow_nor_vanish() => OnTensorThread.Run(() =>
    {
        // score 400 of the last key outweighs all others; the ones before are -400
        var q = Tensor.From([20f, 0], 1, 1, 1, 2);
        var k = Ops.Full([1, 1, 100, 2], -20.0);
        k.Narrow(2, 99, 1).Fill_(20.0);
        var v = Ops.Arange(100, dtype: DType.Float32).View([1, 1, 100, 1]);
        Assert.Equal(99, Ops.Attention(q, k, v, 1).Item(), 4);
        // not a number stays one: a step with it must not be taken
        Assert.True(double.IsNaN(Ops.Attention(q * double.NaN, k, v, 1).Item()));
        v.Narrow(2, 5, 1).Fill_(double.NaN);
        Assert.True(double.IsNaN(Ops.Attention(q, k, v, 1).Item()));
    });

    [Fact]
    public void The_number_of_threads_does_not_change_a_bit() => OnTensorThread.Run(() =>
    {
        Tensor[] inputs = [Heads(1, 3, 70, 8), Heads(1, 3, 90, 8), Heads(1, 3, 90, 8)];
        foreach (var i in inputs) i.RequiresGrad = true;
        float[][] Of(int n)
        {
            TorchLibrary.Threads = n;
            var y = Ops.Attention(inputs[0], inputs[1], inputs[2], 0.3);
            return [y.ToArray<float>(), .. Autograd.Gradients(y.Square().Sum(), inputs).Select(g => g!.ToArray<float>())];
        }
        Assert.Equal(Of(1), Of(3));
    });

    // As a layer gives them: heads side by side in memory.
    private static Tensor Heads(long b, long h, long n, long d) => Ops.Randn([b, n, h, d]).Transpose(1, 2);

    private static void Close(Tensor expected, Tensor found, double tolerance)
    {
        Assert.Equal(expected.Shape, found.Shape);
        Assert.InRange((expected.Detach().To(DType.Float64) - found.Detach().To(DType.Float64)).Abs().Max().Item(), 0, tolerance);
    }
}
