using System.Text;
using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

public class PictureDecoderTests
{
    // Grey level differences that another decoder of a lossy format may show; 0 for lossless formats.
    [Theory]
    [InlineData("landscape.png", 0)]
    [InlineData("portrait.png", 0)]
    [InlineData("palette.png", 0)]
    [InlineData("palette-transparent.png", 1)]
    [InlineData("rgba.png", 1)]
    [InlineData("grey.png", 0)]
    [InlineData("grey-alpha.png", 1)]
    [InlineData("one-bit.png", 0)]
    [InlineData("tiny.png", 0)]
    [InlineData("very-wide.png", 0)]
    [InlineData("lossless.webp", 0)]
    [InlineData("lossy.webp", 4)]
    [InlineData("square-photo.jpg", 4)]
    [InlineData("photo-odd.jpg", 4)]
    public void Files_decode_to_the_golden_pixels(string file, int tolerance)
    {
        using var golden = new GoldenPictures();
        var expected = golden.Picture($"in.{file}.rgb");
        var actual = PictureDecoder.DecodeFile(Path.Combine(GoldenPictures.Folder, "images", file));
        Assert.Equal((expected.Width, expected.Height), (actual.Width, actual.Height));
        var worst = actual.Pixels.Zip(expected.Pixels, (a, b) => Math.Abs(a - b)).Max();
        Assert.True(worst <= tolerance, $"off by {worst}");
    }

    [Fact]
    public void Exif_orientation_is_applied()
    {
        using var golden = new GoldenPictures();
        var expected = golden.Picture("in.exif-rotated.jpg.rgb_exif_applied");
        var actual = PictureDecoder.DecodeFile(Path.Combine(GoldenPictures.Folder, "images", "exif-rotated.jpg"));
        Assert.Equal((expected.Width, expected.Height), (actual.Width, actual.Height));
        Assert.InRange(actual.Pixels.Zip(expected.Pixels, (a, b) => Math.Abs(a - b)).Max(), 0, 4);
    }

    [Fact]
    public void Png_comes_back_as_it_was_with_its_text()
    {
        var picture = Gradient(37, 21);
        var bytes = PictureWriter.Png(picture, [new("parameters", "a blueprint of a cat\nSteps: 20")]);
        Assert.Equal(picture.Pixels, PictureDecoder.Decode(bytes).Pixels);
        Assert.Contains("tEXtparameters\0a blueprint of a cat\nSteps: 20", Encoding.Latin1.GetString(bytes), StringComparison.Ordinal);
        var chinese = PictureWriter.Png(picture, [new("parameters", "一只猫的蓝图")]);
        Assert.Equal(picture.Pixels, PictureDecoder.Decode(chinese).Pixels);
        Assert.Contains("iTXtparameters\0\0\0\0\0一只猫的蓝图", Encoding.UTF8.GetString(chinese), StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => PictureWriter.Png(picture, [new("", "x")]));
    }

    [Fact]
    public void Jpeg_comes_back_nearly_as_it_was()
    {
        var picture = Gradient(64, 48);
        var back = PictureDecoder.Decode(PictureWriter.Jpeg(picture, 95));
        Assert.InRange(back.Pixels.Zip(picture.Pixels, (a, b) => Math.Abs(a - b)).Average(), 0, 3);
    }

    [Theory]
    [InlineData(24)]
    [InlineData(32)]
    [InlineData(8)]
    public void Bitmaps_are_read(int bits)
    {
        var picture = Gradient(7, 5);
        Assert.Equal(picture.Pixels, PictureDecoder.Decode(Bitmap(picture, bits)).Pixels);
    }

    [Fact]
    public void A_file_cut_anywhere_is_refused_and_never_crashes()
    {
        foreach (var whole in (byte[][])[PictureWriter.Png(Gradient(50, 40)), PictureWriter.Jpeg(Gradient(50, 40)), Bitmap(Gradient(9, 9), 24)])
        {
            var refused = 0;
            for (var length = 0; length < whole.Length - 16; length += 7)
            {
                var fault = Assert.Throws<PictureException>(() => PictureDecoder.Decode(whole.AsSpan(0, length))).Fault;
                Assert.True(fault is PictureFault.Damaged or PictureFault.Unsupported, $"{fault} at {length}");
                refused++;
            }
            Assert.True(refused > 3);
        }
    }

