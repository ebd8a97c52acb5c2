using System.Text.Json;

namespace LoraFactory.Models.Tokenizers;

/// <summary>One or two texts as a sequence of tokens.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Types">Token type ids: which of two texts, as far as the model tells them apart.</param>
/// <param name="Added">True where a token was put around the texts or fills up.</param>
/// <param name="Offsets">For each token the code points [Start, End) of its own text; (0, 0) where added.</param>
public sealed record EncodedText(IReadOnlyList<int> Ids, IReadOnlyList<int> Types, IReadOnlyList<bool> Added, IReadOnlyList<(int Start, int End)> Offsets);

/// <summary>Which of two texts loses tokens when both together are too long.</summary>
public enum Truncation
{
    /// <summary>The longer one.</summary>
    LongestFirst,
    /// <summary>The first one only.</summary>
    OnlyFirst,
}

/// <summary>
/// The tokenizer of a model, as its tokenizer.json defines it (Hugging Face's library): special tokens cut out of the raw text, the rest
/// normalised, split and cut by WordPiece or byte-level BPE, special tokens put around. Truncation and padding of the file itself are not
/// followed: the caller says how long. Safe to use from several threads.
/// </summary>
public sealed class TextTokenizer
{
    private readonly TokenizerFile file;
    private readonly string path;

    private TextTokenizer(TokenizerFile file, string path, int? padId, int maximumLength) =>
        (this.file, this.path, PadId, MaximumLength) = (file, path, padId, maximumLength);

