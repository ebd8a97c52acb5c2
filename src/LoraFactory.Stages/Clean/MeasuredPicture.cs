using LoraFactory.Images;

namespace LoraFactory.Stages.Clean;

/// <summary>What decoding told about a picture, at <see cref="Side"/> pixels of its longer side, so that thresholds mean the same for every size.</summary>
/// <param name="Width">Columns, upright.</param>
/// <param name="Height">Rows, upright.</param>
/// <param name="Hash">64-bit DCT hash.</param>
/// <param name="Gradient">64-bit gradient hash along rows.</param>
/// <param name="Thumbnail">Luma of 24×24, to confirm near duplicates.</param>
/// <param name="Signals">Signals by name.</param>
internal sealed record MeasuredPicture(int Width, int Height, string Hash, string Gradient, byte[] Thumbnail, IReadOnlyDictionary<string, double> Signals)
{
    public const int ThumbnailSide = 24;

    /// <summary>Pixels of the longer side at most; smaller pictures are measured as they are.</summary>
    public const int Side = 512;

    /// <summary>Names its way of measuring; what was measured in another is measured anew.</summary>
    public const string Way = "512-2";

    public string MeasuredBy { get; init; } = "";

    public long PixelCount => (long)Width * Height;

    public static MeasuredPicture Of(Picture picture, int frames)
    {
        var (width, height) = PictureFit.Within(Side).Of(picture.Width, picture.Height);
        return Of(new DecodedPicture(PictureResampler.Resize(picture, width, height, PictureFit.Filter), picture.Width, picture.Height), frames);
    }

    /// <summary>Measures a picture that was decoded within <see cref="Side"/>.</summary>
    public static MeasuredPicture Of(DecodedPicture decoded, int frames)
    {
        var picture = decoded.Picture;
        var luma = picture.Luma();
        var signals = PictureSignals.Of(picture, luma);
        var borders = PictureBorders.Of(luma, picture.Width, picture.Height);
        return new(decoded.Width, decoded.Height, PerceptualHash.Dct(luma, picture.Width, picture.Height), PerceptualHash.Difference(luma, picture.Width, picture.Height),
            PictureResampler.Resize(luma, picture.Width, picture.Height, 1, ThumbnailSide, ThumbnailSide, Resampling.Lanczos),
            new Dictionary<string, double>
            {
                ["picture_brightness"] = signals.Brightness,
                ["picture_contrast"] = signals.Contrast,
                ["picture_sharpness"] = signals.Sharpness,
                ["picture_entropy"] = signals.Entropy,
                ["picture_colourfulness"] = signals.Colourfulness,
                ["picture_uniform"] = signals.Uniform,
                ["picture_dark"] = signals.Dark,
                ["picture_light"] = signals.Light,
                ["picture_border"] = borders.Area,
                ["picture_border_left"] = borders.Left,
                ["picture_border_top"] = borders.Top,
                ["picture_border_right"] = borders.Right,
                ["picture_border_bottom"] = borders.Bottom,
                [Flow.Record.PictureText] = PictureText.Share(luma, picture.Width, picture.Height),
                ["picture_frames"] = frames,
            })
        { MeasuredBy = Way };
    }
}
