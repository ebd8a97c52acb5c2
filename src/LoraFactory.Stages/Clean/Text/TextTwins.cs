using System.Runtime.InteropServices;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>A text that says what an earlier, better one says.</summary>
/// <param name="Index">Place of the text in the order given.</param>
/// <param name="Of">Place of the one that stays.</param>
/// <param name="Similarity">1 for equal words, else the estimated Jaccard similarity of their runs of five words.</param>
internal readonly record struct TextTwin(int Index, int Of, double Similarity);

/// <summary>
/// Finds texts that are nearly the same by locality-sensitive hashing of <see cref="MinHash"/> signatures: 14 bands of 8 places, so that texts of similarity 0.8
/// meet with probability 0.92, of 0.9 with 0.9996 and of 0.5 with 0.05; each meeting is confirmed by the whole signatures. Texts come best first; each is compared
/// with the ones that stay, so that no chain of small changes joins what is different, and a twin always names one that was kept. Memory is 448 bytes a signature
/// and 12 a band entry: 1 million need 0.65 GB.
/// </summary>
internal sealed class TextTwins
{
    /// <summary>Bands of a signature.</summary>
    public const int Bands = 14;
    private const int Rows = MinHash.Places / Bands;
    private const int Block = 1 << 14;

    private readonly double threshold;
    private readonly List<uint[]> blocks = [];
    private readonly int[] ids;
    private readonly BandTable[] tables;
    private int kept;

    /// <summary>Room for <paramref name="most"/> texts; a text whose similarity to a kept one is at least <paramref name="threshold"/> (0..1) is its twin.</summary>
    public TextTwins(int most, double threshold)
    {
        this.threshold = threshold;
        ids = new int[most];
        tables = [.. Enumerable.Range(0, Bands).Select(_ => new BandTable(most))];
    }

    /// <summary>The twin of a text among those kept so far; without one the text is kept itself.</summary>
    public TextTwin? Add(int index, ReadOnlySpan<uint> signature)
    {
        Span<uint> keys = stackalloc uint[Bands];
        for (var band = 0; band < Bands; band++) keys[band] = KeyOf(signature.Slice(band * Rows, Rows));
        var (best, most) = (-1, threshold);
        for (var band = 0; band < Bands; band++)
        {
            // Many texts of one template share a band: the nearest of the first few hundred is near enough.
            var looked = 0;
            for (var entry = tables[band].First(keys[band]); entry >= 0 && looked < 256; entry = tables[band].Next(entry), looked++)
            {
                if (!tables[band].Is(entry, keys[band])) continue;
                var similarity = MinHash.Similarity(signature, SignatureOf(entry));
                if (similarity < most || (similarity == most && best >= 0)) continue;
                (best, most) = (entry, similarity);
            }
            if (best >= 0 && most >= 0.98) break;
        }
        if (best >= 0) return new(index, ids[best], most);
        if (kept % Block == 0) blocks.Add(new uint[Block * MinHash.Places]);
        signature.CopyTo(SignatureOf(kept));
        ids[kept] = index;
        for (var band = 0; band < Bands; band++) tables[band].Add(kept, keys[band]);
        kept++;
        return null;
    }

    private Span<uint> SignatureOf(int entry) => blocks[entry / Block].AsSpan(entry % Block * MinHash.Places, MinHash.Places);

    private static uint KeyOf(ReadOnlySpan<uint> rows)
    {
        var hash = 0x9e3779b97f4a7c15ul;
        foreach (var pair in MemoryMarshal.Cast<uint, ulong>(rows)) hash = (hash ^ pair) * 0xbf58476d1ce4e5b9 ^ (hash >> 29);
        return (uint)(hash >> 32);
    }

    /// <summary>Chained hash table over entry numbers: 4 bytes a bucket, 8 an entry.</summary>
    private sealed class BandTable
    {
        private readonly int[] first, next;
        private readonly uint[] keys;

        public BandTable(int most)
        {
            first = new int[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, most))];
            Array.Fill(first, -1);
            (next, keys) = (new int[most], new uint[most]);
        }

        public int First(uint key) => first[key & (first.Length - 1)];

        public int Next(int entry) => next[entry];

        public bool Is(int entry, uint key) => keys[entry] == key;

        public void Add(int entry, uint key)
        {
            ref var head = ref first[key & (first.Length - 1)];
            (next[entry], keys[entry], head) = (head, key, entry);
        }
    }
}
