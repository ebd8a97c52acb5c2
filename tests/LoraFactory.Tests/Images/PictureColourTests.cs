using LoraFactory.Images;
using LoraFactory.Images.Vips;
using Xunit;

namespace LoraFactory.Tests.Images;

/// <summary>Orientation, profiles, depth, alpha, inks and frames: known pixels in, known pixels out.</summary>
public class PictureColourTests
{
    private static readonly (byte R, byte G, byte B) Red = (220, 40, 40), Green = (30, 160, 60), Blue = (40, 60, 210), White = (250, 250, 250);

    public static TheoryData<int, string> Orientations => new()
    {
        { 1, "RGBW" }, { 2, "GRWB" }, { 3, "WBGR" }, { 4, "BWRG" }, { 5, "RBGW" }, { 6, "BRWG" }, { 7, "WGBR" }, { 8, "GWRB" },
    };

    [Theory]
    [MemberData(nameof(Orientations))]
    public void Every_orientation_stands_upright_whole_and_shrunk(int orientation, string corners)
    {
        var stored = Picture.Filled(160, 96, 0, 0, 0);
        foreach (var (colour, left, top) in new[] { (Red, 0, 0), (Green, 80, 0), (Blue, 0, 48), (White, 80, 48) }) stored.Paste(Picture.Filled(80, 48, colour.R, colour.G, colour.B), left, top);
        var bytes = PictureFiles.WithSegment(PictureWriter.Jpeg(stored, 95), 0xE1, PictureFiles.Exif(orientation));
        foreach (var fit in (PictureFit?[])[null, PictureFit.Within(40), PictureFit.Within(70), PictureFit.Covering(24)])
        {
            var decoded = PictureDecoder.Decode(bytes, fit);
            var turned = orientation > 4;
            Assert.Equal(turned ? (96, 160) : (160, 96), (decoded.Width, decoded.Height));
            var picture = decoded.Picture;
            var size = fit?.Of(160, 96) ?? (160, 96);
            Assert.Equal(turned ? (size.Item2, size.Item1) : size, (picture.Width, picture.Height));
            var seen = string.Concat(new[] { (0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75) }.Select(at => Named(Pixel(picture, (int)(at.Item1 * picture.Width), (int)(at.Item2 * picture.Height)))));
            Assert.Equal(corners, seen);
        }
    }

    [Theory]
    [InlineData("Adobe RGB", 150, 120, 90)]
    [InlineData("Adobe RGB", 70, 110, 140)]
    [InlineData("Display P3", 180, 120, 90)]
    [InlineData("Display P3", 110, 150, 120)]
    [InlineData("Display P3", 128, 128, 128)]
    public void An_embedded_profile_is_converted_to_sRGB(string space, int red, int green, int blue)
    {
        var (colorants, curve) = space == "Adobe RGB" ? (PictureFiles.AdobeRgb, (Func<double, double>)(v => Math.Pow(v, 563 / 256.0))) : (PictureFiles.DisplayP3, Linear);
        var profile = PictureFiles.Profile(colorants, curve);
        byte[] pixel = [(byte)red, (byte)green, (byte)blue];
        var expected = ToSrgb(pixel, colorants, curve);
        if (red != green) Assert.True(expected.Zip(pixel, (a, b) => Math.Abs(a - b)).Max() > 5, "the profile must make a difference");
        byte[] rows = [.. Enumerable.Repeat(pixel, 64 * 48).SelectMany(p => p)];
        var png = PictureDecoder.Decode(PictureFiles.Png(64, 48, 8, 2, rows, profile));
        AssertNear(expected, Pixel(png, 30, 20), 2);
        var deep = PictureDecoder.Decode(PictureFiles.Png(64, 48, 16, 2, [.. rows.SelectMany(v => (byte[])[v, v])], profile));
        AssertNear(expected, Pixel(deep, 30, 20), 2);
        var alpha = PictureDecoder.Decode(PictureFiles.Png(64, 48, 8, 6, [.. Enumerable.Repeat((byte[])[.. pixel, 255], 64 * 48).SelectMany(p => p)], profile));
        AssertNear(expected, Pixel(alpha, 30, 20), 2);
        var jpeg = PictureFiles.WithSegment(PictureWriter.Jpeg(new Picture(64, 48, rows), 98), 0xE2, [.. "ICC_PROFILE\0"u8, 1, 1, .. profile]);
        AssertNear(expected, Pixel(PictureDecoder.Decode(jpeg), 30, 20), 4);
        AssertNear(expected, Pixel(PictureDecoder.Decode(jpeg, PictureFit.Within(20)).Picture, 10, 8), 4);
    }

