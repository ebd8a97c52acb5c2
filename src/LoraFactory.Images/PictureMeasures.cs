using System.Buffers.Binary;

namespace LoraFactory.Images;

/// <summary>What is measured of a picture at <see cref="Side"/> pixels of its longer side, so that thresholds mean the same for every size.</summary>
/// <param name="Width">Columns of the whole picture, upright.</param>
/// <param name="Height">Rows likewise.</param>
/// <param name="Hash">64-bit DCT hash.</param>
/// <param name="Gradient">64-bit gradient hash along rows.</param>
/// <param name="Thumbnail">Luma of 24×24, to confirm near duplicates.</param>
/// <param name="Signals">Statistics of its pixels.</param>
/// <param name="Borders">Its uniform edges.</param>
/// <param name="Text">Share of lettering, 0..1.</param>
public sealed record PictureMeasures(int Width, int Height, ulong Hash, ulong Gradient, byte[] Thumbnail, PictureSignals Signals, PictureBorders Borders, double Text)
{
    /// <summary>Columns and rows of the thumbnail.</summary>
    public const int ThumbnailSide = 24;

    /// <summary>Pixels of the longer side at most; smaller pictures are measured as they are.</summary>
    public const int Side = 512;

    /// <summary>Bytes of its record: two hashes, the thumbnail, thirteen numbers.</summary>
    internal const int Length = 2 * sizeof(ulong) + ThumbnailSide * ThumbnailSide + 13 * sizeof(double);

    /// <summary>Measures a picture of any size.</summary>
    public static PictureMeasures Of(Picture picture)
    {
        var (width, height) = PictureFit.Within(Side).Of(picture.Width, picture.Height);
        return Of(new DecodedPicture(PictureResampler.Resize(picture, width, height, PictureFit.Filter), picture.Width, picture.Height));
    }

    /// <summary>Measures a picture that was decoded within <see cref="Side"/>.</summary>
    public static PictureMeasures Of(DecodedPicture decoded)
    {
        var picture = decoded.Picture;
        var (width, height) = (picture.Width, picture.Height);
        var luma = picture.Luma();
        return new(decoded.Width, decoded.Height,
            PerceptualHash.Bits(PerceptualHash.Dct(luma, width, height)), PerceptualHash.Bits(PerceptualHash.Difference(luma, width, height)),
            PictureResampler.Resize(luma, width, height, 1, ThumbnailSide, ThumbnailSide, Resampling.Lanczos),
            PictureSignals.Of(picture, luma), PictureBorders.Of(luma, width, height), PictureText.Share(luma, width, height));
    }

    /// <summary>Its record without the sizes, little-endian; numbers keep all their bits.</summary>
    internal byte[] ToBytes()
    {
        var bytes = new byte[Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Hash);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), Gradient);
        Thumbnail.CopyTo(bytes, 16);
        var at = 16 + Thumbnail.Length;
        foreach (var number in Numbers())
        {
            BinaryPrimitives.WriteDoubleLittleEndian(bytes.AsSpan(at), number);
            at += sizeof(double);
        }
        return bytes;
    }

    /// <summary>Reads a record that may lie, of a picture of this size. Throws <see cref="InvalidDataException"/> where a number cannot have been measured on any picture.</summary>
    internal static PictureMeasures Read(ReadOnlySpan<byte> bytes, int width, int height)
    {
        if (bytes.Length != Length) throw new InvalidDataException($"A record of measures has {Length} bytes, not {bytes.Length}.");
        var thumbnail = bytes.Slice(16, ThumbnailSide * ThumbnailSide).ToArray();
        var numbers = new double[13];
        for (var i = 0; i < numbers.Length; i++)
        {
            numbers[i] = BinaryPrimitives.ReadDoubleLittleEndian(bytes[(16 + thumbnail.Length + i * sizeof(double))..]);
            if (!(numbers[i] >= -Slack && numbers[i] <= Largest(i) + Slack)) throw new InvalidDataException($"Measure {i} is {numbers[i]}; it lies between 0 and {Largest(i)}.");
        }
        return new(width, height, BinaryPrimitives.ReadUInt64LittleEndian(bytes), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]), thumbnail,
            new(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6], numbers[7]), new(numbers[8], numbers[9], numbers[10], numbers[11]), numbers[12]);
    }

    // Sums of many doubles miss their bounds by as much.
    private const double Slack = 1e-6;

    // Sharpness: the Laplacian lies within ±1020. Entropy: 8 bits. Colourfulness: opponents within ±255. All others are shares.
    private static double Largest(int number) => number switch { 2 => 1020.0 * 1020, 3 => 8, 4 => 1000, _ => 1 };

    private double[] Numbers() =>
    [
        Signals.Brightness, Signals.Contrast, Signals.Sharpness, Signals.Entropy, Signals.Colourfulness, Signals.Uniform, Signals.Dark, Signals.Light,
        Borders.Left, Borders.Top, Borders.Right, Borders.Bottom, Text,
    ];
}
