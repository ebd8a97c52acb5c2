namespace LoraFactory.Flow;

/// <summary>
/// Paths as the files of a run and of a store keep them. What lies in the run's project is named relative to the folder of the file that names
/// it, so that a project can be moved as a whole; anything else, such as a base model of the user's elsewhere, by its absolute path.
/// </summary>
public static class KeptPath
{
    /// <summary>The project of a run: the folder that holds the folder of runs, as long as that is not the root of the disk.</summary>
    public static string ProjectOf(string run)
    {
        var at = Path.TrimEndingDirectorySeparator(Path.GetFullPath(run));
        for (var up = 0; up < 2 && Path.GetDirectoryName(at) is { } above && Path.GetDirectoryName(above) is not null; up++) at = above;
        return at;
    }

    /// <summary>How a file in <paramref name="folder"/> names <paramref name="path"/>; the run says what the project is.</summary>
    public static string Of(string path, string folder, string run)
    {
        var (full, from, project) = (Path.GetFullPath(path), Path.GetFullPath(folder), ProjectOf(run));
        return Within(project, full) && Within(project, from) ? Path.GetRelativePath(from, full) : full;
    }

    /// <summary>The absolute path that a file in <paramref name="folder"/> means; files from before paths were kept so name absolute ones.</summary>
    public static string Read(string kept, string folder) => Path.GetFullPath(Path.Combine(folder, kept));

    private static bool Within(string folder, string path) => path == folder || path.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);
}
