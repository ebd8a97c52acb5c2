using LoraFactory.Stages.Evaluate;

namespace LoraFactory.Tests.Stages.Evaluate;

public sealed class StyleSimilarityTests
{
    [Fact]
    public void With_one_or_two_held_out_pictures_the_training_pictures_stand_for_the_style()
    {
        var set = Set(style: 0, trained: 12);
        var by = new StyleSimilarity().Measure(set with { HeldOut = Around(0, 1, 50) });
        var all = new StyleSimilarity().Measure(set with { HeldOut = [] });
        Assert.Equal(all, by);
        Assert.Contains("training pictures", by.Meaning, StringComparison.Ordinal);
        Assert.NotNull(by.Passed);
        Assert.Contains("held-out pictures", new StyleSimilarity().Measure(set with { HeldOut = Around(0, 3, 50) }).Meaning, StringComparison.Ordinal);
    }

    [Fact]
    public void A_base_that_draws_the_style_already_leaves_nothing_to_gate()
    {
        // base and adapter draw what the style's own pictures look like
        var metric = new StyleSimilarity().Measure(Set(style: 0, trained: 12) with { Base = Around(0, 8, 70), Adapter = Around(0, 8, 90) });
        Assert.Equal((null, null), (metric.Gate, metric.Passed));
        Assert.InRange(metric.Value, -0.2, 0.2); // a cosine, not a share of next to nothing
        Assert.Contains("no gate", metric.Meaning, StringComparison.Ordinal);
        var few = new StyleSimilarity().Measure(Set(style: 0, trained: 2) with { HeldOut = [] });
        Assert.Null(few.Passed);
    }

    [Fact]
    public void An_adapter_in_the_style_passes_and_one_like_the_base_does_not()
    {
        var set = Set(style: 0, trained: 12);
        Assert.True(new StyleSimilarity().Measure(set).Passed);
        Assert.False(new StyleSimilarity().Measure(set with { Adapter = set.Base }).Passed);
    }

    [Fact]
    public void Intervals_count_prompts_and_a_resampled_picture_is_no_pair_with_itself()
    {
        var set = Set(style: 0, trained: 12);
        Assert.All(Metrics.All.Select(m => m.Measure(set)), m => Assert.Equal(4, m.N)); // eight pictures of four prompts
        var vectors = Around(0, 4, 9);
        double Cosine(int i, int j) => vectors[i].Zip(vectors[j]).Sum(p => (double)p.First * p.Second);
        Assert.Equal((Cosine(0, 1) + Cosine(0, 2) + Cosine(1, 2)) / 3, Similarity.MeanOfPairs(vectors, [0, 1, 2]), 6);
        Assert.Equal((2 * Cosine(0, 1) + 2 * Cosine(0, 2) + Cosine(1, 2)) / 5, Similarity.MeanOfPairs(vectors, [0, 1, 0, 2]), 6);
        Assert.Equal(1, Similarity.MeanOfPairs(vectors, [3, 3]));
        var one = Intervals.Share(set, 2);
        Assert.True(one is { Value: 0.25, N: 4 } && one.High - one.Low > 0.5, $"{one}"); // as wide as four prompts allow, not eight pictures
        Assert.Equal((2.0, 2.0, 2.0, 2), (Intervals.Mean([2, 2]).Value, Intervals.Mean([2, 2]).Low, Intervals.Mean([2, 2]).High, Intervals.Mean([2, 2]).N));
    }

    // The base draws around another axis than the style; the adapter draws the style.
    private static EvaluationSet Set(int style, int trained) => new()
    {
        Prompts = Around(2, 4, 1), PerPrompt = 2, Base = Around(1, 8, 2), Adapter = Around(style, 8, 3), HeldOut = Around(style, 5, 4), HeldOutCaptions = Around(2, 5, 7), Trained = Around(style, trained, 5), TrainedCaptions = Around(2, trained, 6),
    };

    // Unit vectors about an axis.
    private static float[][] Around(int axis, int n, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, n).Select(_ =>
        {
            var v = Enumerable.Range(0, 6).Select(i => (i == axis ? 1.0 : 0) + 0.25 * (random.NextDouble() - 0.5)).ToArray();
            var length = Math.Sqrt(v.Sum(x => x * x));
            return v.Select(x => (float)(x / length)).ToArray();
        })];
    }
}
