using System.Globalization;
using LoraFactory.Images.Vips;

namespace LoraFactory.Images;

/// <summary>Encodes pictures.</summary>
public static class PictureWriter
{
    /// <summary>PNG, lossless. <paramref name="text"/> becomes tEXt chunks (keyword 1..79 Latin-1 characters, e.g. "parameters").</summary>
    public static byte[] Png(Picture picture, IEnumerable<KeyValuePair<string, string>>? text = null)
    {
        using var image = VipsImage.FromPixels(picture);
        var number = 0;
        foreach (var (keyword, value) in text ?? [])
        {
            if (keyword.Length is < 1 or > 79 || keyword.Any(c => c is < ' ' or > 'ÿ'))
                throw new ArgumentException($"\"{keyword}\" is no PNG keyword: 1 to 79 Latin-1 characters.", nameof(text));
            image.SetText($"png-comment-{number++.ToString(CultureInfo.InvariantCulture)}-{keyword}", value);
        }
        return image.Save("pngsave_buffer", ("compression", "6"));
    }

    /// <summary>JPEG, 4:4:4 from quality 90 on. <paramref name="quality"/> 1..100.</summary>
    public static byte[] Jpeg(Picture picture, int quality = 90)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        using var image = VipsImage.FromPixels(picture);
        return image.Save("jpegsave_buffer", ("Q", quality.ToString(CultureInfo.InvariantCulture)), ("optimize-coding", "true"));
    }
}
