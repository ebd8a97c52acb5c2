using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>
/// Keeps the finished result of a stage while the stage runs anew: it lies beside the stage's directory (1-crawl.before) until the new attempt
/// has succeeded, and comes back when that fails or when the recipe that made it is run again. What the failed attempt left then lies in
/// 1-crawl.unfinished, and the same recipe goes on from there. Each step is one rename, so a kill between two of them is put right at the next run.
/// </summary>
internal sealed class ResultShelf
{
    private readonly string place;

    /// <summary>The shelf of one stage; puts right what a kill left half done.</summary>
    public ResultShelf(RunDirectory run, StageName stage)
    {
        place = run.Of(stage);
        Before = place + ".before";
        Unfinished = place + ".unfinished";
        if (Directory.Exists(Before) && Finished(Before) is not null && !Directory.EnumerateFileSystemEntries(place).Any()) Move(Before, place);
    }

    /// <summary>Where the last finished result lies while a new attempt is under way.</summary>
    public string Before { get; }

    /// <summary>Where an attempt lies that gave way to the last finished result.</summary>
    public string Unfinished { get; }

    /// <summary>Brings into place what fits <paramref name="hash"/>: a finished result that was set aside, else an attempt that can go on.</summary>
    /// <param name="hash">The stage's hash now.</param>
    /// <param name="forced">Asked for anew: then only an attempt that was asked for anew too, and did not fail by itself.</param>
    public void TakeUp(string hash, bool forced)
    {
        if (Attempt(place)?.Hash == hash || (!forced && Finished(place)?.Hash == hash)) return;
        if (!forced && Finished(Before)?.Hash == hash) GiveBack();
        else if (Attempt(Unfinished)?.GoesOn(hash, forced) == true)
        {
            if (Finished(place) is not null) Move(place, Before);
            Move(Unfinished, place);
        }
    }

    /// <summary>Makes room for a new attempt: a finished result is set aside, anything else is deleted.</summary>
    /// <param name="copy">True where the stage goes by what it finds: its files stay, and copies are set aside.</param>
    public void SetAside(bool copy)
    {
        Delete(Unfinished);
        if (Finished(place) is not null)
        {
            if (copy) Copy(place, Before);
            else Move(place, Before);
        }
        else if (!copy) Delete(place);
        Directory.CreateDirectory(place);
    }

    /// <summary>Puts the last finished result back, and the attempt beside it. False when there is none.</summary>
    public bool GiveBack()
    {
        if (Finished(Before) is null) return false;
        Move(place, Unfinished);
        Move(Before, place);
        return true;
    }

    /// <summary>A sentence about files of an attempt that gave way, with the names that they have now; null when it names none.</summary>
    public string? Moved(string sentence)
    {
        var (then, now) = (Path.GetFileName(place) + Path.DirectorySeparatorChar, Path.GetFileName(Unfinished) + Path.DirectorySeparatorChar);
        return sentence.Contains(then, StringComparison.Ordinal) ? sentence.Replace(then, now, StringComparison.Ordinal) : null;
    }

    /// <summary>Deletes what lies beside a result that has just been finished.</summary>
    public void Forget()
    {
        Delete(Before);
        Delete(Unfinished);
    }

    /// <summary>The record of a finished stage in this directory; null where there is none, or a damaged one.</summary>
    public static StageRecord? Finished(string directory) => Read<StageRecord>(Path.Combine(directory, StageRecord.FileName));

    /// <summary>The marker of an attempt in this directory; null where there is none, or a damaged one.</summary>
    public static StageMarker? Attempt(string directory) => Read<StageMarker>(Path.Combine(directory, StageMarker.FileName));

    private static T? Read<T>(string path) where T : class
    {
        try
        {
            return File.Exists(path) ? RunDirectory.ReadJson<T>(path) : null;
        }
        catch (LoraException)
        {
            return null; // a damaged record counts as none: the stage runs again
        }
    }

    private static void Move(string from, string to)
    {
        Delete(to);
        Directory.Move(from, to);
    }

    // Written aside and renamed: a copy that a kill cut short must not pass for the finished result.
    private static void Copy(string from, string to)
    {
        var aside = to + ".tmp";
        Delete(aside);
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(aside, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
        Move(aside, to);
    }

    private static void Delete(string directory)
    {
        if (new DirectoryInfo(directory) is { Exists: true } there) Remove(there);
    }

    // A link is removed, never what it points to.
    private static void Remove(DirectoryInfo directory)
    {
        if (directory.LinkTarget is null)
        {
            foreach (var entry in directory.EnumerateFileSystemInfos())
            {
                if (entry is DirectoryInfo inner) Remove(inner);
                else entry.Delete();
            }
        }
        directory.Delete();
    }
}
