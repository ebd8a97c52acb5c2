using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace LoraFactory.Tests.Images;

/// <summary>Picture files and colour profiles written byte by byte, for what encoders do not write on request.</summary>
internal static class PictureFiles
{
    /// <summary>Chromaticities of a profile as colorants in XYZ of D50, red, green, blue: Adobe RGB (1998) and Display P3.</summary>
    public static readonly double[][] AdobeRgb = [[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]];
    public static readonly double[][] DisplayP3 = [[0.51512, 0.24120, -0.00105], [0.29198, 0.69225, 0.04189], [0.15710, 0.06657, 0.78407]];

    /// <summary>A PNG; <paramref name="scanlines"/> holds the rows without filter bytes.</summary>
    public static byte[] Png(int width, int height, int depth, int colourType, byte[] scanlines, byte[]? profile = null)
    {
        using var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = ((byte)depth, (byte)colourType);
        Chunk(file, "IHDR", header);
        if (profile is not null) Chunk(file, "iCCP", [.. "made here\0\0"u8, .. Zlib(profile)]);
        var stride = scanlines.Length / height;
        Chunk(file, "IDAT", Zlib([.. Enumerable.Range(0, height).SelectMany(y => (byte[])[0, .. scanlines.AsSpan(y * stride, stride)])]));
        Chunk(file, "IEND", []);
        return file.ToArray();
    }

    private static byte[] Zlib(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest)) zlib.Write(bytes);
        return packed.ToArray();
    }

    private static void Chunk(Stream file, string name, byte[] body)
    {
        byte[] chunk = [.. Encoding.ASCII.GetBytes(name), .. body];
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, body.Length);
        file.Write(number);
        file.Write(chunk);
        var crc = uint.MaxValue;
        foreach (var value in chunk)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
        }
        BinaryPrimitives.WriteUInt32BigEndian(number, ~crc);
        file.Write(number);
    }

    /// <summary>An RGB matrix profile (ICC.1:2001, version 2) with one curve for all channels: a gamma, or sampled.</summary>
    public static byte[] Profile(double[][] colorants, Func<double, double> curve)
    {
        var tags = new List<(string Name, byte[] Body)> { ("desc", Described("made for a test")), ("wtpt", Xyz(0.9642, 1, 0.8249)), ("cprt", [.. "text\0\0\0\0none\0"u8]) };
        foreach (var (name, colorant) in new[] { "rXYZ", "gXYZ", "bXYZ" }.Zip(colorants)) tags.Add((name, Xyz(colorant[0], colorant[1], colorant[2])));
        byte[] sampled = [.. "curv\0\0\0\0"u8, 0, 0, 4, 0, .. Enumerable.Range(0, 1024).SelectMany(i => Big16((int)Math.Round(65535 * curve(i / 1023.0))))];
        foreach (var name in (string[])["rTRC", "gTRC", "bTRC"]) tags.Add((name, sampled));
        using var body = new MemoryStream();
        using var table = new MemoryStream();
        table.Write(Big32(tags.Count));
        foreach (var (name, bytes) in tags)
        {
            table.Write(Encoding.ASCII.GetBytes(name));
            table.Write(Big32(128 + 4 + 12 * tags.Count + (int)body.Length));
            table.Write(Big32(bytes.Length));
            body.Write(bytes);
            while (body.Length % 4 != 0) body.WriteByte(0);
        }
        byte[] header = [.. Big32(128 + (int)(table.Length + body.Length)), 0, 0, 0, 0, 2, 0x40, 0, 0, .. "mntrRGB XYZ "u8, .. new byte[12], .. "acsp"u8, .. new byte[28], .. Xyz(0.9642, 1, 0.8249).AsSpan(8), .. new byte[48]];
        return [.. header, .. table.ToArray(), .. body.ToArray()];
    }

    private static byte[] Described(string text) => [.. "desc\0\0\0\0"u8, .. Big32(text.Length + 1), .. Encoding.ASCII.GetBytes(text), 0, .. new byte[78]];

    private static byte[] Xyz(double x, double y, double z) => [.. "XYZ \0\0\0\0"u8, .. new[] { x, y, z }.SelectMany(value => Big32((int)Math.Round(value * 65536)))];

    private static byte[] Big32(int value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    private static byte[] Big16(int value) => [(byte)(value >> 8), (byte)value];

    /// <summary>A JPEG with a segment put behind its first marker.</summary>
    public static byte[] WithSegment(byte[] jpeg, byte marker, byte[] body) => [0xFF, 0xD8, 0xFF, marker, .. Big16(body.Length + 2), .. body, .. jpeg.AsSpan(2)];

    /// <summary>The body of an APP1 segment that holds an EXIF orientation alone.</summary>
    public static byte[] Exif(int orientation) => [.. "Exif\0\0II*\0"u8, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, (byte)orientation, 0, 0, 0, 0, 0, 0, 0];

    /// <summary>A GIF of four colours (black, white, red, blue); a frame gives each pixel's colour by its number. Codes are literals: the table is cleared before it grows.</summary>
    public static byte[] Gif(int width, int height, params Func<int, int>[] frames)
    {
        using var file = new MemoryStream();
        file.Write([.. "GIF89a"u8, (byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8), 0x81, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 255]);
        foreach (var frame in frames)
        {
            file.Write([0x21, 0xF9, 4, 0, 10, 0, 0, 0, 0x2C, 0, 0, 0, 0, (byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8), 0, 2]);
            var codes = Enumerable.Range(0, width * height).SelectMany(i => i % 2 == 0 ? (int[])[4, frame(i)] : [frame(i)]).Append(5).ToList();
            var packed = new byte[(codes.Count * 3 + 7) / 8];
            for (var bit = 0; bit < codes.Count * 3; bit++)
                if ((codes[bit / 3] >> (bit % 3) & 1) != 0) packed[bit / 8] |= (byte)(1 << (bit % 8));
            foreach (var block in packed.Chunk(255))
            {
                file.WriteByte((byte)block.Length);
                file.Write(block);
            }
            file.WriteByte(0);
        }
        file.WriteByte(0x3B);
        return file.ToArray();
    }
}
