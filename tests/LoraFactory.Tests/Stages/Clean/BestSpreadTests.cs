using LoraFactory.Stages.Clean;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public sealed class BestSpreadTests
{
    [Fact]
    public void The_best_of_each_kind_come_before_the_second_of_any()
    {
        // Three kinds at right angles, four views of each; the first kind is the best.
        var candidates = new List<Candidate>();
        var vectors = new List<float[]>();
        for (var kind = 0; kind < 3; kind++)
        {
            for (var view = 0; view < 4; view++)
            {
                candidates.Add(Make($"{kind}{view}", relevance: 1 - 0.2 * kind - 0.01 * view));
                var vector = new float[4];
                vector[kind] = 1;
                vector[3] = 0.05f * view;
                vectors.Add(vector);
            }
        }
        var drops = BestSpread.Narrow(candidates, 3, vectors);
        Assert.Equal(["00", "10", "20"], candidates.Select(c => c.PictureUrl));
        Assert.Equal(9, drops.Count);
        Assert.All(drops, drop => Assert.True(drop is { Reason: BestSpread.Reason, Value: not null, Threshold: not null } && drop.Value <= drop.Threshold));
    }

    [Fact]
    public void Of_pictures_that_are_all_alike_the_best_stay_and_few_stay_whole()
    {
        var candidates = Enumerable.Range(0, 5).Select(i => Make($"{i}", relevance: 0.1 * i)).ToList();
        float[][] vectors = [.. candidates.Select(_ => (float[])[1, 0])];
        Assert.Empty(BestSpread.Narrow(candidates, 5, vectors));
        Assert.Equal(3, BestSpread.Narrow(candidates, 2, vectors).Count);
        Assert.Equal(["3", "4"], candidates.Select(c => c.PictureUrl));
    }

    private static Candidate Make(string name, double relevance) => new()
    {
        PageId = "p",
        PageUrl = "http://a.test/",
        PictureUrl = name,
        BlobHash = name,
        Depth = 0,
        Index = 0,
        TextSignals = new Dictionary<string, double> { ["relevance"] = relevance },
        Measured = new(100, 100, "0", "0000000000000000", [], new Dictionary<string, double> { ["picture_sharpness"] = 1 }),
    };
}
