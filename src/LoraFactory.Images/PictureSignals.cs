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
        foreach (var value in luma) histogram[value]++;
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

    private static double LaplacianVariance(byte[] luma, int width, int height)
    {
        if (width < 3 || height < 3) return 0;
        long sum = 0, squares = 0;
        for (var y = 1; y < height - 1; y++)
        {
            var above = luma.AsSpan((y - 1) * width, width);
            var here = luma.AsSpan(y * width, width);
            var below = luma.AsSpan((y + 1) * width, width);
            for (var x = 1; x < width - 1; x++)
            {
                var value = here[x - 1] + here[x + 1] + above[x] + below[x] - 4 * here[x];
                sum += value;
                squares += value * value;
            }
        }
        var n = (double)(width - 2) * (height - 2);
        return squares / n - sum / n * (sum / n);
    }

    private static double ColourfulnessOf(Picture picture)
    {
        long redGreen = 0, redGreen2 = 0, yellowBlue = 0, yellowBlue2 = 0; // yellow against blue counted twice: whole numbers
        var pixels = picture.Pixels.AsSpan();
        for (var i = 0; i + 2 < pixels.Length; i += 3)
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
