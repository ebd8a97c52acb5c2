using System.Text;
using System.Text.Json;

namespace LoraFactory.Models.Tokenizers;

/// <summary>A token that is cut out of the raw text wherever it stands in it.</summary>
/// <param name="Points">Its spelling.</param>
/// <param name="Id">Its id.</param>
/// <param name="Special">Whether decoding may leave it out.</param>
/// <param name="Left">Whether it takes the white space before it.</param>
/// <param name="Right">Whether it takes the white space behind it.</param>
internal sealed record AddedToken(int[] Points, int Id, bool Special, bool Left, bool Right);

/// <summary>A place of a finished sequence: a token that is added, or the first (0) or second (1) text.</summary>
/// <param name="Id">Id of the token that is added; -1 where a text stands.</param>
/// <param name="Text">Which text, 0 or 1.</param>
/// <param name="Type">Token type id of the place.</param>
internal readonly record struct TemplatePart(int Id, int Text, int Type);

/// <summary>A tokenizer.json of the Hugging Face library, as far as this project can follow it: WordPiece and byte-level BPE.</summary>
internal sealed class TokenizerFile
{
    private const long FileLimit = 64L << 20;
    private const int HighestId = 10_000_000;

    private readonly string path;
    private readonly JsonElement root;

    private TokenizerFile(string path, JsonElement root) => (this.path, this.root) = (path, root);

    /// <summary>What there is in the file that is not followed; null where everything is.</summary>
    public string? Unsupported { get; private set; }
    /// <summary>Token to id, added tokens included.</summary>
    public Dictionary<string, int> Ids { get; } = new(StringComparer.Ordinal);
    /// <summary>Tokens by id; null where there is none.</summary>
    public string?[] Tokens { get; private set; } = [];
    /// <summary>Tokens cut out of the raw text, the longest first.</summary>
    public AddedToken[] Added { get; private set; } = [];
    /// <summary>The rule between them.</summary>
    public ISubwords? Subwords { get; private set; }
    /// <summary>What is put around one text.</summary>
    public TemplatePart[] Single { get; private set; } = [new(-1, 0, 0)];
    /// <summary>What is put around two.</summary>
    public TemplatePart[] Pair { get; private set; } = [new(-1, 0, 0), new(-1, 1, 1)];
    /// <summary>Whether offsets leave out the white space that a token begins or ends with.</summary>
    public bool TrimOffsets { get; private set; }
    /// <summary>Whether a space was put in front of each piece.</summary>
    public bool PrefixSpace { get; private set; }

