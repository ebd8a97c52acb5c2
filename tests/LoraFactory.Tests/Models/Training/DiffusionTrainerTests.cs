using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Tests.Torch;
using LoraFactory.Torch;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Tests.Models.Training;

[Collection("torch")]
public sealed class DiffusionTrainerTests
{
    private static readonly string Tiny = TestData.Golden("lora/pipeline/unet");

    private sealed class Setup : IDisposable
    {
        public Setup(bool checkpointing = false, DType precision = DType.Float32, double maxGradNorm = 0.2, double learningRate = 1e-3, int parts = 1)
        {
            UNet = UNet.Load(Tiny);
            UNet.GradientCheckpointing = checkpointing;
            Adapter = LoraAdapter.Create([new("unet", UNet.Store, new LoraSpec { Targets = LoraTargets.All, Rank = 2, Alpha = 2 })], 5);
            Adapter.RequireGrad(true);
            Adapter.Attach("unet", UNet.Store);
            Optimizer = new Adam([new([.. Adapter.Modules.SelectMany(m => (Trainable[])[new(m.Path + ".down", m.Down), new(m.Path + ".up", m.Up)])], learningRate)]);
            Trainer = new(UNet, new(NoiseSchedule.StableDiffusion(), new()), Optimizer) { MaxGradNorm = maxGradNorm, Precision = precision, Parts = parts };
        }

        public UNet UNet { get; }
        public LoraAdapter Adapter { get; }
        public Adam Optimizer { get; }
        public DiffusionTrainer Trainer { get; }

        public float[][] Weights() => [.. Adapter.Parameters().Select(p => p.Detach().ToArray<float>())];

        public void Dispose()
        {
            Optimizer.Dispose();
            Adapter.Dispose();
            UNet.Dispose();
        }
    }

    private static DiffusionBatch Batch(int rows, int seed = 1)
    {
        TorchLibrary.Seed(seed);
        return new()
        {
            Latents = Ops.Randn([rows, 4, 8, 8]),
            Noise = Ops.Randn([rows, 4, 8, 8]),
            Timesteps = Ops.Randint(1000, [rows]),
            Context = Ops.Randn([rows, 7, 24]),
        };
    }

    [Fact]
    public void A_step_leaves_no_tensor_behind() => OnTensorThread.Run(() =>
    {
        using var s = new Setup();
        var batch = Batch(2);
        s.Trainer.Step(batch);                      // the optimizer's state comes with the first step
        var before = Tensor.LiveCount;
        for (var i = 0; i < 3; i++) Assert.True(s.Trainer.Step(batch).Taken);
        Assert.Equal(before, Tensor.LiveCount);
    });

    [Fact]
    public void A_step_that_is_not_finite_changes_nothing() => OnTensorThread.Run(() =>
    {
        using var s = new Setup();
        var good = Batch(2);
        s.Trainer.Step(good);
        var weights = s.Weights();
        var moments = s.Optimizer.State.ToDictionary(m => m.Key, m => m.Value.ToArray<float>());
        var bad = good with { Latents = good.Latents * float.NaN };
        var result = s.Trainer.Step(good, bad);
        Assert.False(result.Taken);
        Assert.False(double.IsFinite(result.Loss));
        Assert.Equal(weights, s.Weights());
        Assert.Equal(1, s.Optimizer.Steps);
        foreach (var (name, value) in s.Optimizer.State) Assert.Equal(moments[name], value.ToArray<float>());
        Assert.All(s.Adapter.Parameters(), p => Assert.Null(p.Grad()));
        Assert.True(s.Trainer.Step(good).Taken);
    });

    [Fact]
    public void Two_halves_accumulate_to_the_whole_batch() => OnTensorThread.Run(() =>
    {
        using var whole = new Setup(maxGradNorm: 0);
        using var halves = new Setup(maxGradNorm: 0);
        var batch = Batch(4);
        DiffusionBatch Half(long first) => new()
        {
            Latents = batch.Latents.Narrow(0, first, 2), Noise = batch.Noise.Narrow(0, first, 2), Timesteps = batch.Timesteps.Narrow(0, first, 2), Context = batch.Context!.Narrow(0, first, 2),
        };
        var a = whole.Trainer.Step(batch);
        var b = halves.Trainer.Step(Half(0), Half(2));
        Assert.Equal(a.Loss, b.Loss, 5);
        Assert.Equal(a.GradientNorm, b.GradientNorm, a.GradientNorm * 1e-4);
    });

    // uneven parts, weighted rows, accumulation
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public void Parts_of_a_batch_give_its_gradient_and_threads_no_other_bits(int parts) => OnTensorThread.Run(() =>
    {
        var batches = new[] { Batch(5, 1), Batch(5, 2) }.Select(b => b with { Weights = Tensor.From([0.5f, 1f, 0.25f, 2f, 0.75f], 5) }).ToArray();
        (StepResult Result, float[][] Weights) Trained(int parts, int threads)
        {
            TorchLibrary.Threads = threads;
            using var s = new Setup(maxGradNorm: 0, parts: parts);
            s.Trainer.Step(batches);
            var live = Tensor.LiveCount;
            var result = s.Trainer.Step(batches);
            Assert.Equal(live, Tensor.LiveCount);
            Assert.Equal(threads, TorchLibrary.Threads);
            return (result, s.Weights());
        }
        var whole = Trained(1, 1);
        var alone = Trained(parts, 1);
        Assert.Equal(whole.Result.Loss, alone.Result.Loss, 1e-6);
        Assert.Equal(whole.Result.GradientNorm, alone.Result.GradientNorm, whole.Result.GradientNorm * 1e-4);
        foreach (var threads in (int[])[2, 4])
        {
            var together = Trained(parts, threads);
            Assert.Equal(alone.Result, together.Result);
            Assert.Equal(alone.Weights, together.Weights);
        }
    });