    /// <summary>Reads tokenizer.json, and tokenizer_config.json beside it where there is one.</summary>
    /// <param name="place">A model's folder or the file itself.</param>
    /// <exception cref="ModelException">There is none, it is damaged, or it asks for what this project does not follow.</exception>
    public static TextTokenizer Load(string place)
    {
        var path = Directory.Exists(place) ? Path.Combine(place, "tokenizer.json") : place;
        var file = TokenizerFile.Read(path);
        if (file.Unsupported is { } what) throw new ModelException($"{path} needs {what}, which is not supported; WordPiece as BERT uses it and byte-level BPE as GPT-2, RoBERTa and BART use it are.");
        var config = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, "tokenizer_config.json");
        var (pad, longest) = File.Exists(config) ? ReadConfig(ModelConfig.ReadJson(config)) : (null, 0);
        int? padId = (pad is null ? null : Find(file, pad)) ?? Find(file, "[PAD]") ?? Find(file, "<pad>");
        return new(file, path, padId, longest);
    }

    /// <summary>What a tokenizer.json needs that is not supported; null where <see cref="Load"/> takes it.</summary>
    public static string? Unsupported(string path) => TokenizerFile.Read(path).Unsupported;

    /// <summary>Id that fills up; null where the tokenizer has none.</summary>
    public int? PadId { get; }

    /// <summary>Most tokens that tokenizer_config.json allows, those around the text included; 0 where it says nothing.</summary>
    public int MaximumLength { get; }

    /// <summary>One more than the highest id.</summary>
    public int VocabularySize => file.Tokens.Length;

    /// <summary>Spelling of a token.</summary>
    public string TokenOf(int id) => (uint)id < (uint)file.Tokens.Length && file.Tokens[id] is { } token ? token : throw new ModelException($"{path} has no token {id}.");

    /// <summary>Id of a token; null where there is none of that spelling.</summary>
    public int? IdOf(string token) => Find(file, token);

    /// <summary>
    /// Tokens of a text, or of two, with those that the model wants around them. <paramref name="length"/>: most tokens of the whole; 0 cuts
    /// nothing. Tokens are cut at the end of a text.
    /// </summary>
    /// <exception cref="ModelException">The length has no room for the tokens around the texts.</exception>
    public EncodedText Encode(string text, string? second = null, int length = 0, Truncation truncation = Truncation.LongestFirst, bool offsets = true)
    {
        Piece[] pieces = second is null ? [Cut(text, offsets)] : [Cut(text, offsets), Cut(second, offsets)];
        var template = second is null ? file.Single : file.Pair;
        if (length > 0) Shorten(pieces, length - template.Count(part => part.Id >= 0), length, truncation);
        var total = pieces.Sum(piece => piece.Count) + template.Length;
        var (ids, types, added, places) = (new List<int>(total), new List<int>(total), new List<bool>(total), new List<(int, int)>(total));
        foreach (var part in template)
        {
            if (part.Id >= 0)
            {
                ids.Add(part.Id);
                types.Add(part.Type);
                added.Add(true);
                places.Add((0, 0));
                continue;
            }
            var piece = pieces[part.Text];
            for (var i = 0; i < piece.Count; i++)
            {
                ids.Add(piece.Ids[i]);
                types.Add(part.Type);
                added.Add(false);
                places.Add(piece.Offsets is null ? (0, 0) : file.TrimOffsets ? Trimmed(piece, i) : piece.Offsets[i]);
            }
        }
        return new(ids, types, added, places);
    }

    /// <summary>The same, filled up to <paramref name="length"/> tokens on the right; longer ones stay as they are.</summary>
    public EncodedText Pad(EncodedText text, int length)
    {
        var pad = PadId ?? throw new ModelException($"{path} names no padding token, so nothing can be filled up; give a tokenizer_config.json with pad_token.");
        var more = Math.Max(0, length - text.Ids.Count);
        return new([.. text.Ids, .. Enumerable.Repeat(pad, more)], [.. text.Types, .. Enumerable.Repeat(0, more)],
            [.. text.Added, .. Enumerable.Repeat(true, more)], [.. text.Offsets, .. Enumerable.Repeat((0, 0), more)]);
    }

    /// <summary>The text of ids; special tokens are left out when asked.</summary>
    public string Decode(IEnumerable<int> ids, bool skipSpecials = true) =>
        file.Subwords!.Decode(ids.Where(id => !skipSpecials || !Array.Exists(file.Added, token => token.Special && token.Id == id)).Select(TokenOf));

    private sealed class Piece(bool offsets)
    {
        public List<int> Ids { get; } = [];
        public List<(int Start, int End)>? Offsets { get; } = offsets ? [] : null;
        public int Count { get; set; }
    }

    private Piece Cut(string text, bool offsets)
    {
        var points = CodePoints.Of(text);
        var piece = new Piece(offsets);
        var start = 0;
        for (var i = 0; i < points.Length; i++)
        {
            var token = Array.Find(file.Added, t => points[i] == t.Points[0] && points.AsSpan(i).StartsWith(t.Points));
            if (token is null) continue;
            var (first, end) = (i, i + token.Points.Length);
            while (token.Left && first > start && CodePoints.KindOf(points[first - 1]) == PointKind.Space) first--;
            while (token.Right && end < points.Length && CodePoints.KindOf(points[end]) == PointKind.Space) end++;
            file.Subwords!.Encode(points.AsSpan(start..first), start, piece.Ids, piece.Offsets);
            piece.Ids.Add(token.Id);
            // Trimming takes the white space away again that the token has taken.
            piece.Offsets?.Add(file.TrimOffsets ? (i, i + token.Points.Length) : (first, end));
            start = end;
            i = end - 1;
        }
        file.Subwords!.Encode(points.AsSpan(start), start, piece.Ids, piece.Offsets);
        piece.Count = piece.Ids.Count;
        return piece;
    }

    // The library's rule for two texts: the shorter one is left alone as long as that fits, else each gets half.
    private void Shorten(Piece[] pieces, int room, int length, Truncation truncation)
    {
        if (room < 0) throw new ModelException($"{length} tokens have no room for the {length - room} that {path} puts around a text: give more.");
        if (pieces.Length == 1) pieces[0].Count = Math.Min(pieces[0].Count, room);
        if (pieces.Length == 1 || pieces[0].Count + pieces[1].Count <= room) return;
        if (truncation == Truncation.OnlyFirst)
        {
            pieces[0].Count = Math.Max(0, room - pieces[1].Count);
            pieces[1].Count = Math.Min(pieces[1].Count, room);
            return;
        }
        var swapped = pieces[0].Count > pieces[1].Count;
        var (shorter, longer) = swapped ? (pieces[1], pieces[0]) : (pieces[0], pieces[1]);
        longer.Count = shorter.Count > room ? shorter.Count : Math.Max(shorter.Count, room - shorter.Count);
        if (shorter.Count + longer.Count <= room) return;
        shorter.Count = room / 2;
        longer.Count = shorter.Count + room % 2;
    }

    // Byte-level tokens carry the white space before a word; "Ġword" stands for "word".
    private (int Start, int End) Trimmed(Piece piece, int index)
    {
        var (start, end) = piece.Offsets![index];
        var token = TokenOf(piece.Ids[index]);
        var (leading, trailing) = (0, 0);
        while (leading < token.Length && IsSpace(token[leading])) leading++;
        while (trailing < token.Length && IsSpace(token[^(trailing + 1)])) trailing++;
        if (leading > 0 && !(file.PrefixSpace && (index == 0 || start == 0))) start = Math.Min(start + leading, end);
        if (trailing > 0 && end >= trailing) end = Math.Max(end - trailing, start);
        return (start, end);
    }

    private static bool IsSpace(char letter) => letter == ByteAlphabet.LetterOf((byte)' ') || CodePoints.KindOf(letter) == PointKind.Space;

    private static int? Find(TokenizerFile file, string token) => file.Ids.TryGetValue(token, out var id) ? id : null;

    private static (string? Pad, int Longest) ReadConfig(JsonElement config)
    {
        if (config.ValueKind != JsonValueKind.Object) return (null, 0);
        var pad = config.TryGetProperty("pad_token", out var token) ? token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out var content) ? content : token : default;
        // An unset length is written as 1e30.
        var longest = config.TryGetProperty("model_max_length", out var length) && length.ValueKind == JsonValueKind.Number && length.GetDouble() is >= 3 and <= 1_000_000 and var given ? (int)given : 0;
        return (pad.ValueKind == JsonValueKind.String ? pad.GetString() : null, longest);
    }
}
