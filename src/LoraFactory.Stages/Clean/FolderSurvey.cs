using System.Buffers.Binary;
using LoraFactory.Flow;
using LoraFactory.Images;

namespace LoraFactory.Stages.Clean;

/// <summary>What the headers of a folder's pictures tell before anything is decoded: how many there are, and how many clean will drop for certain.</summary>
internal static class FolderSurvey
{
    /// <summary>Larger folders are only counted: a look before a run must not take minutes.</summary>
    private const int MostOpened = 20_000;
    private const int HeaderBytes = 64 * 1024;
    private const int MostFolders = 20;

    /// <summary>Findings about the folder of a recipe with <c>label.source: folder</c>.</summary>
    public static IReadOnlyList<MachineFinding> Look(Recipe recipe)
    {
        var (folder, options) = (recipe.Label.Folder, recipe.Clean);
        IReadOnlyList<string> pictures;
        try
        {
            pictures = FolderIntake.Pictures(folder);
        }
        catch (Exception e) when (e is LoraException or IOException or UnauthorizedAccessException)
        {
            return [MachineFinding.Of("LR204", "label.folder", e, folder)];
        }
        var findings = new List<MachineFinding> { new("LR205", "label.folder", $"{pictures.Count} pictures, {FolderIntake.Captions(pictures).Count()} with a caption beside them", Severity.Note) };
        findings.AddRange(Repeats(folder, pictures));
        if (FewPrompts(recipe, pictures) is { } few) findings.Add(new("LR212", "evaluate.prompts", few, Severity.Warning));
        if (pictures.Count > MostOpened) return findings;
        if (FolderIntake.NotText(pictures) is { } rubbish) findings.Add(new("LR213", "label.folder", rubbish));
        var unreadable = new List<string>();
        var drops = pictures.Select(p => Reason(p, options, unreadable)).ToList().OfType<string>().GroupBy(r => r, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count());
        if (unreadable.Count > 0) findings.Add(new("LR210", "label.folder", $"{unreadable[0]} Make it readable or take it out of the folder{(unreadable.Count > 1 ? $", and likewise {unreadable.Count - 1} more" : "")}."));
        var kept = pictures.Count - drops.Values.Sum();
        if (KeptShare.TooFew("by their headers clean would keep at most", kept, pictures.Count, drops, options, folder: true) is { } fault) findings.Add(new("LR206", "label.folder", fault));
        else if (drops.Count > 0) findings.Add(new("LR207", "label.folder", $"{pictures.Count - kept} of {pictures.Count} pictures will be dropped: {KeptShare.Reasons(drops, options, folder: true)}.", Severity.Warning));
        return findings;
    }

    // Said before the run, so that a folder of a camera's or of one's own is not taken for repeats unseen.
    private static IEnumerable<MachineFinding> Repeats(string folder, IReadOnlyList<string> pictures)
    {
        var lines = RepeatFolder.Lines(pictures.Select(p => (RepeatFolder.Of(folder, p), FolderIntake.CaptionPath(p) is not null))).ToList();
        if (lines.Count > MostFolders) lines = [.. lines.Take(MostFolders), $"{lines.Count - MostFolders} more folders are named with repeats"];
        return lines.Select(l => new MachineFinding("LR211", "label.folder", l, Severity.Note));
    }

    // Without prompts of the recipe's the captions are drawn, each once: said before a night's training, not by its report.
    private static string? FewPrompts(Recipe recipe, IReadOnlyList<string> pictures)
    {
        // beside the pocket CLIP label's captioner may describe them
        if (recipe.Evaluate.Prompts.Count > 0 || recipe.Base.Clip == "pocket-clip") return null;
        var captions = new HashSet<string>(recipe.Evaluate.Also, StringComparer.Ordinal);
        foreach (var picture in pictures)
        {
            if (captions.Add(Said(recipe.Label.Folder, picture)) && captions.Count >= EvaluateOptions.EnoughPrompts) return null;
        }
        return $"none are named, and the captions that would be drawn instead make {captions.Count}: {EvaluateOptions.TooFew(captions.Count)}. Name at least {EvaluateOptions.EnoughPrompts}, on things that the pictures do not show, or caption the pictures.";
    }

    private static string Said(string folder, string picture)
    {
        try
        {
            return FolderIntake.Caption(picture) is { Length: > 0 } caption ? caption : RepeatFolder.Of(folder, picture)?.Words ?? "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // clean names it
        }
    }

    // Why clean will drop it for certain; null where it won't, or where the beginning does not tell.
    private static string? Reason(string picture, CleanOptions options, List<string> unreadable)
    {
        try
        {
            using var stream = File.OpenRead(picture);
            var bytes = new byte[(int)Math.Min(stream.Length, HeaderBytes)];
            stream.ReadExactly(bytes);
            if (stream.Length == bytes.Length) return PictureHeader.Read(bytes) is { } whole ? BySize(whole) : "damaged";
            return (PictureHeader.Read(bytes) ?? AtDirectory(stream, bytes)) is { } header ? BySize(header) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            unreadable.Add($"{Path.GetFullPath(picture)} cannot be read: {e.Message}");
            return null;
        }

        string? BySize(PictureHeader header) => PictureChecks.BySize(options, header.Width, header.Height)?.Reason;
    }

    // A TIFF's directory, which tells its size, often lies behind the pixels: it is read as if it followed the first 8 bytes.
    private static PictureHeader? AtDirectory(FileStream stream, byte[] start)
    {
        if (start is not ([(byte)'I', (byte)'I', 42, 0, _, _, _, _, ..] or [(byte)'M', (byte)'M', 0, 42, _, _, _, _, ..])) return null;
        var little = start[0] == 'I';
        long at = little ? BinaryPrimitives.ReadUInt32LittleEndian(start.AsSpan(4)) : BinaryPrimitives.ReadUInt32BigEndian(start.AsSpan(4));
        if (at < 8 || at >= stream.Length) return null;
        var bytes = new byte[8 + (int)Math.Min(stream.Length - at, HeaderBytes)];
        start.AsSpan(0, 4).CopyTo(bytes);
        bytes[little ? 4 : 7] = 8;
        stream.Position = at;
        stream.ReadExactly(bytes.AsSpan(8));
        return PictureHeader.Read(bytes);
    }
}
