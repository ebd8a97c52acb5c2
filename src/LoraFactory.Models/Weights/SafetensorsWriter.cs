using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using LoraFactory.Torch;

namespace LoraFactory.Models.Weights;

/// <summary>A tensor to be written: its name, type, shape, and something that puts its row-major little-endian bytes on a stream.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Sizes; empty for a scalar.</param>
/// <param name="Write">Writes exactly count × element size bytes, the same each time it is called.</param>
public sealed record WeightToWrite(string Name, DType DType, IReadOnlyList<long> Shape, Action<Stream> Write)
{
    /// <summary>From bytes in memory.</summary>
    public static WeightToWrite FromBytes(string name, DType type, IReadOnlyList<long> shape, ReadOnlyMemory<byte> bytes) =>
        new(name, type, shape, stream => stream.Write(bytes.Span));

    /// <summary>From another file, under its own or a new name.</summary>
    public static WeightToWrite From(Weight weight, string? name = null) => new(name ?? weight.Name, weight.DType, weight.Shape, weight.WriteTo);

    /// <summary>Bytes of all elements.</summary>
    public long ByteLength => Shape.Aggregate((long)DTypes.Bytes(DType), (product, size) => product * size);
}

/// <summary>The two hashes that the tools around Stable Diffusion keep in a LoRA's metadata.</summary>
/// <param name="Model">sshs_model_hash: SHA-256 (64 hex digits) of all bytes after the header.</param>
/// <param name="Legacy">sshs_legacy_hash: first 8 hex digits of SHA-256 over 64 KiB from file offset 1 MiB, of nothing where the file is shorter.</param>
public sealed record ModelHashes(string Model, string Legacy);

/// <summary>
/// Writes safetensors files as the reference library lays them out: compact unescaped UTF-8 header padded with spaces to a multiple of
/// 8, tensors by element type and then by name. The same input gives the same bytes. A file is written aside and renamed.
/// </summary>
public static class SafetensorsWriter
{
    private const long LegacyStart = 0x100000;
    private const int LegacyLength = 0x10000;

    /// <summary>Writes a file; a reader sees the old file or the whole new one.</summary>
    public static void Write(string path, IEnumerable<WeightToWrite> weights, IReadOnlyDictionary<string, string>? metadata = null)
    {
        using var aside = new AsideFile(path, stream => Write(stream, weights, metadata));
        aside.Publish();
    }

    /// <summary>Writes the bytes of a file to a stream.</summary>
    public static void Write(Stream stream, IEnumerable<WeightToWrite> weights, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var ordered = InFileOrder(weights);
        stream.Write(Header(ordered, metadata));
        foreach (var weight in ordered) WriteChecked(stream, weight);
    }

    /// <summary>
    /// The hashes of kohya's trainers: of the file that these tensors give with no metadata but the ss_* keys.
    /// Only the length of that file's header matters to them.
    /// </summary>
    public static ModelHashes Hashes(IEnumerable<WeightToWrite> weights, IReadOnlyDictionary<string, string> metadata)
    {
        var ordered = InFileOrder(weights);
        var kept = metadata.Where(pair => pair.Key.StartsWith("ss_", StringComparison.Ordinal)).ToDictionary(pair => pair.Key, pair => pair.Value);
        using var hashing = new HashingStream(Header(ordered, kept));
        foreach (var weight in ordered) WriteChecked(hashing, weight);
        return hashing.Finish();
    }

