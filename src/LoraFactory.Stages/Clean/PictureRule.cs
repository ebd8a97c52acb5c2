using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean;

/// <summary>A rule that drops a picture by one measured signal.</summary>
/// <param name="Reason">Reason of the drop.</param>
/// <param name="Signal">The signal that it judges.</param>
/// <param name="Option">Key of the recipe that holds its threshold; empty where it has none.</param>
/// <param name="Threshold">The threshold in force.</param>
/// <param name="IsFloor">Whether smaller values are dropped; else greater ones.</param>
/// <param name="Advice">What to do where it drops too much.</param>
/// <param name="Off">The threshold that drops none; NaN where there is no such.</param>
internal sealed record PictureRule(string Reason, string Signal, string Option, Func<CleanOptions, double> Threshold, bool IsFloor, string Advice, double Off = double.NaN)
{
    /// <summary>Every rule about measured pictures, in the order in which they judge.</summary>
    public static IReadOnlyList<PictureRule> All { get; } =
    [
        // Standard deviation of luma below 3 of 255 levels, or all but one pixel in 500 alike.
        new("blank", "picture_contrast", "", _ => 3 / 255.0, true, "pictures of one colour teach nothing"),
        new("blank", "picture_uniform", "", _ => 0.998, false, "pictures of one colour teach nothing"),
        new("animated", "picture_frames", "clean.animated", o => o.Animated == "drop" ? 1 : double.PositiveInfinity, false, "set clean.animated to first-frame", double.PositiveInfinity),
        new("blurred", "picture_sharpness", "clean.min_sharpness", o => o.MinSharpness, true, "lower clean.min_sharpness", 0),
        new("flat", "picture_entropy", "clean.min_entropy", o => o.MinEntropy, true, "lower clean.min_entropy", 0),
        new("underexposed", "picture_dark", "clean.max_dark", o => o.MaxDark, false, "raise clean.max_dark", 1),
        new("overexposed", "picture_light", "clean.max_light", o => o.MaxLight, false, "raise clean.max_light", 1),
        new("framed", "picture_border", "clean.max_border", o => o.MaxBorder, false, "raise clean.max_border", 1),
        new("text", "picture_text", "clean.max_text", o => o.MaxText, false, "raise clean.max_text", 1),
    ];

    /// <summary>Whether the recipe has it drop none.</summary>
    public bool IsOff(CleanOptions options) => Threshold(options) == Off;

    /// <summary>Whether a picture of these signals is dropped.</summary>
    public bool IsBrokenBy(IReadOnlyDictionary<string, double> signals, CleanOptions options) =>
        signals.TryGetValue(Signal, out var value) && (IsFloor ? value < Threshold(options) : value > Threshold(options));
}
