using LoraFactory.Images;
using LoraFactory.Images.Turbo;
using LoraFactory.Images.Vips;
using Xunit;

namespace LoraFactory.Tests.Images;

/// <summary>JPEGs by libjpeg-turbo alone are those by libvips, bit for bit, or are left to it.</summary>
public sealed class TurboJpegTests
{
    private static readonly PictureFit?[] Fits = [null, PictureFit.Within(512), PictureFit.Within(100), PictureFit.Covering(64), PictureFit.Within(9)];

    private static Picture Scene(int width, int height, int seed)
    {
        var random = new Random(seed);
        var coarse = new byte[12 * 9 * 3];
        random.NextBytes(coarse);
        var picture = PictureResampler.Resize(new Picture(12, 9, coarse), width, height, Resampling.Bicubic);
        for (var i = 0; i < picture.Pixels.Length; i++) picture.Pixels[i] = (byte)Math.Clamp(picture.Pixels[i] + random.Next(-20, 21), 0, 255);
        return picture;
    }

    private static byte[] Encoded(Picture picture, params (string, string)[] how)
    {
        using var image = VipsImage.FromPixels(picture);
        return image.Save("jpegsave_buffer", how);
    }

    private static byte[] Grey(Picture picture)
    {
        using var image = VipsImage.FromPixels(picture);
        using var grey = image.Apply("colourspace", ("space", "b-w"));
        return grey.Save("jpegsave_buffer", ("Q", "85"));
    }

    private static IEnumerable<byte[]> Plain()
    {
        foreach (var (width, height) in ((int, int)[])[(640, 480), (517, 389), (33, 1030), (16, 16), (7, 5), (1, 1), (1300, 901)])
        {
            var scene = Scene(width, height, width);
            yield return Encoded(scene, ("Q", "95"));
            yield return Encoded(scene, ("Q", "75"), ("subsample-mode", "on"));
            yield return Encoded(scene, ("Q", "60"), ("interlace", "true"));
            yield return Encoded(scene, ("Q", "85"), ("strip", "true"), ("restart-interval", "3"));
            yield return Grey(scene);
        }
    }

    private static bool IsSame(DecodedPicture one, DecodedPicture other) =>
        (one.Width, one.Height, one.Picture.Width, one.Picture.Height) == (other.Width, other.Height, other.Picture.Width, other.Picture.Height) && one.Picture.Pixels.AsSpan().SequenceEqual(other.Picture.Pixels);

    [Fact]
    public void Every_plain_kind_and_size_is_decoded_to_the_bits_of_libvips()
    {
        Assert.SkipUnless(TurboJpeg.IsAvailable, "libturbojpeg.so.0 is not here");
        var quick = 0;
        foreach (var file in Plain())
        {
            var header = PictureHeader.Read(file)!.Value;
            Assert.True(JpegSegments.IsPlain(file));
            foreach (var fit in Fits)
            {
                var whole = PictureDecoder.DecodeByVips(file, header, fit, new PictureLimits());
                if (PictureDecoder.DecodePlain(file, header, fit) is not { } plain) continue;
                Assert.True(IsSame(whole, plain), $"{header.Width}×{header.Height} {fit}");
                quick++;
            }
        }
        Assert.True(quick > 100, $"only {quick} were decoded without libvips");
    }

    [Fact]
    public void Broken_files_end_as_they_do_with_libvips()
    {
        Assert.SkipUnless(TurboJpeg.IsAvailable, "libturbojpeg.so.0 is not here");
        var random = new Random(5);
        var files = Plain().Where(file => file.Length < 60_000).ToList();
        int decoded = 0, refused = 0;
        for (var i = 0; i < 400; i++)
        {
            var file = files[i % files.Count].ToArray();
            for (var change = random.Next(1, 4); change > 0; change--) file[random.Next(2, file.Length)] = (byte)random.Next(256);
            if (random.Next(4) == 0) file = file[..random.Next(file.Length / 2, file.Length)];
            if (PictureHeader.Read(file) is not { PixelCount: < 4_000_000 } header) continue;
            var (quick, slow) = (Outcome(() => PictureDecoder.Decode(file, Fits[i % 3])), Outcome(() => PictureDecoder.DecodeByVips(file, header, Fits[i % 3], new PictureLimits())));
            Assert.Equal(slow.Fault, quick.Fault);
            if (slow.Picture is not null) Assert.True(IsSame(slow.Picture, quick.Picture!), $"file {i}");
            if (slow.Picture is not null) decoded++;
            else refused++;
        }
        Assert.True(decoded > 50 && refused > 50, $"{decoded} decoded, {refused} refused");
    }

