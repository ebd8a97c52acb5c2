namespace LoraFactory.Flow;

/// <summary>Finds the file or folder that was probably meant by a path that leads nowhere.</summary>
public static class NearestPath
{
    private const int MostNames = 10_000; // of a folder: a hint must not take seconds
    private static readonly EnumerationOptions Walk = new(); // neither hidden nor unreadable ones

    /// <summary>" Did you mean PATH?" where <see cref="Of"/> finds one, else empty; to end a sentence about the path with.</summary>
    public static string Hint(string written) => Of(written) is { } near && near != written ? $" Did you mean {near}?" : "";

    /// <summary>
    /// The path itself where it exists, else one that does and whose folders and name are near to the written ones: within a third of a name's
    /// length in edits, its extension aside. Null where there is none.
    /// </summary>
    public static string? Of(string written)
    {
        if (written.Length == 0 || Path.Exists(written)) return written;
        var (above, name) = (Path.GetDirectoryName(written), Path.GetFileName(written));
        if (above is null) return null;
        if (name.Length == 0) return Of(above); // a slash at the end
        if (above.Length > 0) above = Of(above);
        if (above is null || (above.Length > 0 && !Directory.Exists(above))) return null;
        var there = Path.Combine(above, name); // where a folder above was the one mistyped
        return Path.Exists(there) ? there : Sibling(above, name) is { } near ? Path.Combine(above, near) : null;
    }

    private static string? Sibling(string folder, string name)
    {
        var names = Directory.EnumerateFileSystemEntries(folder.Length > 0 ? folder : ".", "*", Walk).Take(MostNames).Select(p => Path.GetFileName(p)).Order(StringComparer.Ordinal).ToList();
        var stem = NearestKey.Among(Path.GetFileNameWithoutExtension(name), names.Select(n => Path.GetFileNameWithoutExtension(n)));
        return names.Where(n => Path.GetFileNameWithoutExtension(n) == stem).MinBy(n => NearestKey.Edits(name, n));
    }
}
