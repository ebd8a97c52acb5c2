using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Tests.Torch;

[Collection("torch")]
public sealed class TensorTests
{
    [Fact]
    public void Numbers_go_in_and_come_out() => OnTensorThread.Run(() =>
    {
        var x = Tensor.From([1f, 2, 3, 4, 5, 6], 2, 3);
        Assert.Equal([2L, 3L], x.Shape);
        Assert.Equal([1f, 4, 2, 5, 3, 6], x.T().ToArray<float>());
        Assert.Equal(21, x.Sum().Item());
        Assert.Equal([5L, 7L, 9L], x.Sum([0]).ToArray<long>());
        Assert.Equal(DType.Int64, Tensor.From([1L, 2L]).DType);
        Assert.Equal(9007199254740993L, Tensor.From([9007199254740993L]).ItemLong());
    });

    [Fact]
    public void Gradients_are_those_of_the_hand_calculation() => OnTensorThread.Run(() =>
    {
        // L = Σ (x wᵀ)², x = [1 2], w = [3 4]: dL/dw = 2 (x·w) x = 22 [1 2]
        var w = Tensor.From([3f, 4f], 1, 2);
        w.RequiresGrad = true;
        var y = Ops.Linear(Tensor.From([1f, 2f], 1, 2), w);
        (y * y).Sum().Backward();
        Assert.Equal([22f, 44f], w.Grad()!.ToArray<float>());
        w.SetGrad(null);
        Assert.Null(w.Grad());
        using (Autograd.NoGrad()) Assert.False((w * 2).RequiresGrad);
        Assert.True((w * 2).RequiresGrad);
    });

    [Fact]
    public void An_error_of_libtorch_names_the_operator_and_leaves_the_process_alive() => OnTensorThread.Run(() =>
    {
        var e = Assert.Throws<TorchException>(() => Ops.Linear(Ops.Ones([2, 3]), Ops.Ones([4, 2])));
        Assert.Contains("aten::linear", e.Message, StringComparison.Ordinal);
        Assert.Contains("2x3", e.Message, StringComparison.Ordinal);
        Assert.Throws<TorchException>(() => Check.Shape(Ops.Ones([2, 3]), 2, 4));
        Check.Shape(Ops.Ones([2, 3]), -1, 3);
    });

    [Fact]
    public void Scopes_release_what_is_not_kept() => TorchThread.Shared.Run(() =>
    {
        var before = Tensor.LiveCount;
        Tensor kept;
        using (var outer = new Scope())
        {
            Tensor inner;
            using (var scope = new Scope())
            {
                var gone = Ops.Ones([3]);
                inner = scope.Keep(gone + 1);
                Assert.Equal(before + 2, Tensor.LiveCount);
            }
            Assert.Equal(before + 1, Tensor.LiveCount);
            kept = outer.Keep(inner);
        }
        Assert.Equal([2f, 2, 2], kept.ToArray<float>());
        kept.Dispose();
        Assert.Throws<ObjectDisposedException>(() => kept.Sum());
        Assert.Equal(before, Tensor.LiveCount);
    });

    [Fact]
    public void In_place_operators_return_the_tensor_itself() => OnTensorThread.Run(() =>
    {
        var x = Ops.Ones([2]);
        Assert.Same(x, x.Add_(Ops.Ones([2]), 2.0));
        Assert.Equal([3f, 3f], x.ToArray<float>());
        Ops.ForeachAdd_([x], 1.0);
        Assert.Equal([4f, 4f], x.ToArray<float>());
    });

    [Fact]
    public void Seeds_repeat_and_states_go_back() => OnTensorThread.Run(() =>
    {
        TorchLibrary.Seed(7);
        var state = TorchLibrary.RandomState();
        var a = Ops.Randn([5]).ToArray<float>();
        TorchLibrary.SetRandomState(state);
        Assert.Equal(a, Ops.Randn([5]).ToArray<float>());
        TorchLibrary.Seed(8);
        Assert.NotEqual(a, Ops.Randn([5]).ToArray<float>());
    });

    [Fact]
    public void Checkpointing_gives_the_same_gradients_dropout_included() => OnTensorThread.Run(() =>
    {
        TorchLibrary.Seed(3);
        var x = Ops.Randn([4, 8]);
        var w = Ops.Randn([8, 8]);
        w.RequiresGrad = true;
        Tensor Block(Tensor[] i) => Ops.Dropout(Ops.Linear(i[0], w).Gelu(), 0.3, true);

        TorchLibrary.Seed(4);
        Block([x]).Square().Sum().Backward();
        var plain = w.Grad()!.ToArray<float>();
        w.SetGrad(null);
        TorchLibrary.Seed(4);
        var calls = 0;
        Autograd.Checkpoint(
            i =>
            {
                calls++;
                return Block(i);
            }, [x], [w]).Square().Sum().Backward();
        Assert.Equal(2, calls);
        Assert.Equal(plain, w.Grad()!.ToArray<float>());
        w.SetGrad(null);
    });

    [Fact]
    public void An_exception_in_a_checkpointed_function_comes_back_as_an_error() => OnTensorThread.Run(() =>
    {
        var w = Ops.Ones([2]);
        w.RequiresGrad = true;
        var first = true;
        var y = Autograd.Checkpoint(
            i =>
            {
                if (!first) throw new InvalidOperationException("the second pass broke");
                first = false;
                return w * 2;
            }, [], [w]);
        var e = Assert.Throws<TorchException>(() => y.Sum().Backward());
        Assert.Equal(TorchError.Callback, e.Error);
        Assert.Contains("the second pass broke", e.Message, StringComparison.Ordinal);
    });

