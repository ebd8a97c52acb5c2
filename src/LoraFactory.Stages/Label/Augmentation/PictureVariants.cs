using System.Globalization;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Images.Scenes;

namespace LoraFactory.Stages.Label.Augmentation;

/// <summary>A variant that is to be made of a picture.</summary>
/// <param name="Operation">"flip", "crop" or "colour".</param>
/// <param name="Parameters">What is done, as it goes into the variant's lineage.</param>
/// <param name="Apply">Does it.</param>
internal sealed record PictureDraft(string Operation, IReadOnlyDictionary<string, string> Parameters, Func<Picture, Picture> Apply);

/// <summary>Which variants of a picture are allowed by what is said of it, and how each comes about from seed and source id alone.</summary>
internal static class PictureVariants
{
    /// <summary>Largest crop: one that keeps more is hardly another picture.</summary>
    private const double LargestCrop = 0.95;
    /// <summary>Variants are shrunk to this shorter side: no base here is trained on more.</summary>
    private const int LargestSide = 1024;

    private static readonly Dictionary<string, string> None = [];

    /// <summary>The drafts of one picture; why one was not made goes to <paramref name="notMade"/>, the operation and a reason.</summary>
    public static IReadOnlyList<PictureDraft> Of(Sample sample, Record record, AugmentOptions options, int minSide, long seed, Action<string, string> notMade)
    {
        var words = string.Join('\n', [sample.Caption, .. sample.Tags, record.Caption, record.Alt, record.FolderWords]);
        var drafts = new List<PictureDraft>();
        if (options.Flip)
        {
            if (Against(words, record, options, CaptionClaims.NameSide, "a side is named") is { } reason) notMade("flip", reason);
            else drafts.Add(new("flip", None, p => p.Mirrored()));
        }
        if (options.Crops > 0)
        {
            var smallest = Math.Max(options.CropScale, (double)minSide / Math.Min(sample.Width, sample.Height));
            if (Against(words, record, options, CaptionClaims.NameFrame, "the frame is spoken of") is { } reason) notMade("crop", reason);
            else if (smallest >= LargestCrop) notMade("crop", "it would fall below clean.min_side");
            else drafts.AddRange(Enumerable.Range(0, options.Crops).Select(n => Crop(VariantRandom.Of(seed, sample.Id, "crop", n), Math.Min(smallest, LargestCrop))));
        }
        if (options.ColourJitter > 0)
        {
            if (!CaptionClaims.CanJudge(words, record.Language)) notMade("colour", "its words are in a language that is not judged");
            else if (CaptionClaims.NameColour(words)) notMade("colour", "a colour or tone is named");
            else drafts.Add(Colour(VariantRandom.Of(seed, sample.Id, "colour", 0), options.ColourJitter));
        }
        return drafts;
    }

    /// <summary>The source as variants are made of it: shrunk where it is larger than any base needs.</summary>
    public static Picture Prepared(Picture picture) =>
        Math.Min(picture.Width, picture.Height) > LargestSide ? PictureResampler.ResizeShortestEdge(picture, LargestSide, Resampling.Lanczos) : picture;

    // Text would be mirrored or cut: the measured share decides, and where none was measured nothing is risked.
    private static string? Against(string words, Record record, AugmentOptions options, Func<string, bool> claim, string said)
    {
        if (!CaptionClaims.CanJudge(words, record.Language)) return "its words are in a language that is not judged";
        if (claim(words)) return said;
        if (CaptionClaims.NameWriting(words)) return "writing is named";
        if (!record.Signals.TryGetValue(Record.PictureText, out var text) || double.IsNaN(text)) return $"{Record.PictureText} was not measured";
        return text > options.MaxPictureText ? $"it shows text ({Record.PictureText})" : null;
    }

    private static PictureDraft Crop(SceneRandom random, double smallest)
    {
        var scale = Math.Round(smallest + (LargestCrop - smallest) * random.NextDouble(), 4);
        var (left, top) = (Math.Round(random.NextDouble(), 4), Math.Round(random.NextDouble(), 4));
        return new("crop", new Dictionary<string, string> { ["scale"] = Text(scale), ["left"] = Text(left), ["top"] = Text(top) }, p =>
        {
            int width = Math.Max(1, (int)Math.Round(scale * p.Width)), height = Math.Max(1, (int)Math.Round(scale * p.Height));
            return p.Crop((int)Math.Round(left * (p.Width - width)), (int)Math.Round(top * (p.Height - height)), width, height);
        });
    }

    private static PictureDraft Colour(SceneRandom random, double strength)
    {
        double Factor() => Math.Round(1 + strength * (2 * random.NextDouble() - 1), 4);
        var (brightness, contrast, saturation) = (Factor(), Factor(), Factor());
        return new("colour", new Dictionary<string, string> { ["brightness"] = Text(brightness), ["contrast"] = Text(contrast), ["saturation"] = Text(saturation) },
            p => ColourJitter.Of(p, brightness, contrast, saturation));
    }

    private static string Text(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}

/// <summary>Random numbers of one variant: they follow from seed, source, operation and number, whatever else is made.</summary>
internal static class VariantRandom
{
    /// <summary>The stream of variant <paramref name="number"/> of a source.</summary>
    public static SceneRandom Of(long seed, string source, string operation, int number) =>
        new(seed, Convert.ToInt64(ContentId.Of(source, operation, number.ToString(CultureInfo.InvariantCulture)), 16));
}
