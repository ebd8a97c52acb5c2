using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Configure;
using LoraFactory.Stages.Train;

namespace LoraFactory.Tests.Stages.Configure;

/// <summary>What of a plan costs a trained adapter or its checkpoint when it changes, and what does not.</summary>
public sealed class PlanChangesTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly Machine machine;
    private readonly Training training = new();

    public PlanChangesTests()
    {
        machine = new Machine(folder.File("base.safetensors"));
        File.WriteAllText(machine.Base, "weights");
        Sample Sample(string id, Split split) => new() { Id = id, RecordId = "r", BlobHash = "b", Caption = "c", CaptionSource = "alt", Split = split, Cluster = 0, EmbeddingRow = 0, Width = 1, Height = 1 };
        RunDirectory.WriteLines(Run.File(StageName.Label, "samples.jsonl"), [Sample("t1", Split.Train), Sample("t2", Split.Train), Sample("v1", Split.Validation)]);
        RunDirectory.WriteJson(Run.File(StageName.Label, "complexity.json"), new DataComplexity { Pictures = 90, HeldOut = 10, Clusters = 80, SemanticDiversity = 0.4, VisualVariance = 0.2, TextImageScore = 0.5, MedianSide = 192 });
    }

    private RunDirectory Run => new(folder.File("run"));

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_clock_and_what_only_saves_or_draws_leave_the_adapter_alone()
    {
        Assert.Equal("configure train", await LineAsync(new Recipe()));
        var plan = File.ReadAllBytes(PlanPath);
        machine.SecondsPerStep = 0.03; // the machine is busier today
        Assert.Equal("configure", await LineAsync(new Recipe(), new(StageName.Configure, StageName.Configure)));
        Assert.Equal(plan, File.ReadAllBytes(PlanPath));
        Assert.Equal(0.03, Forecast.SecondsPerStep);
        Assert.Equal("", await LineAsync(new Recipe()));
        Assert.Equal("configure", await LineAsync(new Recipe { Train = new() { SampleEvery = 7, CheckpointEvery = 9 } }));
        Assert.Equal((7, 9), (PlanFile.Read(PlanPath).Train.SampleEvery, PlanFile.Read(PlanPath).Train.CheckpointEvery));
        Assert.Equal("configure", await LineAsync(new Recipe { Resources = new() { Threads = 1 } }));

        Assert.Equal("configure train", await LineAsync(new Recipe { Train = new() { WeightDecay = 0.5 } }));
        Assert.Equal("configure train", await LineAsync(new Recipe { Train = new() { ValidateEvery = 5 } })); // decides which state is best
    }

    [Fact]
    public async Task An_interrupted_training_keeps_its_checkpoint_over_a_new_configure()
    {
        training.Interrupt = true;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => LineAsync(new Recipe()));
        machine.SecondsPerStep = 0.05;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => LineAsync(new Recipe { Train = new() { SampleEvery = 3 } }));
        Assert.True(training.Found);
        training.Interrupt = false;
        await LineAsync(new Recipe { Train = new() { LearningRate = 1e-4 } });
        Assert.False(training.Found);
    }

    [Fact]
    public async Task A_cut_once_decided_stays_until_the_plan_the_minutes_or_the_threads_change()
    {
        Recipe Minutes(double minutes, int threads = 0) => new() { Configure = new() { MaxMinutes = minutes }, Resources = new() { Threads = threads } };
        machine.SecondsPerStep = 1;
        await LineAsync(Minutes(1));
        Assert.Equal((50, 50), (PlanFile.Read(PlanPath).Train.Steps, Forecast.Steps)); // (60 s − 10 s) / 1 s
        machine.SecondsPerStep = 2;
        Assert.Equal("configure", await LineAsync(Minutes(1), new(StageName.Configure, StageName.Configure)));
        Assert.Equal(50, PlanFile.Read(PlanPath).Train.Steps);
        Assert.Contains("at 1.00 s a step", PlanFile.Read(PlanPath).Values.Single(v => v.Key == "train.steps").Why, StringComparison.Ordinal);
        Assert.Equal("", await LineAsync(Minutes(1)));
        Assert.Equal("configure train", await LineAsync(Minutes(1, threads: 4)));
        Assert.Equal(25, PlanFile.Read(PlanPath).Train.Steps);
        machine.SecondsPerStep = 0.001;
        Assert.Equal("configure train", await LineAsync(Minutes(2)));
        var whole = PlanFile.Read(PlanPath).Train.Steps;
        machine.SecondsPerStep = 10; // what fitted once is not cut later
        await LineAsync(Minutes(2), new(StageName.Configure, StageName.Configure));
        Assert.Equal((whole, ""), (PlanFile.Read(PlanPath).Train.Steps, await LineAsync(Minutes(2))));
        File.WriteAllText(Run.File(StageName.Configure, TimeForecast.FileName), "{ half");
        await LineAsync(Minutes(2), new(StageName.Configure, StageName.Configure));
        Assert.Equal(11, PlanFile.Read(PlanPath).Train.Steps); // decided anew
    }

    [Fact]
    public async Task Another_base_at_the_same_path_is_trained_on_anew()
    {
        await LineAsync(new Recipe());
        File.WriteAllText(machine.Base, "other weights");
        Assert.Equal("configure train", await LineAsync(new Recipe()));
        Assert.Equal("", await LineAsync(new Recipe()));
    }

    private string PlanPath => Run.File(StageName.Configure, "plan.yaml");

    private TimeForecast Forecast => RunDirectory.ReadJson<TimeForecast>(Run.File(StageName.Configure, TimeForecast.FileName));

    // The stages that ran.
    private async Task<string> LineAsync(Recipe recipe, LineRequest? request = null)
    {
        var context = new StageContext { Run = Run, Recipe = recipe, Progress = new SilentProgress(), Seed = 1 };
        var results = await new FactoryLine([new ConfigureStage(machine), training]).RunAsync(context, request ?? new(), new Dictionary<string, string>(), token: TestContext.Current.CancellationToken);
        return string.Join(' ', results.Where(r => !r.Skipped).Select(r => r.Record.Stage.ToString().ToLowerInvariant()));
    }

    /// <summary>Depends on what the real stage depends on, and does nothing but leave a checkpoint.</summary>
    private sealed class Training : IStage
    {
        private readonly IStage real = new TrainStage();

        public bool Interrupt { get; set; }

        public bool Found { get; private set; }

        public StageName Name => real.Name;

        public IEnumerable<object> Options(Recipe recipe) => real.Options(recipe);

        public IEnumerable<string> Inputs(StageContext context) => real.Inputs(context);

        public IEnumerable<KeyValuePair<string, string>> Extracts(StageContext context) => real.Extracts(context);

        public Task<StageOutcome> RunAsync(StageContext context, CancellationToken token)
        {
            var checkpoint = context.Run.File(Name, "checkpoint.safetensors");
            Found = File.Exists(checkpoint);
            File.WriteAllText(checkpoint, "state");
            return Interrupt ? throw new OperationCanceledException() : Task.FromResult(new StageOutcome(1, 1, new Dictionary<string, int>(), "trained"));
        }
    }

    private sealed class Machine(string path) : ITrainingForecast
    {
        public string Base => path;

        public double SecondsPerStep { get; set; } = 0.01;

        public BaseFacts Facts(Recipe recipe) =>
            new() { Path = path, Hash = ContentId.OfFile(path), Family = "pocket", Resolution = 64, Prediction = "epsilon", Parameters = 5_600_000, SmallestLayer = 32 };

        public IReadOnlyList<string> Files(Recipe recipe) => [path];

        public void Examine(Recipe recipe) { }

        public Forecast Estimate(BaseFacts facts, TrainOptions train, int pictures, ResourceOptions resources) => new(SecondsPerStep, 10, 500, 1000);
    }
}
