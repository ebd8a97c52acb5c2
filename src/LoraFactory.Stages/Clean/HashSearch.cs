using System.Numerics;

namespace LoraFactory.Stages.Clean;

/// <summary>
/// Finds 64-bit hashes within a distance, exactly for every distance from 0 to 64: multi-index hashing (Norouzi, Punjani and Fleet 2012). A hash is cut into
/// m parts; where two hashes differ in at most d = m·r + a bits, one of the first a + 1 parts differs in at most r bits or one of the others in at most r − 1,
/// so it is found by looking up every neighbour of every part. How many parts are cheapest, or whether looking at all is cheaper still, follows from the number of hashes.
/// </summary>
internal sealed class HashSearch
{
    // What a look-up, a candidate that it brings and a step of looking at all cost, in relation: the first two miss the cache.
    private const double LookUp = 6, Candidate = 12, Step = 0.7;

    private readonly int distance;
    private readonly Part[] parts;
    private readonly List<ulong> hashes;
    private readonly List<int> seen = [];
    private int round;

    /// <summary>For hashes that differ in at most <paramref name="distance"/> bits (0..64); about <paramref name="expected"/> of them will be added.</summary>
    public HashSearch(int distance, int expected)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(distance);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(distance, 64);
        this.distance = distance;
        hashes = new(Math.Clamp(expected, 0, 1 << 20));
        var best = Enumerable.Range(4, 5).MinBy(count => Cost(count, distance, expected / 2.0));
        parts = Cost(best, distance, expected / 2.0) < Step * expected / 2 ? [.. Plan(best, distance).Select(p => new Part(p.From, p.Width, p.Radius))] : [];
    }

    /// <summary>How many hashes it holds.</summary>
    public int Count => hashes.Count;

    /// <summary>Parts that are looked up; 0 where all hashes are looked at.</summary>
    public int Parts => parts.Length;

    /// <summary>Adds a hash; its number is the count before.</summary>
    public void Add(ulong hash)
    {
        foreach (var part in parts) part.Add(hash, hashes.Count);
        hashes.Add(hash);
        seen.Add(0);
    }

    /// <summary>Adds the numbers of all hashes within the distance to <paramref name="near"/>, each once, in no order.</summary>
    public void Find(ulong hash, List<int> near)
    {
        if (parts.Length == 0)
        {
            var all = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(hashes);
            for (var i = 0; i < all.Length; i++)
                if (BitOperations.PopCount(all[i] ^ hash) <= distance) near.Add(i);
            return;
        }
        round++;
        foreach (var part in parts)
        {
            foreach (var mask in part.Masks)
            {
                for (var i = part.First(hash, mask); i >= 0; i = part.Next(i))
                {
                    if (seen[i] == round) continue;
                    seen[i] = round;
                    if (BitOperations.PopCount(hashes[i] ^ hash) <= distance) near.Add(i);
                }
            }
        }
    }

    private static IEnumerable<(int From, int Width, int Radius)> Plan(int count, int distance)
    {
        int radius = distance / count, exact = distance % count + 1, from = 0;
        for (var i = 0; i < count; i++)
        {
            // The narrower parts first: they have the greater radius.
            var width = 64 / count + (i >= count - 64 % count ? 1 : 0);
            var reach = i < exact ? radius : radius - 1;
            if (reach >= 0) yield return (from, width, Math.Min(reach, width));
            from += width;
        }
    }

    private static double Cost(int count, int distance, double held) =>
        Plan(count, distance).Sum(part => Enumerable.Range(0, part.Radius + 1).Sum(bits => Choose(part.Width, bits)) * (LookUp + Candidate * held / (1L << part.Width)));

    private static double Choose(int n, int k)
    {
        var ways = 1.0;
        for (var i = 0; i < k; i++) ways = ways * (n - i) / (i + 1);
        return ways;
    }

    /// <summary>Hashes by the bits of one part, each list linked through its members.</summary>
    private sealed class Part
    {
        private readonly int from;
        private readonly ulong mask;
        private readonly int[] heads;
        private readonly List<int> next = [];

        public Part(int from, int width, int radius)
        {
            this.from = from;
            mask = (1UL << width) - 1;
            heads = new int[1 << width];
            Masks = [.. Enumerable.Range(0, 1 << width).Select(value => (uint)value).Where(value => BitOperations.PopCount(value) <= radius)];
        }

        /// <summary>What a part is exchanged with to reach its neighbours, itself first.</summary>
        public uint[] Masks { get; }

        public void Add(ulong hash, int number)
        {
            ref var head = ref heads[(hash >> from) & mask];
            next.Add(head - 1);
            head = number + 1;
        }

        public int First(ulong hash, uint change) => heads[((hash >> from) & mask) ^ change] - 1;

        public int Next(int number) => next[number];
    }
}