    /// <summary>The tensors in the order of the reference writer: element types wide first, then names by their UTF-8 bytes.</summary>
    public static IReadOnlyList<WeightToWrite> InFileOrder(IEnumerable<WeightToWrite> weights)
    {
        var ordered = weights.Select(weight => (Weight: weight, Key: Encoding.UTF8.GetBytes(weight.Name)))
            .OrderBy(pair => ElementTypes.Rank(pair.Weight.DType))
            .ThenBy(pair => pair.Key, Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)))
            .Select(pair => pair.Weight).ToList();
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        foreach (var weight in ordered)
            if (!names.Add(weight.Name)) throw new ModelException($"The tensor name '{weight.Name}' {(weight.Name == "__metadata__" ? "is kept for metadata" : "occurs twice")}: give each tensor a name of its own.");
        return ordered;
    }

    /// <summary>Length field and header, padded so that the data begin at a multiple of 8.</summary>
    private static byte[] Header(IReadOnlyList<WeightToWrite> ordered, IReadOnlyDictionary<string, string>? metadata)
    {
        var json = new StringBuilder("{");
        if (metadata is { Count: > 0 })
        {
            json.Append("\"__metadata__\":{");
            json.AppendJoin(',', metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => Quoted(pair.Key) + ":" + Quoted(pair.Value)));
            json.Append('}');
        }
        var begin = 0L;
        foreach (var weight in ordered)
        {
            if (json.Length > 1) json.Append(',');
            var end = begin + weight.ByteLength;
            json.Append(Quoted(weight.Name)).Append(":{\"dtype\":\"").Append(ElementTypes.NameOf(weight.DType)).Append("\",\"shape\":[")
                .AppendJoin(',', weight.Shape).Append("],\"data_offsets\":[").Append(begin).Append(',').Append(end).Append("]}");
            begin = end;
        }
        json.Append('}');
        var text = Encoding.UTF8.GetBytes(json.ToString());
        var length = (text.Length + 7) / 8 * 8;
        if (length > SafetensorsFile.HeaderLimit) throw new ModelException($"A safetensors header of {length} bytes is longer than {SafetensorsFile.HeaderLimit}: shorten the metadata.");
        var header = new byte[8 + length];
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)length);
        text.CopyTo(header, 8);
        header.AsSpan(8 + text.Length).Fill((byte)' ');
        return header;
    }

    /// <summary>A JSON string that escapes only what JSON demands, as the reference writer does: the header's length depends on it.</summary>
    private static string Quoted(string text)
    {
        var quoted = new StringBuilder(text.Length + 2).Append('"');
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                '\b' => quoted.Append("\\b"),
                '\f' => quoted.Append("\\f"),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                < ' ' => quoted.Append("\\u").Append(((int)c).ToString("x4")),
                _ => quoted.Append(c),
            };
        }
        return quoted.Append('"').ToString();
    }

    private static void WriteChecked(Stream stream, WeightToWrite weight)
    {
        var counting = new CountingStream(stream);
        weight.Write(counting);
        if (counting.Count != weight.ByteLength)
            throw new ModelException($"The tensor '{weight.Name}' of shape {Weight.Describe(weight.Shape)} gave {counting.Count} bytes where {weight.ByteLength} were due.");
    }

    /// <summary>Passes bytes on and counts them.</summary>
    private sealed class CountingStream(Stream inner) : WriteOnlyStream
    {
        public long Count { get; private set; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            inner.Write(buffer);
            Count += buffer.Length;
        }
    }

    /// <summary>Hashes a file's data as they go by, and the window of the legacy hash, which counts from the file's start.</summary>
    private sealed class HashingStream : WriteOnlyStream
    {
        private readonly IncrementalHash model = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private readonly IncrementalHash legacy = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private long position;

        public HashingStream(ReadOnlySpan<byte> header) => AppendLegacy(header);

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            model.AppendData(buffer);
            AppendLegacy(buffer);
        }

        public ModelHashes Finish() => new(Convert.ToHexStringLower(model.GetHashAndReset()), Convert.ToHexStringLower(legacy.GetHashAndReset())[..8]);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                model.Dispose();
                legacy.Dispose();
            }
            base.Dispose(disposing);
        }

        private void AppendLegacy(ReadOnlySpan<byte> buffer)
        {
            var first = (int)Math.Clamp(LegacyStart - position, 0, buffer.Length);
            var last = (int)Math.Clamp(LegacyStart + LegacyLength - position, 0, buffer.Length);
            legacy.AppendData(buffer[first..last]);
            position += buffer.Length;
        }
    }
}