    [Fact]
    public void Formats_that_are_not_needed_stay_shut()
    {
        var svg = Encoding.UTF8.GetBytes("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"10\"><rect width=\"10\" height=\"10\"/></svg>");
        Assert.Equal(PictureFault.Unsupported, Assert.Throws<PictureException>(() => PictureDecoder.Decode(svg)).Fault);
        var pdf = Encoding.UTF8.GetBytes("%PDF-1.4 and so on, long enough to be looked at");
        Assert.Equal(PictureFault.Unsupported, Assert.Throws<PictureException>(() => PictureDecoder.Decode(pdf)).Fault);
    }

    [Fact]
    public void A_header_with_too_many_pixels_is_refused_before_decoding()
    {
        var bomb = PictureWriter.Png(Picture.Filled(100, 100, 1, 2, 3));
        // Width 2^20, height 2^20: what a decompression bomb says of itself.
        (bomb[17], bomb[21]) = (0x10, 0x10);
        Assert.Equal(PictureFault.TooLarge, Assert.Throws<PictureException>(() => PictureDecoder.Decode(bomb)).Fault);
    }

    [Fact]
    public void Photographs_decode_to_the_size_that_their_index_states()
    {
        if (TestData.Shared("conformance/images") is not { } folder)
        {
            Assert.Skip("conformance/images is not there");
            return;
        }
        var count = 0;
        foreach (var line in File.ReadLines(Path.Combine(folder, "images.jsonl")))
        {
            using var item = System.Text.Json.JsonDocument.Parse(line);
            var bytes = File.ReadAllBytes(Path.Combine(folder, item.RootElement.GetProperty("file").GetString()!));
            var header = PictureHeader.Read(bytes);
            var picture = PictureDecoder.Decode(bytes);
            Assert.Equal((header!.Value.Width, header.Value.Height), (picture.Width, picture.Height));
            Assert.Equal(item.RootElement.GetProperty("width").GetInt32(), picture.Width);
            Assert.Equal(item.RootElement.GetProperty("height").GetInt32(), picture.Height);
            count++;
        }
        Assert.Equal(13, count);
    }

    internal static Picture Gradient(int width, int height)
    {
        var picture = Picture.Filled(width, height, 0, 0, 0);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                (picture.Pixels[(y * width + x) * 3], picture.Pixels[(y * width + x) * 3 + 1], picture.Pixels[(y * width + x) * 3 + 2]) =
                    ((byte)(x * 255 / width), (byte)(y * 255 / height), (byte)((x * 7 + y * 13) % 64));
        return picture;
    }

    internal static byte[] Bitmap(Picture picture, int bits)
    {
        using var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory);
        var palette = bits == 8 ? Enumerable.Range(0, picture.Width * picture.Height).Select(i => (picture.Pixels[i * 3], picture.Pixels[i * 3 + 1], picture.Pixels[i * 3 + 2])).Distinct().ToList() : [];
        var stride = (picture.Width * bits + 31) / 32 * 4;
        writer.Write("BM"u8);
        writer.Write(54 + palette.Count * 4 + stride * picture.Height);
        writer.Write(0);
        writer.Write(54 + palette.Count * 4);
        foreach (var value in (int[])[40, picture.Width, picture.Height]) writer.Write(value);
        writer.Write((short)1);
        writer.Write((short)bits);
        foreach (var value in (int[])[0, stride * picture.Height, 2835, 2835, palette.Count, 0]) writer.Write(value);
        foreach (var (red, green, blue) in palette) writer.Write([blue, green, red, 0]);
        for (var y = picture.Height - 1; y >= 0; y--)
        {
            var row = new byte[stride];
            for (var x = 0; x < picture.Width; x++)
            {
                var i = (y * picture.Width + x) * 3;
                var (red, green, blue) = (picture.Pixels[i], picture.Pixels[i + 1], picture.Pixels[i + 2]);
                if (bits == 8) row[x] = (byte)palette.IndexOf((red, green, blue));
                else (row[x * bits / 8], row[x * bits / 8 + 1], row[x * bits / 8 + 2]) = (blue, green, red);
            }
            writer.Write(row);
        }
        return memory.ToArray();
    }
}
