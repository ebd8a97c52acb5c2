using System.Buffers.Binary;
using System.Numerics;
using Microsoft.Win32.SafeHandles;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// What visits brought until it is recorded, one record after the other in a file beside the frontier: a write for each, where a row in a
/// transaction for each costs many. A record is complete or it is not there: length, CRC-32C, key, octets; one without octets
/// ends those of its key before it. Safe for use from several threads.
/// </summary>
internal sealed class VisitLog : IDisposable
{
    // Length and checksum of 4 octets, key of 8. A file that is longer than Short is emptied when nothing in it is needed, one longer than Long written anew.
    private const int Head = 16, Short = 1 << 20, Long = 1 << 26;

    private readonly Lock gate = new();
    private readonly string path;
    private readonly Dictionary<long, Place> open = [];
    private readonly Dictionary<long, bool> ending = [];
    private SafeFileHandle file;
    private long end;

    private readonly record struct Place(long Offset, int Length);

    /// <summary>Opens or creates the file; what follows a record that is not whole is cut off.</summary>
    public VisitLog(string path)
    {
        this.path = path;
        file = Open(path, FileMode.OpenOrCreate);
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

    /// <summary>Whether there is nothing that was not recorded.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (gate) return open.Count == 0;
        }
    }

    /// <summary>Keeps what came of the URL of this key.</summary>
    public void Add(long key, byte[] visit)
    {
        lock (gate) open[key] = new(Write(key, visit), visit.Length);
    }

    /// <summary>What is kept for this key; null where there is nothing.</summary>
    public byte[]? Find(long key)
    {
        lock (gate) return open.TryGetValue(key, out var place) ? Octets(place) : null;
    }

    /// <summary>Needs the key's record no more, once the transaction that says so is in force.</summary>
    /// <param name="key">The key.</param>
    /// <param name="waits">Whether its URL still waits: then the file must say so, else the tables do.</param>
    public void End(long key, bool waits)
    {
        lock (gate)
        {
            if (open.ContainsKey(key)) ending[key] = waits;
        }
    }

    /// <summary>The transaction is in force.</summary>
    public void Commit()
    {
        lock (gate)
        {
            foreach (var (key, waits) in ending)
            {
                if (waits) Write(key, []);
                open.Remove(key);
            }
            ending.Clear();
            if (open.Count == 0 && end > Short) Clear();
            else if (end > Long && open.Values.Sum(p => (long)p.Length) < end / 2) Rewrite();
        }
    }

    /// <summary>The transaction was taken back.</summary>
    public void Rollback()
    {
        lock (gate) ending.Clear();
    }

    /// <summary>Keeps only what <paramref name="needed"/> says yes to.</summary>
    public void Keep(Func<long, bool> needed)
    {
        lock (gate)
        {
            foreach (var key in open.Keys.Where(key => !needed(key)).ToList()) open.Remove(key);
        }
    }

    /// <summary>Needs nothing any more.</summary>
    public void Clear()
    {
        lock (gate)
        {
            open.Clear();
            ending.Clear();
            RandomAccess.SetLength(file, end = 0);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            if (open.Count == 0 && !file.IsClosed) Clear();
            file.Dispose();
        }
    }

    private static SafeFileHandle Open(string path, FileMode mode) => File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.Read);

    // Returns where its octets begin.
    private long Write(long key, byte[] visit)
    {
        var head = new byte[Head];
        BinaryPrimitives.WriteInt32LittleEndian(head, visit.Length);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(8), key);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4), Checksum(Checksum(~0u, head.AsSpan(8)), visit));
        RandomAccess.Write(file, [head, visit], end);
        var place = end + Head;
        end = place + visit.Length;
        return place;
    }

    private void Rewrite()
    {
        var (kept, aside) = (open.Select(o => (o.Key, Octets(o.Value))).ToList(), path + ".new");
        File.Delete(aside);
        var before = file;
        (file, end) = (Open(aside, FileMode.CreateNew), 0);
        before.Dispose();
        open.Clear();
        foreach (var (key, visit) in kept) open[key] = new(Write(key, visit), visit.Length);
        File.Move(aside, path, overwrite: true);
    }

    private byte[] Octets(Place place)
    {
        var visit = new byte[place.Length];
        return Fill(visit, place.Offset) ? visit : throw new IOException($"{path} was shortened by another program.");
    }

    private void Read()
    {
        var head = new byte[Head];
        for (var length = RandomAccess.GetLength(file); length - end >= Head;)
        {
            if (!Fill(head, end) || BinaryPrimitives.ReadInt32LittleEndian(head) is var size && (size < 0 || size > length - end - Head)) break;
            var visit = new byte[size];
            if (!Fill(visit, end + Head) || Checksum(Checksum(~0u, head.AsSpan(8)), visit) != BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(4))) break;
            var key = BinaryPrimitives.ReadInt64LittleEndian(head.AsSpan(8));
            if (size == 0) open.Remove(key);
            else open[key] = new(end + Head, size);
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
