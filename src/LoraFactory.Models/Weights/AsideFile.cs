namespace LoraFactory.Models.Weights;

/// <summary>A file that is written beside its place and takes it by a rename; gone when disposed before that.</summary>
internal sealed class AsideFile : IDisposable
{
    private readonly string path, aside;

    /// <summary>Writes it aside, down to the disk.</summary>
    /// <exception cref="ModelException">It could not be written.</exception>
    public AsideFile(string path, Action<Stream> write)
    {
        this.path = path;
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        aside = Path.Combine(folder, $".{Path.GetFileName(path)}.{Environment.ProcessId}.{Guid.NewGuid():N}.tmp");
        Guarded(() =>
        {
            Directory.CreateDirectory(folder);
            using var stream = new FileStream(aside, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
            write(stream);
            stream.Flush(flushToDisk: true);
        });
    }

    /// <summary>Gives it its place: a reader sees the old file or the whole new one.</summary>
    /// <exception cref="ModelException">It could not be renamed.</exception>
    public void Publish() => Guarded(() => File.Move(aside, path, overwrite: true));

    /// <inheritdoc/>
    public void Dispose() => File.Delete(aside);

    private void Guarded(Action act)
    {
        try
        {
            act();
        }
        catch (Exception e)
        {
            if (Directory.Exists(Path.GetDirectoryName(aside))) File.Delete(aside);
            if (e is IOException && (e.HResult & 0xFFFF) is 28 or 122) // ENOSPC, EDQUOT
                throw new ModelException($"{path} could not be written: the disk is full. Free some space and run the same command again; nothing was lost.", e);
            if (e is IOException or UnauthorizedAccessException)
                throw new ModelException($"{path} could not be written ({e.Message.TrimEnd('.')}): the file that was there, if any, is unchanged. Check free space and rights.", e);
            throw;
        }
    }
}
