using System.Buffers.Binary;

namespace LoraFactory.Images;

public readonly partial record struct PictureHeader
{
    private static PictureHeader? ReadWebP(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 30) return null;
        if (bytes[12..16].SequenceEqual("VP8 "u8))
        {
            if (!bytes[23..26].SequenceEqual((ReadOnlySpan<byte>)[0x9D, 0x01, 0x2A])) return null;
            return new(PictureFormat.WebP, BinaryPrimitives.ReadUInt16LittleEndian(bytes[26..]) & 0x3FFF, BinaryPrimitives.ReadUInt16LittleEndian(bytes[28..]) & 0x3FFF, 1);
        }
        if (bytes[12..16].SequenceEqual("VP8L"u8))
        {
            if (bytes[20] != 0x2F) return null;
            var bits = BinaryPrimitives.ReadUInt32LittleEndian(bytes[21..]);
            return new(PictureFormat.WebP, (int)(bits & 0x3FFF) + 1, (int)((bits >> 14) & 0x3FFF) + 1, 1);
        }
        if (!bytes[12..16].SequenceEqual("VP8X"u8)) return null;
        var width = 1 + (bytes[24] | bytes[25] << 8 | bytes[26] << 16);
        var height = 1 + (bytes[27] | bytes[28] << 8 | bytes[29] << 16);
        var animated = (bytes[20] & 0x02) != 0;
        return new(PictureFormat.WebP, width, height, animated ? CountWebPFrames(bytes) : 1);
    }

    private static int CountWebPFrames(ReadOnlySpan<byte> bytes)
    {
        var frames = 0;
        long at = 30;
        for (var chunk = 0; chunk < MaxFrames * 2 && at + 8 <= bytes.Length && frames < MaxFrames; chunk++)
        {
            var here = bytes[(int)at..];
            if (here[..4].SequenceEqual("ANMF"u8)) frames++;
            var size = BinaryPrimitives.ReadUInt32LittleEndian(here[4..]);
            at += 8L + size + (size & 1);
        }
        return Math.Max(1, frames);
    }

    private static PictureHeader? ReadGif(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 13) return null;
        int width = BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]), height = BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]);
        var at = 13 + ColourTable(bytes[10]);
        var frames = 0;
        while (at < bytes.Length && frames < MaxFrames)
        {
            switch (bytes[at])
            {
                case 0x2C when at + 10 < bytes.Length:
                    frames++;
                    // A frame may be larger than the screen that the file declares.
                    width = Math.Max(width, BinaryPrimitives.ReadUInt16LittleEndian(bytes[(at + 5)..]));
                    height = Math.Max(height, BinaryPrimitives.ReadUInt16LittleEndian(bytes[(at + 7)..]));
                    at = SkipGifBlocks(bytes, at + 11 + ColourTable(bytes[at + 9]));
                    break;
                case 0x21:
                    at = SkipGifBlocks(bytes, at + 2);
                    break;
                default:
                    at = bytes.Length;
                    break;
            }
        }
        return frames == 0 ? null : new(PictureFormat.Gif, width, height, frames);
    }

    private static int ColourTable(byte packed) => (packed & 0x80) == 0 ? 0 : 3 << ((packed & 7) + 1);

    private static int SkipGifBlocks(ReadOnlySpan<byte> bytes, int at)
    {
        while (at < bytes.Length && bytes[at] != 0) at += bytes[at] + 1;
        return at + 1;
    }

    private static PictureHeader? ReadTiff(ReadOnlySpan<byte> bytes, bool littleEndian)
    {
        int width = 0, height = 0, frames = 0;
        long at = Word32(bytes, 4, littleEndian);
        // Directories must go forward: that ends every loop, and libtiff writes them so.
        for (long before = 0; at > before && at + 2 <= bytes.Length && frames < MaxFrames; frames++)
        {
            before = at;
            var entries = Word16(bytes, (int)at, littleEndian);
            if (at + 2 + entries * 12L + 4 > bytes.Length) break;
            if (frames == 0) (width, height) = TiffSize(bytes.Slice((int)at + 2, entries * 12), littleEndian);
            at = Word32(bytes, (int)at + 2 + entries * 12, littleEndian);
        }
        return frames == 0 ? null : new(PictureFormat.Tiff, width, height, frames);
    }

    private static (int Width, int Height) TiffSize(ReadOnlySpan<byte> entries, bool littleEndian)
    {
        int width = 0, height = 0;
        for (var at = 0; at < entries.Length; at += 12)
        {
            var tag = Word16(entries, at, littleEndian);
            if (tag is not (256 or 257)) continue;
            var value = Word16(entries, at + 2, littleEndian) == 3 ? Word16(entries, at + 8, littleEndian) : Word32(entries, at + 8, littleEndian);
            var side = (int)Math.Min(value, int.MaxValue);
            if (tag == 256) width = side;
            else height = side;
        }
        return (width, height);
    }

    private static int Word16(ReadOnlySpan<byte> bytes, int at, bool littleEndian) =>
        littleEndian ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]) : BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]);

    private static long Word32(ReadOnlySpan<byte> bytes, int at, bool littleEndian) =>
        littleEndian ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]) : BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]);
}
