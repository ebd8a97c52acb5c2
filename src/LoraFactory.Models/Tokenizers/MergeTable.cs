namespace LoraFactory.Models.Tokenizers;

/// <summary>
/// Byte-pair merging (Sennrich et al. 2016): while some adjacent pair is in the list, join the pair with the lowest rank, leftmost
/// first. O(n log n) in the length of a word, so that a megabyte without a space costs no more than text.
/// </summary>
public sealed class MergeTable
{
    private readonly Dictionary<long, (int Rank, int Joined)> merges;

    /// <summary>Merges by rank over ids; a pair whose joined token the vocabulary lacks is an error.</summary>
    /// <param name="vocabulary">Token to id.</param>
    /// <param name="pairs">Pairs in order of rank.</param>
    /// <param name="path">File, for messages.</param>
    public MergeTable(IReadOnlyDictionary<string, int> vocabulary, IEnumerable<(string Left, string Right)> pairs, string path)
    {
        merges = [];
        var rank = 0;
        foreach (var (left, right) in pairs)
        {
            if (!vocabulary.TryGetValue(left, out var l) || !vocabulary.TryGetValue(right, out var r) || !vocabulary.TryGetValue(left + right, out var joined))
                throw new ModelException($"{path}: the merge '{left} {right}' uses a token that the vocabulary lacks; vocabulary and merges belong to different tokenizers.");
            merges.TryAdd(Key(l, r), (rank++, joined));
        }
    }

    /// <summary>Number of merges.</summary>
    public int Count => merges.Count;

    /// <summary>Merges symbols in place and returns how many are left.</summary>
    public int Merge(Span<int> symbols)
    {
        var length = symbols.Length;
        if (length < 2) return length;
        var next = new int[length];
        var previous = new int[length];
        var queue = new PriorityQueue<(int Left, int LeftId, int RightId, int Joined), long>();
        for (var i = 0; i < length; i++) (next[i], previous[i]) = (i + 1 < length ? i + 1 : -1, i - 1);
        for (var i = 0; i + 1 < length; i++) Offer(queue, symbols, i, i + 1);
        while (queue.TryDequeue(out var pair, out _))
        {
            var right = next[pair.Left];
            // An entry is stale once one of its symbols was joined to another.
            if (symbols[pair.Left] != pair.LeftId || right < 0 || symbols[right] != pair.RightId) continue;
            symbols[pair.Left] = pair.Joined;
            symbols[right] = -1;
            next[pair.Left] = next[right];
            if (next[right] >= 0) previous[next[right]] = pair.Left;
            next[right] = -1;
            if (previous[pair.Left] >= 0) Offer(queue, symbols, previous[pair.Left], pair.Left);
            if (next[pair.Left] >= 0) Offer(queue, symbols, pair.Left, next[pair.Left]);
        }
        var kept = 0;
        for (var i = 0; i < length; i++)
            if (symbols[i] >= 0) symbols[kept++] = symbols[i];
        return kept;
    }

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    private void Offer(PriorityQueue<(int, int, int, int), long> queue, Span<int> symbols, int left, int right)
    {
        if (symbols[left] < 0 || symbols[right] < 0) return;
        if (merges.TryGetValue(Key(symbols[left], symbols[right]), out var merge))
            queue.Enqueue((left, symbols[left], symbols[right], merge.Joined), ((long)merge.Rank << 32) | (uint)left);
    }
}
