using System.Diagnostics;
using LoraFactory.Flow;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Weights;
using LoraFactory.Stages.Train;
using LoraFactory.Torch;

namespace LoraFactory.Tests.Stages.Train;

[Collection("torch")]
public sealed class TrainStageTests
{
    [Fact]
    public async Task A_run_writes_adapter_curve_events_and_pictures()
    {
        var run = TrainRun.Make(TestData.NewFolder(), TrainRun.Options with { SampleEvery = 6, TextEncoderLearningRate = 1e-4 });
        var before = Tensor.LiveCount;
        var outcome = await new TrainStage().RunAsync(TrainRun.Context(run), CancellationToken.None);
        Assert.Equal(before, Tensor.LiveCount);
        Assert.Equal((4, 1), (outcome.In, outcome.Out));
        Assert.Matches(@"^6 steps in \d+ s .*planned 1 s.*, \d+ MiB \(planned 1\)$", outcome.Summary); // time and memory beside the plan

        var adapter = RunDirectory.ReadJson<Adapter>(run.File(StageName.Train, "adapter.json"));
        var file = Path.Combine(run.Path, adapter.Path);
        Assert.Equal(ContentId.OfFile(file), adapter.Sha256);
        Assert.Equal(6, adapter.Steps);
        Assert.EndsWith($"best-{adapter.BestStep:D8}.safetensors", Assert.Single(Directory.GetFiles(run.Of(StageName.Train), "best-*")), StringComparison.Ordinal);
        Assert.Contains($"the adapter holds step {adapter.BestStep} of 6 (best validation loss), ", outcome.Summary, StringComparison.Ordinal);
        Assert.True(double.IsFinite(adapter.FinalLoss) && double.IsFinite(adapter.ValidationLoss) && adapter.PeakMemoryMiB > 50);
        using (var source = SafetensorsFile.Open(file))
        {
            Assert.Contains(source.Names, n => n.StartsWith("lora_unet_", StringComparison.Ordinal));
            Assert.Contains(source.Names, n => n.StartsWith("lora_te_", StringComparison.Ordinal));
            Assert.Equal("2", source.Metadata["ss_network_dim"]);
            Assert.Equal(adapter.BestStep.ToString(), source.Metadata["ss_steps"]);
            Assert.Equal(TrainRun.Options.BatchSize.ToString(), source.Metadata["ss_total_batch_size"]);
            Assert.Equal(Math.Ceiling((double)TrainRun.Options.Steps * TrainRun.Options.BatchSize / int.Parse(source.Metadata["ss_num_train_images"])).ToString(), source.Metadata["ss_num_epochs"]);
            Assert.Equal(TrainRun.Options.Targets == "all", source.Metadata["ss_network_args"].Contains("conv_dim"));
            Assert.Equal(64, source.Metadata["sshs_model_hash"].Length);
            Assert.DoesNotContain(source.Metadata.Keys, k => k.Contains("_at", StringComparison.Ordinal) || k.EndsWith("date", StringComparison.Ordinal));
        }

        var events = TrainingLog.Read(run.File(StageName.Train, "events.jsonl"));
        Assert.Equal([1, 2, 3, 4, 5, 6], events.Where(e => e.Event == "step").Select(e => e.Step));
        Assert.Equal([3, 6], events.Where(e => e.Event == "validation").Select(e => e.Step));
        Assert.All(events.Where(e => e.Event == "step"), e => Assert.True(e.Loss > 0 && e.GradientNorm > 0 && e.Seconds > 0 && e.LearningRate > 0 && e.TextEncoderLearningRate > 0));
        Assert.Equal(6, RunDirectory.ReadJson<LossCurve>(run.File(StageName.Train, "loss.json")).Loss.Count);
        Assert.True(File.Exists(run.File(StageName.Train, Path.Combine("samples", "step-00000006.png"))));
        Assert.NotEmpty(Directory.GetFiles(run.File(StageName.Train, "tensorboard")));
    }

