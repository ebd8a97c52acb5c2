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
    public static string Difference(Picture picture, int side = 8)
    {
        var small = Shrink(picture, side + 1, side);
        return Hex(side * side, i => small[i / side * (side + 1) + i % side + 1] > small[i / side * (side + 1) + i % side]);
    }

    /// <summary>Gradient hash along columns: bit = pixel below &gt; pixel, over side×(side+1).</summary>
    public static string DifferenceVertical(Picture picture, int side = 8)
    {
        var small = Shrink(picture, side, side + 1);
        return Hex(side * side, i => small[i + side] > small[i]);
    }

    /// <summary>DCT hash: of 4·side square luma, the lowest side×side frequencies (mean included) against their median.</summary>
    public static string Dct(Picture picture, int side = 8)
    {
        var size = side * 4;
        var low = LowFrequencies(Shrink(picture, size, size), size, side);
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

    /// <summary>Unnormalised DCT-II, 2 Σ x cos(π k (2n+1) / 2N), over columns, then over rows; only the lowest k of each.</summary>
    private static double[] LowFrequencies(byte[] pixels, int size, int keep)
    {
        var cosines = new double[keep * size];
        for (var k = 0; k < keep; k++)
            for (var n = 0; n < size; n++)
                cosines[k * size + n] = 2 * Math.Cos(Math.PI * k * (2 * n + 1) / (2.0 * size));
        var columns = new double[keep * size];
        for (var k = 0; k < keep; k++)
            for (var y = 0; y < size; y++)
                for (var x = 0; x < size; x++)
                    columns[k * size + x] += pixels[y * size + x] * cosines[k * size + y];
        var low = new double[keep * keep];
        for (var k = 0; k < keep; k++)
            for (var j = 0; j < keep; j++)
                for (var x = 0; x < size; x++)
                    low[k * keep + j] += columns[k * size + x] * cosines[j * size + x];
        return low;
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
