namespace LoraFactory.Images;

/// <summary>Simple measures of a picture, all from luma (0..255) except <paramref name="Colourfulness"/>.</summary>
/// <param name="Brightness">Mean luma, 0..1.</param>
/// <param name="Contrast">Standard deviation of luma, 0..0.5.</param>
/// <param name="Sharpness">Variance of the 3×3 Laplacian (4-neighbour) of luma 0..255; below about 50 a photograph looks blurred (Pertuz et al. 2013).</param>
/// <param name="Entropy">Entropy of the 256-bin luma histogram, 0..8 bits.</param>
/// <param name="Colourfulness">Hasler and Süsstrunk 2003, 0 for grey, about 100 for very colourful.</param>
/// <param name="Uniform">Share of pixels within 4 grey levels of the commonest luma, 0..1; near 1 for a blank picture.</param>
public readonly record struct PictureSignals(double Brightness, double Contrast, double Sharpness, double Entropy, double Colourfulness, double Uniform)
{
    /// <summary>Measures a picture.</summary>
    public static PictureSignals Of(Picture picture)
    {
        var luma = picture.Luma();
        var histogram = new long[256];
        double sum = 0, squares = 0;
        foreach (var value in luma)
        {
            histogram[value]++;
            sum += value;
            squares += (double)value * value;
        }
        var mean = sum / luma.Length;
        var deviation = Math.Sqrt(Math.Max(0, squares / luma.Length - mean * mean));
        var entropy = histogram.Where(count => count > 0).Sum(count => -(double)count / luma.Length * Math.Log2((double)count / luma.Length));
        var peak = Array.IndexOf(histogram, histogram.Max());
        var near = histogram[Math.Max(0, peak - 4)..Math.Min(256, peak + 5)].Sum();
        return new(mean / 255, deviation / 255, LaplacianVariance(luma, picture.Width, picture.Height), entropy, ColourfulnessOf(picture), (double)near / luma.Length);
    }

    private static double LaplacianVariance(byte[] luma, int width, int height)
    {
        if (width < 3 || height < 3) return 0;
        double sum = 0, squares = 0;
        for (var y = 1; y < height - 1; y++)
        {
            for (int x = 1, i = y * width + 1; x < width - 1; x++, i++)
            {
                double value = luma[i - 1] + luma[i + 1] + luma[i - width] + luma[i + width] - 4 * luma[i];
                sum += value;
                squares += value * value;
            }
        }
        var n = (double)(width - 2) * (height - 2);
        return squares / n - sum / n * (sum / n);
    }

    private static double ColourfulnessOf(Picture picture)
    {
        double redGreen = 0, redGreen2 = 0, yellowBlue = 0, yellowBlue2 = 0;
        var pixels = picture.Pixels;
        for (var i = 0; i < pixels.Length; i += 3)
        {
            double rg = pixels[i] - pixels[i + 1], yb = 0.5 * (pixels[i] + pixels[i + 1]) - pixels[i + 2];
            redGreen += rg;
            redGreen2 += rg * rg;
            yellowBlue += yb;
            yellowBlue2 += yb * yb;
        }
        var n = pixels.Length / 3.0;
        double meanRg = redGreen / n, meanYb = yellowBlue / n;
        var deviation = Math.Sqrt(Math.Max(0, redGreen2 / n - meanRg * meanRg + yellowBlue2 / n - meanYb * meanYb));
        return deviation + 0.3 * Math.Sqrt(meanRg * meanRg + meanYb * meanYb);
    }
}
