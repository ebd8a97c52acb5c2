using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

public class PictureSignalsTests
{
    [Fact]
    public void A_blank_picture_has_no_contrast_no_edges_and_one_level()
    {
        var signals = PictureSignals.Of(Picture.Filled(50, 40, 51, 51, 51));
        Assert.Equal(0.2, signals.Brightness, 6);
        Assert.Equal(0, signals.Contrast, 6);
        Assert.Equal(0, signals.Sharpness, 6);
        Assert.Equal(0, signals.Entropy, 6);
        Assert.Equal(0, signals.Colourfulness, 6);
        Assert.Equal(1, signals.Uniform, 6);
    }

    [Fact]
    public void A_chessboard_has_known_values()
    {
        var board = Picture.Filled(40, 40, 0, 0, 0);
        for (var y = 0; y < 40; y++)
            for (var x = 0; x < 40; x++)
                if ((x + y) % 2 == 0) board.Pixels.AsSpan((y * 40 + x) * 3, 3).Fill(255);
        var signals = PictureSignals.Of(board);
        Assert.Equal(0.5, signals.Brightness, 6);
        Assert.Equal(0.5, signals.Contrast, 6);
        // Every Laplacian is ±4·255.
        Assert.Equal(1020.0 * 1020, signals.Sharpness, 1e-6);
        Assert.Equal(1, signals.Entropy, 6);
        Assert.Equal(0.5, signals.Uniform, 6);
    }

    [Fact]
    public void Blurring_lowers_sharpness()
    {
        using var golden = new GoldenPictures();
        var sharp = golden.Picture("in.landscape.png.rgb");
        var blurred = PictureResampler.Resize(PictureResampler.Resize(sharp, 16, 10, Resampling.Bilinear), sharp.Width, sharp.Height, Resampling.Bilinear);
        Assert.True(PictureSignals.Of(blurred).Sharpness < PictureSignals.Of(sharp).Sharpness / 4);
    }

    [Theory]
    [InlineData(3, 3)]
    [InlineData(8, 5)]
    [InlineData(37, 23)]
    [InlineData(640, 9)]
    [InlineData(20_011, 4)]
    public void Many_pixels_at_a_time_give_what_one_at_a_time_gives(int width, int height)
    {
        var random = new Random(width);
        var picture = Picture.Filled(width, height, 0, 0, 0);
        random.NextBytes(picture.Pixels);
        // The extremes stand side by side as well.
        for (var i = 0; i < picture.Pixels.Length / 2; i++) picture.Pixels[i] = (byte)(picture.Pixels[i] < 128 ? 0 : 255);
        var pixels = picture.Pixels;
        var luma = Enumerable.Range(0, width * height).Select(i => (byte)((19595 * pixels[3 * i] + 38470 * pixels[3 * i + 1] + 7471 * pixels[3 * i + 2] + 32768) >> 16)).ToArray();
        Assert.Equal(luma, picture.Luma());
        double[] laplacian = [.. from y in Enumerable.Range(1, height - 2) from x in Enumerable.Range(1, width - 2) select (double)(luma[y * width + x - 1] + luma[y * width + x + 1] + luma[(y - 1) * width + x] + luma[(y + 1) * width + x] - 4 * luma[y * width + x])];
        double[] rg = [.. luma.Select((_, i) => (double)(pixels[3 * i] - pixels[3 * i + 1]))], yb = [.. luma.Select((_, i) => 0.5 * (pixels[3 * i] + pixels[3 * i + 1]) - pixels[3 * i + 2])];
        var signals = PictureSignals.Of(picture);
        Assert.Equal(Variance(laplacian), signals.Sharpness, 1e-6 * Math.Max(1, Variance(laplacian)));
        Assert.Equal(Math.Sqrt(Variance(rg) + Variance(yb)) + 0.3 * Math.Sqrt(rg.Average() * rg.Average() + yb.Average() * yb.Average()), signals.Colourfulness, 1e-6);
        Assert.Equal(luma.Average(v => (double)v) / 255, signals.Brightness, 1e-9);
        Assert.Equal((double)luma.Count(v => v <= 4) / luma.Length, signals.Dark, 1e-9);
        Assert.Equal((double)luma.Count(v => v >= 251) / luma.Length, signals.Light, 1e-9);
    }

    private static double Variance(double[] values) => values.Average(v => v * v) - values.Average() * values.Average();
}
