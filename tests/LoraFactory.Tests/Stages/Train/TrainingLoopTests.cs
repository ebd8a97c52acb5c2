using LoraFactory.Flow;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Stages.Train;
using LoraFactory.Tests.Torch;
using LoraFactory.Torch;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Tests.Stages.Train;

[Collection("torch")]
public sealed class TrainingLoopTests
{
    /// <summary>Batches of random numbers; those of chosen steps are not finite.</summary>
    private sealed class Batches(Func<long, bool> bad) : ITrainingBatches
    {
        public IEnumerable<DiffusionBatch> Of(long step)
        {
            yield return Make(step, bad(step));
        }

        public IEnumerable<DiffusionBatch> Validation()
        {
            yield return Make(1000, false);
        }

        private static DiffusionBatch Make(long seed, bool bad)
        {
            TorchLibrary.Seed(seed);
            var latents = Ops.Randn([2, 4, 8, 8]);
            return new()
            {
                Latents = bad ? latents * double.PositiveInfinity : latents, Noise = Ops.Randn([2, 4, 8, 8]), Timesteps = Ops.Randint(1000, [2]), Context = Ops.Randn([2, 7, 24]),
            };
        }
    }

    private static (TrainingState State, LoraAdapter Adapter, LoraException? Error) Run(string folder, Func<long, bool> bad, Func<TrainingLoopOptions, TrainingLoopOptions>? change = null, double rate = 1e-3)
    {
        using var unet = UNet.Load(TestData.Golden("lora/pipeline/unet"));
        var adapter = LoraAdapter.Create([new("unet", unet.Store, new LoraSpec { Rank = 2, Alpha = 2 })], 5);
        adapter.RequireGrad(true);
        adapter.Attach("unet", unet.Store);
        using var optimizer = new Adam([new([.. TrainingCheckpoint.Named(adapter).Select(t => new Trainable(t.Name, t.Tensor))], rate)]);
        var trainer = new DiffusionTrainer(unet, new(NoiseSchedule.StableDiffusion(), new()), optimizer) { MaxGradNorm = 1 };
        var options = new TrainingLoopOptions { PlanId = "p", Seed = 1, Steps = 8, Schedule = LearningRateSchedule.Constant(), Rates = [rate], CheckpointEvery = 4 };
        var loop = new TrainingLoop(trainer, adapter, new Batches(bad), change?.Invoke(options) ?? options, folder);
        LoraException? error = null;
        try
        {
            loop.Run(new SilentProgress().Begin("", null, ""), TimeProvider.System, CancellationToken.None);
        }
        catch (LoraException e)
        {
            error = e;
        }
        adapter.Detach();
        return (loop.State, adapter, error);
    }

    [Fact]
    public void A_bad_step_is_skipped_and_halves_the_rate() => OnTensorThread.Run(() =>
    {
        var folder = TestData.NewFolder();
        var (state, adapter, error) = Run(folder, step => step is 2 or 3);
        Assert.Null(error);
        Assert.Equal((8, 2, 0.25), (state.Step, state.Skipped, state.RateFactor));
        var events = TrainingLog.Read(Path.Combine(folder, "events.jsonl"));
        Assert.Equal([3L, 4L], events.Where(e => e.Skipped == true).Select(e => e.Step));
        Assert.Equal(1e-3 * 0.25, events[^1].LearningRate!.Value, 12);
        Assert.All(adapter.Parameters(), p => Assert.Equal(1, p.Detach().Isfinite().All().Item()));
        adapter.Dispose();
    });

    [Fact]
    public void Three_bad_steps_in_a_row_end_the_run_at_its_last_good_state() => OnTensorThread.Run(() =>
    {
        var folder = TestData.NewFolder();
        var (state, adapter, error) = Run(folder, step => step >= 3);
        Assert.NotNull(error);
        Assert.Contains("3 steps in a row", error.Message, StringComparison.Ordinal);
        Assert.Contains("train.learning_rate", error.Message, StringComparison.Ordinal);
        Assert.Equal(6, state.Step);
        var (good, same, _) = Run(TestData.NewFolder(), _ => false, o => o with { Steps = 3 });
        Assert.Equal(3, good.Step);
        foreach (var (a, b) in adapter.Parameters().Zip(same.Parameters())) Assert.Equal(b.Detach().ToArray<float>(), a.Detach().ToArray<float>());
        adapter.Dispose();
        same.Dispose();
    });

    [Fact]
    public void Numbers_that_are_not_finite_reach_no_file() => OnTensorThread.Run(() =>
    {
        var folder = TestData.NewFolder();
        var (state, adapter, error) = Run(folder, _ => false);
        Assert.Null(error);
        var path = Path.Combine(folder, "checkpoint.safetensors");
        var before = File.ReadAllBytes(path);
        using var optimizer = new Adam([]);
        using (Autograd.NoGrad()) adapter.Modules[3].Up.Mul_(float.NaN);
        var e = Assert.Throws<LoraException>(() => TrainingCheckpoint.Save(path, adapter, optimizer, state));
        Assert.Contains(adapter.Modules[3].Path, e.Message, StringComparison.Ordinal);
        Assert.Throws<LoraException>(() => TrainingCheckpoint.SaveAdapter(Path.Combine(folder, "best-1.safetensors"), adapter));
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.False(File.Exists(Path.Combine(folder, "best-1.safetensors")));
        adapter.Dispose();
    });

    [Fact]
    public void Patience_stops_the_run_and_the_best_state_comes_back() => OnTensorThread.Run(() =>
    {
        // a rate that spoils more with every step: the first validation is the best
        var folder = TestData.NewFolder();
        var (state, adapter, error) = Run(folder, _ => false, o => o with { Steps = 40, ValidateEvery = 1, Patience = 3 }, rate: 0.3);
        Assert.Null(error);
        Assert.True(state.Stopped);
        Assert.True(state.Step < 40);
        Assert.Equal(state.Step, state.BestStep + 3);
        var validations = TrainingLog.Read(Path.Combine(folder, "events.jsonl")).Where(e => e.Event == "validation").ToList();
        Assert.Equal(validations.Min(v => v.Loss), state.BestLoss);
        var (_, same, _) = Run(TestData.NewFolder(), _ => false, o => o with { Steps = state.BestStep }, rate: 0.3);
        foreach (var (a, b) in adapter.Parameters().Zip(same.Parameters())) Assert.Equal(b.Detach().ToArray<float>(), a.Detach().ToArray<float>());
        adapter.Dispose();
        same.Dispose();
    });
}