    [Fact]
    public void A_part_that_is_not_finite_changes_nothing() => OnTensorThread.Run(() =>
    {
        using var s = new Setup(parts: 2);
        var batch = Batch(4);
        Assert.True(s.Trainer.Step(batch).Taken);
        var weights = s.Weights();
        Assert.False(s.Trainer.Step(batch with { Weights = Tensor.From([1f, 1f, 1f, float.NaN], 4) }).Taken);
        Assert.Equal(weights, s.Weights());
        Assert.All(s.Adapter.Parameters(), p => Assert.Null(p.Grad()));
    });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void What_the_first_part_throws_reaches_the_caller_and_the_others_are_released(int threads) => OnTensorThread.Run(() =>
    {
        TorchLibrary.Threads = threads;
        var released = new List<int>();
        var e = Assert.Throws<ModelException>(() => TorchTeam.Run(5, i => i is 1 or 2 ? throw new ModelException($"{i}") : i, released.Add));
        Assert.Equal("1", e.Message);
        Assert.Equal([0, 3, 4], released);
        TorchLibrary.FlushDenormals(true);
        Assert.All(TorchTeam.Run(4, _ => TorchLibrary.FlushesDenormals), Assert.True);
        TorchLibrary.FlushDenormals(false);
        Assert.All(TorchTeam.Run(4, _ => TorchLibrary.FlushesDenormals), Assert.False);
    });

    [Fact]
    public void Recomputed_activations_give_the_same_step() => OnTensorThread.Run(() =>
    {
        using var plain = new Setup();
        using var recomputed = new Setup(checkpointing: true);
        for (var i = 0; i < 2; i++)
        {
            var batch = Batch(2, i);
            var a = plain.Trainer.Step(batch);
            var b = recomputed.Trainer.Step(batch);
            Assert.Equal(a.Loss, b.Loss, 6);
            Assert.Equal(a.GradientNorm, b.GradientNorm, a.GradientNorm * 1e-4);
        }
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Half_precision_is_near_and_keeps_parameters_in_single(bool checkpointing) => OnTensorThread.Run(() =>
    {
        using var single = new Setup();
        using var half = new Setup(checkpointing, DType.BFloat16);
        var batch = Batch(2);
        var a = single.Trainer.Step(batch);
        var b = half.Trainer.Step(batch);
        Assert.InRange(b.Loss / a.Loss, 0.95, 1.05);
        Assert.NotEqual(a.Loss, b.Loss);
        Assert.All(half.Adapter.Parameters(), p => Assert.Equal(DType.Float32, p.DType));
        Assert.All(half.Optimizer.State.Values, m => Assert.Equal(DType.Float32, m.DType));
    });

    [Fact]
    public void Recomputed_steps_in_half_precision_see_what_the_last_step_left() => OnTensorThread.Run(() =>
    {
        var plain = Losses(false);
        var recomputed = Losses(true);
        Assert.True(plain[2] < 0.98 * plain[0], $"losses {string.Join(" ", plain)} do not fall, so nothing would show");
        for (var i = 0; i < plain.Length; i++) Assert.InRange(recomputed[i] / plain[i], 0.995, 1.005);

        double[] Losses(bool checkpointing)
        {
            using var s = new Setup(checkpointing, DType.BFloat16, learningRate: 0.02);
            var batch = Batch(2);
            return [.. Enumerable.Range(0, 3).Select(_ => s.Trainer.Step(batch).Loss)];
        }
    });

    [Fact]
    public void A_validation_between_steps_in_half_precision_changes_no_bit() => OnTensorThread.Run(() =>
    {
        // it leaves no casts behind, as a new process has none: resumed runs end in the same bytes
        Assert.Equal(After(validate: false), After(validate: true));

        float[][] After(bool validate)
        {
            using var s = new Setup(checkpointing: true, DType.BFloat16, learningRate: 0.02);
            for (var i = 0; i < 3; i++)
            {
                if (validate) s.Trainer.Evaluate(Batch(1, 50));
                s.Trainer.Step(Batch(2, i));
            }
            return s.Weights();
        }
    });

    [Fact]
    public void The_order_shows_each_sample_once_a_round_and_depends_on_position_alone()
    {
        var order = new TrainingOrder(5, 3);
        var all = order.Take(0, 15);
        for (var round = 0; round < 3; round++) Assert.Equal([0, 1, 2, 3, 4], all[(5 * round)..(5 * round + 5)].Order());
        Assert.Equal(all[7..13], new TrainingOrder(5, 3).Take(7, 6));
        Assert.NotEqual(all, new TrainingOrder(5, 4).Take(0, 15));
        Assert.NotEqual(all[..5], all[5..10]);
    }

    [Fact]
    public void Repeats_show_a_sample_more_often_in_each_round_by_their_ratio()
    {
        var order = new TrainingOrder([6, 2, 4], 3).Take(0, 12);
        foreach (var round in order.Chunk(6)) Assert.Equal([0, 0, 0, 1, 2, 2], round.Order());
        Assert.Equal(new TrainingOrder(5, 3).Take(0, 15), new TrainingOrder([10, 10, 10, 10, 10], 3).Take(0, 15));
        int[] many = [1, .. Enumerable.Repeat(999, 10_010)];
        Assert.Equal((9_999_991, 10_010), (TrainingOrder.RoundOf(many), TrainingOrder.RoundOf(many[1..])));
        Assert.Contains("make the repeats smaller", Assert.Throws<ModelException>(() => new TrainingOrder([.. many, 999], 3)).Message, StringComparison.Ordinal);
    }
}
