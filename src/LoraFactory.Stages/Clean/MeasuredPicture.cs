using System.Globalization;
using LoraFactory.Images;

namespace LoraFactory.Stages.Clean;

/// <summary>What decoding told about a picture, as <see cref="PictureMeasures"/> says, in the form in which clean keeps it.</summary>
/// <param name="Width">Columns, upright.</param>
/// <param name="Height">Rows, upright.</param>
/// <param name="Hash">64-bit DCT hash.</param>
/// <param name="Gradient">64-bit gradient hash along rows.</param>
/// <param name="Thumbnail">Luma of 24×24, to confirm near duplicates.</param>
/// <param name="Signals">Signals by name.</param>
internal sealed record MeasuredPicture(int Width, int Height, string Hash, string Gradient, byte[] Thumbnail, IReadOnlyDictionary<string, double> Signals)
{
    /// <summary>Names its way of measuring; what was measured in another is measured anew.</summary>
    public const string Way = "512-2";

    public string MeasuredBy { get; init; } = "";

    public long PixelCount => (long)Width * Height;

    /// <summary>What was measured of a picture whose file has <paramref name="frames"/> pictures, as it is kept.</summary>
    public static MeasuredPicture Of(PictureMeasures measures, int frames)
    {
        var (signals, borders) = (measures.Signals, measures.Borders);
        return new(measures.Width, measures.Height, measures.Hash.ToString("x16", CultureInfo.InvariantCulture), measures.Gradient.ToString("x16", CultureInfo.InvariantCulture), measures.Thumbnail,
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
                [Flow.Record.PictureText] = measures.Text,
                ["picture_frames"] = frames,
            })
        { MeasuredBy = Way };
    }
}
