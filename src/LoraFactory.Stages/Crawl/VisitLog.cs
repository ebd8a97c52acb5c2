using System.Buffers.Binary;
using System.Numerics;
using Microsoft.Win32.SafeHandles;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// What visits brought until it is recorded, one record after the other in a file beside the frontier: a write for each, where a transaction for
/// each would cost a sixth of a crawl's processor time. A record is complete or it is not there: length, CRC-32C, key, stamp, octets. Stamps
/// rise from record to record and from process to process. Safe for use from several threads.
/// </summary>
internal sealed class VisitLog : IDisposable
{
    // Length and checksum of 4 octets, key and stamp of 8; a file that is longer than this is shortened when nothing in it is needed.
    private const int Head = 24, Short = 1 << 20;

    private readonly Lock gate = new();
    private readonly SafeFileHandle file;
    private readonly Dictionary<long, Place> open = [];
    private long end, stamp;

    private readonly record struct Place(long Offset, int Length, long Stamp);

    /// <summary>Opens or creates the file; what follows a record that is not whole is cut off.</summary>
    public VisitLog(string path)
    {
        file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            Read();
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether there is anything that was not recorded.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (gate) return open.Count == 0;
        }
    }

    /// <summary>The last stamp of which, and of all before which, nothing is needed any more.</summary>
    public long Settled
    {
        get
        {
            lock (gate) return open.Count == 0 ? stamp : open.Values.Min(p => p.Stamp) - 1;
        }
    }

    /// <summary>Keeps what came of the URL of this key.</summary>
    public void Add(long key, byte[] visit)
    {
        var head = new byte[Head];
        lock (gate)
        {
            BinaryPrimitives.WriteInt32LittleEndian(head, visit.Length);
            BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(8), key);
            BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(16), ++stamp);
            BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4), Checksum(Checksum(~0u, head.AsSpan(8)), visit));
            RandomAccess.Write(file, [head, visit], end);
            open[key] = new(end + Head, visit.Length, stamp);
            end += Head + visit.Length;
        }
    }

    /// <summary>What is kept for this key; null where there is nothing.</summary>
    public byte[]? Find(long key)
    {
        lock (gate)
        {
            if (!open.TryGetValue(key, out var place)) return null;
            var visit = new byte[place.Length];
            return Fill(visit, place.Offset) ? visit : null;
        }
    }

    /// <summary>Needs the key's record no more.</summary>
    public void End(long key)
    {
        lock (gate) open.Remove(key);
    }

    /// <summary>Keeps only what <paramref name="needed"/> says yes to, by key and stamp.</summary>
    public void Keep(long settled, Func<long, bool> needed)
    {
        lock (gate)
        {
            stamp = Math.Max(stamp, settled);
            foreach (var (key, place) in open.ToList())
                if (place.Stamp <= settled || !needed(key)) open.Remove(key);
        }
    }

    /// <summary>Shortens the file where it is long and nothing in it is needed.</summary>
    public void Shorten()
    {
        lock (gate)
        {
            if (open.Count == 0 && end > Short) Clear();
        }
    }

    /// <summary>Needs nothing any more.</summary>
    public void Clear()
    {
        lock (gate)
        {
            open.Clear();
            RandomAccess.SetLength(file, end = 0);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (open.Count == 0 && !file.IsClosed) Clear();
        file.Dispose();
    }

    private void Read()
    {
        var head = new byte[Head];
        for (var length = RandomAccess.GetLength(file); length - end >= Head;)
        {
            if (!Fill(head, end) || BinaryPrimitives.ReadInt32LittleEndian(head) is var size && (size <= 0 || size > length - end - Head)) break;
            var visit = new byte[size];
            if (!Fill(visit, end + Head) || Checksum(Checksum(~0u, head.AsSpan(8)), visit) != BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(4))) break;
            stamp = Math.Max(stamp, BinaryPrimitives.ReadInt64LittleEndian(head.AsSpan(16)));
            open[BinaryPrimitives.ReadInt64LittleEndian(head.AsSpan(8))] = new(end + Head, size, BinaryPrimitives.ReadInt64LittleEndian(head.AsSpan(16)));
            end += Head + size;
        }
        RandomAccess.SetLength(file, end);
    }

    private bool Fill(Span<byte> bytes, long at)
    {
        while (bytes.Length > 0)
        {
            var read = RandomAccess.Read(file, bytes, at);
            if (read == 0) return false;
            bytes = bytes[read..];
            at += read;
        }
        return true;
    }

    private static uint Checksum(uint crc, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= 8; bytes = bytes[8..]) crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var b in bytes) crc = BitOperations.Crc32C(crc, b);
        return crc;
    }
}
