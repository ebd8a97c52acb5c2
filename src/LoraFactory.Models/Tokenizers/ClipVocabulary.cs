using System.Text;
using System.Text.Json;

namespace LoraFactory.Models.Tokenizers;

/// <summary>What a CLIP tokenizer's folder says: tokens, merges, the special tokens and the length of its windows.</summary>
/// <param name="Path">Folder or file, for messages.</param>
/// <param name="Ids">Token to id.</param>
/// <param name="Merges">Byte-pair merges by rank.</param>
/// <param name="Specials">Tokens that are cut out of the raw text wherever they stand in it, with their ids.</param>
/// <param name="Begin">Token at the start, &lt;|startoftext|&gt;.</param>
/// <param name="End">Token at the end, &lt;|endoftext|&gt;.</param>
/// <param name="Pad">Token that fills up; the end token, or "!" for SDXL's second encoder.</param>
/// <param name="MaximumLength">Tokens of a window, begin and end included; 77 where nothing is said.</param>
public sealed record ClipVocabulary(
    string Path, IReadOnlyDictionary<string, int> Ids, MergeTable Merges, IReadOnlyDictionary<string, int> Specials,
    string Begin, string End, string Pad, int MaximumLength)
{
    private const long FileLimit = 64L << 20;
    private const int UsualLength = 77;

    /// <summary>
    /// Reads a folder with vocab.json and merges.txt, or tokenizer.json, and the tokenizer_config.json and special_tokens_map.json beside them
    /// where they exist; or a tokenizer.json alone.
    /// </summary>
    public static ClipVocabulary Read(string path)
    {
        var folder = Directory.Exists(path) ? path : System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        var whole = Directory.Exists(path) ? System.IO.Path.Combine(path, "tokenizer.json") : path;
        var (vocabulary, merges) = (System.IO.Path.Combine(folder, "vocab.json"), System.IO.Path.Combine(folder, "merges.txt"));
        try
        {
            using var config = ReadJson(System.IO.Path.Combine(folder, "tokenizer_config.json"));
            using var map = ReadJson(System.IO.Path.Combine(folder, "special_tokens_map.json"));
            if (Directory.Exists(path) && File.Exists(vocabulary) && File.Exists(merges)) return FromPair(path, vocabulary, merges, config, map);
            if (File.Exists(whole)) return FromWhole(whole, config, map);
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException or InvalidOperationException or FormatException or IndexOutOfRangeException or KeyNotFoundException or ArgumentNullException)
        {
            throw new ModelException($"{path} does not hold a CLIP tokenizer that can be read: {e.Message.TrimEnd('.')}. Download its folder again.", e);
        }
        throw new ModelException($"{path} holds neither vocab.json with merges.txt nor tokenizer.json: give the folder of a CLIP tokenizer.");
    }

    private static ClipVocabulary FromPair(string path, string vocabularyPath, string mergesPath, JsonDocument? config, JsonDocument? map)
    {
        using var vocabulary = ReadJson(vocabularyPath)!;
        var ids = ReadIds(vocabularyPath, vocabulary.RootElement);
        // Split at \n alone: vocabularies hold the other characters that Unicode counts as line ends.
        var lines = ReadText(mergesPath).Split('\n').Where((line, i) => line.Length > 0 && !(i == 0 && line.StartsWith("#version", StringComparison.Ordinal)));
        var merges = new MergeTable(ids, lines.Select(line => Pair(mergesPath, line.TrimEnd('\r'))), mergesPath);
        return Complete(path, ids, merges, [], config, map);
    }

    private static ClipVocabulary FromWhole(string path, JsonDocument? config, JsonDocument? map)
    {
        using var whole = ReadJson(path)!;
        var model = whole.RootElement.GetProperty("model");
        if (Text(model, "type") is { } type and not "BPE") throw new ModelException($"{path} holds a {type} model, not CLIP's byte-pair encoding.");
        if (Text(model, "end_of_word_suffix") != "</w>") throw new ModelException($"{path} does not mark ends of words with </w>, so it is not a CLIP tokenizer.");
        var ids = ReadIds(path, model.GetProperty("vocab"));
        var merges = new MergeTable(ids, model.GetProperty("merges").EnumerateArray().Select(merge => merge.ValueKind == JsonValueKind.Array
            ? (merge[0].GetString()!, merge[1].GetString()!) : Pair(path, merge.GetString()!)), path);
        var added = new Dictionary<string, int>(StringComparer.Ordinal);
        if (whole.RootElement.TryGetProperty("added_tokens", out var list))
            foreach (var token in list.EnumerateArray()) added[token.GetProperty("content").GetString()!] = token.GetProperty("id").GetInt32();
        return Complete(path, ids, merges, added, config, map);
    }

    private static ClipVocabulary Complete(string path, Dictionary<string, int> ids, MergeTable merges, Dictionary<string, int> added, JsonDocument? config, JsonDocument? map)
    {
        foreach (var (token, id) in added) ids.TryAdd(token, id);
        string Special(string role, string usual) => Token(config, role) ?? Token(map, role) ?? usual;
        var (begin, end) = (Special("bos_token", "<|startoftext|>"), Special("eos_token", "<|endoftext|>"));
        var made = new ClipVocabulary(path, ids, merges, added, begin, end, Special("pad_token", end), Length(config));
        return made.WithSpecials();
    }

    /// <summary>The same vocabulary that pads with another token, which thereby becomes a special one.</summary>
    public ClipVocabulary PaddedWith(string token) => (this with { Pad = token }).WithSpecials();

    private ClipVocabulary WithSpecials()
    {
        var specials = new Dictionary<string, int>(Specials, StringComparer.Ordinal);
        foreach (var token in (string[])[Begin, End, Pad])
        {
            if (!Ids.TryGetValue(token, out var id)) throw new ModelException($"{Path}: the special token '{token}' is not in the vocabulary; its files belong to different tokenizers.");
            specials[token] = id;
        }
        return this with { Specials = specials };
    }

    private static int Length(JsonDocument? config)
    {
        if (config is null || !config.RootElement.TryGetProperty("model_max_length", out var length) || length.ValueKind != JsonValueKind.Number) return UsualLength;
        // An unset length is written as 1e30.
        return length.GetDouble() is >= 3 and <= 1_000_000 and var given ? (int)given : UsualLength;
    }

    private static string? Token(JsonDocument? document, string role)
    {
        if (document is null || !document.RootElement.TryGetProperty(role, out var token)) return null;
        return token.ValueKind switch
        {
            JsonValueKind.String => token.GetString(),
            JsonValueKind.Object => Text(token, "content"),
            _ => null,
        };
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static Dictionary<string, int> ReadIds(string path, JsonElement vocabulary)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in vocabulary.EnumerateObject())
        {
            if (!entry.Value.TryGetInt32(out var id) || id < 0) throw new ModelException($"{path}: the id of '{entry.Name}' is not an integer from 0 to 2^31-1.");
            ids[entry.Name] = id;
        }
        return ids;
    }

    private static (string Left, string Right) Pair(string path, string line)
    {
        var space = line.IndexOf(' ');
        if (space <= 0 || space == line.Length - 1 || line.IndexOf(' ', space + 1) >= 0) throw new ModelException($"{path}: the merge '{line}' is not two tokens with a space between.");
        return (line[..space], line[(space + 1)..]);
    }

    private static JsonDocument? ReadJson(string path) => File.Exists(path) ? JsonDocument.Parse(ReadText(path), new JsonDocumentOptions { MaxDepth = 64 }) : null;

    private static string ReadText(string path)
    {
        if (new FileInfo(path).Length > FileLimit) throw new ModelException($"{path} is longer than {FileLimit} bytes, too long for a tokenizer's file.");
        return File.ReadAllText(path, Encoding.UTF8);
    }
}
