namespace LoraFactory.Images;

/// <summary>Resampling filters.</summary>
public enum Resampling
{
    /// <summary>Mean over the covered pixels.</summary>
    Box,
    /// <summary>Triangle, support 1.</summary>
    Bilinear,
    /// <summary>Cubic with a = −0.5, support 2.</summary>
    Bicubic,
    /// <summary>Windowed sinc, support 3.</summary>
    Lanczos,
}

/// <summary>
/// Resizing with 8-bit arithmetic that equals Pillow's, bit for bit: model processors and perceptual hashes are defined by it. The filter
/// widens when shrinking (antialias); the horizontal pass comes first and is rounded to 8 bits; a pass whose size does not change is skipped.
/// </summary>
public static class PictureResampler
{
    private const int PrecisionBits = 22;

    /// <summary>Resizes to exactly this size.</summary>
    public static Picture Resize(Picture picture, int width, int height, Resampling filter) =>
        new(width, height, Resize(picture.Pixels, picture.Width, picture.Height, 3, width, height, filter));

    /// <summary>Resizes so that the shorter side is <paramref name="side"/>; the longer one is truncated: int(side · long / short).</summary>
    public static Picture ResizeShortestEdge(Picture picture, int side, Resampling filter)
    {
        var (width, height) = (picture.Width, picture.Height);
        return width <= height
            ? Resize(picture, side, (int)((long)side * height / width), filter)
            : Resize(picture, (int)((long)side * width / height), side, filter);
    }

    /// <summary>Resizes interleaved bytes [H, W, <paramref name="bands"/>].</summary>
    public static byte[] Resize(byte[] pixels, int width, int height, int bands, int newWidth, int newHeight, Resampling filter)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(newWidth, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(newHeight, 1);
        if (newWidth != width)
        {
            pixels = Horizontal(pixels, width, height, bands, new Weights(width, newWidth, filter));
            width = newWidth;
        }
        if (newHeight != height) pixels = Vertical(pixels, width * bands, new Weights(height, newHeight, filter));
        return pixels;
    }

    private static byte[] Horizontal(byte[] pixels, int width, int height, int bands, Weights weights)
    {
        var output = new byte[checked(weights.Count * height * bands)];
        for (var y = 0; y < height; y++)
        {
            var row = pixels.AsSpan(y * width * bands, width * bands);
            var to = output.AsSpan(y * weights.Count * bands, weights.Count * bands);
            for (var x = 0; x < weights.Count; x++)
            {
                var (low, fixedPoint) = weights[x];
                for (var band = 0; band < bands; band++)
                {
                    var sum = 1 << (PrecisionBits - 1);
                    for (int j = 0, at = low * bands + band; j < fixedPoint.Length; j++, at += bands) sum += row[at] * fixedPoint[j];
                    to[x * bands + band] = Clip(sum);
                }
            }
        }
        return output;
    }

    private static byte[] Vertical(byte[] pixels, int stride, Weights weights)
    {
        var output = new byte[checked(weights.Count * stride)];
        var sums = new int[stride];
        for (var y = 0; y < weights.Count; y++)
        {
            var (low, fixedPoint) = weights[y];
            Array.Fill(sums, 1 << (PrecisionBits - 1));
            for (var j = 0; j < fixedPoint.Length; j++)
            {
                var row = pixels.AsSpan((low + j) * stride, stride);
                var weight = fixedPoint[j];
                for (var i = 0; i < row.Length; i++) sums[i] += row[i] * weight;
            }
            var to = output.AsSpan(y * stride, stride);
            for (var i = 0; i < to.Length; i++) to[i] = Clip(sums[i]);
        }
        return output;
    }

    private static byte Clip(int sum) => (byte)Math.Clamp(sum >> PrecisionBits, 0, 255);

    /// <summary>Weights of each output position, in double and in 22-bit fixed point.</summary>
    internal sealed class Weights
    {
        private readonly int[] _low;
        private readonly int[][] _fixed;

        public Weights(int from, int to, Resampling filter)
        {
            _low = new int[to];
            _fixed = new int[to][];
            Exact = new double[to][];
            var scale = (double)from / to;
            var stretch = Math.Max(scale, 1);
            var support = Support(filter) * stretch;
            for (var i = 0; i < to; i++)
            {
                var centre = (i + 0.5) * scale;
                var low = Math.Max((int)(centre - support + 0.5), 0);
                var high = Math.Min((int)(centre + support + 0.5), from);
                var exact = new double[high - low];
                double total = 0;
                for (var j = 0; j < exact.Length; j++) total += exact[j] = Kernel(filter, (low + j - centre + 0.5) / stretch);
                for (var j = 0; j < exact.Length && total != 0; j++) exact[j] /= total;
                _low[i] = low;
                Exact[i] = exact;
                _fixed[i] = [.. exact.Select(weight => (int)(weight * (1 << PrecisionBits) + (weight < 0 ? -0.5 : 0.5)))];
            }
        }

        public int Count => _low.Length;

        public double[][] Exact { get; }

        public (int Low, int[] Fixed) this[int i] => (_low[i], _fixed[i]);
    }

    private static double Support(Resampling filter) => filter switch
    {
        Resampling.Box => 0.5,
        Resampling.Bilinear => 1,
        Resampling.Bicubic => 2,
        _ => 3,
    };

    private static double Kernel(Resampling filter, double x)
    {
        switch (filter)
        {
            case Resampling.Box: return x is > -0.5 and <= 0.5 ? 1 : 0;
            case Resampling.Bilinear: return Math.Max(0, 1 - Math.Abs(x));
            case Resampling.Bicubic:
                const double a = -0.5;
                x = Math.Abs(x);
                if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
                return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
            default: return x is >= -3 and < 3 ? Sinc(x) * Sinc(x / 3) : 0;
        }
    }

    private static double Sinc(double x) => x == 0 ? 1 : Math.Sin(Math.PI * x) / (Math.PI * x);
}
