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
}
