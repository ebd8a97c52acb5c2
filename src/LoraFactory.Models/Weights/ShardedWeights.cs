using System.Text.Json;

namespace LoraFactory.Models.Weights;

/// <summary>A checkpoint in several files with an index: {"metadata": …, "weight_map": {tensor: file}}.</summary>
public static class ShardedWeights
{
    private const long IndexLimit = 64L << 20;

    /// <summary>
    /// Opens the shards that an index (…safetensors.index.json or pytorch_model.bin.index.json) names. Refused: a shard outside the index's
    /// folder or missing, a tensor that its shard lacks.
    /// </summary>
    public static WeightSource Open(string path)
    {
        var map = ReadMap(path);
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var shards = new Dictionary<string, WeightSource>(StringComparer.Ordinal);
        try
        {
            foreach (var shard in map.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
                shards.Add(shard, OpenShard(path, folder, shard));
            var weights = new List<Weight>();
            foreach (var (name, shard) in map)
                weights.Add(shards[shard].TryGet(name, out var weight) ? weight : throw Refusal(path, $"{shard} lacks the tensor '{name}'"));
            var metadata = shards.Values.FirstOrDefault()?.Metadata;
            return new WeightSource(path, weights, metadata, [.. shards.Values]);
        }
        catch
        {
            foreach (var shard in shards.Values) shard.Dispose();
            throw;
        }
    }

    private static WeightSource OpenShard(string path, string folder, string shard)
    {
        if (shard.Length == 0 || shard is "." or ".." || shard.AsSpan().IndexOfAny('/', '\\', '\0') >= 0)
            throw Refusal(path, $"the shard '{shard}' is not a plain file name");
        var file = Path.Combine(folder, shard);
        if (!File.Exists(file)) throw Refusal(path, $"the shard {shard} is missing beside it");
        return WeightSource.Open(file);
    }

    private static Dictionary<string, string> ReadMap(string path)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > IndexLimit }) throw Refusal(path, $"it is longer than {IndexLimit} bytes");
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { MaxDepth = 16 });
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
                throw Refusal(path, "it has no weight_map");
            var found = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var entry in map.EnumerateObject())
            {
                if (entry.Value.ValueKind != JsonValueKind.String) throw Refusal(path, $"the file of '{entry.Name}' is not a string");
                if (!found.TryAdd(entry.Name, entry.Value.GetString()!)) throw Refusal(path, $"'{entry.Name}' occurs twice");
            }
            return found;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            throw Refusal(path, e.Message.TrimEnd('.'), e);
        }
    }

    private static ModelException Refusal(string path, string reason, Exception? inner = null) =>
        new($"{path} is not an index of shards that can be used: {reason}. Download the missing or broken files again.", inner);
}
