using System.Buffers;
using System.IO.Compression;

namespace LoraFactory.Stages.Crawl;

/// <summary>Reads a response body, undoing its content codings as a stream, within caps: a bomb is refused before it is unpacked.</summary>
public static class BoundedBody
{
    /// <summary>Codings that are asked for and understood; zstd where its library is installed.</summary>
    public static string AcceptEncoding { get; } = ZstdStream.IsAvailable ? "gzip, deflate, br, zstd" : "gzip, deflate, br";

    private const int MaxCodings = 3, MaxRatio = 250, RatioFrom = 1 << 20;

    /// <summary>Reads at most <paramref name="maxBytes"/> decompressed bytes.</summary>
    /// <param name="raw">Bytes as they come from the network.</param>
    /// <param name="codings">Content-Encoding in the header's order; undone from the last to the first.</param>
    /// <param name="maxBytes">Most decompressed bytes.</param>
    /// <param name="token">Ends the reading.</param>
    /// <returns>The bytes, and why they are refused ("too-large" with the first of them; empty otherwise): "too-large", "too-compressed", "bad-encoding" or "unsupported-encoding".</returns>
    public static async Task<(byte[] Bytes, Refusal? Refusal)> ReadAsync(Stream raw, IReadOnlyList<string> codings, long maxBytes, CancellationToken token)
    {
        if (codings.Count > 0) codings = [.. codings.Select(c => c.Trim().ToLowerInvariant()).Where(c => c is not ("" or "identity"))];
        if (codings.Count > MaxCodings) return ([], new("unsupported-encoding", $"{codings.Count} content codings, at most {MaxCodings} are undone", codings.Count, MaxCodings));
        var counted = new CountingStream(raw);
        Stream stream = counted;
        try
        {
            for (var i = codings.Count - 1; i >= 0; i--)
            {
                var decoded = await DecodeAsync(stream, codings[i], token);
                if (decoded is null) return ([], new("unsupported-encoding", codings[i]));
                stream = decoded;
            }
            return await CopyAsync(stream, counted, codings.Count > 0, maxBytes, token);
        }
        catch (Exception e) when (e is InvalidDataException or InvalidOperationException) // the second is what BrotliStream throws
        {
            return ([], new("bad-encoding", e.Message));
        }
        finally
        {
            await stream.DisposeAsync();
        }
    }

    private static async Task<(byte[], Refusal?)> CopyAsync(Stream stream, CountingStream raw, bool packed, long maxBytes, CancellationToken token)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(32 * 1024);
        var length = 0;
        try
        {
            int n;
            while ((n = await stream.ReadAsync(buffer.AsMemory(length), token)) > 0)
            {
                length += n;
                if (length > maxBytes) return (buffer[..(int)maxBytes], new("too-large", $"more than {maxBytes} bytes", Threshold: maxBytes));
                if (packed && length > RatioFrom && length / Math.Max(raw.Count, 1) > MaxRatio)
                    return ([], new("too-compressed", $"{raw.Count} bytes unpack to more than {MaxRatio} times as many", length / Math.Max(raw.Count, 1), MaxRatio));
                if (length == buffer.Length) buffer = Larger(buffer);
            }
            return (buffer[..length], null);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static byte[] Larger(byte[] full)
    {
        var larger = ArrayPool<byte>.Shared.Rent(full.Length * 2);
        full.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(full);
        return larger;
    }

    private static async Task<Stream?> DecodeAsync(Stream stream, string coding, CancellationToken token)
    {
        switch (coding)
        {
            case "gzip" or "x-gzip":
                return new GZipStream(stream, CompressionMode.Decompress);
            case "br":
                return new BrotliStream(stream, CompressionMode.Decompress);
            case "zstd" when ZstdStream.IsAvailable:
                return new ZstdStream(stream);
            case "deflate":
                // RFC 9110 means zlib; some servers send the raw form. The first two bytes tell which.
                var head = new byte[2];
                var n = await stream.ReadAtLeastAsync(head, 2, throwOnEndOfStream: false, token);
                var zlib = n == 2 && (head[0] & 0x0F) == 8 && (head[0] * 256 + head[1]) % 31 == 0;
                var whole = new PrefixedStream(head.AsMemory(0, n), stream);
                return zlib ? new ZLibStream(whole, CompressionMode.Decompress) : new DeflateStream(whole, CompressionMode.Decompress);
            default:
                return null;
        }
    }

    private class ReadOnlyStream(Stream inner) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class CountingStream(Stream inner) : ReadOnlyStream(inner)
    {
        private readonly Stream inner = inner;

        public long Count { get; private set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var n = await inner.ReadAsync(buffer, cancellationToken);
            Count += n;
            return n;
        }
    }

    private sealed class PrefixedStream(ReadOnlyMemory<byte> prefix, Stream inner) : ReadOnlyStream(inner)
    {
        private readonly Stream inner = inner;
        private ReadOnlyMemory<byte> left = prefix;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (left.IsEmpty) return await inner.ReadAsync(buffer, cancellationToken);
            var n = Math.Min(left.Length, buffer.Length);
            left[..n].CopyTo(buffer);
            left = left[n..];
            return n;
        }
    }
}
