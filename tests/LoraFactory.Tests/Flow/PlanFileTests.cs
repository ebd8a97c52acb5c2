using LoraFactory.Flow;

namespace LoraFactory.Tests.Flow;

public sealed class PlanFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_plan_comes_back_as_it_was_written()
    {
        var plan = new TrainPlan
        {
            Id = "123e4", Train = new() { Rank = 4, LearningRate = 2e-3 }, BasePath = "/a b/#c: d", BaseHash = "h", EstimatedMemoryMiB = 500, TrainSampleIds = ["0012", "true"], ValidationSampleIds = [],
            Values = [new("train.rank", "4", "because: \"it\" # is", "policy"), new("base.prediction", "epsilon", "w", "data")],
        };
        PlanFile.Write(folder.File("plan.yaml"), plan);
        var read = PlanFile.Read(folder.File("plan.yaml"));
        Assert.Equal((plan.Id, plan.BasePath, plan.Train, plan.Essence), (read.Id, read.BasePath, read.Train, read.Essence));
        Assert.Equal(plan.TrainSampleIds, read.TrainSampleIds);
        Assert.Equal(plan.Values, read.Values);
        Assert.NotEqual(plan.Essence, (plan with { BaseHash = "other" }).Essence);
        Assert.NotEqual(plan.Essence, (plan with { Train = plan.Train with { Schedule = "constant" } }).Essence);
        Assert.Equal(plan.Essence, (plan with { BasePath = "/moved/#c: d", EstimatedMemoryMiB = 1, Train = plan.Train with { SampleEvery = 1 } }).Essence);
    }

    [Fact]
    public void A_base_in_the_project_moves_with_it_and_the_user_s_own_elsewhere_stays()
    {
        foreach (var (at, moved) in new[] { (folder.File("old/models/base"), folder.File("new/models/base")), ("/models/base", "/models/base") })
        {
            var plan = new TrainPlan { Id = "p", Train = new(), BasePath = at, BaseHash = "h", Values = [], EstimatedMemoryMiB = 1, TrainSampleIds = [], ValidationSampleIds = [] };
            var (before, after) = (folder.File("old/runs/r/4-configure/plan.yaml"), folder.File("new/runs/r/4-configure/plan.yaml"));
            PlanFile.Write(before, plan);
            Assert.Equal(at, PlanFile.Read(before).BasePath);
            Directory.CreateDirectory(Path.GetDirectoryName(after)!);
            File.Copy(before, after, overwrite: true);
            Assert.Equal((moved, plan.Essence), (PlanFile.Read(after).BasePath, PlanFile.Read(after).Essence));
        }
    }

    public static TheoryData<string> Hostile => new()
    {
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + string.Concat(Enumerable.Range(0, 12).Select(i => $"{(char)('b' + i)}: &{(char)('b' + i)} [{string.Join(", ", Enumerable.Repeat($"*{(char)('a' + i)}", 10))}]\n")), // unfolds to 10^13 values
        "a: &a [*a]",
        string.Concat(Enumerable.Repeat("[", 100_000)),
        "id: x\nid: y",
        "",
        "just text",
        "[1, 2]",
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_plan_from_elsewhere_that_is_none_costs_one_sentence(string text)
    {
        File.WriteAllText(folder.File("plan.yaml"), text);
        Assert.Contains("is not a plan", Assert.Throws<LoraException>(() => PlanFile.Read(folder.File("plan.yaml"))).Message, StringComparison.Ordinal);
    }
}
