using System.Net;
using LoraFactory.Flow;
using LoraFactory.Models;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Stages.Configure;
using LoraFactory.Stages.Deploy;
using LoraFactory.Stages.Deploy.Serving;
using LoraFactory.Stages.Evaluate;
using LoraFactory.Stages.Feedback;
using LoraFactory.Stages.Label;
using LoraFactory.Stages.Train;
using LoraFactory.Tests.Stages.Train;
using LoraFactory.Torch;
using Xunit;

namespace LoraFactory.Tests.Stages;

/// <summary>Every stage that computes hears the recipe's device and threads, and every one that opens the base what it predicts.</summary>
[Collection("torch")]
public sealed class ResourcesTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose()
    {
        Compute.Use("cpu", 0);
        folder.Dispose();
    }

    public static TheoryData<StageName> Computing => [StageName.Label, StageName.Configure, StageName.Train, StageName.Evaluate, StageName.Deploy];

    private static IStage Stage(StageName name) => name switch
    {
        StageName.Label => new LabelStage(),
        StageName.Configure => new ConfigureStage(new TrainingForecast()),
        StageName.Train => new TrainStage(),
        StageName.Evaluate => new EvaluateStage(),
        _ => new DeployStage(),
    };

    // A run without samples or adapter: each stage sets up its machine first and ends at the first file that is not there.
    private async Task<Exception> EndOf(StageName name, ResourceOptions resources)
    {
        var run = new RunDirectory(folder.File(name.ToString()));
        if (name == StageName.Configure)
        {
            RunDirectory.WriteLines<Sample>(run.File(StageName.Label, "samples.jsonl"), []);
            RunDirectory.WriteJson(run.File(StageName.Label, "complexity.json"), new DataComplexity { Pictures = 10, HeldOut = 1, Clusters = 5, SemanticDiversity = 0.5, VisualVariance = 0.5, TextImageScore = 0.5, MedianSide = 64 });
        }
        var recipe = new Recipe { Resources = resources, Configure = new() { MaxMinutes = 0.05 }, Train = new() { Steps = 100_000 } };
        var context = new StageContext { Run = run, Recipe = recipe, Progress = new SilentProgress(), Seed = 1 };
        return await Assert.ThrowsAnyAsync<Exception>(() => Stage(name).RunAsync(context, TestContext.Current.CancellationToken));
    }

    [Theory]
    [MemberData(nameof(Computing))]
    public async Task Stages_compute_with_the_threads_asked_for(StageName name)
    {
        Compute.Use("cpu", 0);
        await EndOf(name, new() { Threads = 1 });
        Assert.Equal(1, TorchThread.Shared.Run(() => TorchLibrary.Threads));
    }

    [Theory]
    [MemberData(nameof(Computing))]
    public async Task Stages_refuse_a_device_that_is_not_there(StageName name)
    {
        Assert.SkipWhen(TorchThread.Shared.Run(() => TorchLibrary.CudaAvailable), "This machine has a CUDA device.");
        Assert.Contains("finds no CUDA device", (await EndOf(name, new() { Device = "cuda" })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_endpoint_computes_with_the_threads_asked_for_and_on_a_device_that_is_there()
    {
        Directory.CreateDirectory(folder.File("store"));
        ServingRequest Request(ResourceOptions resources) => new("pocket-sd", folder.File("store"), IPAddress.Loopback, 0) { Resources = resources };
        await using (var server = await ServingStart.OpenAsync(Request(new() { Threads = 1 }), new FeedbackStore(folder.File("a.db")), TimeProvider.System, _ => { }))
            Assert.Equal(1, TorchThread.Shared.Run(() => TorchLibrary.Threads));
        if (TorchThread.Shared.Run(() => TorchLibrary.CudaAvailable)) return;
        var e = await Assert.ThrowsAsync<LoraException>(() => ServingStart.OpenAsync(Request(new() { Device = "cuda" }), new FeedbackStore(folder.File("b.db")), TimeProvider.System, _ => { }));
        Assert.Contains("finds no CUDA device", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("assets/pocket-sd")]
    [InlineData("tests/data/golden/diffusion/pipeline-sd15/model")]
    public void What_the_base_predicts_can_be_said_from_outside(string model)
    {
        var path = Path.Combine(TestData.Root, model);
        foreach (var (word, expected) in new[] { ("auto", Prediction.Epsilon), ("epsilon", Prediction.Epsilon), ("v_prediction", Prediction.Velocity) })
        {
            using var pipeline = StableDiffusionPipeline.Load(path, new() { Prediction = SchedulerOptions.PredictionNamed(word) });
            Assert.Equal(expected, pipeline.Sampler.Prediction);
        }
        using var trained = TorchThread.Shared.Run(() => DiffusionModel.Load(path, prediction: Prediction.Velocity));
        Assert.Equal(Prediction.Velocity, trained.Scheduler.Prediction);
        Assert.Contains("valid: auto, epsilon", Assert.Throws<ModelException>(() => SchedulerOptions.PredictionNamed("noise")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Evaluate_draws_with_what_the_plan_says_that_the_base_predicts()
    {
        var run = TrainRun.Make(folder.Path, TrainRun.Options with { Steps = 2, ValidateEvery = 0 });
        await new TrainStage().RunAsync(TrainRun.Context(run), TestContext.Current.CancellationToken);
        var context = TrainRun.Context(run) with { Recipe = TrainRun.Recipe with { Evaluate = new() { Prompts = ["a red car", "two blue stars"], SeedsPerPrompt = 1, SamplerSteps = 2 } } };
        var grids = new List<string>();
        foreach (var word in new[] { "epsilon", "v_prediction", "epsilon" })
        {
            var plan = PlanFile.Read(run.File(StageName.Configure, "plan.yaml"));
            PlanFile.Write(run.File(StageName.Configure, "plan.yaml"), plan with { Values = [new("base.prediction", word, "a test", "user")] });
            var outcome = await new EvaluateStage().RunAsync(context, TestContext.Current.CancellationToken);
            Assert.Equal(1, outcome.Out);
            Assert.Contains(RunDirectory.ReadJson<Report>(run.File(StageName.Evaluate, "report.json")).Metrics, m => m.Name == "diversity");
            grids.Add(ContentId.OfFile(run.File(StageName.Evaluate, "grid.png")));
        }
        Assert.Equal(grids[0], grids[2]);
        Assert.NotEqual(grids[0], grids[1]);
    }
}