    [Fact]
    public async Task Repeats_decide_what_is_seen_and_equal_ones_change_nothing()
    {
        var folder = TestData.NewFolder();
        async Task<double?[]> Losses(params int[] repeats)
        {
            var run = TrainRun.Make(folder, TrainRun.Options with { ValidateEvery = 0 });
            Directory.Delete(run.Of(StageName.Train), recursive: true);
            var samples = run.File(StageName.Label, "samples.jsonl");
            RunDirectory.WriteLines(samples, RunDirectory.ReadLines<Sample>(samples).ToList().Select((s, i) => i < repeats.Length ? s with { Repeats = repeats[i] } : s));
            await new TrainStage().RunAsync(TrainRun.Context(run), CancellationToken.None);
            using var adapter = SafetensorsFile.Open(run.File(StageName.Train, "adapter.safetensors"));
            Assert.Equal(Math.Max(4, repeats.Sum()).ToString(), adapter.Metadata["ss_num_train_images"]);
            return [.. TrainingLog.Read(run.File(StageName.Train, "events.jsonl")).Where(e => e.Event == "step").Select(e => e.Loss)];
        }
        var plain = await Losses();
        Assert.Equal(plain, await Losses(7, 7, 7, 7));
        Assert.NotEqual(plain, await Losses(20, 1, 1, 1));
    }

    [Fact]
    public async Task Cached_latents_serve_the_next_run_and_a_damaged_one_is_made_again()
    {
        var folder = TestData.NewFolder();
        var run = TrainRun.Make(folder, TrainRun.Options with { Steps = 2, ValidateEvery = 0 });
        await new TrainStage().RunAsync(TrainRun.Context(run), CancellationToken.None);
        var latents = Directory.GetFiles(Path.Combine(folder, ".cache", "train", "latents"), "*.safetensors", SearchOption.AllDirectories);
        Assert.Equal(5, latents.Length);
        var first = ContentId.OfFile(run.File(StageName.Train, "adapter.safetensors"));
        File.WriteAllBytes(latents[0], File.ReadAllBytes(latents[0])[..100]);
        var kept = File.GetLastWriteTimeUtc(latents[1]);
        Directory.Delete(run.Of(StageName.Train), recursive: true);
        await new TrainStage().RunAsync(TrainRun.Context(run), CancellationToken.None);
        Assert.Equal(first, ContentId.OfFile(run.File(StageName.Train, "adapter.safetensors")));
        Assert.Equal(kept, File.GetLastWriteTimeUtc(latents[1]));
    }

