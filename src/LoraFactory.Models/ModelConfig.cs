using System.Text.Json;

namespace LoraFactory.Models;

/// <summary>A model's config.json, read with one clear error for what is missing, malformed or not supported.</summary>
public sealed class ModelConfig
{
    /// <summary>Most layers of one kind that a model may have; the largest published ones have below two hundred.</summary>
    internal const int MostLayers = 1000;

    private const int MostEntries = 16, LongestShown = 200;

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

    /// <summary>An integer from <paramref name="least"/> to <paramref name="most"/>, or the default when the key is missing.</summary>
    public int Int(string key, int? otherwise = null, int least = 1, int most = 1 << 24) => (int)Number(key, otherwise, least, most, whole: true);

    /// <summary>A number of layers, 1 to 1000, or the default when the key is missing.</summary>
    public int Layers(string key, int? otherwise = null) => Int(key, otherwise, 1, MostLayers);

    /// <summary>Number of a token, from 0, or the default when the key is missing.</summary>
    public int Token(string key, int? otherwise = null) => Int(key, otherwise, 0);

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
        return Characters(Value(key)) ?? throw Bad(key, "text");
    }

    /// <summary>
    /// A list of integers from 1 to <paramref name="most"/>; a single integer is repeated <paramref name="count"/> times. A count of −1 takes a
    /// list of 1 to 16.
    /// </summary>
    public int[] Ints(string key, int count, int? otherwise = null, int most = 1 << 24)
    {
        var list = Has(key) && Value(key).ValueKind == JsonValueKind.Array;
        if (!list && count >= 0) return [.. Enumerable.Repeat(Int(key, otherwise, 1, most), count)];
        if (!Has(key)) throw Missing(key);
        var needed = $"{(count < 0 ? $"a list of 1 to {MostEntries}" : $"{count}")} whole numbers from 1 to {most}, one a level";
        if (!list || (count < 0 ? Value(key).GetArrayLength() is 0 or > MostEntries : Value(key).GetArrayLength() != count)) throw Bad(key, needed);
        return [.. Value(key).EnumerateArray().Select(v => v.ValueKind == JsonValueKind.Number && v.TryGetInt32(out var i) && i > 0 && i <= most ? i : throw Bad(key, needed))];
    }

    /// <summary>A list of texts.</summary>
    public string[] Texts(string key)
    {
        if (!Has(key)) throw Missing(key);
        if (Value(key).ValueKind != JsonValueKind.Array) throw Bad(key, "a list of texts");
        return [.. Value(key).EnumerateArray().Select(v => Characters(v) ?? throw Bad(key, "a list of texts"))];
    }

    /// <summary>Refuses a configuration whose value is not the one that is supported.</summary>
    public void Only(string key, params string[] supported)
    {
        if (!Has(key)) return;
        var v = Value(key);
        var text = Characters(v) ?? v.GetRawText();
        if (!supported.Contains(text, StringComparer.OrdinalIgnoreCase))
            throw new ModelException($"{where}: {key} is {Shown(text)}; supported: {string.Join(", ", supported)}. Use a model of another architecture.");
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

    private ModelException Bad(string key, string needed) => new($"{where}: \"{key}\" has to be {needed}, not {Shown(Value(key).GetRawText())}.");

    private static string Shown(string text) => text.Length <= LongestShown ? text : text[..LongestShown] + "…";

    // Null for what is no text, and for one with half of a surrogate pair.
    private static string? Characters(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