    [Fact]
    public void Lack_of_memory_in_a_recomputation_keeps_its_kind_and_the_generator_goes_on() => OnTensorThread.Run(() =>
    {
        var w = Ops.Ones([2]);
        w.RequiresGrad = true;
        var first = true;
        TorchLibrary.Seed(5);
        var y = Autograd.Checkpoint(
            i =>
            {
                var dropped = Ops.Dropout(w, 0.5, true);
                if (!first) throw new TorchException("no room", "a layer", TorchError.OutOfMemory);
                first = false;
                return dropped;
            }, [], [w]);
        Ops.Randn([3]);
        var before = TorchLibrary.RandomState().ToArray<byte>();
        var e = Assert.Throws<TorchException>(() => y.Sum().Backward());
        Assert.Equal(TorchError.OutOfMemory, e.Error);
        Assert.Contains("no room", e.Message, StringComparison.Ordinal);
        Assert.Equal(before, TorchLibrary.RandomState().ToArray<byte>());
    });

    [Fact]
    public void A_recomputation_runs_in_the_half_precision_of_its_first_pass() => OnTensorThread.Run(() =>
    {
        var w = Ops.Ones([4, 4]);
        w.RequiresGrad = true;
        var seen = new List<(bool, DType)>();
        Tensor y;
        using (new Autocast(DeviceType.Cuda, DType.BFloat16))
        {
            y = Autograd.Checkpoint(
                i =>
                {
                    seen.Add(State());
                    return Ops.Linear(i[0], w);
                }, [Ops.Ones([2, 4])], [w]);
        }
        // as on the engine's own thread for an accelerator, whose settings are others
        using (new Autocast(DeviceType.Cuda, DType.Float16))
        {
            y.Sum().Backward();
            Assert.Equal((true, DType.Float16), State());
        }
        Assert.Equal([(true, DType.BFloat16), (true, DType.BFloat16)], seen);
        Assert.Equal(2f, w.Grad()!.ToArray<float>()[0]);
        w.SetGrad(null);

        static unsafe (bool, DType) State()
        {
            int on, dtype;
            Assert.Equal(0, Native.door_autocast_get((int)DeviceType.Cuda, &on, &dtype));
            return (on != 0, (DType)dtype);
        }
    });

    [Fact]
    public void Autocast_runs_products_in_bfloat16_and_puts_back() => OnTensorThread.Run(() =>
    {
        var x = Ops.Ones([2, 4]);
        using (new Autocast(DeviceType.Cpu, DType.BFloat16)) Assert.Equal(DType.BFloat16, Ops.Linear(x, Ops.Ones([4, 4])).DType);
        Assert.Equal(DType.Float32, Ops.Linear(x, Ops.Ones([4, 4])).DType);
    });

    [Fact]
    public void Memory_of_others_is_read_in_place_and_given_back()
    {
        using var released = new ManualResetEventSlim();
        OnTensorThread.Run(() =>
        {
            var data = GC.AllocateArray<float>(4, pinned: true);
            data[2] = 7;
            unsafe
            {
                fixed (float* p = data)
                {
                    var x = Tensor.Over((nint)p, [2, 2], DType.Float32, released.Set);
                    Assert.Equal(7, x.Sum().Item());
                }
            }
        });
        Assert.True(released.Wait(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void A_lora_branch_adds_its_scaled_product_to_its_own_rows() => OnTensorThread.Run(() =>
    {
        TorchLibrary.Seed(1);
        var store = new ParameterStore();
        var layer = new Linear(store.Root["to_q"], 6, 5);
        store.Initialize();
        var x = Ops.Randn([4, 3, 6]);
        var down = Ops.Randn([2, 6]);
        var up = Ops.Randn([5, 2]);
        var plain = layer.Forward(x);
        layer.Branches.Add(new LoraBranch(down, up, alpha: 4) { FirstRow = 1, Rows = 2 });
        var delta = layer.Forward(x) - plain;
        var expected = Ops.Linear(Ops.Linear(x.Narrow(0, 1, 2), down), up) * 2;
        Assert.True((delta.Narrow(0, 1, 2) - expected).Abs().Max().Item() < 1e-5);
        Assert.Equal(0, delta.Narrow(0, 0, 1).Abs().Max().Item());
        Assert.Equal(0, delta.Narrow(0, 3, 1).Abs().Max().Item());
        Assert.Same(layer, store.Layers["to_q"]);
        store.Release();
    });

    [Fact]
    public void Attention_equals_its_definition() => OnTensorThread.Run(() =>
    {
        TorchLibrary.Seed(5);
        var q = Ops.Randn([2, 3, 4, 8]);
        var k = Ops.Randn([2, 3, 5, 8]);
        var v = Ops.Randn([2, 3, 5, 8]);
        var mask = Ops.Randn([1, 1, 4, 5]);
        var expected = (q.Matmul(k.Transpose(-2, -1)) / Math.Sqrt(8) + mask).Softmax(-1).Matmul(v);
        Assert.True((Attention.Scaled(q, k, v, mask) - expected).Abs().Max().Item() < 1e-5);
    });
}
