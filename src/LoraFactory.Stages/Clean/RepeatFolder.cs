using System.Globalization;
using System.Text.RegularExpressions;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean;

/// <summary>
/// A folder named as kohya's scripts want it, "10_red boat": its pictures are seen ten times as often as those of a plain folder, and "red boat" is
/// the caption of those that have none beside them. A longer number is taken for a year, one with a leading 0 for a place in a list: plain folders.
/// </summary>
/// <param name="Repeats">How often each picture is seen in a pass, 1..999.</param>
/// <param name="Words">What the name says behind the number.</param>
internal sealed partial record RepeatFolder(int Repeats, string Words)
{
    /// <summary>The folder that a picture lies in or below, nearest first, up to <paramref name="root"/> itself; null where none is named so.</summary>
    public static RepeatFolder? Of(string root, string picture)
    {
        var top = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        for (var at = Path.GetDirectoryName(Path.GetFullPath(picture)); at is not null && at.Length >= top.Length; at = Path.GetDirectoryName(at))
            if (Named(Path.GetFileName(at)) is { } found) return found;
        return null;
    }

    /// <summary>A line of words for each such folder: what will be made of it.</summary>
    public static IEnumerable<string> Lines(IEnumerable<Candidate> candidates) => candidates.Where(c => c.Folder is not null)
        .GroupBy(c => c.Folder!).Select(g => string.Create(CultureInfo.InvariantCulture,
            $"folder {g.Key.Repeats}_{g.Key.Words}: {g.Count()} pictures, each seen {g.Key.Repeats} times a pass, captioned \"{g.Key.Words}\" where no caption lies beside them ({g.Count(c => c.Caption.Length == 0)})"));

    /// <summary>What of the folders' names matters to a stage's hash, since that knows files by their own names alone; null where no folder is named so.</summary>
    public static string? Essence(string root, IEnumerable<string> pictures)
    {
        var named = pictures.Select(p => (Picture: p, Folder: Of(root, p))).Where(p => p.Folder is not null).Select(p => $"{Path.GetFileName(p.Picture)} {p.Folder!.Repeats} {p.Folder.Words}").ToList();
        return named.Count > 0 ? ContentId.Of(named) : null;
    }

    private static RepeatFolder? Named(string name)
    {
        var match = Pattern().Match(name);
        if (!match.Success) return null;
        var words = match.Groups["words"].Value.Trim();
        return words.Length == 0 ? null : new(int.Parse(match.Groups["repeats"].Value, CultureInfo.InvariantCulture), words);
    }

    [GeneratedRegex(@"\A(?<repeats>[1-9][0-9]{0,2})_(?<words>.+)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.Singleline, 1000)]
    private static partial Regex Pattern();
}
