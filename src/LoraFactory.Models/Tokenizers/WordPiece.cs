using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace LoraFactory.Models.Tokenizers;

/// <summary>How BERT's text is made comparable before it is split.</summary>
/// <param name="Clean">Control characters go, white space becomes a space.</param>
/// <param name="Ideographs">Chinese characters stand alone.</param>
/// <param name="StripAccents">Form D without its non-spacing marks.</param>
/// <param name="Lower">Lower case.</param>
internal sealed record BertNormalization(bool Clean, bool Ideographs, bool StripAccents, bool Lower)
{
    /// <summary>Normalised code points, and where each comes from.</summary>
    public (List<int> Points, List<int> Sources) Apply(ReadOnlySpan<int> text)
    {
        var points = new List<int>(text.Length + 8);
        var sources = new List<int>(text.Length + 8);
        for (var i = 0; i < text.Length; i++)
        {
            var point = text[i];
            if (Clean && IsDropped(point)) continue;
            if (Clean && CodePoints.KindOf(point) == PointKind.Space) point = ' ';
            var alone = Ideographs && IsIdeograph(point);
            if (alone) Add(' ', i);
            Add(point, i);
            if (alone) Add(' ', i);
        }
        if (StripAccents) (points, sources) = WithoutMarks(points, sources);
        if (!Lower) return (points, sources);
        var (lower, from) = CodePoints.Lower(points, sources);
        return (lower, from!);

        void Add(int point, int source)
        {
            points.Add(point);
            sources.Add(source);
        }
    }

    private static (List<int> Points, List<int> Sources) WithoutMarks(List<int> points, List<int> sources)
    {
        if (!CollectionsMarshal.AsSpan(points).ContainsAnyExceptInRange(0, 0x7F)) return (points, sources);
        var (decomposed, from) = (new List<int>(points.Count + 8), new List<int>(points.Count + 8));
        CanonicalComposition.Decompose(CollectionsMarshal.AsSpan(points), decomposed, from);
        var (kept, places) = (new List<int>(decomposed.Count), new List<int>(decomposed.Count));
        for (var i = 0; i < decomposed.Count; i++)
        {
            if (CharUnicodeInfo.GetUnicodeCategory(decomposed[i]) == UnicodeCategory.NonSpacingMark) continue;
            kept.Add(decomposed[i]);
            places.Add(sources[from[i]]);
        }
        return (kept, places);
    }

    private static bool IsDropped(int point) => point switch
    {
        0 or 0xFFFD => true,
        '\t' or '\n' or '\r' => false,
        >= ' ' and < 0x7F => false,
        _ => CharUnicodeInfo.GetUnicodeCategory(point) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse,
    };

    private static bool IsIdeograph(int point) => point is >= 0x3400 and (<= 0x4DBF or >= 0x4E00 and <= 0x9FFF or >= 0xF900 and <= 0xFAFF or >= 0x20000 and <= 0x2A6DF
        or >= 0x2A700 and <= 0x2B73F or >= 0x2B740 and <= 0x2B81F or >= 0x2B820 and <= 0x2CEAF or >= 0x2F800 and <= 0x2FA1F);
}

/// <summary>
/// WordPiece (Wu et al. 2016) as BERT uses it: words between white space and punctuation, each cut greedily into the longest pieces of the
/// vocabulary, those behind the first marked with "##"; a word that cannot be cut whole is unknown. Safe to use from several threads.
/// </summary>
internal sealed class WordPiece : ISubwords
{
    private const int CachedWords = 1 << 16;

    private readonly BertNormalization normalization;
    private readonly string prefix;
    private readonly int unknown, longest, longestToken;
    private readonly bool cleanup;
    private readonly int[] lengths;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> begin, continued;
    private readonly ConcurrentDictionary<string, int[]> words = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> wordsBySpan;

