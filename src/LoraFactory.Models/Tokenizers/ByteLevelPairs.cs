using System.Runtime.InteropServices;
using System.Text;

namespace LoraFactory.Models.Tokenizers;

/// <summary>
/// Byte-level byte-pair encoding (Radford et al. 2019), as GPT-2, RoBERTa and BART use it: GPT-2's split into words, bytes spelled in the
/// byte alphabet, merges by rank within each word. Safe to use from several threads.
/// </summary>
internal sealed class ByteLevelPairs : ISubwords
{
    private readonly MergeTable merges;
    private readonly string?[] tokens;
    private readonly int[] letters = new int[256];
    private readonly bool digitsApart, prefixSpace;
    private readonly WordCache words;

    /// <summary>Over a vocabulary and its merges.</summary>
    /// <param name="ids">Token to id.</param>
    /// <param name="tokens">Token by id.</param>
    /// <param name="merges">Merges by rank.</param>
    /// <param name="unknown">Id for a byte that the vocabulary lacks; -1 drops it.</param>
    /// <param name="digitsApart">Whether every digit is a word by itself.</param>
    /// <param name="prefixSpace">Whether a piece that does not begin with white space is given a space in front.</param>
    public ByteLevelPairs(IReadOnlyDictionary<string, int> ids, string?[] tokens, MergeTable merges, int unknown, bool digitsApart, bool prefixSpace)
    {
        (this.merges, this.tokens, this.digitsApart, this.prefixSpace) = (merges, tokens, digitsApart, prefixSpace);
        words = new(MergeWord);
        for (var b = 0; b < 256; b++) letters[b] = ids.GetValueOrDefault(ByteAlphabet.LetterOf((byte)b).ToString(), unknown);
    }

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<int> piece, int start, List<int> ids, List<(int Start, int End)>? offsets)
    {
        if (piece.IsEmpty) return;
        var prefixed = prefixSpace && CodePoints.KindOf(piece[0]) != PointKind.Space;
        int[] points = prefixed ? [' ', .. piece] : piece.ToArray();
        var found = new List<(int First, int Length)>(points.Length / 4 + 1);
        for (var i = 0; i < points.Length;)
        {
            var end = i + 1;
            var alone = digitsApart && CodePoints.KindOf(points[i]) == PointKind.Number;
            while (!alone && end < points.Length && !(digitsApart && CodePoints.KindOf(points[end]) == PointKind.Number)) end++;
            Gpt2Words.Split(points.AsSpan(i..end), i, found);
            i = end;
        }
        foreach (var (first, length) in found)
        {
            words.Encode(points.AsSpan(first, length), ids);
            // The space in front has no place in the text: it lies before the first code point, and trimming takes it away.
            if (offsets is not null) AddOffsets(points.AsSpan(first, length), start + first - (prefixed ? 1 : 0), start, ids, offsets);
        }
    }

    /// <inheritdoc/>
    public string Decode(IEnumerable<string> tokens) => ByteAlphabet.Decode(tokens);

    private int[] MergeWord(ReadOnlySpan<int> word)
    {
        var symbols = new List<int>(word.Length * 2);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var point in word)
        {
            var count = new Rune(point).EncodeToUtf8(utf8);
            foreach (var b in utf8[..count])
                if (letters[b] >= 0) symbols.Add(letters[b]);
        }
        var span = CollectionsMarshal.AsSpan(symbols);
        return span[..merges.Merge(span)].ToArray();
    }

    /// <summary>A token inside a code point's bytes has that code point's span.</summary>
    private void AddOffsets(ReadOnlySpan<int> word, int first, int least, List<int> ids, List<(int Start, int End)> offsets)
    {
        Span<byte> utf8 = stackalloc byte[4];
        var bytes = new List<int>(word.Length * 2);
        for (var i = 0; i < word.Length; i++)
        {
            var count = new Rune(word[i]).EncodeToUtf8(utf8);
            foreach (var b in utf8[..count])
                if (letters[b] >= 0) bytes.Add(first + i);
        }
        var at = 0;
        while (offsets.Count < ids.Count)
        {
            // An unknown byte's token spells no bytes, but stands for one.
            var token = tokens[ids[offsets.Count]]!;
            var length = token.All(letter => ByteAlphabet.ByteOf(letter) >= 0) ? token.Length : 1;
            offsets.Add((Math.Max(least, bytes[at]), bytes[Math.Min(bytes.Count, at + length) - 1] + 1));
            at = Math.Min(bytes.Count - 1, at + length);
        }
    }
}
