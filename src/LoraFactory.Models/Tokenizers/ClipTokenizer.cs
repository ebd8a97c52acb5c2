using System.Runtime.InteropServices;
using System.Text;

namespace LoraFactory.Models.Tokenizers;

/// <summary>A text as tokens.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Offsets">For each token the code points [Start, End) of the original text; (0, 0) for added begin and end tokens.</param>
public sealed record TokenizedText(IReadOnlyList<int> Ids, IReadOnlyList<(int Start, int End)> Offsets);

/// <summary>
/// CLIP's byte-pair tokenizer (Radford et al. 2021) as the Hugging Face files define it: special tokens cut out of the raw text, NFC,
/// white space to one space, lower case per code point, CLIP's split into words, bytes spelled in the byte alphabet, merges with
/// &lt;/w&gt; at ends of words. Safe to use from several threads.
/// </summary>
public sealed class ClipTokenizer
{
    private readonly ClipVocabulary vocabulary;
    private readonly int[] inner = new int[256], last = new int[256];
    private readonly string?[] tokens;
    private readonly (int[] Points, int Id)[] specials;
    private readonly WordCache words;

    /// <summary>A tokenizer over a vocabulary that was read.</summary>
    public ClipTokenizer(ClipVocabulary vocabulary)
    {
        this.vocabulary = vocabulary;
        words = new(MergeWord);
        (BeginId, EndId, PadId) = (vocabulary.Ids[vocabulary.Begin], vocabulary.Ids[vocabulary.End], vocabulary.Ids[vocabulary.Pad]);
        for (var b = 0; b < 256; b++)
        {
            var letter = ByteAlphabet.LetterOf((byte)b).ToString();
            inner[b] = vocabulary.Ids.GetValueOrDefault(letter, EndId);
            last[b] = vocabulary.Ids.GetValueOrDefault(letter + "</w>", EndId);
        }
        tokens = new string?[vocabulary.Ids.Values.Max() is < 10_000_000 and var highest ? highest + 1
            : throw new ModelException($"{vocabulary.Path}: ids of ten million and more are not those of a CLIP tokenizer.")];
        foreach (var (token, id) in vocabulary.Ids) tokens[id] = token;
        // Longest first, so that the leftmost longest one is found.
        specials = [.. vocabulary.Specials.Where(special => special.Key.Length > 0).Select(special => (CodePoints.Of(special.Key), special.Value)).OrderByDescending(special => special.Item1.Length)];
    }

    /// <summary>Reads the tokenizer of a folder, see <see cref="ClipVocabulary.Read"/>.</summary>
    public static ClipTokenizer Load(string path) => new(ClipVocabulary.Read(path));

    /// <summary>Id of &lt;|startoftext|&gt;.</summary>
    public int BeginId { get; }

    /// <summary>Id of &lt;|endoftext|&gt;.</summary>
    public int EndId { get; }

    /// <summary>Id that fills up a window.</summary>
    public int PadId { get; }

    /// <summary>Tokens of a window, begin and end included; 77 for the published models.</summary>
    public int MaximumLength => vocabulary.MaximumLength;

    /// <summary>One more than the highest id.</summary>
    public int VocabularySize => tokens.Length;

    /// <summary>Spelling of a token, such as "cat&lt;/w&gt;".</summary>
    public string TokenOf(int id) => (uint)id < (uint)tokens.Length && tokens[id] is { } token ? token : throw new ModelException($"{vocabulary.Path} has no token {id}.");

    /// <summary>All ids of a text, of any length, between begin and end.</summary>
    public int[] EncodeWhole(string text)
    {
        var ids = new List<int>(text.Length / 3 + 4) { BeginId };
        Encode(text, ids, null);
        ids.Add(EndId);
        return [.. ids];
    }

    /// <summary>
    /// One window of <paramref name="length"/> ids (<see cref="MaximumLength"/> where 0): begin, as many tokens as fit, end, padding.
    /// </summary>
    public int[] Encode(string text, int length = 0)
    {
        if (length == 0) length = MaximumLength;
        if (length < 2) throw new ModelException($"A window of {length} tokens has no room for begin and end: give 2 or more, usually {MaximumLength}.");
        var ids = EncodeWhole(text);
        var window = new int[length];
        var kept = Math.Min(ids.Length, length);
        ids.AsSpan(0, kept).CopyTo(window);
        window[kept - 1] = EndId;
        window.AsSpan(kept).Fill(PadId);
        return window;
    }

