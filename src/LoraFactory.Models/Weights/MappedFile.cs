using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace LoraFactory.Models.Weights;

/// <summary>
/// A file mapped for reading; what a tensor over it changes in place stays in this process. The mapping lives until it is disposed and every holder has let go, so that a tensor made from
/// its bytes without a copy keeps it alive.
/// </summary>
public sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? file;
    private readonly MemoryMappedViewAccessor? view;
    private readonly SafeMemoryMappedViewHandle? handle;
    private readonly byte* start;
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

    /// <summary>Keeps the mapping alive until the action that comes back is called, once.</summary>
    public Action Hold()
    {
        if (handle is null) return () => { };
        var taken = false;
        handle.DangerousAddRef(ref taken);
        return handle.DangerousRelease;
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

    private void Demand(long offset, long length)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (offset < 0 || length < 0 || offset > Length - length)
            throw new ModelException($"{Path}: bytes {offset} to {offset + length} lie outside the file of {Length} bytes; it was probably cut short, so download it again.");
    }
}
