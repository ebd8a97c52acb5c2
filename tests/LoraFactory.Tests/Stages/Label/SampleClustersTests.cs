using LoraFactory.Flow;
using LoraFactory.Stages.Label;

namespace LoraFactory.Tests.Stages.Label;

public sealed class SampleClustersTests
{
    [Fact]
    public void Near_vectors_share_a_cluster_through_their_neighbours()
    {
        float[] At(double degrees) => [(float)Math.Cos(degrees * Math.PI / 180), (float)Math.Sin(degrees * Math.PI / 180)];
        var clusters = SampleClusters.Of([At(0), At(90), At(8), At(16), At(180)], Math.Cos(10 * Math.PI / 180));
        Assert.Equal([0, 1, 0, 0, 2], clusters);
        Assert.Equal(1, SampleClusters.Diversity([At(0), At(90)]), 5);
        Assert.Equal(0, SampleClusters.Diversity([At(5), At(5), At(5)]), 5);
    }

    [Fact]
    public void A_cluster_never_straddles_the_split_and_the_share_is_kept()
    {
        var random = new Random(1);
        for (var trial = 0; trial < 200; trial++)
        {
            var n = random.Next(2, 60);
            var clusters = Enumerable.Range(0, n).Select(_ => random.Next(0, n)).ToArray();
            var splits = SampleClusters.Splits(clusters, [.. Enumerable.Range(0, n).Select(i => $"{i}")], 0.15, trial);
            Assert.All(clusters.Zip(splits).GroupBy(p => p.First), g => Assert.Single(g.Select(p => p.Second).Distinct()));
            Assert.Contains(Split.Train, splits);
            var held = splits.Count(s => s == Split.Validation);
            var wanted = (int)Math.Round(0.15 * n);
            Assert.True(held <= wanted + Math.Max(1, wanted / 2), $"{held} held of {n}");
        }
        Assert.Equal(12, SampleClusters.Splits([.. Enumerable.Range(0, 100)], [.. Enumerable.Range(0, 100).Select(i => $"{i}")], 0.12, 5).Count(s => s == Split.Validation));
    }

    [Fact]
    public void Captions_lose_topic_labels_and_gain_the_trigger()
    {
        var seed = new Seed("s", "blueprint drawings", [new("blueprint", 1, "topic"), new("drafting", 0.8, "wordnet"), new("technical drawing", 0.8, "user")], []);
        var text = new CaptionText("blueprint", ["{trigger}, {caption}", "a {trigger} of {caption}"], seed);
        var record = new LoraFactory.Flow.Record { Id = "r", PageId = "p", PageUrl = "http://x/", PictureUrl = "http://x/a.png", BlobHash = "b", Width = 1, Height = 1, Caption = "Drafting:  a brown flower at night.", Alt = "blueprint of three trees" };
        Assert.Equal([new("a brown flower at night", "figcaption"), new("blueprint of three trees", "alt")], text.Candidates(record));
        Assert.Equal("blueprint, a brown flower at night", text.WithTrigger("a brown flower at night", 0));
        Assert.Equal("a blueprint of a brown flower at night", text.WithTrigger("a brown flower at night", 3));
        Assert.Equal("a blueprint of a cup", text.WithTrigger("a blueprint of a cup", 0));
        Assert.Equal("blueprint, blueprints", text.WithTrigger("blueprints", 2));
        Assert.Equal("a red house", text.Candidates(record with { Caption = "Technical drawing of a red house" })[0].Text);
        Assert.Equal("note: a red house", text.Candidates(record with { Caption = "note: a red house" })[0].Text);
    }
}
