using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

public class PictureHeaderTests
{
    [Fact]
    public void Golden_files_say_their_size()
    {
        using var golden = new GoldenPictures();
        var count = 0;
        foreach (var file in Directory.GetFiles(Path.Combine(GoldenPictures.Folder, "images")))
        {
            var expected = golden.Picture($"in.{Path.GetFileName(file)}.rgb");
            var header = PictureHeader.Read(File.ReadAllBytes(file));
            Assert.NotNull(header);
            Assert.Equal((expected.Width, expected.Height, 1), (header.Value.Width, header.Value.Height, header.Value.Frames));
            Assert.Equal(Path.GetExtension(file) switch { ".png" => "image/png", ".jpg" => "image/jpeg", _ => "image/webp" }, header.Value.MediaType);
            count++;
        }
        Assert.Equal(17, count);
    }

    [Fact]
    public void Frames_of_an_animated_gif_are_counted()
    {
        byte[] frame = [0x21, 0xF9, 4, 0, 0, 0, 0, 0, 0x2C, 0, 0, 0, 0, 3, 0, 2, 0, 0, 2, 2, 0x4C, 1, 0];
        byte[] gif = [.. "GIF89a"u8, 3, 0, 2, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255, .. frame, .. frame, .. frame, 0x3B];
        Assert.Equal(new PictureHeader(PictureFormat.Gif, 3, 2, 3), PictureHeader.Read(gif));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Tiff_of_both_byte_orders_is_read_and_loops_end(bool littleEndian)
    {
        byte[] Word16(int v) => littleEndian ? [(byte)v, (byte)(v >> 8)] : [(byte)(v >> 8), (byte)v];
        byte[] Word32(int v) => littleEndian ? [.. Word16(v & 0xFFFF), .. Word16(v >> 16)] : [.. Word16(v >> 16), .. Word16(v & 0xFFFF)];
        byte[] Entry(int tag, int value) => [.. Word16(tag), .. Word16(4), .. Word32(1), .. Word32(value)];
        byte[] tiff = [(byte)(littleEndian ? 'I' : 'M'), (byte)(littleEndian ? 'I' : 'M'), .. Word16(42), .. Word32(8), .. Word16(2), .. Entry(256, 640), .. Entry(257, 480), .. Word32(8)];
        Assert.Equal(new PictureHeader(PictureFormat.Tiff, 640, 480, 1), PictureHeader.Read(tiff));
    }

    [Fact]
    public void Any_bytes_are_looked_at_without_a_crash()
    {
        var random = new Random(7);
        byte[][] starts = [[0x89, .. "PNG\r\n"u8, 0x1A, 0x0A], [0xFF, 0xD8, 0xFF], [.. "RIFF0000WEBPVP8X"u8], [.. "RIFF0000WEBPVP8 "u8], [.. "RIFF0000WEBPVP8L"u8], [.. "GIF89a"u8], [.. "BM"u8], [.. "II*\0"u8], [.. "MM\0*"u8]];
        var read = 0;
        for (var i = 0; i < 60_000; i++)
        {
            var bytes = new byte[random.Next(0, 80)];
            random.NextBytes(bytes);
            // Small numbers make more headers pass.
            if (i % 3 == 0) for (var j = 0; j < bytes.Length; j++) if (random.Next(4) != 0) bytes[j] = 0;
            var start = starts[i % starts.Length];
            start.AsSpan(0, Math.Min(start.Length, bytes.Length)).CopyTo(bytes);
            if (PictureHeader.Read(bytes) is { } header)
            {
                Assert.True(header is { Width: > 0, Height: > 0, Frames: > 0 and <= PictureHeader.MaxFrames });
                read++;
            }
        }
        Assert.True(read > 100, $"{read} headers");
    }
}
