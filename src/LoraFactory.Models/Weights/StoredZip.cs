using System.Buffers.Binary;
using System.Text;

namespace LoraFactory.Models.Weights;

/// <summary>
/// The directory of a zip file whose entries are stored without compression, as torch writes checkpoints: where each entry's bytes lie in the
/// file. A compressed entry is refused, so nothing can unfold (APPNOTE 6.3 sections 4.3.7, 4.3.12–4.3.16).
/// </summary>
internal sealed class StoredZip
{
    private const uint LocalHeader = 0x04034b50, DirectoryHeader = 0x02014b50, DirectoryEnd = 0x06054b50, Zip64End = 0x06064b50, Zip64Locator = 0x07064b50;
    private const int MostEntries = 1_000_000, EndLength = 22, LocatorLength = 20;

    private readonly MappedFile file;
    private readonly Dictionary<string, (long Offset, long Length)> entries = new(StringComparer.Ordinal);

    /// <summary>Reads the directory.</summary>
    public StoredZip(MappedFile file)
    {
        this.file = file;
        var (count, at, length) = FindDirectory();
        if (count > MostEntries) throw Refusal($"its directory lists {count} entries, more than {MostEntries}");
        if (at > file.Length - length) throw Refusal("its directory reaches beyond its end");
        for (var i = 0L; i < count; i++) at = ReadEntry(at);
    }

    /// <summary>Names of the entries.</summary>
    public IReadOnlyCollection<string> Names => entries.Keys;

    /// <summary>Where an entry's bytes lie in the file; false when there is none of this name.</summary>
    public bool TryGet(string name, out (long Offset, long Length) place) => entries.TryGetValue(name, out place);

    /// <summary>Whether a file begins like a zip file.</summary>
    public static bool Is(MappedFile file) => file.Length >= 4 && BinaryPrimitives.ReadUInt32LittleEndian(file.Span(0, 4)) == LocalHeader;

    private (long Count, long Offset, long Length) FindDirectory()
    {
        var window = (int)Math.Min(file.Length, EndLength + ushort.MaxValue);
        var tail = file.Span(file.Length - window, window);
        for (var i = window - EndLength; i >= 0; i--)
        {
            if (UInt32(tail, i) != DirectoryEnd || i + EndLength + UInt16(tail, i + 20) != window) continue;
            var (count, length, offset) = ((long)UInt16(tail, i + 10), (long)UInt32(tail, i + 12), (long)UInt32(tail, i + 16));
            if (count != ushort.MaxValue && length != uint.MaxValue && offset != uint.MaxValue) return (count, offset, length);
            return FindLargeDirectory(file.Length - window + i - LocatorLength);
        }
        throw Refusal("it has no directory at its end: it was cut short");
    }

    private (long Count, long Offset, long Length) FindLargeDirectory(long locatorAt)
    {
        if (locatorAt < 0) throw Refusal("its 64-bit directory is missing");
        var locator = file.Span(locatorAt, LocatorLength);
        if (UInt32(locator, 0) != Zip64Locator) throw Refusal("its 64-bit directory is missing");
        var end = file.Span(Int64(locator, 8), 56);
        if (UInt32(end, 0) != Zip64End) throw Refusal("its 64-bit directory is damaged");
        return (Int64(end, 32), Int64(end, 48), Int64(end, 40));
    }

    private long ReadEntry(long at)
    {
        var header = file.Span(at, 46);
        if (UInt32(header, 0) != DirectoryHeader) throw Refusal("its directory is damaged");
        var (flags, method) = (UInt16(header, 8), UInt16(header, 10));
        var (nameLength, extraLength, commentLength) = (UInt16(header, 28), UInt16(header, 30), UInt16(header, 32));
        var (stored, size, local) = ((long)UInt32(header, 20), (long)UInt32(header, 24), (long)UInt32(header, 42));
        var name = Encoding.UTF8.GetString(file.Span(at + 46, nameLength));
        ReadExtra(file.Span(at + 46 + nameLength, extraLength), ref size, ref stored, ref local);
        if ((flags & 1) != 0) throw Refusal($"its entry '{name}' is encrypted");
        if (method != 0 || stored != size) throw Refusal($"its entry '{name}' is compressed, which torch never writes; save the checkpoint anew");
        var start = DataStart(name, local);
        if (size < 0 || start > file.Length - size) throw Refusal($"its entry '{name}' reaches beyond the end of the file");
        if (!entries.TryAdd(name, (start, size))) throw Refusal($"its entry '{name}' occurs twice");
        return at + 46 + nameLength + extraLength + commentLength;
    }

    /// <summary>The 64-bit sizes that stand in for those of 0xffffffff, in this order.</summary>
    private void ReadExtra(ReadOnlySpan<byte> extra, ref long size, ref long stored, ref long local)
    {
        const ushort zip64 = 1;
        while (extra.Length >= 4)
        {
            var (id, length) = (UInt16(extra, 0), UInt16(extra, 2));
            if (length > extra.Length - 4) throw Refusal("its directory is damaged");
            var field = extra.Slice(4, length);
            extra = extra[(4 + length)..];
            if (id != zip64) continue;
            if (size == uint.MaxValue) size = Next(ref field);
            if (stored == uint.MaxValue) stored = Next(ref field);
            if (local == uint.MaxValue) local = Next(ref field);
        }
    }

    private long Next(ref ReadOnlySpan<byte> field)
    {
        if (field.Length < 8) throw Refusal("its directory is damaged");
        var value = Int64(field, 0);
        field = field[8..];
        return value;
    }

    private long DataStart(string name, long local)
    {
        var header = file.Span(local, 30);
        if (UInt32(header, 0) != LocalHeader) throw Refusal($"its entry '{name}' is not where its directory says");
        return local + 30 + UInt16(header, 26) + UInt16(header, 28);
    }

    private static ushort UInt16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint UInt32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long Int64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);

    private ModelException Refusal(string reason) => TorchCheckpoint.Refusal(file.Path, reason);
}
