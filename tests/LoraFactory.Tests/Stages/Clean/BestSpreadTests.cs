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

    // The same choice as by comparing every picture with every one that was taken, on sets with ties.
    [Fact]
    public void The_choice_is_that_of_the_plain_greedy_one()
    {
        var random = new Random(5);
        for (var trial = 0; trial < 60; trial++)
        {
            var n = random.Next(2, 60);
            var made = Enumerable.Range(0, n).Select(i => (Candidate: Make($"{i:00}", random.NextDouble()), Vector: Enumerable.Range(0, 4).Select(_ => (float)random.NextDouble() - 0.5f).ToArray())).ToList();
            for (var i = 3; i < n; i += 5) made[i] = (made[i].Candidate with { TextSignals = made[i - 1].Candidate.TextSignals }, [.. made[i - 1].Vector]); // the same picture twice
            foreach (var (_, v) in made)
            {
                var length = MathF.Max(1e-3f, MathF.Sqrt(v.Sum(x => x * x)));
                for (var k = 0; k < v.Length; k++) v[k] /= length;
            }
            var count = random.Next(1, n);
            var candidates = made.ConvertAll(m => m.Candidate);
            var expected = PlainGreedy(candidates, count, made.ConvertAll(m => m.Vector));
            var drops = BestSpread.Narrow(candidates, count, made.ConvertAll(m => m.Vector));
            Assert.Equal(expected, candidates.Select(c => c.PictureUrl));
            Assert.Equal(n - count, drops.Count);
            Assert.All(drops, d => Assert.True(d.Value <= d.Threshold));
        }
    }

    private static List<string> PlainGreedy(List<Candidate> candidates, int count, List<float[]> vectors)
    {
        var mean = Enumerable.Range(0, 4).Select(k => vectors.Sum(v => v[k]) / vectors.Count).ToArray();
        var spread = vectors.ConvertAll(v =>
        {
            var centred = v.Select((x, k) => x - mean[k]).ToArray();
            var length = MathF.Sqrt(centred.Sum(x => x * x));
            return length > 1e-6f ? [.. centred.Select(x => x / length)] : centred;
        });
        var nearest = new double[vectors.Count];
        var taken = new HashSet<int>();
        while (taken.Count < count)
        {
            double Value(int i) => 0.5 * (0.6 * candidates[i].TextSignals["relevance"] + 0.2) - 0.5 * nearest[i];
            var best = Enumerable.Range(0, vectors.Count).Where(i => !taken.Contains(i)).OrderByDescending(Value).ThenBy(i => candidates[i], Candidate.BestFirst).First();
            taken.Add(best);
            for (var i = 0; i < vectors.Count; i++) nearest[i] = Math.Max(nearest[i], spread[i].Zip(spread[best]).Sum(p => p.First * p.Second));
        }
        return [.. candidates.Where((_, i) => taken.Contains(i)).Select(c => c.PictureUrl)];
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
