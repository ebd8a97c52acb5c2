using LoraFactory.Cli.Engine.Bench;
using LoraFactory.Flow;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Training;
using LoraFactory.Stages.Train;

namespace LoraFactory.Tests.Stages.Train;

[Collection("torch")]
public sealed class TrainingForecastTests
{
    private static readonly UNetConfig Sd15 = BenchModels.Of("sd15").UNet;

    // weights and trainable numbers as PEFT counts them for rank 8 on the attention projections
    [Fact]
    public void Stable_diffusion_has_its_known_sizes()
    {
        var cost = TrainingCost.Of(Sd15, new LoraSpec(), 64, 77);
        Assert.Equal(859_520_964, cost.BaseParameters);
        Assert.Equal(1_594_368, cost.AdapterParameters);
        Assert.InRange(cost.Forward, 640e9, 860e9);      // 0.34 to 0.4 T multiply-adds, as counted elsewhere
        Assert.Equal(320, TrainingCost.SmallestLayer(Sd15, new LoraSpec()));
        var quarter = TrainingCost.Of(Sd15, new LoraSpec(), 32, 77);
        Assert.InRange(cost.Forward / quarter.Forward, 4, 5); // products grow with the area, self-attention faster
    }

    [Fact]
    public void Facts_of_the_pocket_base_and_an_estimate_that_grows_with_what_is_asked()
    {
        var forecast = new TrainingForecast();
        var facts = forecast.Facts(new Recipe { Base = new() { Model = TrainRun.Base } });
        Assert.Equal(("pocket", 64, "epsilon"), (facts.Family, facts.Resolution, facts.Prediction));
        Assert.Equal(DiffusionModel.Hash(TrainRun.Base), facts.Hash);
        var one = forecast.Estimate(facts, TrainRun.Options, 10, new());
        var eight = forecast.Estimate(facts, TrainRun.Options with { BatchSize = 8 }, 10, new());
        var twice = forecast.Estimate(facts, TrainRun.Options with { GradientAccumulation = 2 }, 10, new());
        Assert.True(eight.SecondsPerStep > one.SecondsPerStep); // by how much hangs on the machine: The_formulas_hold_measured_steps
        Assert.Equal(2, twice.SecondsPerStep / one.SecondsPerStep, 6);
        Assert.Equal(one.MemoryMiB, twice.MemoryMiB, 6);
        Assert.True(eight.MemoryMiB > one.MemoryMiB);
        Assert.True(forecast.Estimate(facts, TrainRun.Options with { BatchSize = 8, GradientCheckpointing = true }, 10, new()).MemoryMiB < eight.MemoryMiB);
        Assert.True(one.AdapterParameters > 0);
        var e = Assert.Throws<LoraException>(() => forecast.Facts(new Recipe { Base = new() { Model = TestData.NewFolder() } }));
        Assert.Equal(ExitCode.BadUsage, e.Code);
        Assert.Contains("base.model", e.Message, StringComparison.Ordinal);
    }

    // what does not hang on the number of pictures is small at a common rate and outweighs the arithmetic on a fast device
    [Theory]
    [InlineData(100e9, 5, 8)]
    [InlineData(500e9, 2, 5)]
    [InlineData(50e12, 1, 1.2)]
    public void Eight_pictures_cost_less_than_eight_times_one(double rate, double least, double most)
    {
        var cost = TrainingCost.Of(BenchModels.Of("tiny").UNet, new LoraSpec(), 32, 77);
        Assert.InRange(TrainingForecast.Seconds(cost, 8, false, rate) / TrainingForecast.Seconds(cost, 1, false, rate), least, most);
    }

    // Steps measured with the product's rate right after (docs/log.md): rate of a product in operations a second, seconds of a step, MiB at the peak.
    [Theory]
    [InlineData("tiny", 4, 32, false, 112e9, 0.90, 533)]
    [InlineData("tiny", 4, 32, true, 146e9, 1.24, 393)]
    [InlineData("tiny", 8, 16, false, 90e9, 0.48, 391)]
    [InlineData("sd15", 1, 16, false, 216e9, 1.44, 3687)]
    [InlineData("sd15", 1, 32, false, 113e9, 6.06, 4124)]
    public void The_formulas_hold_measured_steps(string dims, int pictures, int side, bool checkpointing, double rate, double seconds, double memory)
    {
        var cost = TrainingCost.Of(BenchModels.Of(dims).UNet, new LoraSpec(), side, 77);
        Assert.InRange(TrainingForecast.Seconds(cost, pictures, checkpointing, rate) / seconds, 0.65, 1.35);
        Assert.InRange(TrainingForecast.Memory(cost, pictures, checkpointing) / memory, 0.75, 1.3);
    }
}
