using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LoraFactory.Images;

/// <summary>Simple measures of a picture, all from luma (0..255) except <paramref name="Colourfulness"/>.</summary>
/// <param name="Brightness">Mean luma, 0..1.</param>
/// <param name="Contrast">Standard deviation of luma, 0..0.5.</param>
/// <param name="Sharpness">Variance of the 3×3 Laplacian (4-neighbour) of luma 0..255; below about 50 a photograph looks blurred (Pertuz et al. 2013).</param>
/// <param name="Entropy">Entropy of the 256-bin luma histogram, 0..8 bits.</param>
/// <param name="Colourfulness">Hasler and Süsstrunk 2003, 0 for grey, about 100 for very colourful.</param>
/// <param name="Uniform">Share of pixels within 4 grey levels of the commonest luma, 0..1; near 1 for a blank picture.</param>
/// <param name="Dark">Share of pixels at or below luma 4, 0..1: shadows without drawing.</param>
/// <param name="Light">Share of pixels at or above luma 251, 0..1: lights without drawing, or white paper.</param>
public readonly record struct PictureSignals(double Brightness, double Contrast, double Sharpness, double Entropy, double Colourfulness, double Uniform, double Dark, double Light)
{
    /// <summary>Measures a picture.</summary>
    public static PictureSignals Of(Picture picture) => Of(picture, picture.Luma());

    /// <summary>Measures a picture whose luma [H, W] is known.</summary>
    public static PictureSignals Of(Picture picture, byte[] luma)
    {
        var histogram = new long[256];
        Count(luma, histogram);
        // whole numbers: the sums are exact
        double sum = 0, squares = 0;
        for (var level = 0; level < 256; level++)
        {
            sum += level * (double)histogram[level];
            squares += level * level * (double)histogram[level];
        }
        var mean = sum / luma.Length;
        var deviation = Math.Sqrt(Math.Max(0, squares / luma.Length - mean * mean));
        var entropy = histogram.Where(count => count > 0).Sum(count => -(double)count / luma.Length * Math.Log2((double)count / luma.Length));
        var peak = Array.IndexOf(histogram, histogram.Max());
        var near = histogram[Math.Max(0, peak - 4)..Math.Min(256, peak + 5)].Sum();
        return new(mean / 255, deviation / 255, LaplacianVariance(luma, picture.Width, picture.Height), entropy, ColourfulnessOf(picture), (double)near / luma.Length,
            (double)histogram[..5].Sum() / luma.Length, (double)histogram[251..].Sum() / luma.Length);
    }

    // Two counts in turn: like neighbours would wait for each other.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Count(byte[] luma, long[] histogram)
    {
        Span<int> even = stackalloc int[256], odd = stackalloc int[256];
        var i = 0;
        for (; i + 2 <= luma.Length; i += 2)
        {
            even[luma[i]]++;
            odd[luma[i + 1]]++;
        }
        if (i < luma.Length) even[luma[i]]++;
        for (var level = 0; level < 256; level++) histogram[level] = even[level] + odd[level];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double LaplacianVariance(byte[] luma, int width, int height)
    {
        if (width < 3 || height < 3) return 0;
        long sum = 0, squares = 0;
        ref var first = ref MemoryMarshal.GetArrayDataReference(luma);
        for (var y = 1; y < height - 1; y++)
        {
            var x = 1;
            while (x + 9 <= width)
            {
                // A lane's squares fit 32 bits for 2,000 additions.
                var (sums, products) = (Vector256<int>.Zero, Vector256<int>.Zero);
                for (var end = Math.Min(width, x + 16_000); x + 9 <= end; x += 8)
                {
                    var at = y * width + x;
                    var value = Eight(ref first, at - 1) + Eight(ref first, at + 1) + Eight(ref first, at - width) + Eight(ref first, at + width) - (Eight(ref first, at) << 2);
                    sums += value;
                    products += value * value;
                }
                sum += Vector256.Sum(sums);
                squares += Vector256.Sum(Vector256.WidenLower(products) + Vector256.WidenUpper(products));
            }
            for (; x < width - 1; x++)
            {
                var at = y * width + x;
                var value = luma[at - 1] + luma[at + 1] + luma[at - width] + luma[at + width] - 4 * luma[at];
                sum += value;
                squares += value * value;
            }
        }
        var n = (double)(width - 2) * (height - 2);
        return squares / n - sum / n * (sum / n);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Eight(ref byte from, int at)
    {
        var eight = Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref from, at))).AsByte());
        return Vector256.Create(Vector128.WidenLower(eight).AsInt32(), Vector128.WidenUpper(eight).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double ColourfulnessOf(Picture picture)
    {
        long redGreen = 0, redGreen2 = 0, yellowBlue = 0, yellowBlue2 = 0; // yellow against blue counted twice: whole numbers
        var pixels = picture.Pixels;
        var i = 0;
        while (i + 16 <= pixels.Length)
        {
            // A lane's squares fit 32 bits for 8,000 additions.
            var (rgs, rgs2, ybs, ybs2) = (Vector128<int>.Zero, Vector128<int>.Zero, Vector128<int>.Zero, Vector128<int>.Zero);
            for (var end = Math.Min(pixels.Length, i + 12 * 8000); i + 16 <= end; i += 12)
            {
                var (red, green, blue) = Picture.FourPixels(pixels, i);
                var (rg, yb) = (red - green, red + green - (blue << 1));
                rgs += rg;
                rgs2 += rg * rg;
                ybs += yb;
                ybs2 += yb * yb;
            }
            redGreen += Vector128.Sum(rgs);
            yellowBlue += Vector128.Sum(ybs);
            redGreen2 += Vector128.Sum(Vector128.WidenLower(rgs2) + Vector128.WidenUpper(rgs2));
            yellowBlue2 += Vector128.Sum(Vector128.WidenLower(ybs2) + Vector128.WidenUpper(ybs2));
        }
        for (; i + 2 < pixels.Length; i += 3)
        {
            int rg = pixels[i] - pixels[i + 1], yb = pixels[i] + pixels[i + 1] - 2 * pixels[i + 2];
            redGreen += rg;
            redGreen2 += rg * rg;
            yellowBlue += yb;
            yellowBlue2 += yb * yb;
        }
        var n = pixels.Length / 3.0;
        double meanRg = redGreen / n, meanYb = yellowBlue / (2 * n);
        var deviation = Math.Sqrt(Math.Max(0, redGreen2 / n - meanRg * meanRg + yellowBlue2 / (4 * n) - meanYb * meanYb));
        return deviation + 0.3 * Math.Sqrt(meanRg * meanRg + meanYb * meanYb);
    }
}
