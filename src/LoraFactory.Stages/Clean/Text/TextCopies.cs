using System.Numerics.Tensors;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>A text that is a copy, and of which.</summary>
/// <param name="Index">Place of the copy.</param>
/// <param name="Of">Place of the one that stays.</param>
/// <param name="Cosine">How alike they are.</param>
internal readonly record struct TextCopy(int Index, int Of, double Cosine);

/// <summary>
/// Finds near copies among unit vectors. Each text is compared with those kept so far, best first, so that no chain of small changes joins what
/// is different, and the best of every cluster is the one that stays. Up to <see cref="Exact"/> texts every kept one is compared; beyond, only
/// those that a hash of random hyperplanes puts near (Charikar 2002), in enough tables that a copy at the threshold is missed in fewer than one
/// case in a hundred.
/// </summary>
internal static class TextCopies
{
    /// <summary>Most texts that are compared pair by pair.</summary>
    public const int Exact = 50_000;

    private const int Bits = 12;
    private const double Missed = 0.01;
    private const int MostTables = 200;

    /// <summary>The copies among vectors given in order of preference; vectors of length 0 are copies of nothing.</summary>
    public static List<TextCopy> Find(IReadOnlyList<float[]> bestFirst, double threshold, int exact = Exact, CancellationToken token = default)
    {
        var copies = new List<TextCopy>();
        if (bestFirst.Count == 0) return copies;
        IIndex kept = bestFirst.Count <= exact ? new Everything(bestFirst[0].Length) : new Hyperplanes(bestFirst[0].Length, threshold);
        for (var i = 0; i < bestFirst.Count; i++)
        {
            token.ThrowIfCancellationRequested();
            var vector = bestFirst[i];
            if (TensorPrimitives.IndexOfMaxMagnitude<float>(vector) is var at && (at < 0 || vector[at] == 0)) continue;
            var (nearest, cosine) = kept.Nearest(vector);
            if (nearest >= 0 && cosine >= threshold) copies.Add(new(i, nearest, cosine));
            else kept.Add(i, vector);
        }
        return copies;
    }

    private interface IIndex
    {
        void Add(int index, float[] vector);

        (int Index, double Cosine) Nearest(float[] vector);
    }

    // Kept vectors one behind the other: the search reads memory in order.
    private sealed class Everything(int width) : IIndex
    {
        private readonly List<int> places = [];
        private float[] rows = new float[1024 * width];

        public void Add(int index, float[] vector)
        {
            if ((places.Count + 1) * width > rows.Length) Array.Resize(ref rows, checked(rows.Length * 2));
            vector.CopyTo(rows, places.Count * width);
            places.Add(index);
        }

        public (int Index, double Cosine) Nearest(float[] vector)
        {
            var (best, most) = (-1, float.NegativeInfinity);
            for (var i = 0; i < places.Count; i++)
            {
                var cosine = TensorPrimitives.Dot(rows.AsSpan(i * width, width), vector);
                if (cosine > most) (best, most) = (places[i], cosine);
            }
            return (best, most);
        }
    }

    private sealed class Hyperplanes : IIndex
    {
        private readonly float[][] planes;
        private readonly Dictionary<int, List<int>>[] tables;
        private readonly Dictionary<int, float[]> vectors = [];

        public Hyperplanes(int width, double threshold)
        {
            // Two vectors at angle θ fall on one side of a plane with probability 1 − θ/π; in one of n tables all bits agree with 1 − (1 − p^bits)^n.
            var agree = Math.Pow(1 - Math.Acos(Math.Clamp(threshold, -1, 1)) / Math.PI, Bits);
            var count = agree >= 1 ? 1 : (int)Math.Clamp(Math.Ceiling(Math.Log(Missed) / Math.Log(1 - agree)), 1, MostTables);
            var random = new Random(20260101); // the planes are the same in every run
            planes = [.. Enumerable.Range(0, count * Bits).Select(_ => Enumerable.Range(0, width).Select(_ => Normal(random)).ToArray())];
            tables = [.. Enumerable.Range(0, count).Select(_ => new Dictionary<int, List<int>>())];
        }

        public void Add(int index, float[] vector)
        {
            vectors.Add(index, vector);
            for (var t = 0; t < tables.Length; t++)
            {
                var key = Key(vector, t);
                if (!tables[t].TryGetValue(key, out var list)) tables[t][key] = list = [];
                list.Add(index);
            }
        }

        public (int Index, double Cosine) Nearest(float[] vector)
        {
            var (best, most) = (-1, float.NegativeInfinity);
            var seen = new HashSet<int>();
            for (var t = 0; t < tables.Length; t++)
            {
                if (!tables[t].TryGetValue(Key(vector, t), out var list)) continue;
                foreach (var index in list)
                {
                    if (!seen.Add(index)) continue;
                    var cosine = TensorPrimitives.Dot<float>(vectors[index], vector);
                    if (cosine > most || (cosine == most && index < best)) (best, most) = (index, cosine);
                }
            }
            return (best, most);
        }

        private int Key(float[] vector, int table)
        {
            var key = 0;
            for (var bit = 0; bit < Bits; bit++)
                if (TensorPrimitives.Dot<float>(planes[table * Bits + bit], vector) > 0) key |= 1 << bit;
            return key;
        }

        private static float Normal(Random random) => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
    }
}
