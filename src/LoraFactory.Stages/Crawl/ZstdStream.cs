using System.Runtime.InteropServices;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// Undoes Zstandard as a stream (RFC 8878) with the system's libzstd, which every Debian has. Frames that ask for a window of more than 8 MB are
/// refused, as RFC 9659 says for the web, so memory stays below some 9 MB whatever comes.
/// </summary>
public sealed class ZstdStream : Stream
{
    private const int WindowLogMax = 100, MostWindowLog = 23; // ZSTD_d_windowLogMax, 2^23 bytes
    private const int ChunkSize = 32 * 1024;

    private static readonly Library? Zstd = Library.Load();

    private readonly Stream inner;
    private readonly byte[] chunk = new byte[ChunkSize];
    private nint context;
    private int from, to;
    private bool ended, atFrameEnd = true;

    /// <summary>Decodes <paramref name="inner"/>, which is disposed with it.</summary>
    public ZstdStream(Stream inner)
    {
        this.inner = inner;
        if (Zstd is null) throw new NotSupportedException("libzstd.so.1 is not installed (apt install libzstd1).");
        context = Zstd.Create();
        if (context == 0) throw new InvalidDataException("zstd: no memory for a decoder");
        Zstd.SetParameter(context, WindowLogMax, MostWindowLog);
    }

    /// <summary>Is the library there?</summary>
    public static bool IsAvailable => Zstd is not null;

    /// <inheritdoc/>
    public override bool CanRead => true;
    /// <inheritdoc/>
    public override bool CanSeek => false;
    /// <inheritdoc/>
    public override bool CanWrite => false;
    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();
    /// <inheritdoc/>
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Decodes what fits; 0 at the end. <see cref="InvalidDataException"/> for what is no Zstandard or ends within a frame.</summary>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty) return 0;
        while (true)
        {
            if (from == to && !ended)
            {
                (from, to) = (0, await inner.ReadAsync(chunk, cancellationToken));
                ended = to == 0;
            }
            var written = Decode(buffer.Span);
            if (written > 0) return written;
            if (!ended) continue;
            return atFrameEnd ? 0 : throw new InvalidDataException("zstd: the data end within a frame");
        }
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read asynchronously");

    /// <inheritdoc/>
    public override void Flush() { }
    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();
    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (context != 0) Zstd!.Free(context);
        context = 0;
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }

    private unsafe int Decode(Span<byte> output)
    {
        ObjectDisposedException.ThrowIf(context == 0, this);
        if (from == to && atFrameEnd) return 0;
        fixed (byte* into = output)
        fixed (byte* packed = chunk)
        {
            var target = new Buffer { Start = into, Size = (nuint)output.Length };
            var source = new Buffer { Start = packed, Size = (nuint)to, Position = (nuint)from };
            var left = Zstd!.Decompress(context, &target, &source);
            if (Zstd.IsError(left)) throw new InvalidDataException("zstd: " + Zstd.ErrorName(left));
            from = (int)source.Position;
            atFrameEnd = left == 0;
            return (int)target.Position;
        }
    }

    // ZSTD_inBuffer and ZSTD_outBuffer
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Buffer
    {
        public byte* Start;
        public nuint Size, Position;
    }

    private sealed unsafe class Library(nint handle)
    {
        private readonly delegate* unmanaged[Cdecl]<nint> create = (delegate* unmanaged[Cdecl]<nint>)NativeLibrary.GetExport(handle, "ZSTD_createDCtx");
        private readonly delegate* unmanaged[Cdecl]<nint, nuint> free = (delegate* unmanaged[Cdecl]<nint, nuint>)NativeLibrary.GetExport(handle, "ZSTD_freeDCtx");
        private readonly delegate* unmanaged[Cdecl]<nint, int, int, nuint> set = (delegate* unmanaged[Cdecl]<nint, int, int, nuint>)NativeLibrary.GetExport(handle, "ZSTD_DCtx_setParameter");
        private readonly delegate* unmanaged[Cdecl]<nint, Buffer*, Buffer*, nuint> decompress = (delegate* unmanaged[Cdecl]<nint, Buffer*, Buffer*, nuint>)NativeLibrary.GetExport(handle, "ZSTD_decompressStream");
        private readonly delegate* unmanaged[Cdecl]<nuint, uint> isError = (delegate* unmanaged[Cdecl]<nuint, uint>)NativeLibrary.GetExport(handle, "ZSTD_isError");
        private readonly delegate* unmanaged[Cdecl]<nuint, byte*> errorName = (delegate* unmanaged[Cdecl]<nuint, byte*>)NativeLibrary.GetExport(handle, "ZSTD_getErrorName");

        public static Library? Load()
        {
            if (!NativeLibrary.TryLoad("libzstd.so.1", out var handle)) return null;
            try
            {
                return new Library(handle);
            }
            catch (EntryPointNotFoundException)
            {
                return null; // older than 1.4
            }
        }

        public nint Create() => create();

        public void Free(nint context) => free(context);

        public void SetParameter(nint context, int parameter, int value) => set(context, parameter, value);

        public nuint Decompress(nint context, Buffer* output, Buffer* input) => decompress(context, output, input);

        public bool IsError(nuint code) => isError(code) != 0;

        public string ErrorName(nuint code) => Marshal.PtrToStringAnsi((nint)errorName(code)) ?? "error";
    }
}
