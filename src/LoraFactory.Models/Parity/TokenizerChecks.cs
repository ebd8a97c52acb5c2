using System.Text.Json;
using LoraFactory.Models.Tokenizers;

namespace LoraFactory.Models.Parity;

/// <summary>Texts with ids, offsets and decodings; of the kinds of tokenizer those that the project has.</summary>
public sealed class TokenizerCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["tokenizer"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        if (Text(@case.Json, "bos") != "<|startoftext|>")
        {
            found.NotCovered.Add($"tokenizer '{Text(@case.Json, "tokenizer") ?? @case.Name}'");
            return;
        }
        var vocabulary = ClipVocabulary.Read(Vocabulary(@case));
        if (Text(@case.Json, "pad_token") is { } pad) vocabulary = vocabulary.PaddedWith(pad);
        if (@case.Json.TryGetProperty("model_max_length", out var length)) vocabulary = vocabulary with { MaximumLength = length.GetInt32() };
        var tokenizer = new ClipTokenizer(vocabulary);
        foreach (var line in Lines(@case.Path("cases.jsonl")))
        {
            var (text, name) = (line.GetProperty("text").GetString()!, $"text {line.GetProperty("i").GetInt32()}");
            var made = tokenizer.EncodeWithOffsets(text);
            found.Same(name + " ids", made.Ids, Ids(line, "ids"));
            found.Same(name + " ids without offsets", tokenizer.EncodeWhole(text), Ids(line, "ids"));
            found.Same(name + " tokens", [.. made.Ids.Select(tokenizer.TokenOf)], [.. line.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()!)]);
            found.Same(name + " offsets", made.Offsets, [.. line.GetProperty("offsets").EnumerateArray().Select(pair => (pair[0].GetInt32(), pair[1].GetInt32()))]);
            found.Equal(name + " decoded", tokenizer.Decode(made.Ids, skipSpecials: false), line.GetProperty("decoded").GetString()!);
            found.Equal(name + " decoded without special tokens", tokenizer.Decode(made.Ids), line.GetProperty("decoded_skip").GetString()!);
        }
        if (!File.Exists(@case.Path("chunks.jsonl"))) return;
        var number = 0;
        foreach (var line in Lines(@case.Path("chunks.jsonl"))) Windows(found, tokenizer, line, $"window {number++}");
    }

    private static void Windows(Findings found, ClipTokenizer tokenizer, JsonElement line, string name)
    {
        var text = line.GetProperty("text").GetString()!;
        foreach (var field in line.EnumerateObject())
        {
            if (field.Name.StartsWith("ids_", StringComparison.Ordinal) && int.TryParse(field.Name[4..], out var length))
            {
                found.Same($"{name} {field.Name}", tokenizer.Encode(text, length), Ids(field.Value));
            }
            else if (field.Name.StartsWith("chunks_", StringComparison.Ordinal))
            {
                var expected = field.Value.EnumerateArray().ToList();
                var windows = tokenizer.EncodeWindows(text, expected.Count);
                for (var w = 0; w < expected.Count; w++) found.Same($"{name} {field.Name}[{w}]", windows[w], Ids(expected[w]));
            }
        }
    }

    /// <summary>The folder that case.json names below a "shared" folder; looked for above the case, in LORA_SHARED, and in the case itself.</summary>
    private static string Vocabulary(GoldenCase @case)
    {
        if (Text(@case.Json, "vocabulary") is not { } named) return @case.Folder;
        var below = named.StartsWith("shared/", StringComparison.Ordinal) ? named["shared/".Length..] : named;
        var places = new List<string>();
        for (var folder = new DirectoryInfo(@case.Folder); folder is not null; folder = folder.Parent) places.AddRange([folder.FullName, Path.Combine(folder.FullName, "shared")]);
        if (Environment.GetEnvironmentVariable("LORA_SHARED") is { Length: > 0 } shared) places.Insert(0, shared);
        return places.Select(place => Path.Combine(place, below)).FirstOrDefault(Directory.Exists)
            ?? throw new ModelException($"{@case.Name} needs the vocabulary {named}, which is not there: set LORA_SHARED to the folder that has {below}.");
    }

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static int[] Ids(JsonElement line, string name) => Ids(line.GetProperty(name));

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];

    /// <summary>Split at \n alone: the texts hold the other characters that Unicode counts as line ends.</summary>
    private static IEnumerable<JsonElement> Lines(string path) => File.ReadAllText(path).Split('\n').Where(line => line.Length > 0).Select(line => JsonDocument.Parse(line).RootElement);
}
