using LoraFactory.Flow;
using LoraFactory.Stages.Configure;

namespace LoraFactory.Tests.Stages.Configure;

public sealed class ConfigureStageTests
{
    private static readonly BaseFacts Facts = new() { Path = "/base", Hash = "h", Family = "pocket", Resolution = 64, Prediction = "epsilon", Parameters = 5_600_000, SmallestLayer = 32 };
    private static readonly DataComplexity Data = new() { Pictures = 90, HeldOut = 10, Clusters = 80, SemanticDiversity = 0.4, VisualVariance = 0.2, TextImageScore = 0.5, MedianSide = 192 };

    [Fact]
    public void The_first_policy_is_its_formula()
    {
        var policy = TrainPolicies.Named("adaptive-v1");
        Assert.Equal(32, policy.Rank(Data, Facts).Value); // 34, but no layer is larger than 32
        Assert.Equal(34, policy.Rank(Data, Facts with { SmallestLayer = 320 }).Value);
        Assert.Equal(1e-5 * (1 + 0.3 * Math.Log10(90)), policy.LearningRate(Data, Facts, 32).Value, 12);
        Assert.Equal(4, policy.Rank(Data with { SemanticDiversity = 0, VisualVariance = 0 }, Facts).Value);
        Assert.Equal(128, policy.Rank(Data with { SemanticDiversity = 2, VisualVariance = 2 }, Facts with { SmallestLayer = 320 }).Value);
    }

    [Theory]
    [InlineData(5_600_000, 8, 1.0e-3)]
    [InlineData(5_600_000, 16, 5.0e-4)]
    [InlineData(860_000_000, 16, 1e-4)]
    [InlineData(2_600_000_000, 128, 2e-5)] // the least
    [InlineData(100_000, 4, 2e-3)]      // the most
    public void The_measured_rate_falls_with_weights_and_rank(long parameters, int rank, double rate) =>
        Assert.Equal(rate, TrainPolicies.Named("measured-v2").LearningRate(Data, Facts with { Parameters = parameters }, rank).Value, 0.01 * rate);

    [Theory]
    [InlineData(0.53, 0.64, 8)] // one style
    [InlineData(0.75, 0.75, 16)]
    [InlineData(0.9, 0.9, 32)]
    public void The_measured_rank_grows_with_variety(double captions, double pictures, int rank) =>
        Assert.Equal(rank, TrainPolicies.Named("measured-v2").Rank(Data with { SemanticDiversity = captions, VisualVariance = pictures }, Facts).Value);

    [Fact]
    public void The_rate_of_recipes_that_name_the_older_policy_stays() =>
        Assert.Equal((0.002, 0.0001), (TrainPolicies.Named("measured-v1").LearningRate(Data, Facts, 8).Value, TrainPolicies.Named("measured-v1").LearningRate(Data, Facts with { Parameters = 860_000_000 }, 64).Value));

    [Theory]
    [InlineData("measured-v2", "every one of 90 pictures about 60 times on average, by their repeats from 30 to 300 times at batch 8, within 150..5000")]
    [InlineData("adaptive-v1", "every picture a hundred times on average, by their repeats from 50 to 500 times")]
    public void Repeats_shift_how_often_pictures_are_seen_and_not_how_long_training_takes(string policy, string why)
    {
        var rule = TrainPolicies.Named(policy);
        var repeats = Repetition.Of([.. Enumerable.Repeat(1, 80), .. Enumerable.Repeat(10, 10)])!;
        var plain = rule.Steps(Data, Facts, 8);
        Assert.Equal((1, 10, 2.0), (repeats.Fewest, repeats.Most, repeats.Mean));
        Assert.Equal((plain.Value, why), (rule.Steps(Data with { Repeats = repeats }, Facts, 8).Value, rule.Steps(Data with { Repeats = repeats }, Facts, 8).Why));
        Assert.DoesNotContain("average", plain.Why, StringComparison.Ordinal);
        Assert.Null(Repetition.Of([10, 10, 10]));
    }

    [Fact]
    public void What_a_person_set_stays_and_the_rest_has_a_why()
    {
        var plan = Plan(new Recipe { Train = new TrainOptions { Rank = 5 } });
        Assert.Equal(5, plan.Train.Rank);
        Assert.Equal(5, plan.Train.Alpha);
        Assert.Equal("user", plan.Values.Single(v => v.Key == "train.rank").Origin);
        Assert.Equal("policy", plan.Values.Single(v => v.Key == "train.learning_rate").Origin);
        Assert.All(plan.Values, v => Assert.NotEmpty(v.Why));
        Assert.Equal(64, plan.Train.Resolution);
        Assert.Equal(["t1", "t2"], plan.TrainSampleIds);
        Assert.Equal(["v1"], plan.ValidationSampleIds);
        var allowed = Plan(new Recipe { Train = new TrainOptions { Rank = 5 }, Configure = new ConfigureOptions { AllowOverride = ["train.rank"] } });
        Assert.Equal(8, allowed.Train.Rank);
    }

