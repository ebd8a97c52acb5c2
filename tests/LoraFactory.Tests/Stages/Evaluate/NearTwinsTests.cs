using LoraFactory.Stages.Evaluate;

namespace LoraFactory.Tests.Stages.Evaluate;

public sealed class NearTwinsTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(20)]
    public void Different_pictures_stay_different_whatever_their_dimension(int dimension)
    {
        for (var seed = 0; seed < 5; seed++)
        {
            var vectors = Vectors(dimension, 120, seed);
            var groups = NearTwins.Of(vectors).Groups;
            Assert.True(groups.Distinct().Count() >= 117, $"seed {seed}: {groups.Distinct().Count()} of 120");
        }
    }

    [Theory]
    [InlineData(1, 0.2)]
    [InlineData(1, 0.3)]
    [InlineData(3, 0.2)]
    public void Near_copies_come_together_and_nothing_else_does(int copies, double share)
    {
        var plain = Vectors(8, 100, 1);
        var twinned = (int)(share * plain.Length);
        var all = plain.Concat(Enumerable.Range(0, copies).SelectMany(k => plain.Take(twinned).Select((v, i) => Moved(v, 0.01, 100 * k + i)))).ToArray();
        var groups = NearTwins.Of(all).Groups;
        for (var i = 0; i < twinned; i++)
            for (var k = 0; k < copies; k++) Assert.Equal(i, groups[100 + k * twinned + i]);
        Assert.True(groups.Distinct().Count() >= 97);
        Assert.InRange(NearTwins.Of(all).NearestOutside().Max(), 0, 0.98);
    }

    [Fact]
    public void Sets_too_small_to_tell_are_left_alone()
    {
        Assert.Empty(NearTwins.Of([]).Groups);
        Assert.Empty(NearTwins.Of([[1, 0]]).NearestOutside());
        Assert.Equal([0, 1], NearTwins.Of([[1, 0], [1, 0]]).Groups);
        Assert.Equal(12, NearTwins.Of([.. Enumerable.Repeat(new float[] { 1, 0 }, 12)]).NearestOutside().Count);
    }

    [Fact]
    public void Where_nearly_all_pictures_are_alike_the_metric_says_that_it_cannot_tell()
    {
        var one = Vectors(8, 1, 1)[0];
        float[][] alike = [.. Enumerable.Range(0, 40).Select(i => Moved(one, 0.001, i))];
        var prompts = Vectors(8, 8, 3);
        var set = new EvaluationSet { Prompts = prompts, PerPrompt = 1, Base = prompts, Adapter = alike[..8], HeldOut = [], HeldOutCaptions = [], Trained = alike, TrainedCaptions = alike };
        var metric = new Memorisation().Measure(set);
        Assert.Equal((null, null), (metric.Gate, metric.Passed));
        Assert.Contains("cannot tell", metric.Meaning, StringComparison.Ordinal);
        var few = new Memorisation().Measure(set with { Trained = alike[..2] });
        Assert.Equal((null, true), (few.Passed, few.Meaning.Contains("no gate", StringComparison.Ordinal)));
    }

    // What is usual is told by the median: where most pictures are twins it is theirs.
    [Fact]
    public void Where_most_pictures_have_near_twins_the_metric_says_that_it_cannot_tell()
    {
        var plain = Vectors(8, 60, 1);
        float[][] all = [.. plain, .. plain.Select((v, i) => Moved(v, 0.01, i))];
        var set = new EvaluationSet { Prompts = Vectors(8, 10, 3), PerPrompt = 1, Base = plain[..10], Adapter = plain[..10], HeldOut = [], HeldOutCaptions = [], Trained = all, TrainedCaptions = all };
        var metric = new Memorisation().Measure(set);
        Assert.Equal((null, true), (metric.Passed, metric.Meaning.Contains("cannot tell", StringComparison.Ordinal)));
    }

    private static float[][] Vectors(int dimension, int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Unit([.. Enumerable.Range(0, dimension).Select(_ => Normal(random))]))];
    }

    private static float[] Moved(float[] vector, double by, int seed)
    {
        var random = new Random(seed + 1000);
        return Unit([.. vector.Select(x => x + by * Normal(random) / Math.Sqrt(vector.Length))]);
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private static float[] Unit(double[] v) => [.. v.Select(x => (float)(x / Math.Sqrt(v.Sum(y => y * y))))];
}