    /// <summary>Over a vocabulary.</summary>
    /// <param name="ids">Token to id.</param>
    /// <param name="highest">Highest id.</param>
    /// <param name="unknown">Id of a word that cannot be cut.</param>
    /// <param name="prefix">Mark of a piece behind the first, "##".</param>
    /// <param name="longest">Code points of a word beyond which it is unknown.</param>
    /// <param name="normalization">What comes before the split.</param>
    /// <param name="cleanup">Whether decoding takes away the space before punctuation and contractions.</param>
    public WordPiece(IReadOnlyDictionary<string, int> ids, int highest, int unknown, string prefix, int longest, BertNormalization normalization, bool cleanup)
    {
        (this.unknown, this.prefix, this.longest, this.normalization, this.cleanup) = (unknown, prefix, longest, normalization, cleanup);
        lengths = new int[highest + 1];
        var (first, later) = (new Dictionary<string, int>(StringComparer.Ordinal), new Dictionary<string, int>(StringComparer.Ordinal));
        foreach (var (token, id) in ids)
        {
            first[token] = id;
            var bare = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : null;
            if (bare is not null) later[bare] = id;
            longestToken = Math.Max(longestToken, token.Length);
            lengths[id] = (bare ?? token).EnumerateRunes().Count();
        }
        (begin, continued) = (first.GetAlternateLookup<ReadOnlySpan<char>>(), later.GetAlternateLookup<ReadOnlySpan<char>>());
        wordsBySpan = words.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<int> piece, int start, List<int> ids, List<(int Start, int End)>? offsets)
    {
        var (points, sources) = normalization.Apply(piece);
        var text = CollectionsMarshal.AsSpan(points);
        for (var i = 0; i < text.Length;)
        {
            if (CodePoints.KindOf(text[i]) == PointKind.Space)
            {
                i++;
                continue;
            }
            var end = i + 1;
            if (!IsPunctuation(text[i]))
                while (end < text.Length && !IsPunctuation(text[end]) && CodePoints.KindOf(text[end]) != PointKind.Space) end++;
            var before = ids.Count;
            EncodeWord(text[i..end], ids);
            if (offsets is not null) AddOffsets(i, end, ids, before, sources, start, offsets);
            i = end;
        }
    }

    /// <inheritdoc/>
    public string Decode(IEnumerable<string> tokens)
    {
        var text = new StringBuilder();
        foreach (var token in tokens)
        {
            var spaced = text.Length == 0 ? token : token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
            text.Append(cleanup && spaced is [' ', .. var bare] && bare is "." or "?" or "!" or "," or "n't" or "'m" or "'s" or "'ve" or "'re" ? bare : spaced);
        }
        return text.ToString();
    }

    private void EncodeWord(ReadOnlySpan<int> word, List<int> ids)
    {
        if (word.Length > longest)
        {
            ids.Add(unknown);
            return;
        }
        Span<char> letters = word.Length <= 128 ? stackalloc char[2 * word.Length] : new char[2 * word.Length];
        var length = 0;
        foreach (var point in word) length += new Rune(point).EncodeToUtf16(letters[length..]);
        letters = letters[..length];
        if (!wordsBySpan.TryGetValue(letters, out var pieces))
        {
            pieces = Cut(letters);
            if (words.Count < CachedWords) words.TryAdd(letters.ToString(), pieces);
        }
        ids.AddRange(pieces);
    }

    private int[] Cut(ReadOnlySpan<char> word)
    {
        var pieces = new List<int>();
        for (var at = 0; at < word.Length;)
        {
            var table = at == 0 ? begin : continued;
            var id = -1;
            var length = Math.Min(word.Length - at, longestToken);
            for (; length > 0; length--)
                if (table.TryGetValue(word.Slice(at, length), out id)) break;
            if (length == 0) return [unknown];
            pieces.Add(id);
            at += length;
        }
        return [.. pieces];
    }

    private void AddOffsets(int first, int end, List<int> ids, int before, List<int> sources, int start, List<(int Start, int End)> offsets)
    {
        if (ids.Count == before + 1)
        {
            offsets.Add((start + sources[first], start + sources[end - 1] + 1));
            return;
        }
        for (var t = before; t < ids.Count; t++)
        {
            var last = Math.Min(end, first + lengths[ids[t]]) - 1;
            offsets.Add((start + sources[first], start + sources[last] + 1));
            first = last + 1;
        }
    }

    private static bool IsPunctuation(int point) => point < 0x80
        ? point is >= 33 and <= 47 or >= 58 and <= 64 or >= 91 and <= 96 or >= 123 and <= 126
        : CharUnicodeInfo.GetUnicodeCategory(point) is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation
            or UnicodeCategory.ClosePunctuation or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation or UnicodeCategory.OtherPunctuation;
}
