using LoraFactory.Images;

namespace LoraFactory.Tests.Images;

public sealed class ColourJitterTests
{
    private static readonly Picture Three = new(3, 1, [10, 20, 30, 200, 100, 50, 90, 90, 90]);

    [Fact]
    public void Factors_of_one_change_nothing()
    {
        var random = new Random(3);
        for (var i = 0; i < 50; i++)
        {
            var pixels = new byte[7 * 5 * 3];
            random.NextBytes(pixels);
            Assert.Equal(pixels, ColourJitter.Of(new(7, 5, pixels), 1, 1, 1).Pixels);
        }
    }

    [Fact]
    public void Each_does_what_its_name_says()
    {
        Assert.Equal([12, 24, 36, 240, 120, 60, 108, 108, 108], ColourJitter.Of(Three, 1.2, 1, 1).Pixels);
        Assert.All(ColourJitter.Of(Three, 0, 1, 1).Pixels, p => Assert.Equal(0, p));
        Assert.Single(ColourJitter.Of(Three, 1, 0, 1).Pixels.Distinct()); // the mean luma everywhere
        var grey = ColourJitter.Of(Three, 1, 1, 0).Pixels;
        Assert.All(Enumerable.Range(0, 3), i => Assert.Single(grey.Skip(3 * i).Take(3).Distinct()));
        Assert.Equal(Three.Luma(), ColourJitter.Of(Three, 1, 1, 0).Luma());
        Assert.Equal(255, ColourJitter.Of(Three, 4, 1, 1).Pixels[3]); // no overflow
        Assert.Throws<ArgumentOutOfRangeException>(() => ColourJitter.Of(Three, 1, double.NaN, 1));
    }
}