    /// <summary>Reads a file of at most 64 MiB.</summary>
    /// <exception cref="ModelException">It is not there or is none.</exception>
    public static TokenizerFile Read(string path)
    {
        if (!File.Exists(path)) throw new ModelException($"{path} does not exist; give the folder of a model with its tokenizer.json.");
        if (new FileInfo(path).Length > FileLimit) throw new ModelException($"{path} is longer than {FileLimit} bytes, too long for a tokenizer's file.");
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllText(path, Encoding.UTF8), new JsonDocumentOptions { MaxDepth = 64 });
            var file = new TokenizerFile(path, json.RootElement.Clone());
            file.Read();
            return file;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or IndexOutOfRangeException or KeyNotFoundException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ModelException($"{path} is not a tokenizer.json that can be read: {e.Message.TrimEnd('.')}. Download it again.", e);
        }
    }

    private void Read()
    {
        var model = root.GetProperty("model");
        var added = root.TryGetProperty("added_tokens", out var list) && list.ValueKind == JsonValueKind.Array ? list.EnumerateArray().ToArray() : [];
        var kind = Type(model) ?? (model.TryGetProperty("merges", out _) ? "BPE" : "none");
        if (kind is not ("WordPiece" or "BPE"))
        {
            Unsupported = $"a {kind} model";
            return;
        }
        foreach (var entry in model.GetProperty("vocab").EnumerateObject()) Add(entry.Name, entry.Value.GetInt32());
        foreach (var token in added) Add(token.GetProperty("content").GetString()!, token.GetProperty("id").GetInt32());
        if (Ids.Count == 0) throw new FormatException("its vocabulary is empty");
        Tokens = new string?[Ids.Values.Max() + 1];
        foreach (var (token, id) in Ids) Tokens[id] = token;
        Added = [.. added.Select(ReadAdded).Where(token => token.Points.Length > 0).OrderByDescending(token => token.Points.Length)];
        Subwords = kind == "WordPiece" ? ReadWordPiece(model) : ReadByteLevel(model);
        ReadPostProcessor(Part(root, "post_processor"));
    }

    private void Add(string token, int id)
    {
        if (id is < 0 or > HighestId) throw new ModelException($"{path}: the id {id} of '{token}' is not one from 0 to {HighestId}; it is not a tokenizer's file.");
        Ids[token] = id;
    }

    private AddedToken ReadAdded(JsonElement token)
    {
        var text = token.GetProperty("content").GetString()!;
        if (Flag(token, "single_word", false)) Unsupported ??= $"the added token '{text}' that is a whole word only";
        if (Flag(token, "normalized", false) && Part(root, "normalizer").ValueKind == JsonValueKind.Object) Unsupported ??= $"the added token '{text}' that is looked for after normalisation";
        return new(CodePoints.Of(text), token.GetProperty("id").GetInt32(), Flag(token, "special", false), Flag(token, "lstrip", false), Flag(token, "rstrip", false));
    }

    private WordPiece? ReadWordPiece(JsonElement model)
    {
        var (normalizer, split, decoder) = (Part(root, "normalizer"), Part(root, "pre_tokenizer"), Part(root, "decoder"));
        if (Type(normalizer) is not "BertNormalizer" || Type(split) is not "BertPreTokenizer")
        {
            Unsupported ??= $"WordPiece behind {Type(normalizer) ?? "no normalizer"} and {Type(split) ?? "no pre-tokenizer"}";
            return null;
        }
        var lower = Flag(normalizer, "lowercase", true);
        var unknown = Text(model, "unk_token") ?? "[UNK]";
        if (!Ids.TryGetValue(unknown, out var id)) throw new FormatException($"the vocabulary lacks its unknown token '{unknown}'");
        var longest = model.TryGetProperty("max_input_chars_per_word", out var most) ? most.GetInt32() : 100;
        return new WordPiece(Ids, Tokens.Length - 1, id, Text(model, "continuing_subword_prefix") ?? "##", Math.Clamp(longest, 1, 1000),
            new(Flag(normalizer, "clean_text", true), Flag(normalizer, "handle_chinese_chars", true), Flag(normalizer, "strip_accents", lower), lower), Flag(decoder, "cleanup", true));
    }

    private ByteLevelPairs? ReadByteLevel(JsonElement model)
    {
        var steps = Steps(Part(root, "pre_tokenizer"), "pretokenizers");
        var (level, digits) = (steps.LastOrDefault(), steps.Length == 2 && Type(steps[0]) == "Digits" && Flag(steps[0], "individual_digits", false));
        if (Type(level) != "ByteLevel" || !Flag(level, "use_regex", true) || steps.Length > (digits ? 2 : 1)) Unsupported ??= "a split that is not GPT-2's";
        if (Part(root, "normalizer").ValueKind == JsonValueKind.Object) Unsupported ??= $"{Type(Part(root, "normalizer"))} before byte-level BPE";
        if (!string.IsNullOrEmpty(Text(model, "end_of_word_suffix")) || !string.IsNullOrEmpty(Text(model, "continuing_subword_prefix"))) Unsupported ??= "BPE with marks at the ends of words";
        if (Flag(model, "byte_fallback", false) || Flag(model, "ignore_merges", false)) Unsupported ??= "BPE with byte_fallback or ignore_merges";
        if (Unsupported is not null) return null;
        PrefixSpace = Flag(level, "add_prefix_space", true);
        var merges = new MergeTable(Ids, model.GetProperty("merges").EnumerateArray().Select(Merge), path);
        return new ByteLevelPairs(Ids, Tokens, merges, Text(model, "unk_token") is { Length: > 0 } unknown ? Ids.GetValueOrDefault(unknown, -1) : -1, digits, PrefixSpace);
    }

    private (string Left, string Right) Merge(JsonElement merge)
    {
        if (merge.ValueKind == JsonValueKind.Array) return (merge[0].GetString()!, merge[1].GetString()!);
        var line = merge.GetString()!;
        var space = line.IndexOf(' ');
        return space > 0 ? (line[..space], line[(space + 1)..]) : throw new ModelException($"{path}: the merge '{line}' is not two tokens with a space between.");
    }

    private void ReadPostProcessor(JsonElement processor)
    {
        foreach (var step in Steps(processor, "processors"))
        {
            switch (Type(step))
            {
                case "RobertaProcessing":
                    var (begin, end) = (Bound(step, "cls"), Bound(step, "sep"));
                    Single = [new(begin, 0, 0), new(-1, 0, 0), new(end, 0, 0)];
                    Pair = [new(begin, 0, 0), new(-1, 0, 0), new(end, 0, 0), new(end, 0, 0), new(-1, 1, 0), new(end, 0, 0)];
                    TrimOffsets = Flag(step, "trim_offsets", true);
                    break;
                case "BertProcessing":
                    var (first, last) = (Bound(step, "cls"), Bound(step, "sep"));
                    Single = [new(first, 0, 0), new(-1, 0, 0), new(last, 0, 0)];
                    Pair = [new(first, 0, 0), new(-1, 0, 0), new(last, 0, 0), new(-1, 1, 1), new(last, 0, 1)];
                    break;
                case "TemplateProcessing":
                    (Single, Pair) = (Template(step, "single"), Template(step, "pair"));
                    break;
                case "ByteLevel":
                    TrimOffsets = Flag(step, "trim_offsets", true);
                    break;
                case var other:
                    Unsupported ??= $"the post-processor {other ?? "without a type"}";
                    break;
            }
        }
    }

    private TemplatePart[] Template(JsonElement step, string name) => [.. step.GetProperty(name).EnumerateArray().SelectMany(part =>
    {
        if (part.TryGetProperty("Sequence", out var text)) return new[] { new TemplatePart(-1, text.GetProperty("id").GetString() == "B" ? 1 : 0, text.GetProperty("type_id").GetInt32()) };
        var special = part.GetProperty("SpecialToken");
        var ids = step.GetProperty("special_tokens").GetProperty(special.GetProperty("id").GetString()!).GetProperty("ids");
        return ids.EnumerateArray().Select(id => new TemplatePart(Known(id.GetInt32()), 0, special.GetProperty("type_id").GetInt32())).ToArray();
    })];

    private int Bound(JsonElement step, string name) => Known(step.GetProperty(name)[1].GetInt32());

    private int Known(int id) => (uint)id < (uint)Tokens.Length && Tokens[id] is not null ? id : throw new FormatException($"the post-processor adds the token {id}, which the vocabulary lacks");

    private static JsonElement[] Steps(JsonElement part, string name) =>
        part.ValueKind != JsonValueKind.Object ? [] : Type(part) == "Sequence" ? [.. part.GetProperty(name).EnumerateArray()] : [part];

    private static JsonElement Part(JsonElement element, string name) => element.TryGetProperty(name, out var part) ? part : default;

    private static string? Type(JsonElement element) => element.ValueKind == JsonValueKind.Object ? Text(element, "type") : null;

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static bool Flag(JsonElement element, string name, bool otherwise) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var flag) && flag.ValueKind is JsonValueKind.True or JsonValueKind.False ? flag.GetBoolean() : otherwise;
}
