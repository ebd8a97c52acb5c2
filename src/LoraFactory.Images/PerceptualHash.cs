using System.Collections.Concurrent;
using System.Globalization;
using System.Numerics;

namespace LoraFactory.Images;

/// <summary>
/// Perceptual hashes as the ImageHash library defines them, bit for bit. Bits are read row by row, most significant first; hex digits are
/// lower case. All are computed from luma resized with <see cref="Resampling.Lanczos"/>.
/// </summary>
public static class PerceptualHash
{
    /// <summary>Mean hash: bit = pixel &gt; mean, over <paramref name="side"/>×<paramref name="side"/>.</summary>
    public static string Average(Picture picture, int side = 8)
    {
        var small = Shrink(picture, side, side);
        var mean = small.Average(value => (double)value);
        return Hex(small.Length, i => small[i] > mean);
    }

    /// <summary>Gradient hash along rows: bit = right neighbour &gt; pixel, over (side+1)×side.</summary>
    public static string Difference(Picture picture, int side = 8) => Difference(picture.Luma(), picture.Width, picture.Height, side);

    /// <summary>The same of <paramref name="luma"/> [height, width].</summary>
    public static string Difference(byte[] luma, int width, int height, int side = 8)
    {
        var small = PictureResampler.Resize(luma, width, height, 1, side + 1, side, Resampling.Lanczos);
        return Hex(side * side, i => small[i / side * (side + 1) + i % side + 1] > small[i / side * (side + 1) + i % side]);
    }

    /// <summary>Gradient hash along columns: bit = pixel below &gt; pixel, over side×(side+1).</summary>
    public static string DifferenceVertical(Picture picture, int side = 8)
    {
        var small = Shrink(picture, side, side + 1);
        return Hex(side * side, i => small[i + side] > small[i]);
    }

    /// <summary>DCT hash: of 4·side square luma, the lowest side×side frequencies (mean included) against their median.</summary>
    public static string Dct(Picture picture, int side = 8) => Dct(picture.Luma(), picture.Width, picture.Height, side);

    /// <summary>The same of <paramref name="luma"/> [height, width].</summary>
    public static string Dct(byte[] luma, int width, int height, int side = 8)
    {
        var size = side * 4;
        var low = LowFrequencies(PictureResampler.Resize(luma, width, height, 1, size, size, Resampling.Lanczos), size, side);
        var sorted = low.Order().ToArray();
        var median = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        return Hex(low.Length, i => low[i] > median);
    }

    /// <summary>Bits that differ between two hashes of equal length.</summary>
    public static int Distance(string left, string right)
    {
        if (left.Length != right.Length) throw new ArgumentException($"Hashes of {left.Length} and {right.Length} digits cannot be compared.", nameof(right));
        var distance = 0;
        for (var at = 0; at < left.Length; at += 16)
        {
            var digits = Math.Min(16, left.Length - at);
            distance += BitOperations.PopCount(Bits(left.AsSpan(at, digits)) ^ Bits(right.AsSpan(at, digits)));
        }
        return distance;
    }

    /// <summary>The number that at most 16 hex digits stand for.</summary>
    public static ulong Bits(ReadOnlySpan<char> hex) => ulong.Parse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static byte[] Shrink(Picture picture, int width, int height) =>
        PictureResampler.Resize(picture.Luma(), picture.Width, picture.Height, 1, width, height, Resampling.Lanczos);

    /// <summary>Unnormalised DCT-II, 2 Σ x cos(π k (2n+1) / 2N), over columns, then over rows; only the lowest k of each, [keep, keep].</summary>
    private static double[] LowFrequencies(byte[] pixels, int size, int keep)
    {
        var columns = new double[keep * size];
        for (var x = 0; x < size; x++)
        {
            var transformed = Transform([.. Enumerable.Range(0, size).Select(y => (double)pixels[y * size + x])]);
            for (var k = 0; k < keep; k++) columns[k * size + x] = transformed[k];
        }
        var low = new double[keep * keep];
        for (var k = 0; k < keep; k++) Transform(columns[(k * size)..((k + 1) * size)]).AsSpan(0, keep).CopyTo(low.AsSpan(k * keep));
        return low;
    }

    /// <summary>DCT-II by folding: sums give the even frequencies, differences the odd ones, so that what cancels cancels exactly.</summary>
    private static double[] Transform(double[] x)
    {
        if (x.Length == 1) return [2 * x[0]];
        var half = x.Length / 2;
        var sums = new double[half];
        for (var n = 0; n < half; n++) sums[n] = x[n] + x[^(n + 1)];
        var even = Transform(sums);
        var output = new double[x.Length];
        var cosines = Cosines.GetOrAdd(x.Length, CosinesOf);
        for (var k = 0; k < half; k++)
        {
            output[2 * k] = even[k];
            for (var n = 0; n < half; n++)
                output[2 * k + 1] += 2 * (x[n] - x[^(n + 1)]) * cosines[k * half + n];
        }
        return output;
    }

    private static readonly ConcurrentDictionary<int, double[]> Cosines = [];

    // cos(π (2k+1) (2n+1) / 2N) for half as many k and n.
    private static double[] CosinesOf(int length)
    {
        var half = length / 2;
        return [.. from k in Enumerable.Range(0, half) from n in Enumerable.Range(0, half) select Math.Cos(Math.PI * (2 * k + 1) * (2 * n + 1) / (2.0 * length))];
    }

    private static string Hex(int bits, Func<int, bool> bit)
    {
        return string.Create(bits / 4, bit, static (digits, bit) =>
        {
            for (var digit = 0; digit < digits.Length; digit++)
            {
                var value = 0;
                for (var i = 0; i < 4; i++) value = value << 1 | (bit(digit * 4 + i) ? 1 : 0);
                digits[digit] = "0123456789abcdef"[value];
            }
        });
    }
}
