namespace LoraFactory.Images;

/// <summary>Brightness, contrast and saturation changed, as torchvision's ColorJitter defines each.</summary>
public static class ColourJitter
{
    /// <summary>
    /// A changed copy; 1 leaves each as it is, 0 gives black, an even grey, and a grey picture. <paramref name="brightness"/> multiplies, <paramref name="contrast"/>
    /// stretches about the mean luma of the picture, <paramref name="saturation"/> about each pixel's own; rounded once, at the end.
    /// </summary>
    public static Picture Of(Picture picture, double brightness, double contrast, double saturation)
    {
        foreach (var factor in (double[])[brightness, contrast, saturation])
            if (factor is not (>= 0 and <= 4)) throw new ArgumentOutOfRangeException(nameof(picture), $"a factor of {factor} is not within 0..4");
        var from = picture.Pixels;
        var mean = Math.Min(255, picture.Luma().Average(l => (double)l) * brightness);
        var to = new byte[from.Length];
        for (var i = 0; i < from.Length; i += 3)
        {
            var red = Stretched(from[i]);
            var green = Stretched(from[i + 1]);
            var blue = Stretched(from[i + 2]);
            var luma = 0.299 * red + 0.587 * green + 0.114 * blue;
            to[i] = Byte(luma + saturation * (red - luma));
            to[i + 1] = Byte(luma + saturation * (green - luma));
            to[i + 2] = Byte(luma + saturation * (blue - luma));
        }
        return new(picture.Width, picture.Height, to);

        double Stretched(byte value) => mean + contrast * (value * brightness - mean);
    }

    private static byte Byte(double value) => (byte)Math.Clamp(value + 0.5, 0, 255);
}
