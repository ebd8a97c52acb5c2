using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

public class PictureFramingTests
{
    [Fact]
    public void The_middle_is_the_shortest_edge_scaled_and_the_rest_cut()
    {
        var picture = PictureDecoderTests.Gradient(300, 200);
        var expected = PictureProcessor.CentreCrop(PictureResampler.ResizeShortestEdge(picture, 64, Resampling.Lanczos), 64, 64);
        Assert.Equal(expected.Pixels, PictureFraming.Square(picture, 64).Pixels);
        Assert.Equal((300, 200), (picture.Width, picture.Height));
        Assert.Equal((64, 64), (PictureFraming.Square(PictureDecoderTests.Gradient(30, 20), 64).Width, PictureFraming.Square(PictureDecoderTests.Gradient(30, 20), 64).Height));
    }

    [Theory]
    [InlineData(PictureCrop.Attention, true)]
    [InlineData(PictureCrop.Attention, false)]
    [InlineData(PictureCrop.Entropy, true)]
    [InlineData(PictureCrop.Entropy, false)]
    public void A_subject_at_an_edge_stays_in_the_square(PictureCrop crop, bool wide)
    {
        // A red chequered thing on grey, near the end of the longer side.
        var picture = wide ? Picture.Filled(400, 100, 120, 120, 120) : Picture.Filled(100, 400, 120, 120, 120);
        for (var i = 0; i < 36; i++)
            picture.Paste(Picture.Filled(10, 10, (byte)(i % 2 == 0 ? 250 : 130), 20, (byte)(i % 3 * 60)), (wide ? 320 : 20) + i % 6 * 10, (wide ? 20 : 320) + i / 6 * 10);
        int Reds(Picture cut) => Enumerable.Range(0, cut.Width * cut.Height).Count(i => cut.Pixels[3 * i] > cut.Pixels[3 * i + 1] + 60);
        var square = PictureFraming.Square(picture, 100, crop);
        Assert.Equal((100, 100), (square.Width, square.Height));
        Assert.True(Reds(square) > 3400, $"{Reds(square)}");
        Assert.Equal(0, Reds(PictureFraming.Square(picture, 100)));
    }
}
