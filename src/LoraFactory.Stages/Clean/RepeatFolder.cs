using System.Globalization;
using System.Text.RegularExpressions;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean;

/// <summary>
/// A folder named as kohya's scripts want it, "10_red boat": its pictures are seen ten times as often as those of a plain folder, and "red boat" is
/// the caption of those that have none beside them. A longer number is taken for a year, one with a leading 0 for a place in a list, and
/// a name as cameras give it (DCF: "100_FUJI", three digits and five of A-Z, 0-9 and _) for that: plain folders.
/// </summary>
/// <param name="Repeats">How often each picture is seen against one of a plain folder, 1..999.</param>
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

    /// <summary>A line of words for each such folder of all pictures: what will be made of it.</summary>
    public static IEnumerable<string> Lines(IEnumerable<(RepeatFolder? Folder, bool Captioned)> pictures)
    {
        var all = pictures.ToList();
        var differ = Repetition.Of([.. all.Select(p => p.Folder?.Repeats ?? 1)]) is not null;
        return all.Where(p => p.Folder is not null).GroupBy(p => p.Folder!).Select(g => string.Create(CultureInfo.InvariantCulture,
            $"folder {g.Key.Repeats}_{g.Key.Words}: {g.Count()} pictures, {Seen(g.Key.Repeats, differ)}, captioned \"{g.Key.Words}\" where no caption lies beside them ({g.Count(p => !p.Captioned)})"));
    }

    private static string Seen(int repeats, bool differ) => differ
        ? string.Create(CultureInfo.InvariantCulture, $"each seen {repeats} times as often as one of a plain folder")
        : "all with the same repeats, which change nothing (train.steps says how long training is)";

    /// <summary>What of the folders' names matters to a stage's hash, since that knows files by their own names alone; null where no folder is named so.</summary>
    public static string? Essence(string root, IEnumerable<string> pictures)
    {
        var named = pictures.Select(p => (Picture: p, Folder: Of(root, p))).Where(p => p.Folder is not null).Select(p => $"{Path.GetFileName(p.Picture)} {p.Folder!.Repeats} {p.Folder.Words}").ToList();
        return named.Count > 0 ? ContentId.Of(named) : null;
    }

    private static RepeatFolder? Named(string name)
    {
        var match = Pattern().Match(name);
        if (!match.Success || CameraPattern().IsMatch(name)) return null;
        var words = match.Groups["words"].Value.Trim();
        return words.Length == 0 ? null : new(int.Parse(match.Groups["repeats"].Value, CultureInfo.InvariantCulture), words);
    }

    [GeneratedRegex(@"\A(?<repeats>[1-9][0-9]{0,2})_(?<words>.+)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.Singleline, 1000)]
    private static partial Regex Pattern();

    // Design rule for Camera File system 2.0, directory names.
    [GeneratedRegex(@"\A[1-9][0-9]{2}[0-9A-Z_]{5}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex CameraPattern();
}
