using LoraFactory.Images.Vips;

namespace LoraFactory.Images;

/// <summary>Which part of a picture a square takes.</summary>
public enum PictureCrop
{
    /// <summary>The middle.</summary>
    Centre,
    /// <summary>Where edges, saturated colours and skin are (libvips' attention).</summary>
    Attention,
    /// <summary>Where the most information is (libvips' entropy).</summary>
    Entropy,
}

/// <summary>The middle of a picture: its shorter edge is scaled to <paramref name="Side"/>, then the longer edge is cut. Of a square of this side it is the square itself.</summary>
/// <param name="Side">Pixels of each side, 1..8192.</param>
/// <param name="Filter">What scales.</param>
public readonly record struct PictureSquare(int Side, Resampling Filter)
{
    /// <summary>Cuts it; the picture itself stays.</summary>
    public Picture Of(Picture picture) => PictureProcessor.CentreCrop(PictureResampler.ResizeShortestEdge(picture, Side, Filter), Side, Side);
}

/// <summary>Cuts pictures to what a model is shown: the one place where that is decided.</summary>
public static class PictureFraming
{
    /// <summary>
    /// A square of <paramref name="side"/> pixels (1..8192): the shorter edge is scaled to it (Lanczos, enlarged where it is smaller), then the longer edge is cut. The picture itself stays.
    /// </summary>
    public static Picture Square(Picture picture, int side, PictureCrop crop = PictureCrop.Centre)
    {
        if (crop == PictureCrop.Centre) return new PictureSquare(side, Resampling.Lanczos).Of(picture);
        var scaled = PictureResampler.ResizeShortestEdge(picture, side, Resampling.Lanczos);
        if (scaled.Width == scaled.Height) return PictureProcessor.CentreCrop(scaled, side, side);
        using var whole = VipsImage.FromPixels(scaled);
        using var cut = whole.SmartCrop(side, side, crop == PictureCrop.Attention ? "attention" : "entropy");
        return new Picture(cut.Width, cut.Height, cut.ToBytes());
    }
}