    [Fact]
    public async Task Cancelled_runs_save_and_go_on_to_the_same_bytes()
    {
        var straight = TrainRun.Make(TestData.NewFolder());
        await new TrainStage().RunAsync(TrainRun.Context(straight), CancellationToken.None);
        var run = TrainRun.Make(TestData.NewFolder());
        using var stop = new CancellationTokenSource();
        var watch = new StopAt(3, stop);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new TrainStage().RunAsync(TrainRun.Context(run) with { Progress = watch }, stop.Token));
        Assert.False(File.Exists(run.File(StageName.Train, "adapter.safetensors")));
        await new TrainStage().RunAsync(TrainRun.Context(run), CancellationToken.None);
        Assert.Equal(File.ReadAllBytes(straight.File(StageName.Train, "adapter.safetensors")), File.ReadAllBytes(run.File(StageName.Train, "adapter.safetensors")));
        Assert.Equal([1, 2, 3, 4, 5, 6], TrainingLog.Read(run.File(StageName.Train, "events.jsonl")).Where(e => e.Event == "step").Select(e => e.Step));
    }

    [Theory]
    [InlineData("float32", false)]
    [InlineData("bfloat16", true)]
    public async Task A_killed_process_and_a_straight_one_end_in_the_same_bytes(string precision, bool checkpointing)
    {
        var options = TrainRun.Options with { Steps = 12, Precision = precision, GradientCheckpointing = checkpointing };
        var straight = TrainRun.Make(TestData.NewFolder(), options);
        var killed = TrainRun.Make(TestData.NewFolder(), options);
        using (var whole = Start(straight)) await Ends(whole, 0);
        using (var first = Start(killed))
        {
            var events = killed.File(StageName.Train, "events.jsonl");
            var deadline = Stopwatch.StartNew();
            while (Lines(events) < 7)
            {
                Assert.False(first.HasExited, "the run ended before it was killed");
                Assert.True(deadline.Elapsed < TimeSpan.FromMinutes(3));
                await Task.Delay(20);
            }
            first.Kill();
            await first.WaitForExitAsync();
        }
        Assert.False(File.Exists(killed.File(StageName.Train, "adapter.safetensors")));
        using (var second = Start(killed)) await Ends(second, 0);
        Assert.Equal(File.ReadAllBytes(straight.File(StageName.Train, "adapter.safetensors")), File.ReadAllBytes(killed.File(StageName.Train, "adapter.safetensors")));
        Assert.Empty(Directory.GetFiles(killed.Of(StageName.Train), "*.tmp"));
    }

    [Fact]
    public async Task A_changed_base_an_undecided_value_and_a_missing_sample_are_refused()
    {
        var run = TrainRun.Make(TestData.NewFolder());
        var path = run.File(StageName.Configure, "plan.yaml");
        var plan = PlanFile.Read(path);
        async Task<string> Refusal(TrainPlan changed)
        {
            PlanFile.Write(path, changed);
            return (await Assert.ThrowsAsync<LoraException>(() => new TrainStage().RunAsync(TrainRun.Context(run), CancellationToken.None))).Message;
        }
        Assert.Contains("has changed", await Refusal(plan with { BaseHash = new('0', 64) }), StringComparison.Ordinal);
        Assert.Contains("train.rank", await Refusal(plan with { Train = plan.Train with { Rank = 0 } }), StringComparison.Ordinal);
        Assert.Contains("nobody", await Refusal(plan with { TrainSampleIds = ["nobody"] }), StringComparison.Ordinal);
        Assert.Contains("resolution 60", await Refusal(plan with { Train = plan.Train with { Resolution = 60 } }), StringComparison.Ordinal);
        Assert.Contains("base model", await Refusal(plan with { BasePath = TestData.NewFolder(), BaseHash = "" }), StringComparison.Ordinal);
        Assert.Contains("/gone/base, which is not there any more, and ", await Refusal(plan with { BasePath = "/gone/base", BaseHash = new('0', 64) }), StringComparison.Ordinal);
        Assert.Contains("train.rank", await Refusal(plan with { BasePath = "/gone/base", Train = plan.Train with { Rank = 0 } }), StringComparison.Ordinal); // found by the recipe's name for it
    }

    [Fact]
    public async Task Asked_for_again_and_refused_it_keeps_the_adapter()
    {
        var run = TrainRun.Make(TestData.NewFolder(), TrainRun.Options with { Steps = 2 });
        var (plan, adapter) = (run.File(StageName.Configure, "plan.yaml"), run.File(StageName.Train, "adapter.safetensors"));
        async Task<int> Again(params string[] more) => (await Cli.FinishedLine.LoraAsync(["train-plan", run.Path, .. more], TestContext.Current.CancellationToken)).Code;
        Assert.Equal(0, await Again());
        var (bytes, whole) = (File.ReadAllBytes(adapter), File.ReadAllBytes(plan));
        PlanFile.Write(plan, PlanFile.Read(plan) with { TrainSampleIds = ["nobody"] });
        Assert.NotEqual(0, await Again("--again"));
        using (LoraFactory.Stages.RunLock.Take(run)) Assert.NotEqual(0, await Again("--again"));
        Assert.Equal(bytes, File.ReadAllBytes(adapter));
        File.WriteAllBytes(plan, whole);
        var trained = File.GetLastWriteTimeUtc(adapter);
        Assert.Equal(0, await Again("--again"));
        Assert.True(File.GetLastWriteTimeUtc(adapter) > trained);
        Assert.Equal(bytes, File.ReadAllBytes(adapter));
    }

    private static int Lines(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllLines(path).Length : 0;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static Process Start(RunDirectory run)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "lora.dll"), "train-plan", run.Path]) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["OMP_WAIT_POLICY"] = "PASSIVE";
        return Process.Start(start)!;
    }

    private static async Task Ends(Process process, int code)
    {
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == code, $"exit {process.ExitCode}: {await errors} {await output}");
    }

    private sealed class StopAt(long step, CancellationTokenSource stop) : IProgressBoard, IProgressTask
    {
        private bool training;

        public IProgressTask Begin(string title, long? total, string unit)
        {
            training = title == "train";
            return this;
        }

        public void Line(string text) { }

        public void Set(long done, long? total = null)
        {
            if (training && done == step) stop.Cancel();
        }

        public void Advance(long by = 1) { }

        public void Note(string text) { }

        public void Dispose() { }
    }
}
