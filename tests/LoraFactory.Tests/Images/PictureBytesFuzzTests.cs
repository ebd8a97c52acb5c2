using System.Diagnostics;
using LoraFactory.Images;
using LoraFactory.Images.Vips;
using Xunit;

namespace LoraFactory.Tests.Images;

/// <summary>Bytes that nobody's encoder wrote: the header reader never throws, the decoding process is all that may die, and every cap holds.</summary>
public class PictureBytesFuzzTests
{
    private static readonly PictureLimits Limits = new() { MaxPixels = 200_000, Timeout = TimeSpan.FromSeconds(3), MemoryMiB = 256 };

    // Of every format one small file, as an encoder writes it.
    private static List<(string Name, byte[] Bytes)> Seeds()
    {
        var picture = PictureDecoderTests.Gradient(61, 43);
        using var image = VipsImage.FromPixels(picture);
        return
        [
            ("png", PictureWriter.Png(picture, [new("parameters", "a red boat")])),
            ("png, profile", PictureFiles.Png(61, 43, 8, 2, picture.Pixels, PictureFiles.Profile(PictureFiles.AdobeRgb, v => v * v))),
            ("jpeg", PictureWriter.Jpeg(picture, 80)),
            ("jpeg, turned", PictureFiles.WithSegment(PictureWriter.Jpeg(picture, 80), 0xE1, PictureFiles.Exif(6))),
            ("jpeg, progressive", image.Save("jpegsave_buffer", ("interlace", "true"))),
            ("webp", image.Save("webpsave_buffer", ("Q", "70"))),
            ("webp, lossless", image.Save("webpsave_buffer", ("lossless", "true"))),
            ("tiff", image.Save("tiffsave_buffer", ("compression", "deflate"))),
            ("gif", PictureFiles.Gif(31, 17, i => i % 4, i => i / 7 % 4)),
            ("bmp", PictureDecoderTests.Bitmap(picture, 24)),
            ("bmp, palette", PictureDecoderTests.Bitmap(PictureDecoderTests.Gradient(9, 7), 8)),
        ];
    }

    private static byte[] Mutated(byte[] seed, Random random)
    {
        var bytes = (byte[])seed.Clone();
        switch (random.Next(6))
        {
            case 0: // cut off
                return bytes[..random.Next(bytes.Length)];
            case 1: // a stretch twice
                var from = random.Next(bytes.Length);
                return [.. bytes[..from], .. bytes.AsSpan(random.Next(from + 1), random.Next(Math.Min(64, bytes.Length - from))), .. bytes[from..]];
            case 2: // large numbers where sizes and lengths stand
                for (var i = random.Next(1, 4); i > 0; i--) bytes.AsSpan(random.Next(Math.Min(200, bytes.Length - 4)), random.Next(1, 5)).Fill(random.Next(2) == 0 ? (byte)0xFF : (byte)0x7F);
                return bytes;
            case 3: // single bits near the head
                for (var i = random.Next(1, 6); i > 0; i--) bytes[random.Next(Math.Min(300, bytes.Length))] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 4: // bytes anywhere
                for (var i = random.Next(1, 20); i > 0; i--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                return bytes;
            default: // the head of one, the rest noise
                random.NextBytes(bytes.AsSpan(random.Next(12, bytes.Length)));
                return bytes;
        }
    }

    [Fact]
    public void The_header_reader_takes_any_bytes()
    {
        var random = new Random(11);
        var read = 0;
        foreach (var (_, seed) in Seeds())
        {
            Assert.NotNull(PictureHeader.Read(seed));
            for (var i = 0; i < 2000; i++)
            {
                if (PictureHeader.Read(Mutated(seed, random)) is not { } header) continue;
                Assert.True(header is { Width: > 0, Height: > 0, Frames: >= 1 and <= PictureHeader.MaxFrames });
                read++;
            }
        }
        Assert.True(read > 5000, $"{read}");
    }

    [Fact]
    public async Task The_decoding_process_is_all_that_mutated_files_may_cost()
    {
        using var decoder = new IsolatedDecoder(Limits, 2);
        var random = new Random(12);
        var clock = Stopwatch.StartNew();
        int decoded = 0, refused = 0;
        var seeds = Seeds();
        foreach (var (name, seed) in seeds)
        {
            var whole = await decoder.DecodeAsync(seed, null, TestContext.Current.CancellationToken);
            Assert.True(whole.Picture.Width > 1, name);
        }
        // The cases are the same each time; a slow machine does fewer of them.
        for (var i = 0; i < 1200 && (clock.Elapsed < TimeSpan.FromSeconds(8) || i < 60); i++)
        {
            var bytes = Mutated(seeds[i % seeds.Count].Bytes, random);
            PictureFit? fit = (i % 3) switch { 0 => null, 1 => PictureFit.Within(16), _ => PictureFit.Covering(20) };
            try
            {
                var one = await decoder.DecodeAsync(bytes, fit, TestContext.Current.CancellationToken);
                Assert.InRange((long)one.Width * one.Height, 1, Limits.MaxPixels);
                if (fit is { Shorter: false }) Assert.InRange(Math.Max(one.Picture.Width, one.Picture.Height), 1, 16);
                decoded++;
            }
            catch (PictureException e)
            {
                Assert.True(e.Fault != PictureFault.LibraryMissing, $"{seeds[i % seeds.Count].Name}: {e.Message}");
                refused++;
            }
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{decoded} decoded, {refused} refused, {decoder.Started} processes");
        Assert.True(decoded > 0 && refused > 0);
        // Afterwards everything is as before.
        foreach (var (name, seed) in seeds) Assert.True((await decoder.DecodeAsync(seed, null, TestContext.Current.CancellationToken)).Picture.Width > 1, name);
    }

    [Theory]
    [InlineData("png", 17)]
    [InlineData("gif", 7)]
    [InlineData("webp", 27)]
    [InlineData("bmp", 20)]
    public async Task A_header_of_a_huge_picture_is_refused_without_a_process(string name, int at)
    {
        using var decoder = new IsolatedDecoder(Limits);
        var bytes = Seeds().Single(s => s.Name == name).Bytes;
        bytes[at] |= 0x3F;
        bytes[at + (name is "png" or "bmp" ? 4 : 2)] |= 0x3F;
        var fault = await Assert.ThrowsAsync<PictureException>(() => decoder.DecodeAsync(bytes, PictureFit.Within(16), TestContext.Current.CancellationToken));
        Assert.Equal((PictureFault.TooLarge, 0), (fault.Fault, decoder.Started));
    }
}
