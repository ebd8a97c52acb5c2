using System.Buffers.Binary;

namespace LoraFactory.Images;

/// <summary>File formats that are recognised.</summary>
public enum PictureFormat
{
    /// <summary>Portable Network Graphics, APNG included.</summary>
    Png,
    /// <summary>JPEG, any process.</summary>
    Jpeg,
    /// <summary>WebP, lossy and lossless.</summary>
    WebP,
    /// <summary>GIF 87a and 89a.</summary>
    Gif,
    /// <summary>Windows bitmap.</summary>
    Bmp,
    /// <summary>Classic TIFF.</summary>
    Tiff,
}

/// <summary>What a file says about itself before anything is decoded, read from the bytes alone: names and media types lie.</summary>
/// <param name="Format">Which format.</param>
/// <param name="Width">Columns as stored, before any EXIF rotation.</param>
/// <param name="Height">Rows as stored.</param>
/// <param name="Frames">Pictures in the file, 1 for a still; counted up to <see cref="MaxFrames"/>.</param>
public readonly partial record struct PictureHeader(PictureFormat Format, int Width, int Height, int Frames)
{
    /// <summary>Counting frames stops here.</summary>
    public const int MaxFrames = 10_000;

    private const int MaxMarkers = 4096;

    /// <summary>IANA media type.</summary>
    public string MediaType => Format switch
    {
        PictureFormat.Png => "image/png",
        PictureFormat.Jpeg => "image/jpeg",
        PictureFormat.WebP => "image/webp",
        PictureFormat.Gif => "image/gif",
        PictureFormat.Bmp => "image/bmp",
        _ => "image/tiff",
    };

    /// <summary>Width times height.</summary>
    public long PixelCount => (long)Width * Height;

    /// <summary>
    /// Reads the header. Null when the bytes are none of the formats, or when the header itself is broken or names an empty picture.
    /// Never throws, reads each byte at most once, allocates nothing.
    /// Sources: PNG third edition; ITU-T T.81; RFC 9649 (WebP); GIF89a; BITMAPINFOHEADER; TIFF 6.0.
    /// </summary>
    public static PictureHeader? Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 12) return null;
        PictureHeader? header = bytes switch
        {
            [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => ReadPng(bytes),
            [0xFF, 0xD8, 0xFF, ..] => ReadJpeg(bytes),
            [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] => ReadWebP(bytes),
            [(byte)'G', (byte)'I', (byte)'F', (byte)'8', (byte)'7' or (byte)'9', (byte)'a', ..] => ReadGif(bytes),
            [(byte)'B', (byte)'M', ..] => ReadBmp(bytes),
            [(byte)'I', (byte)'I', 42, 0, ..] => ReadTiff(bytes, littleEndian: true),
            [(byte)'M', (byte)'M', 0, 42, ..] => ReadTiff(bytes, littleEndian: false),
            _ => null,
        };
        return header is { Width: > 0, Height: > 0 } ? header : null;
    }

    private static PictureHeader? ReadPng(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 33 || !bytes[12..16].SequenceEqual("IHDR"u8)) return null;
        var width = BinaryPrimitives.ReadInt32BigEndian(bytes[16..]);
        var height = BinaryPrimitives.ReadInt32BigEndian(bytes[20..]);
        // acTL, which makes an animation, stands before the first IDAT.
        long at = 33;
        for (var chunk = 0; chunk < MaxMarkers && at + 12 <= bytes.Length; chunk++)
        {
            var here = bytes[(int)at..];
            var name = here[4..8];
            if (name.SequenceEqual("IDAT"u8)) break;
            if (name.SequenceEqual("acTL"u8))
                return new(PictureFormat.Png, width, height, Math.Clamp(BinaryPrimitives.ReadInt32BigEndian(here[8..]), 1, MaxFrames));
            at += 12L + BinaryPrimitives.ReadUInt32BigEndian(here);
        }
        return new(PictureFormat.Png, width, height, 1);
    }

    private static PictureHeader? ReadJpeg(ReadOnlySpan<byte> bytes)
    {
        var at = 2;
        for (var marker = 0; marker < MaxMarkers && at + 9 <= bytes.Length; marker++)
        {
            if (bytes[at] != 0xFF) return null;
            var kind = bytes[at + 1];
            if (kind == 0xFF)
            {
                at++;
                continue;
            }
            // Start of frame, all processes; C4, C8 and CC are other things.
            if (kind is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC))
                return new(PictureFormat.Jpeg, BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 7)..]), BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 5)..]), 1);
            if (kind is 0xD9 or 0xDA) return null;
            if (kind is 0x01 or (>= 0xD0 and <= 0xD7))
            {
                at += 2;
                continue;
            }
            var length = BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 2)..]);
            if (length < 2) return null;
            at += 2 + length;
        }
        return null;
    }

    private static PictureHeader? ReadBmp(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 26) return null;
        var size = BinaryPrimitives.ReadInt32LittleEndian(bytes[14..]);
        if (size == 12)
            return new(PictureFormat.Bmp, BinaryPrimitives.ReadUInt16LittleEndian(bytes[18..]), BinaryPrimitives.ReadUInt16LittleEndian(bytes[20..]), 1);
        if (size < 40) return null;
        var height = BinaryPrimitives.ReadInt32LittleEndian(bytes[22..]);
        if (height == int.MinValue) return null;
        return new(PictureFormat.Bmp, BinaryPrimitives.ReadInt32LittleEndian(bytes[18..]), Math.Abs(height), 1);
    }
}
