using System.Text.Json;

namespace LoraFactory.Models;

/// <summary>A model's config.json, read with one clear error for what is missing, malformed or not supported.</summary>
public sealed class ModelConfig
{
    private readonly JsonElement json;
    private readonly string where;

    /// <summary>Wraps a JSON object; <paramref name="where"/> names it in errors.</summary>
    public ModelConfig(JsonElement json, string where)
    {
        if (json.ValueKind != JsonValueKind.Object) throw new ModelException($"{where} is not a JSON object; a model configuration has to be one.");
        this.json = json;
        this.where = where;
    }

    /// <summary>Reads a file of at most 16 MiB.</summary>
    public static ModelConfig Read(string path) => new(ReadJson(path), path);

    /// <summary>Reads a JSON file of at most 16 MiB as it is.</summary>
    public static JsonElement ReadJson(string path)
    {
        if (!File.Exists(path)) throw new ModelException($"{path} does not exist; a model folder in diffusers or transformers layout has one.");
        if (new FileInfo(path).Length > 16 << 20) throw new ModelException($"{path} is larger than 16 MiB, too large for a configuration.");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new ModelException($"{path} is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>Whether the key is there and not null.</summary>
    public bool Has(string key) => json.TryGetProperty(key, out var v) && v.ValueKind != JsonValueKind.Null;

    /// <summary>The raw value; undefined kind when the key is missing.</summary>
    public JsonElement Value(string key) => json.TryGetProperty(key, out var v) ? v : default;

    /// <summary>An object below a key.</summary>
    public ModelConfig Section(string key) => new(Value(key), $"{where}: {key}");

    /// <summary>An integer in [1, 2^24], or the default when the key is missing.</summary>
    public int Int(string key, int? otherwise = null) => (int)Number(key, otherwise, 0, 1 << 24, whole: true);

    /// <summary>A finite number, or the default when the key is missing.</summary>
    public double Double(string key, double? otherwise = null) => Number(key, otherwise, -1e300, 1e300, whole: false);

    /// <summary>A truth value, or the default when the key is missing.</summary>
    public bool Bool(string key, bool otherwise)
    {
        if (!Has(key)) return otherwise;
        var v = Value(key);
        return v.ValueKind is JsonValueKind.True or JsonValueKind.False ? v.GetBoolean() : throw Bad(key, "true or false");
    }

    /// <summary>A text, or the default when the key is missing.</summary>
    public string Text(string key, string? otherwise = null)
    {
        if (!Has(key)) return otherwise ?? throw Missing(key);
        return Value(key).GetString() ?? throw Bad(key, "text");
    }

    /// <summary>A list of integers; a single integer is repeated <paramref name="count"/> times.</summary>
    public int[] Ints(string key, int count, int? otherwise = null)
    {
        if (!Has(key) || Value(key).ValueKind != JsonValueKind.Array) return [.. Enumerable.Repeat(Int(key, otherwise), count)];
        var items = Value(key).EnumerateArray().Select(v => v.TryGetInt32(out var i) && i > 0 ? i : throw Bad(key, "whole numbers above 0")).ToArray();
        return items.Length == count || count < 0 ? items : throw Bad(key, $"{count} numbers, one a level");
    }

    /// <summary>A list of texts.</summary>
    public string[] Texts(string key)
    {
        if (!Has(key)) throw Missing(key);
        if (Value(key).ValueKind != JsonValueKind.Array) throw Bad(key, "a list of texts");
        return [.. Value(key).EnumerateArray().Select(v => v.GetString() ?? throw Bad(key, "a list of texts"))];
    }

    /// <summary>Refuses a configuration whose value is not the one that is supported.</summary>
    public void Only(string key, params string[] supported)
    {
        if (!Has(key)) return;
        var v = Value(key);
        var text = v.ValueKind == JsonValueKind.String ? v.GetString()! : v.GetRawText();
        if (!supported.Contains(text, StringComparer.OrdinalIgnoreCase))
            throw new ModelException($"{where}: {key} is {text}; supported: {string.Join(", ", supported)}. Use a model of another architecture.");
    }

    private double Number(string key, double? otherwise, double low, double high, bool whole)
    {
        if (!Has(key)) return otherwise ?? throw Missing(key);
        var v = Value(key);
        if (v.ValueKind != JsonValueKind.Number || !v.TryGetDouble(out var d) || d < low || d > high || (whole && d != Math.Floor(d)))
            throw Bad(key, whole ? $"a whole number from {low} to {high}" : "a number");
        return d;
    }

    private ModelException Missing(string key) => new($"{where} lacks \"{key}\"; the configuration is not complete, copy it again from the model's source.");

    private ModelException Bad(string key, string needed) => new($"{where}: \"{key}\" has to be {needed}, not {Value(key).GetRawText()}.");
}