    /// <summary>
    /// A long text as <paramref name="count"/> windows of <see cref="MaximumLength"/> ids, each with its own begin and end, as the trainers of Stable
    /// Diffusion cut it; a window without text is begin, end and padding.
    /// </summary>
    public int[][] EncodeWindows(string text, int count)
    {
        if (count < 1) throw new ModelException($"A text needs at least one window, not {count}.");
        var body = MaximumLength - 2;
        var whole = Encode(text, count * body + 2);
        var windows = new int[count][];
        for (var w = 0; w < count; w++)
        {
            int[] window = [BeginId, .. whole.AsSpan(1 + w * body, body), whole[^1]];
            // Where padding is not the end token, a full window must still end with it, and an empty one begin with it.
            if (PadId != EndId)
            {
                if (window[^2] != EndId && window[^2] != PadId) window[^1] = EndId;
                if (window[1] == PadId) window[1] = EndId;
            }
            windows[w] = window;
        }
        return windows;
    }

    /// <summary>All ids of a text between begin and end, with the code points that each stands for.</summary>
    public TokenizedText EncodeWithOffsets(string text)
    {
        var ids = new List<int> { BeginId };
        var offsets = new List<(int, int)> { (0, 0) };
        Encode(text, ids, offsets);
        ids.Add(EndId);
        offsets.Add((0, 0));
        return new TokenizedText(ids, offsets);
    }

    /// <summary>The text of ids, lower-cased and with the spaces that ends of words give; special tokens are dropped when asked.</summary>
    public string Decode(IEnumerable<int> ids, bool skipSpecials = true) =>
        ByteAlphabet.Decode(ids.Where(id => !skipSpecials || !vocabulary.Specials.Values.Contains(id)).Select(TokenOf))
            .Replace("</w>", " ", StringComparison.Ordinal).Trim();

    private void Encode(string text, List<int> ids, List<(int, int)>? offsets)
    {
        var points = CodePoints.Of(text);
        var start = 0;
        for (var i = 0; i < points.Length; i++)
        {
            foreach (var special in specials)
            {
                if (points[i] != special.Points[0] || !points.AsSpan(i).StartsWith(special.Points)) continue;
                EncodePiece(points.AsSpan(start..i), start, ids, offsets);
                ids.Add(special.Id);
                offsets?.Add((i, i + special.Points.Length));
                start = i + special.Points.Length;
                i = start - 1;
                break;
            }
        }
        EncodePiece(points.AsSpan(start), start, ids, offsets);
    }

    /// <summary>Text between special tokens: normalised, split into words, each merged.</summary>
    private void EncodePiece(ReadOnlySpan<int> points, int start, List<int> ids, List<(int, int)>? offsets)
    {
        if (points.IsEmpty) return;
        var normalised = new List<int>(points.Length);
        var sources = offsets is null ? null : new List<int>(points.Length);
        if (points.ContainsAnyExceptInRange(0, CanonicalComposition.FirstThatMayChange - 1) || sources is not null) CanonicalComposition.Compose(points, normalised, sources);
        else normalised.AddRange(points);
        (normalised, sources) = CodePoints.Lower(normalised, sources);
        var letters = CollectionsMarshal.AsSpan(normalised);
        foreach (var (first, length) in ClipWords.Split(letters))
        {
            words.Encode(letters.Slice(first, length), ids);
            if (offsets is not null) AddOffsets(letters.Slice(first, length), sources!, first, start, ids, offsets);
        }
    }

    private int[] MergeWord(ReadOnlySpan<int> word)
    {
        var symbols = new List<int>(word.Length * 2);
        Span<byte> utf8 = stackalloc byte[4];
        var final = 0;
        foreach (var point in word)
        {
            var count = new Rune(point).EncodeToUtf8(utf8);
            foreach (var b in utf8[..count]) symbols.Add(inner[final = b]);
        }
        symbols[^1] = last[final];
        var span = CollectionsMarshal.AsSpan(symbols);
        return span[..vocabulary.Merges.Merge(span)].ToArray();
    }

    /// <summary>A token inside a code point's bytes has that code point's span.</summary>
    private void AddOffsets(ReadOnlySpan<int> word, List<int> sources, int first, int start, List<int> ids, List<(int, int)> offsets)
    {
        var bytes = new List<int>();
        for (var i = 0; i < word.Length; i++)
            for (var b = 0; b < new Rune(word[i]).Utf8SequenceLength; b++) bytes.Add(start + sources[first + i]);
        var at = 0;
        while (offsets.Count < ids.Count)
        {
            var token = TokenOf(ids[offsets.Count]);
            var length = token.EndsWith("</w>", StringComparison.Ordinal) ? token.Length - 4 : token.Length;
            offsets.Add((bytes[at], bytes[at + length - 1] + 1));
            at += length;
        }
    }
}
