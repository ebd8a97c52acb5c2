using System.Buffers.Binary;

namespace LoraFactory.Images;

/// <summary>Reads uncompressed Windows bitmaps (1, 4, 8, 24, 32 bits a pixel); libvips itself has no reader for them.</summary>
internal static class BmpReader
{
    /// <summary>Decodes; the caller has checked the header's size. Throws <see cref="PictureException"/>.</summary>
    public static Picture Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 54) throw new PictureException(PictureFault.Damaged, "it ends in its header");
        var headerSize = BinaryPrimitives.ReadInt32LittleEndian(bytes[14..]);
        if (headerSize < 40) throw new PictureException(PictureFault.Unsupported, "The bitmap has an OS/2 header, which is not read here.");
        int width = BinaryPrimitives.ReadInt32LittleEndian(bytes[18..]), signedHeight = BinaryPrimitives.ReadInt32LittleEndian(bytes[22..]);
        int height = Math.Abs(signedHeight), bits = BinaryPrimitives.ReadUInt16LittleEndian(bytes[28..]);
        var compression = BinaryPrimitives.ReadInt32LittleEndian(bytes[30..]);
        if (compression != 0 || bits is not (1 or 4 or 8 or 24 or 32))
            throw new PictureException(PictureFault.Unsupported, $"The bitmap has {bits} bits a pixel and compression {compression}; only uncompressed 1, 4, 8, 24 and 32 are read.");
        long stride = ((long)width * bits + 31) / 32 * 4, start = BinaryPrimitives.ReadUInt32LittleEndian(bytes[10..]);
        if (start + stride * height > bytes.Length) throw new PictureException(PictureFault.Damaged, "it ends early");
        var palette = bits > 8 ? default : Palette(bytes, headerSize, bits);
        var pixels = new byte[checked(width * height * 3)];
        for (var y = 0; y < height; y++)
        {
            var stored = signedHeight > 0 ? height - 1 - y : y;
            var row = bytes.Slice((int)(start + stored * stride), (int)stride);
            DecodeRow(row, bits, palette, pixels.AsSpan(y * width * 3, width * 3));
        }
        return new Picture(width, height, pixels);
    }

    private static ReadOnlySpan<byte> Palette(ReadOnlySpan<byte> bytes, int headerSize, int bits)
    {
        var used = BinaryPrimitives.ReadInt32LittleEndian(bytes[46..]);
        var count = used is > 0 and <= 256 ? used : 1 << bits;
        if (14L + headerSize + count * 4 > bytes.Length) throw new PictureException(PictureFault.Damaged, "its palette ends early");
        return bytes.Slice(14 + headerSize, count * 4);
    }

    private static void DecodeRow(ReadOnlySpan<byte> row, int bits, ReadOnlySpan<byte> palette, Span<byte> output)
    {
        for (var x = 0; x < output.Length / 3; x++)
        {
            ReadOnlySpan<byte> colour;
            if (bits > 8)
            {
                colour = row[(x * bits / 8)..];
            }
            else
            {
                var index = row[x * bits / 8] >> (8 - bits - x * bits % 8) & ((1 << bits) - 1);
                if (index * 4 + 4 > palette.Length) throw new PictureException(PictureFault.Damaged, "a pixel lies outside its palette");
                colour = palette[(index * 4)..];
            }
            (output[x * 3], output[x * 3 + 1], output[x * 3 + 2]) = (colour[2], colour[1], colour[0]);
        }
    }
}
