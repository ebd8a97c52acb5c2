using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using LoraFactory.Images.Turbo;
using LoraFactory.Images.Vips;

namespace LoraFactory.Images;

/// <summary>Encodes pictures.</summary>
public static class PictureWriter
{
    // Signature and IHDR.
    private const int HeaderLength = 33;

    /// <summary>PNG, lossless. <paramref name="text"/> becomes tEXt or iTXt chunks (keyword 1..79 Latin-1 characters, e.g. "parameters").</summary>
    public static byte[] Png(Picture picture, IEnumerable<KeyValuePair<string, string>>? text = null)
    {
        using var image = VipsImage.FromPixels(picture);
        var png = image.Save("pngsave_buffer", ("compression", "6"));
        return text is null ? png : [.. png.AsSpan(0, HeaderLength), .. text.SelectMany(pair => TextChunk(pair.Key, pair.Value)), .. png.AsSpan(HeaderLength)];
    }

    /// <summary>JPEG, 4:4:4 from quality 90 on, with Huffman tables of its own: smaller. <paramref name="quality"/> 1..100.</summary>
    public static byte[] Jpeg(Picture picture, int quality = 90) => ByVips(picture, quality, "true");

    /// <summary>The same pixels with the standard's Huffman tables, as most programs write: a twelfth larger, made in a fifth of the time.</summary>
    public static byte[] QuickJpeg(Picture picture, int quality = 90) => TurboJpeg.IsAvailable && quality is >= 1 and <= 100 ? TurboJpeg.Encode(picture, quality) : ByVips(picture, quality, "false");

    private static byte[] ByVips(Picture picture, int quality, string ownTables)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        using var image = VipsImage.FromPixels(picture);
        return image.Save("jpegsave_buffer", ("Q", quality.ToString(CultureInfo.InvariantCulture)), ("optimize-coding", ownTables));
    }

    /// <summary>tEXt for Latin-1, else iTXt in UTF-8 (PNG third edition, 11.3.3); written here, since libvips compresses them and readers of prompts look for plain ones.</summary>
    private static byte[] TextChunk(string keyword, string value)
    {
        if (keyword.Length is < 1 or > 79 || keyword.Any(c => c is < ' ' or > 'ÿ'))
            throw new ArgumentException($"\"{keyword}\" is no PNG keyword: 1 to 79 Latin-1 characters.", nameof(keyword));
        byte[] chunk = value.All(c => c is > '\0' and <= 'ÿ')
            ? [.. "tEXt"u8, .. Encoding.Latin1.GetBytes(keyword), 0, .. Encoding.Latin1.GetBytes(value)]
            : [.. "iTXt"u8, .. Encoding.Latin1.GetBytes(keyword), 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(value.Replace("\0", ""))];
        var framed = new byte[chunk.Length + 8];
        BinaryPrimitives.WriteInt32BigEndian(framed, chunk.Length - 4);
        chunk.CopyTo(framed, 4);
        BinaryPrimitives.WriteUInt32BigEndian(framed.AsSpan(chunk.Length + 4), Crc(chunk));
        return framed;
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
        }
        return ~crc;
    }
}
