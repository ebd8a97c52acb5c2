using System.Text.Json;
using System.Text.Unicode;
using LoraFactory.Torch;

namespace LoraFactory.Models.Weights;

/// <summary>One tensor of a safetensors header; Begin and End count from the first byte after the header.</summary>
internal sealed record SafetensorsEntry(string Name, DType Type, long[] Shape, long Begin, long End);

/// <summary>The JSON header of a safetensors file, checked: known types, shapes that fit their bytes, no gap, no overlap, no name twice.</summary>
internal sealed record SafetensorsHeader(IReadOnlyList<SafetensorsEntry> Entries, IReadOnlyDictionary<string, string> Metadata)
{
    private const int MaximumRank = 64;

    /// <summary>Parses the header of <paramref name="path"/>, which is followed by <paramref name="dataLength"/> bytes; entries come in data order.</summary>
    public static SafetensorsHeader Parse(string path, ReadOnlySpan<byte> json, long dataLength)
    {
        if (!Utf8.IsValid(json)) throw SafetensorsFile.Refusal(path, "its header is not UTF-8");
        if (json.Length == 0 || json[0] != (byte)'{') throw SafetensorsFile.Refusal(path, "its header does not begin with '{'");
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 16 });
            var header = Read(ref reader, path);
            if (reader.Read()) throw new JsonException("there is something after the header's object");
            CheckCover(path, header.Entries, dataLength);
            return header;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw SafetensorsFile.Refusal(path, "its header is not valid: " + e.Message.TrimEnd('.'), e);
        }
    }

    private static SafetensorsHeader Read(ref Utf8JsonReader reader, string path)
    {
        var entries = new List<SafetensorsEntry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            if (!names.Add(name)) throw SafetensorsFile.Refusal(path, $"'{name}' occurs twice in its header");
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject) throw SafetensorsFile.Refusal(path, $"'{name}' in its header is not an object");
            if (name == "__metadata__") ReadMetadata(ref reader, path, metadata);
            else entries.Add(ReadEntry(ref reader, path, name));
        }
        return new SafetensorsHeader([.. entries.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End)], metadata);
    }

    private static void ReadMetadata(ref Utf8JsonReader reader, string path, Dictionary<string, string> metadata)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String) throw SafetensorsFile.Refusal(path, $"its metadata '{key}' is not a string");
            if (!metadata.TryAdd(key, reader.GetString()!)) throw SafetensorsFile.Refusal(path, $"its metadata '{key}' occurs twice");
        }
    }

    private static SafetensorsEntry ReadEntry(ref Utf8JsonReader reader, string path, string name)
    {
        string? type = null;
        long[]? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var field = reader.GetString();
            reader.Read();
            switch (field)
            {
                case "dtype" when type is null && reader.TokenType == JsonTokenType.String: type = reader.GetString(); break;
                case "shape" when shape is null: shape = ReadIntegers(ref reader, path, name, "shape"); break;
                case "data_offsets" when offsets is null: offsets = ReadIntegers(ref reader, path, name, "data_offsets"); break;
                case "dtype" or "shape" or "data_offsets": throw SafetensorsFile.Refusal(path, $"'{field}' of '{name}' is wrong or occurs twice");
                default: reader.Skip(); break;
            }
        }
        if (type is null || shape is null || offsets is null)
            throw SafetensorsFile.Refusal(path, $"'{name}' lacks {(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")}");
        if (!ElementTypes.TryParse(type, out var known)) throw SafetensorsFile.Refusal(path, $"'{name}' has the unknown dtype {type}");
        if (offsets.Length != 2) throw SafetensorsFile.Refusal(path, $"data_offsets of '{name}' are not a pair");
        return new SafetensorsEntry(name, known, shape, offsets[0], offsets[1]);
    }

    private static long[] ReadIntegers(ref Utf8JsonReader reader, string path, string name, string field)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw SafetensorsFile.Refusal(path, $"{field} of '{name}' is not a list");
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number) || number < 0)
                throw SafetensorsFile.Refusal(path, $"{field} of '{name}' holds something else than integers from 0 to 2^63-1");
            if (numbers.Count == MaximumRank) throw SafetensorsFile.Refusal(path, $"{field} of '{name}' has more than {MaximumRank} entries");
            numbers.Add(number);
        }
        return [.. numbers];
    }

    private static void CheckCover(string path, IReadOnlyList<SafetensorsEntry> entries, long dataLength)
    {
        var end = 0L;
        foreach (var entry in entries)
        {
            if (entry.End < entry.Begin) throw SafetensorsFile.Refusal(path, $"'{entry.Name}' ends before it begins");
            if (entry.End > dataLength) throw SafetensorsFile.Refusal(path, $"'{entry.Name}' reaches to byte {entry.End} of {dataLength}: the file was cut short");
            if (entry.Begin != end) throw SafetensorsFile.Refusal(path, $"'{entry.Name}' begins at byte {entry.Begin} where {end} was due: tensors overlap or leave a hole");
            var bytes = (UInt128)(ulong)DTypes.Bytes(entry.Type);
            foreach (var size in entry.Shape)
            {
                bytes *= (ulong)size;
                if (bytes > long.MaxValue) throw SafetensorsFile.Refusal(path, $"the shape of '{entry.Name}' overflows 64 bits");
            }
            if (bytes != (ulong)(entry.End - entry.Begin))
                throw SafetensorsFile.Refusal(path, $"'{entry.Name}' of shape {Weight.Describe(entry.Shape)} needs {bytes} bytes and has {entry.End - entry.Begin}");
            end = entry.End;
        }
        if (end != dataLength) throw SafetensorsFile.Refusal(path, $"{dataLength - end} bytes after the last tensor belong to none");
    }
}
