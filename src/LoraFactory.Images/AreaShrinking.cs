namespace LoraFactory.Images;

/// <summary>
/// Shrinking by the mean over the area that each new pixel covers, equal to OpenCV's INTER_AREA for 8 bits, bit for bit: kohya's trainers
/// shrink pictures into buckets with it. Weights and sums are float32, columns first, rounded half to even; halving both sides is (sum + 2) &gt;&gt; 2.
/// </summary>
public static class AreaShrinking
{
    // Overlaps smaller than this part of a pixel are left out.
    private const double Negligible = 1e-3;

    private readonly record struct Share(int From, int To, float Weight);

    /// <summary>Shrinks to exactly this size; neither side may grow.</summary>
    public static Picture Shrink(Picture picture, int width, int height)
    {
        if (width < 1 || height < 1 || width > picture.Width || height > picture.Height)
            throw new ArgumentOutOfRangeException(nameof(width), $"{picture.Width}×{picture.Height} cannot be shrunk to {width}×{height}: neither side may grow.");
        if (picture.Width == width * 2 && picture.Height == height * 2) return Halve(picture);
        var columns = Shares(picture.Width, width);
        var rows = Shares(picture.Height, height);
        var output = new byte[width * height * 3];
        var row = new float[width * 3];
        var sums = new float[width * 3];
        for (var i = 0; i < rows.Count; i++)
        {
            Array.Clear(row);
            var source = picture.Pixels.AsSpan(rows[i].From * picture.Width * 3, picture.Width * 3);
            foreach (var (from, to, weight) in columns)
                for (var band = 0; band < 3; band++) row[to * 3 + band] += source[from * 3 + band] * weight;
            var first = i == 0 || rows[i - 1].To != rows[i].To;
            for (var x = 0; x < row.Length; x++) sums[x] = first ? row[x] * rows[i].Weight : sums[x] + row[x] * rows[i].Weight;
            if (i + 1 < rows.Count && rows[i + 1].To == rows[i].To) continue;
            for (var x = 0; x < sums.Length; x++) output[rows[i].To * width * 3 + x] = (byte)Math.Clamp(MathF.Round(sums[x], MidpointRounding.ToEven), 0, 255);
        }
        return new Picture(width, height, output);
    }

    private static List<Share> Shares(int from, int to)
    {
        var scale = (double)from / to;
        var shares = new List<Share>();
        for (var i = 0; i < to; i++)
        {
            double start = i * scale, end = start + scale, cell = Math.Min(scale, from - start);
            int last = Math.Min((int)Math.Floor(end), from - 1), first = Math.Min((int)Math.Ceiling(start), last);
            if (first - start > Negligible) shares.Add(new(first - 1, i, (float)((first - start) / cell)));
            for (var whole = first; whole < last; whole++) shares.Add(new(whole, i, (float)(1 / cell)));
            if (end - last > Negligible) shares.Add(new(last, i, (float)(Math.Min(Math.Min(end - last, 1), cell) / cell)));
        }
        return shares;
    }

    private static Picture Halve(Picture picture)
    {
        var (width, height) = (picture.Width / 2, picture.Height / 2);
        var output = new byte[width * height * 3];
        var stride = picture.Width * 3;
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width * 3; x++)
            {
                var at = 2 * y * stride + x / 3 * 6 + x % 3;
                output[y * width * 3 + x] = (byte)((picture.Pixels[at] + picture.Pixels[at + 3] + picture.Pixels[at + stride] + picture.Pixels[at + stride + 3] + 2) >> 2);
            }
        }
        return new Picture(width, height, output);
    }
}