    private static (DecodedPicture? Picture, PictureFault? Fault) Outcome(Func<DecodedPicture> decode)
    {
        try
        {
            return (decode(), null);
        }
        catch (PictureException e)
        {
            return (null, e.Fault);
        }
    }

    // A JPEG with a segment more, behind its first two bytes.
    private static byte[] With(byte[] jpeg, byte marker, params byte[] body) => [.. jpeg[..2], 0xFF, marker, (byte)((body.Length + 2) >> 8), (byte)(body.Length + 2), .. body, .. jpeg[2..]];

    // Exif with one entry in its first directory: 16 bits.
    private static byte[] Exif(int tag, int type, int value) =>
        [.. "Exif\0\0MM\0*\0\0\0\u0008"u8, 0, 1, (byte)(tag >> 8), (byte)tag, 0, (byte)type, 0, 0, 0, 1, (byte)(value >> 8), (byte)value, 0, 0, 0, 0, 0, 0];

    [Fact]
    public void Turned_profiled_and_odd_files_are_left_to_libvips()
    {
        var bare = Encoded(Scene(40, 30, 1), ("strip", "true"));
        Assert.True(JpegSegments.IsPlain(bare));
        Assert.True(JpegSegments.IsPlain(With(bare, 0xE1, Exif(0x0112, 3, 1))));
        Assert.True(JpegSegments.IsPlain(With(bare, 0xE1, Exif(0x0128, 3, 6))));
        Assert.True(JpegSegments.IsPlain(With(bare, 0xE2, [.. "MPF\0something"u8])));
        foreach (var odd in (byte[][])
        [
            With(bare, 0xE1, Exif(0x0112, 3, 6)), With(bare, 0xE1, Exif(0x0112, 3, 0)), With(bare, 0xE1, Exif(0x0112, 4, 1)),
            With(bare, 0xE1, [.. "Exif\0\0MM\0*\0\0\0\u0020"u8, 0, 0]), With(bare, 0xE1, [.. "Exif\0\0"u8]), With(bare, 0xE1, Exif(0x0112, 3, 1)[..20]),
            With(With(bare, 0xE1, Exif(0x0112, 3, 1)), 0xE1, Exif(0x0128, 3, 1)), With(bare, 0xE2, [.. "ICC_PROFILE\0\u0001\u0001"u8]),
            bare[..^1][..200], [.. bare[..2], 0, .. bare[2..]], With(bare, 0xC9, 8, 0, 30, 0, 40, 3, 0), [.. bare, .. Enumerable.Repeat<byte[]>([0xFF, 0xDA], 30).SelectMany(b => b)],
        ])
            Assert.False(JpegSegments.IsPlain(odd));
        var turned = PictureDecoder.Decode(With(bare, 0xE1, Exif(0x0112, 3, 6)));
        Assert.Equal((30, 40), (turned.Width, turned.Height));
    }

    [Fact]
    public void The_quick_encoder_gives_the_same_pixels()
    {
        foreach (var (quality, picture) in ((int, Picture)[])[(95, Scene(256, 256, 3)), (90, Scene(31, 17, 4)), (80, Scene(64, 50, 5)), (1, Scene(20, 20, 6)), (100, Scene(20, 20, 7))])
        {
            var (quick, small) = (PictureWriter.QuickJpeg(picture, quality), PictureWriter.Jpeg(picture, quality));
            Assert.Equal(PictureDecoder.Decode(small).Pixels, PictureDecoder.Decode(quick).Pixels);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => PictureWriter.QuickJpeg(Scene(8, 8, 1), 0));
    }
}
