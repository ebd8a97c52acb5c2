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
            Other(@case, found);
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
            found.Same(name + " offsets", made.Offsets, Offsets(line));
            found.Equal(name + " decoded", tokenizer.Decode(made.Ids, skipSpecials: false), line.GetProperty("decoded").GetString()!);
            found.Equal(name + " decoded without special tokens", tokenizer.Decode(made.Ids), line.GetProperty("decoded_skip").GetString()!);
        }
        if (!File.Exists(@case.Path("chunks.jsonl"))) return;
        var number = 0;
        foreach (var line in Lines(@case.Path("chunks.jsonl"))) Windows(found, tokenizer, line, $"window {number++}");
    }

    /// <summary>Tokenizers that are read from their tokenizer.json: WordPiece and byte-level BPE.</summary>
    private static void Other(GoldenCase @case, Findings found)
    {
        var path = Path.Combine(Vocabulary(@case), "tokenizer.json");
        if (TextTokenizer.Unsupported(path) is { } what)
        {
            found.NotCovered.Add($"tokenizer '{Text(@case.Json, "tokenizer") ?? @case.Name}' ({what})");
            return;
        }
        var tokenizer = TextTokenizer.Load(path);
        foreach (var line in Lines(@case.Path("cases.jsonl")))
        {
            var (text, name) = (line.GetProperty("text").GetString()!, $"text {line.GetProperty("i").GetInt32()}");
            var made = tokenizer.Encode(text);
            found.Same(name + " ids", made.Ids, Ids(line, "ids"));
            found.Same(name + " ids without offsets", tokenizer.Encode(text, offsets: false).Ids, Ids(line, "ids"));
            // What a special token has taken of the white space around it is part of the expected spelling, not of the token.
            found.Same(name + " tokens", [.. made.Ids.Select(tokenizer.TokenOf)], [.. line.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()!.Trim(' '))]);
            found.Same(name + " offsets", made.Offsets, Offsets(line));
            found.Equal(name + " decoded", tokenizer.Decode(made.Ids, skipSpecials: false), line.GetProperty("decoded").GetString()!);
            found.Equal(name + " decoded without special tokens", tokenizer.Decode(made.Ids), line.GetProperty("decoded_skip").GetString()!);
        }
        if (!File.Exists(@case.Path("padded.jsonl"))) return;
        var number = 0;
        foreach (var line in Lines(@case.Path("padded.jsonl"))) Padded(found, tokenizer, line, $"padded {number++}");
    }

    private static void Padded(Findings found, TextTokenizer tokenizer, JsonElement line, string name)
    {
        var length = line.GetProperty("max_length").GetInt32();
        var text = tokenizer.Encode(line.GetProperty("a").GetString()!, Text(line, "b"), length);
        var made = tokenizer.Pad(text, length);
        found.Same(name + " ids", made.Ids, Ids(line, "ids"));
        found.Same(name + " type ids", made.Types, Ids(line, "type_ids"));
        found.Same(name + " attention mask", [.. Enumerable.Range(0, length).Select(i => i < text.Ids.Count ? 1 : 0)], Ids(line, "attention_mask"));
        found.Same(name + " special tokens", [.. made.Added.Select(added => added ? 1 : 0)], Ids(line, "special_tokens_mask"));
        found.Same(name + " offsets", made.Offsets, Offsets(line));
    }

    private static (int, int)[] Offsets(JsonElement line) => [.. line.GetProperty("offsets").EnumerateArray().Select(pair => (pair[0].GetInt32(), pair[1].GetInt32()))];

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

    /// <summary>The folder that case.json names, or the case's own.</summary>
    private static string Vocabulary(GoldenCase @case) =>
        Text(@case.Json, "vocabulary") is { } named && named != "in this folder" ? @case.Beside(named) : @case.Folder;

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static int[] Ids(JsonElement line, string name) => Ids(line.GetProperty(name));

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];

    /// <summary>Split at \n alone: the texts hold the other characters that Unicode counts as line ends.</summary>
    private static IEnumerable<JsonElement> Lines(string path) => File.ReadAllText(path).Split('\n').Where(line => line.Length > 0).Select(line => JsonDocument.Parse(line).RootElement);
}