    [Fact]
    public void A_broken_profile_costs_the_colours_and_not_the_picture()
    {
        byte[] rows = [.. Enumerable.Repeat((byte[])[150, 120, 90], 40 * 30).SelectMany(p => p)];
        var profile = PictureFiles.Profile(PictureFiles.AdobeRgb, v => v * v);
        profile.AsSpan(140, 60).Fill(0xEE);
        AssertNear([150, 120, 90], Pixel(PictureDecoder.Decode(PictureFiles.Png(40, 30, 8, 2, rows, profile)), 5, 5), 0);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(2, 3)]
    [InlineData(4, 2)]
    [InlineData(6, 4)]
    public void Sixteen_bits_become_eight_and_alpha_is_laid_over_white(int colourType, int bands)
    {
        // 0x9A00 is 154 of 255; alpha 0x4000 a quarter.
        int[] levels = bands switch { 1 => [0x9A9A], 2 => [0x9A9A, 0x4040], 3 => [0x9A9A, 0x3333, 0x0000], _ => [0x9A9A, 0x3333, 0x0000, 0x4040] };
        byte[] rows = [.. Enumerable.Repeat(levels, 24 * 20).SelectMany(p => p).SelectMany(v => (byte[])[(byte)(v >> 8), (byte)v])];
        var picture = PictureDecoder.Decode(PictureFiles.Png(24, 20, 16, colourType, rows));
        int[] colour = bands < 3 ? [0x9A, 0x9A, 0x9A] : [0x9A, 0x33, 0];
        int[] expected = bands % 2 == 0 ? [.. colour.Select(v => (int)Math.Round(255 + (v - 255) * (0x40 / 255.0)))] : colour;
        AssertNear(expected, Pixel(picture, 7, 7), 1);
        var small = PictureDecoder.Decode(PictureFiles.Png(24, 20, 16, colourType, rows), PictureFit.Within(12));
        Assert.Equal((12, 10, 24, 20), (small.Picture.Width, small.Picture.Height, small.Width, small.Height));
        AssertNear(expected, Pixel(small.Picture, 5, 5), 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_jpeg_of_inks_has_the_colours_that_it_was_made_from(bool withProfile)
    {
        var colours = new (byte R, byte G, byte B)[] { (255, 255, 255), (128, 128, 128), (170, 130, 100), (110, 140, 170), (90, 90, 90) };
        var picture = Picture.Filled(32 * colours.Length, 32, 0, 0, 0);
        for (var i = 0; i < colours.Length; i++) picture.Paste(Picture.Filled(32, 32, colours[i].R, colours[i].G, colours[i].B), 32 * i, 0);
        using var rgb = VipsImage.FromPixels(picture);
        using var inks = rgb.Apply("colourspace", ("space", "cmyk"));
        Assert.Equal(4, inks.Bands);
        var back = PictureDecoder.Decode(inks.Save("jpegsave_buffer", ("Q", "97"), ("strip", withProfile ? "false" : "true")));
        for (var i = 0; i < colours.Length; i++) AssertNear([colours[i].R, colours[i].G, colours[i].B], Pixel(back, 32 * i + 16, 16), 10);
    }

    [Fact]
    public void Of_an_animation_the_first_frame_is_taken_and_its_frames_are_counted()
    {
        var bytes = PictureFiles.Gif(20, 10, _ => 2, i => i % 4, _ => 1);
        Assert.Equal(3, PictureHeader.Read(bytes)!.Value.Frames);
        var picture = PictureDecoder.Decode(bytes);
        Assert.Equal((20, 10), (picture.Width, picture.Height));
        AssertNear([255, 0, 0], Pixel(picture, 10, 5), 0);
    }

    [Fact]
    public void A_jpeg_shrunk_while_it_is_decoded_is_nearly_the_whole_one_shrunk()
    {
        using var golden = new GoldenPictures();
        var small = golden.Picture("in.landscape.png.rgb");
        var whole = PictureResampler.Resize(small, 1203, 801, Resampling.Bicubic);
        var bytes = PictureWriter.Jpeg(whole, 92);
        foreach (var (fit, width, height) in new[] { (PictureFit.Within(512), 512, 341), (PictureFit.Within(150), 150, 100), (PictureFit.Covering(256), 384, 256), (PictureFit.Within(5000), 1203, 801) })
        {
            var decoded = PictureDecoder.Decode(bytes, fit);
            Assert.Equal((width, height, 1203, 801), (decoded.Picture.Width, decoded.Picture.Height, decoded.Width, decoded.Height));
            var expected = PictureResampler.Resize(whole, width, height, Resampling.Lanczos);
            Assert.InRange(expected.Pixels.Zip(decoded.Picture.Pixels, (a, b) => Math.Abs(a - b)).Average(), 0, 2.5);
        }
    }

    private static double Linear(double v) => v <= 0.04045 ? v / 12.92 : Math.Pow((v + 0.055) / 1.055, 2.4);

    private static int[] ToSrgb(byte[] pixel, double[][] colorants, Func<double, double> curve)
    {
        double[] linear = [.. pixel.Select(v => curve(v / 255.0))];
        double[] xyz = [.. Enumerable.Range(0, 3).Select(i => linear[0] * colorants[0][i] + linear[1] * colorants[1][i] + linear[2] * colorants[2][i])];
        double[][] matrix = [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]];
        return [.. matrix.Select(row => row[0] * xyz[0] + row[1] * xyz[1] + row[2] * xyz[2]).Select(v => (int)Math.Round(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * Math.Pow(v, 1 / 2.4) - 0.055)))];
    }

    private static string Named(int[] pixel) => new[] { ("R", Red), ("G", Green), ("B", Blue), ("W", White) }
        .MinBy(c => Math.Abs(c.Item2.R - pixel[0]) + Math.Abs(c.Item2.G - pixel[1]) + Math.Abs(c.Item2.B - pixel[2])).Item1;

    private static int[] Pixel(Picture picture, int x, int y) => [.. picture.Pixels.AsSpan((y * picture.Width + x) * 3, 3).ToArray().Select(v => (int)v)];

    private static void AssertNear(int[] expected, int[] actual, int within) =>
        Assert.True(expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max() <= within, $"expected {string.Join(' ', expected)}, got {string.Join(' ', actual)}");
}