    [Fact]
    public void A_plan_that_takes_too_long_is_cut_or_refused()
    {
        var cut = Plan(new Recipe { Configure = new ConfigureOptions { MaxMinutes = 1 } });
        Assert.Equal(50, cut.Train.Steps); // (60 s − 10 s) / 1 s
        Assert.Contains("cut from", cut.Values.Single(v => v.Key == "train.steps").Why, StringComparison.Ordinal);
        var e = Assert.Throws<LoraException>(() => Plan(new Recipe { Train = new TrainOptions { Steps = 500 }, Configure = new ConfigureOptions { MaxMinutes = 1 } }));
        Assert.Contains("train.steps to 50", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_rank_above_the_smallest_layer_is_refused()
    {
        var e = Assert.Throws<LoraException>(() => Plan(new Recipe { Train = new TrainOptions { Rank = 64 } }));
        Assert.Equal(ExitCode.BadUsage, e.Code);
        Assert.Contains("1..32", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(900, 8, "train.batch_size: 4 with train.gradient_accumulation: 2 needs about 900 MiB")]
    [InlineData(650, 8, "train.batch_size: 1 with train.gradient_accumulation: 8 needs about 600 MiB")]
    [InlineData(560, 8, "train.batch_size: 4 with train.gradient_accumulation: 2 and train.gradient_checkpointing: true needs about 540 MiB")]
    [InlineData(100, 8, "not even train.batch_size: 1 with train.gradient_accumulation: 8 and train.gradient_checkpointing: true would fit, at about 510 MiB: lower train.resolution or train.rank, raise resources.memory_mib")]
    [InlineData(590, 1, "train.gradient_checkpointing: true needs about 510 MiB")]
    public void A_plan_that_needs_more_memory_than_allowed_is_refused_with_what_would_fit(double allowed, int batch, string change)
    {
        // 500 MiB and 100 a picture, 10 with checkpointing
        var e = Assert.Throws<LoraException>(() => Plan(new Recipe { Train = new TrainOptions { BatchSize = batch }, Resources = new() { MemoryMiB = allowed } }, (t, _) => 500 + t.BatchSize * (t.GradientCheckpointing ? 10 : 100)));
        Assert.Equal(ExitCode.BadUsage, e.Code);
        Assert.Contains($"Training needs about {500 + 100 * batch} MiB and resources.memory_mib allows {allowed}; {change}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_plan_within_the_memory_allowed_stands_and_threads_reach_the_forecast()
    {
        var asked = new List<ResourceOptions>();
        var plan = Plan(new Recipe { Resources = new() { MemoryMiB = 501, Threads = 3, Device = "cpu" } }, (_, resources) =>
        {
            asked.Add(resources);
            return 500;
        });
        Assert.Equal(500, plan.EstimatedMemoryMiB);
        Assert.All(asked, r => Assert.Equal((3, "cpu"), (r.Threads, r.Device)));
        Assert.NotEmpty(asked);
        Assert.Equal("epsilon", plan.BasePrediction);
        Assert.Equal("v_prediction", Plan(new Recipe { Base = new() { Prediction = "v_prediction" } }, facts: Facts with { Prediction = "v_prediction" }).BasePrediction);
    }

    [Theory]
    [InlineData(128, 90, "set to 128 in the recipe; only 90 training pictures")]
    [InlineData(64, 64, "set in the recipe")]
    public void A_batch_of_more_pictures_than_there_are_is_planned_and_said_as_it_is_used(int set, int used, string why)
    {
        var said = new Said();
        var plan = Plan(new Recipe { Train = new TrainOptions { BatchSize = set } }, progress: said);
        Assert.Equal(used, plan.Train.BatchSize);
        Assert.Equal(new PlannedValue("train.batch_size", $"{used}", why, "user"), plan.Values.Single(v => v.Key == "train.batch_size"));
        Assert.Equal(set == used ? [] : [$"train.batch_size is {used}: {why}"], said.Lines);
    }

    private static TrainPlan Plan(Recipe recipe, Func<TrainOptions, ResourceOptions, double>? memory = null, BaseFacts? facts = null, IProgressBoard? progress = null)
    {
        var run = new RunDirectory(TestData.NewFolder());
        Sample Sample(string id, Split split) => new() { Id = id, RecordId = "r", BlobHash = "b", Caption = "c, \"quoted\": yes # no", CaptionSource = "alt", Split = split, Cluster = 0, EmbeddingRow = 0, Width = 1, Height = 1 };
        RunDirectory.WriteLines(run.File(StageName.Label, "samples.jsonl"), [Sample("t1", Split.Train), Sample("t2", Split.Train), Sample("v1", Split.Validation)]);
        RunDirectory.WriteJson(run.File(StageName.Label, "complexity.json"), Data);
        var context = new StageContext { Run = run, Recipe = recipe, Progress = progress ?? new SilentProgress(), Seed = 1 };
        try
        {
            new ConfigureStage(new FixedForecast(memory ?? ((_, _) => 500), facts ?? Facts)).RunAsync(context, CancellationToken.None).GetAwaiter().GetResult();
            Assert.Contains("\nestimated_memory_mib: ", File.ReadAllText(run.File(StageName.Configure, "plan.yaml")), StringComparison.Ordinal);
            return PlanFile.Read(run.File(StageName.Configure, "plan.yaml"));
        }
        finally
        {
            Directory.Delete(run.Path, recursive: true);
        }
    }

    private sealed class FixedForecast(Func<TrainOptions, ResourceOptions, double> memory, BaseFacts found) : ITrainingForecast
    {
        public BaseFacts Facts(Recipe recipe) => found;
        public IReadOnlyList<string> Files(Recipe recipe) => [];
        public void Examine(Recipe recipe) { }
        public Forecast Estimate(BaseFacts facts, TrainOptions train, int pictures, ResourceOptions resources) => new(1, 10, memory(train, resources), 1000);
    }
}
