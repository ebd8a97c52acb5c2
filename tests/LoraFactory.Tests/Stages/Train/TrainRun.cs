using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Images.Scenes;
using LoraFactory.Models.Training;

namespace LoraFactory.Tests.Stages.Train;

/// <summary>A run directory that has everything that training needs: drawn scenes as samples, and a plan on the pocket base.</summary>
internal static class TrainRun
{
    public static string Base { get; } = Path.Combine(TestData.Root, "assets", "pocket-sd");

    public static readonly TrainOptions Options = new()
    {
        Rank = 2, Targets = "attention", LearningRate = 1e-3, Steps = 6, BatchSize = 1, Resolution = 64, WarmupSteps = 0,
        CheckpointEvery = 2, ValidateEvery = 3, SampleEvery = 0, Patience = 0, CaptionDropout = 0.3, Flip = true, NoiseOffset = 0.05,
    };

    public static RunDirectory Make(string folder, TrainOptions? options = null, int train = 4, int held = 1)
    {
        var run = new RunDirectory(Path.Combine(folder, "a-run"));
        var scenes = new SceneGenerator();
        var samples = new List<Sample>();
        for (var i = 0; i < train + held; i++)
        {
            var scene = scenes.Draw(9, i);
            var hash = run.PutBlob(PictureWriter.Png(new Picture(SceneGenerator.Side, SceneGenerator.Side, scene.Pixels)));
            samples.Add(new()
            {
                Id = $"s{i}", RecordId = $"r{i}", BlobHash = hash, Caption = scene.Caption, CaptionSource = "alt", Tags = ["scene"],
                Split = i < train ? Split.Train : Split.Validation, Cluster = i, EmbeddingRow = i, Width = 64, Height = 64,
            });
        }
        RunDirectory.WriteLines(run.File(StageName.Label, "samples.jsonl"), samples);
        PlanFile.Write(run.File(StageName.Configure, "plan.yaml"), new TrainPlan
        {
            Id = "plan", Train = options ?? Options, BasePath = Base, BaseHash = DiffusionModel.Hash(Base), Values = [], EstimatedMemoryMiB = 1,
            TrainSampleIds = [.. samples.Where(s => s.Split == Split.Train).Select(s => s.Id)],
            ValidationSampleIds = [.. samples.Where(s => s.Split == Split.Validation).Select(s => s.Id)],
        });
        RunDirectory.WriteJson(run.File(StageName.Configure, TimeForecast.FileName), new TimeForecast { Key = "k", Steps = (options ?? Options).Steps, Seconds = 1, SecondsPerStep = 0.1, PrepareSeconds = 0.4 });
        AtomicFile.WriteText(Path.Combine(run.Path, "recipe.yaml"), RecipeText.Effective(Recipe, new Dictionary<string, string>()));
        return run;
    }

    public static readonly Recipe Recipe = new() { Name = "a-run", RandomSeed = 11, Label = new() { Source = "folder", Folder = TestData.Root } };

    public static StageContext Context(RunDirectory run) => new() { Run = run, Recipe = Recipe, Progress = new SilentProgress(), Seed = Recipe.RandomSeed };
}
