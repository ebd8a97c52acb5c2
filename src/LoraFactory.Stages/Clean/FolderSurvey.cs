using LoraFactory.Flow;
using LoraFactory.Images;

namespace LoraFactory.Stages.Clean;

/// <summary>What the headers of a folder's pictures tell before anything is decoded: how many there are, and how many clean will drop for certain.</summary>
internal static class FolderSurvey
{
    /// <summary>Larger folders are only counted: a look before a run must not take minutes.</summary>
    private const int MostOpened = 20_000;
    private const int HeaderBytes = 64 * 1024;
    private const long MostRead = 64 << 20;

    /// <summary>Findings about the folder of a recipe with <c>label.source: folder</c>.</summary>
    public static IReadOnlyList<MachineFinding> Look(string folder, CleanOptions options)
    {
        IReadOnlyList<string> pictures;
        try
        {
            pictures = FolderIntake.Pictures(folder);
        }
        catch (Exception e) when (e is LoraException or IOException or UnauthorizedAccessException)
        {
            return [MachineFinding.Of("LR204", "label.folder", e)];
        }
        var findings = new List<MachineFinding> { new("LR205", "label.folder", $"{pictures.Count} pictures, {FolderIntake.Captions(pictures).Count()} with a caption beside them", Severity.Note) };
        if (pictures.Count > MostOpened) return findings;
        var drops = pictures.Select(p => Reason(p, options)).OfType<string>().GroupBy(r => r, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count());
        var kept = pictures.Count - drops.Values.Sum();
        if (KeptShare.TooFew("by their headers clean would keep at most", kept, pictures.Count, drops, options, folder: true) is { } fault) findings.Add(new("LR206", "label.folder", fault));
        else if (drops.Count > 0) findings.Add(new("LR207", "label.folder", $"{pictures.Count - kept} of {pictures.Count} pictures will be dropped: {KeptShare.Reasons(drops, options, folder: true)}.", Severity.Warning));
        return findings;
    }

    private static string? Reason(string picture, CleanOptions options)
    {
        try
        {
            return Header(picture) is not { } header ? "damaged" : PictureChecks.BySize(options, header.Width, header.Height)?.Reason;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "unreadable";
        }
    }

    // Nearly every format tells its size at the beginning; a TIFF, or a JPEG behind a large profile, may need the rest.
    private static PictureHeader? Header(string picture)
    {
        using var stream = File.OpenRead(picture);
        var bytes = new byte[(int)Math.Min(stream.Length, HeaderBytes)];
        stream.ReadExactly(bytes);
        if (PictureHeader.Read(bytes) is { } found || stream.Length == bytes.Length) return PictureHeader.Read(bytes);
        var whole = new byte[(int)Math.Min(stream.Length, MostRead)];
        bytes.CopyTo(whole, 0);
        stream.ReadExactly(whole.AsSpan(bytes.Length));
        return PictureHeader.Read(whole);
    }
}
