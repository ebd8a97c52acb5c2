namespace LoraFactory.Images;

/// <summary>Uniform edges of a picture: frames, letterbox bars, empty paper around a drawing.</summary>
/// <param name="Left">Share of the columns, 0..1, that are of one colour from the left edge on.</param>
/// <param name="Top">Share of the rows from the top edge on.</param>
/// <param name="Right">Share of the columns from the right edge on.</param>
/// <param name="Bottom">Share of the rows from the bottom edge on.</param>
public readonly record struct PictureBorders(double Left, double Top, double Right, double Bottom)
{
    // Grey levels that one edge's pixels may lie from their line's first mean, and the share that must; lossy coding stays within both.
    private const int Tolerance = 10;
    private const double Alike = 0.98;

    /// <summary>Share of the area that lies in them, 0..1; 1 where the whole picture is of one colour.</summary>
    public double Area => 1 - Math.Max(0, 1 - Left - Right) * Math.Max(0, 1 - Top - Bottom);

    /// <summary>Measures <paramref name="luma"/> [height, width]; each side has a colour of its own, and an edge that is not uniform itself has none.</summary>
    public static PictureBorders Of(ReadOnlySpan<byte> luma, int width, int height) => new(
        Lines(luma, 0, 1, width, width, height) / width, Lines(luma, 0, width, height, 1, width) / height,
        Lines(luma, width - 1, -1, width, width, height) / width, Lines(luma, (height - 1) * width, -width, height, 1, width) / height);

    // Lines from the edge on, `step` apart, whose `length` pixels `stride` apart have the colour of the first.
    private static double Lines(ReadOnlySpan<byte> luma, int first, int step, int lines, int stride, int length)
    {
        long sum = 0;
        for (var i = 0; i < length; i++) sum += luma[first + i * stride];
        var ground = (int)Math.Round((double)sum / length);
        var most = length - (int)Math.Ceiling(length * Alike);
        for (var line = 0; line < lines; line++)
        {
            var other = 0;
            for (int i = 0, at = first + line * step; i < length && other <= most; i++, at += stride)
                if (Math.Abs(luma[at] - ground) > Tolerance) other++;
            if (other > most) return line;
        }
        return lines;
    }
}
