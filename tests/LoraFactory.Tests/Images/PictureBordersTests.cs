using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

public class PictureBordersTests
{
    [Fact]
    public void Frames_bars_and_paper_are_measured_side_by_side()
    {
        using var golden = new GoldenPictures();
        var scene = PictureResampler.Resize(golden.Picture("in.landscape.png.rgb"), 100, 80, Resampling.Bicubic);
        Assert.Equal(new PictureBorders(0, 0, 0, 0), Of(scene));
        var bars = Picture.Filled(100, 120, 0, 0, 0);
        bars.Paste(scene, 0, 24);
        Assert.Equal(new PictureBorders(0, 0.2, 0, 16 / 120.0), Of(bars));
        Assert.Equal(40 / 120.0, Of(bars).Area, 6);
        var frame = Picture.Filled(125, 100, 250, 250, 240);
        frame.Paste(scene, 10, 5);
        Assert.Equal(new PictureBorders(10 / 125.0, 0.05, 15 / 125.0, 0.15), Of(frame));
        var lossy = Of(PictureDecoder.Decode(PictureWriter.Jpeg(frame, 85)));
        Assert.InRange(lossy.Area, Of(frame).Area - 0.04, Of(frame).Area + 0.01);
        Assert.Equal(1, Of(Picture.Filled(30, 30, 9, 9, 9)).Area);
    }

    [Fact]
    public void Each_side_has_a_colour_of_its_own()
    {
        var picture = PictureDecoderTests.Gradient(100, 100);
        picture.Paste(Picture.Filled(100, 20, 0, 0, 0), 0, 0);
        picture.Paste(Picture.Filled(100, 10, 255, 255, 255), 0, 90);
        Assert.Equal((0.2, 0.1), (Of(picture).Top, Of(picture).Bottom));
    }

    private static PictureBorders Of(Picture picture) => PictureBorders.Of(picture.Luma(), picture.Width, picture.Height);
}
