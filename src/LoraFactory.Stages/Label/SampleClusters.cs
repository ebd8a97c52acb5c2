using System.Numerics.Tensors;
using LoraFactory.Flow;
using LoraFactory.Models.Scoring;

namespace LoraFactory.Stages.Label;

/// <summary>Groups near pictures, and splits groups, never pictures, into training and validation.</summary>
public static class SampleClusters
{
    /// <summary>
    /// The vectors less their mean, at unit length: pictures of one style all lie close together, and what tells them apart is how they
    /// differ from their mean. Fewer than eight are left as they are.
    /// </summary>
    public static float[][] Centred(IReadOnlyList<float[]> vectors)
    {
        if (vectors.Count < 8) return [.. vectors];
        var mean = new float[vectors[0].Length];
        foreach (var vector in vectors) TensorPrimitives.Add(mean, vector, mean);
        TensorPrimitives.Divide(mean, vectors.Count, mean);
        return [.. vectors.Select(v =>
        {
            var centred = new float[v.Length];
            TensorPrimitives.Subtract(v, mean, centred);
            var norm = TensorPrimitives.Norm(centred);
            if (norm > 1e-6f) TensorPrimitives.Divide(centred, norm, centred);
            return centred;
        })];
    }

    /// <summary>
    /// Single-linkage clusters of unit vectors: two pictures with a cosine of at least <paramref name="cosine"/> share one.
    /// Numbers follow the first member's position.
    /// </summary>
    public static int[] Of(IReadOnlyList<float[]> vectors, double cosine)
    {
        var parent = Enumerable.Range(0, vectors.Count).ToArray();
        int Root(int i)
        {
            while (parent[i] != i) i = parent[i] = parent[parent[i]];
            return i;
        }
        for (var i = 0; i < vectors.Count; i++)
        {
            for (var j = i + 1; j < vectors.Count; j++)
            {
                if (ClipScorer.Cosine(vectors[i], vectors[j]) < cosine) continue;
                var (a, b) = (Root(i), Root(j));
                parent[Math.Max(a, b)] = Math.Min(a, b);
            }
        }
        var numbers = new Dictionary<int, int>();
        return [.. parent.Select((_, i) => Root(i)).Select(root => numbers.TryGetValue(root, out var n) ? n : numbers[root] = numbers.Count)];
    }

    /// <summary>1 − mean cosine of two different unit vectors; 0 when there are fewer than two.</summary>
    public static double Diversity(IReadOnlyList<float[]> vectors)
    {
        if (vectors.Count < 2) return 0;
        // Σ over pairs of a·b = (|Σ a|² − n) / 2 for unit vectors
        var sum = new double[vectors[0].Length];
        foreach (var vector in vectors)
            for (var k = 0; k < sum.Length; k++) sum[k] += vector[k];
        var n = vectors.Count;
        return 1 - (sum.Sum(s => s * s) - n) / ((double)n * (n - 1));
    }

    /// <summary>
    /// Holds out whole clusters, in an order drawn from the seed and the members' hashes, until <paramref name="share"/> of the pictures is
    /// reached; a cluster that would take more than half again as much stays. At least one cluster is always trained on.
    /// </summary>
    public static Split[] Splits(IReadOnlyList<int> clusters, IReadOnlyList<string> hashes, double share, long seed)
    {
        var wanted = (int)Math.Round(share * clusters.Count);
        var splits = new Split[clusters.Count];
        var order = Enumerable.Range(0, clusters.Count).GroupBy(i => clusters[i])
            .OrderBy(g => ContentId.Of([seed.ToString(), .. g.Select(i => hashes[i]).Order(StringComparer.Ordinal)]), StringComparer.Ordinal).ToList();
        var held = 0;
        foreach (var cluster in order.SkipLast(1))
        {
            var size = cluster.Count();
            if (held >= wanted) break;
            if (held + size > wanted + Math.Max(1, wanted / 2)) continue;
            foreach (var i in cluster) splits[i] = Split.Validation;
            held += size;
        }
        return splits;
    }
}
