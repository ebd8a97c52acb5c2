using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean;

/// <summary>
/// Turns a folder of the user's own pictures, sub-folders included, into candidates. A picture's caption stands in a .txt or .caption of the same name, as
/// trainers keep it; .txt counts where both are there, and the name of a <see cref="RepeatFolder"/> where neither is.
/// </summary>
internal static class FolderIntake
{
    private const int MaxFiles = 1_000_000;
    private const long MaxPictureBytes = 1L << 30;
    private static readonly HashSet<string> Extensions = new(StringComparer.OrdinalIgnoreCase) { ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff" };
    private static readonly string[] CaptionExtensions = [".txt", ".caption"];

    /// <summary>Picture files below a folder, in ordinal order. Throws <see cref="LoraException"/> when it is missing or holds none.</summary>
    public static IReadOnlyList<string> Pictures(string folder)
    {
        if (folder.Length == 0) throw new LoraException("label.source is folder, but label.folder is empty: name the folder of your pictures.", ExitCode.BadUsage);
        if (!Directory.Exists(folder)) throw new LoraException($"label.folder: {Path.GetFullPath(folder)} is not there; name an existing folder of pictures.", ExitCode.BadUsage);
        var walk = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.Hidden | FileAttributes.System, MaxRecursionDepth = 16 };
        var files = Directory.EnumerateFiles(folder, "*", walk).Where(file => Extensions.Contains(Path.GetExtension(file))).Take(MaxFiles).Order(StringComparer.Ordinal).ToList();
        return files.Count > 0 ? files : throw new LoraException($"label.folder: {Path.GetFullPath(folder)} holds no pictures ({string.Join(", ", Extensions)}).", ExitCode.BadUsage);
    }

    /// <summary>The caption files beside the pictures that exist.</summary>
    public static IEnumerable<string> Captions(IEnumerable<string> pictures) => pictures.Select(CaptionPath).OfType<string>();

    /// <summary>Reads the files into the run's blob store.</summary>
    public static (List<Candidate> Candidates, List<Drop> Drops) Take(RunDirectory run, string folder, IProgressTask progress, CancellationToken token)
    {
        var candidates = new List<Candidate>();
        var drops = new List<Drop>();
        var pictures = Pictures(folder);
        if (NotText(pictures) is { } fault) throw new LoraException($"label.folder: {fault}", ExitCode.BadUsage);
        foreach (var file in pictures)
        {
            token.ThrowIfCancellationRequested();
            progress.Advance();
            var full = Path.GetFullPath(file);
            var place = KeptPath.Of(full, run.Of(StageName.Clean), run.Path);
            if (new FileInfo(full).Length > MaxPictureBytes)
            {
                drops.Add(new Drop(ContentId.Of(place), "too-large", place, "more than 1 GiB"));
                continue;
            }
            string caption;
            byte[] bytes;
            try
            {
                bytes = File.ReadAllBytes(full);
                caption = Caption(full);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                drops.Add(new Drop(ContentId.Of(place), "unreadable", place, e.Message));
                continue;
            }
            candidates.Add(new Candidate
            {
                PageId = "", // it comes from no page
                PageUrl = "",
                PictureUrl = place,
                BlobHash = run.PutBlob(bytes),
                Depth = 0,
                Index = candidates.Count,
                Caption = caption,
                Folder = RepeatFolder.Of(folder, full),
                Language = LanguageGuess.Of(caption),
            });
        }
        return (candidates, drops);
    }

    /// <summary>The caption file beside a picture, null where there is none.</summary>
    public static string? CaptionPath(string picture) => CaptionExtensions.Select(e => Path.ChangeExtension(picture, e)).FirstOrDefault(File.Exists);

    /// <summary>What stands beside a picture, its white space tidied; empty where nothing does.</summary>
    public static string Caption(string picture) => CaptionPath(picture) is { } path ? CaptionFile.Read(path) ?? "" : ""; // NotText names the others

    /// <summary>One sentence about the caption files that are no text, which training would learn as rubbish; null where all are.</summary>
    public static string? NotText(IEnumerable<string> pictures)
    {
        var files = Captions(pictures).Distinct(StringComparer.Ordinal).Where(IsNotText).ToList();
        if (files.Count == 0) return null;
        return $"{Path.GetFullPath(files[0])} is not UTF-8 text; save it as UTF-8{(files.Count > 1 ? $", and likewise {files.Count - 1} more" : "")}.";
    }

    private static bool IsNotText(string caption)
    {
        try
        {
            return CaptionFile.Read(caption) is null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // its picture is dropped as unreadable
        }
    }
}
