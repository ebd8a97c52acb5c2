using LoraFactory.Images;
using LoraFactory.Stages.Clean;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public class NearDuplicatesTests
{
    [Fact]
    public void The_bigger_then_the_better_described_then_the_nearer_copy_stays()
    {
        var scene = Scene(1);
        var small = PictureResampler.Resize(scene, 90, 90, Resampling.Lanczos);
        var candidates = new[]
        {
            Candidate("small", small, caption: "a long caption about a red boat in the snow"),
            Candidate("plain", scene),
            Candidate("described", scene, caption: "a red boat in the snow", blob: "b2"),
            Candidate("deep", scene, caption: "a red boat in the snow", blob: "b3", depth: 5),
            Candidate("other", Scene(2)),
        };
        var (kept, drops) = NearDuplicates.Split(candidates, 6);
        Assert.Equal(["described", "other"], kept.Select(one => one.PictureUrl));
        Assert.Equal(["deep", "plain", "small"], drops.Select(drop => drop.What).Order(StringComparer.Ordinal));
        Assert.All(drops, drop => Assert.Equal("near-duplicate", drop.Reason));
        Assert.All(drops, drop => Assert.Contains("described", drop.Detail));
    }

    [Fact]
    public void Equal_bytes_are_copies_whatever_the_distance()
    {
        var (kept, drops) = NearDuplicates.Split([Candidate("a", Scene(1), blob: "x"), Candidate("b", Scene(1), blob: "x", depth: 1)], 0);
        Assert.Equal("a", Assert.Single(kept).PictureUrl);
        Assert.Equal("duplicate", Assert.Single(drops).Reason);
    }

    [Fact]
    public void Equal_bytes_of_a_copy_name_the_one_that_is_kept()
    {
        var scene = Scene(1);
        var small = PictureResampler.Resize(scene, 90, 90, Resampling.Lanczos);
        var (kept, drops) = NearDuplicates.Split([Candidate("small", small, blob: "x"), Candidate("again", small, blob: "x", depth: 2), Candidate("best", scene), Candidate("best again", scene, blob: "y", depth: 3)], 6);
        Assert.Equal("best", Assert.Single(kept).PictureUrl);
        Assert.Equal(["again", "best again", "small"], drops.Select(drop => drop.What).Order(StringComparer.Ordinal));
        Assert.All(drops, drop => Assert.EndsWith("best on http://x.test/", drop.Detail));
        Assert.All(drops, drop => Assert.Equal("near-duplicate", drop.Reason));
    }

    [Fact]
    public void Copies_by_gradients_alone_are_copies_too()
    {
        var one = Candidate("one", Scene(3));
        var other = Candidate("other", Scene(3), depth: 1);
        other = other with { Measured = other.Measured! with { Hash = (~Convert.ToUInt64(one.Measured!.Hash, 16)).ToString("x16") } };
        Assert.Equal("other", Assert.Single(NearDuplicates.Split([one, other], 6).Drops).What);
        other = other with { Measured = other.Measured! with { Gradient = (~Convert.ToUInt64(one.Measured!.Gradient, 16)).ToString("x16") } };
        Assert.Empty(NearDuplicates.Split([one, other], 6).Drops);
    }

    [Fact]
    public void Recompressed_brightened_and_rescaled_copies_are_found_and_other_scenes_are_not()
    {
        var candidates = new List<Candidate>();
        for (var i = 0; i < 40; i++)
        {
            var scene = Scene(i);
            candidates.Add(Candidate($"{i}", scene));
            candidates.Add(Candidate($"{i}-jpeg", PictureDecoder.Decode(PictureWriter.Jpeg(scene, 40)), depth: 1));
            candidates.Add(Candidate($"{i}-bright", new Picture(scene.Width, scene.Height, [.. scene.Pixels.Select(value => (byte)Math.Min(255, value * 1.15))]), depth: 2));
            candidates.Add(Candidate($"{i}-small", PictureResampler.Resize(scene, 120, 120, Resampling.Bicubic), depth: 3));
        }
        var (kept, drops) = NearDuplicates.Split(candidates, 6);
        Assert.Equal(Enumerable.Range(0, 40).Select(i => $"{i}"), kept.Select(one => one.PictureUrl));
        Assert.Equal(120, drops.Count);
    }

    [Fact]
    public void Close_hashes_without_like_pictures_are_not_copies()
    {
        // Planted: the same hash on two different scenes.
        var left = Candidate("left", Scene(3));
        var right = Candidate("right", Scene(4));
        right = right with { Measured = right.Measured! with { Hash = left.Measured!.Hash } };
        Assert.Equal(2, NearDuplicates.Split([left, right], 6).Kept.Count);
    }

    [Theory]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(12)]
    [InlineData(20)]
    public void The_index_finds_every_pair_within_the_distance(int distance)
    {
        var random = new Random(distance);
        var thumbnail = Candidate("t", Scene(5)).Measured!;
        var found = 0;
        for (var i = 0; i < 300; i++)
        {
            var bits = (ulong)random.NextInt64();
            var other = bits;
            foreach (var bit in Enumerable.Range(0, 64).OrderBy(_ => random.Next()).Take(distance)) other ^= 1UL << bit;
            var pair = new[] { bits, other }.Select((hash, n) => Candidate($"{n}", Scene(5), depth: n) with { Measured = thumbnail with { Hash = hash.ToString("x16"), Gradient = n == 0 ? "0000000000000000" : "ffffffffffffffff" } }).ToArray();
            if (NearDuplicates.Split(pair, distance).Drops.Count == 1) found++;
        }
        Assert.Equal(300, found);
    }

    private static int _next;

    private static Candidate Candidate(string name, Picture picture, string caption = "", string? blob = null, int depth = 0) => new()
    {
        PageId = "p",
        PageUrl = "http://x.test/",
        PictureUrl = name,
        BlobHash = blob ?? $"blob{Interlocked.Increment(ref _next)}",
        Depth = depth,
        Index = 0,
        Caption = caption,
        Measured = MeasuredPicture.Of(PictureMeasures.Of(picture), 1),
    };

    /// <summary>A few shapes at random places.</summary>
    private static Picture Scene(int seed)
    {
        var random = new Random(1000 + seed);
        var picture = Picture.Filled(180, 180, (byte)random.Next(40, 200), (byte)random.Next(40, 200), (byte)random.Next(40, 200));
        for (var shape = 0; shape < 9; shape++)
            picture.Paste(Picture.Filled(random.Next(15, 80), random.Next(15, 80), (byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256)), random.Next(-10, 150), random.Next(-10, 150));
        return picture;
    }
}
