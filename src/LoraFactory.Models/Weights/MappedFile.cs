using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace LoraFactory.Models.Weights;

/// <summary>
/// A file mapped for reading; what a tensor over it changes in place stays in this process. The mapping lives until it is disposed and every holder has let go, so that a tensor made from
/// its bytes without a copy keeps it alive.
/// </summary>
public sealed unsafe partial class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? file;
    private readonly MemoryMappedViewAccessor? view;
    private readonly SafeMemoryMappedViewHandle? handle;
    private readonly byte* start;
    private readonly List<(long Start, long End)> held = [];
    private bool disposed;

    private MappedFile(string path, MemoryMappedFile? file, MemoryMappedViewAccessor? view, long length)
    {
        Path = path;
        Length = length;
        this.file = file;
        this.view = view;
        handle = view?.SafeMemoryMappedViewHandle;
        if (handle is null) return;
        byte* pointer = null;
        handle.AcquirePointer(ref pointer);
        start = pointer + view!.PointerOffset;
    }

    /// <summary>The path as given.</summary>
    public string Path { get; }

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>Maps a file; a missing or unreadable one is a <see cref="ModelException"/>.</summary>
    public static MappedFile Open(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var length = stream.Length;
            if (length == 0) return new MappedFile(path, null, null, 0);
            var file = MemoryMappedFile.CreateFromFile(stream, null, length, MemoryMappedFileAccess.CopyOnWrite, HandleInheritability.None, leaveOpen: false);
            return new MappedFile(path, file, file.CreateViewAccessor(0, length, MemoryMappedFileAccess.CopyOnWrite), length);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelException($"{path} does not exist: check the path, or download the file first.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new ModelException($"{path} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Bytes [offset, offset + length) of the file.</summary>
    public ReadOnlySpan<byte> Span(long offset, int length)
    {
        Demand(offset, length);
        return new ReadOnlySpan<byte>(start + offset, length);
    }

    /// <summary>Address of a byte; valid while the mapping is held, see <see cref="Hold"/>.</summary>
    public byte* Pointer(long offset, long length)
    {
        Demand(offset, length);
        return start + offset;
    }

    /// <summary>
    /// Keeps the mapping alive until the action that comes back is called, once. Then the pages of these bytes leave this process's memory, unless
    /// another holder has some of them: of a model that is converted while it is loaded only one of both forms is there.
    /// </summary>
    public Action Hold(long offset, long length)
    {
        if (handle is null) return () => { };
        var taken = false;
        handle.DangerousAddRef(ref taken);
        var mine = (Start: offset, End: offset + length);
        lock (held) held.Add(mine);
        return () =>
        {
            LetGo(mine);
            handle.DangerousRelease();
        };
    }

    /// <summary>Unmaps the file once the last holder has let go.</summary>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        handle?.ReleasePointer();
        view?.Dispose();
        file?.Dispose();
    }

    private void LetGo((long Start, long End) mine)
    {
        lock (held)
        {
            held.Remove(mine);
            if (!OperatingSystem.IsLinux() || held.Exists(other => other.Start < mine.End && mine.Start < other.End)) return;
            var page = Environment.SystemPageSize;
            var from = ((nint)start + (nint)mine.Start + page - 1) / page * page; // a page that a neighbour shares stays
            var until = ((nint)start + (nint)mine.End) / page * page;
            if (until > from) _ = madvise(from, (nuint)(until - from), DontNeed); // refused where pages are locked: then they stay
        }
    }

    private const int DontNeed = 4;

    [LibraryImport("libc", SetLastError = true)] private static partial int madvise(nint address, nuint length, int advice);

    private void Demand(long offset, long length)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (offset < 0 || length < 0 || offset > Length - length)
            throw new ModelException($"{Path}: bytes {offset} to {offset + length} lie outside the file of {Length} bytes; it was probably cut short, so download it again.");
    }
}
