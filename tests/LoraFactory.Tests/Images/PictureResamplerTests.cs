using System.Runtime.Intrinsics.X86;
using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

public sealed class PictureResamplerTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Both_forms_of_the_sums_give_the_same_bits(int bands)
    {
        Assert.SkipUnless(Avx2.IsSupported, "this processor has one form only");
        var random = new Random(bands);
        int[] sides = [1, 2, 3, 7, 10, 11, 16, 31, 33, 64, 97, 200, 341, 512];
        for (var round = 0; round < 300; round++)
        {
            int width = sides[random.Next(sides.Length)], height = sides[random.Next(sides.Length)], newWidth = sides[random.Next(sides.Length)], newHeight = sides[random.Next(sides.Length)];
            var pixels = new byte[width * height * bands];
            random.NextBytes(pixels);
            // Black beside white: where sums leave 0..255 by most.
            if (round % 3 == 0) for (var i = 0; i < pixels.Length; i++) pixels[i] = pixels[i] < 128 ? (byte)0 : (byte)255;
            var filter = (Resampling)(round % 4);
            Assert.Equal(PictureResampler.Resize(pixels, width, height, bands, newWidth, newHeight, filter, byAvx2: false), PictureResampler.Resize(pixels, width, height, bands, newWidth, newHeight, filter, byAvx2: true));
        }
    }

    [Fact]
    public void Both_forms_of_luma_give_the_same_bits()
    {
        Assert.SkipUnless(Avx2.IsSupported, "this processor has one form only");
        var random = new Random(7);
        for (var round = 0; round < 200; round++)
        {
            int width = random.Next(1, 70), height = random.Next(1, 9);
            var pixels = new byte[width * height * 3];
            random.NextBytes(pixels);
            if (round % 4 == 0) Array.Fill(pixels, (byte)255);
            var picture = new Picture(width, height, pixels);
            Assert.Equal(picture.Luma(byAvx2: false), picture.Luma(byAvx2: true));
        }
    }
}
