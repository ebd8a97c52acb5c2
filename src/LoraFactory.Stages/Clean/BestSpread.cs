using System.Numerics.Tensors;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean;

/// <summary>
/// The best few of a set that cover it (maximal marginal relevance: Carbonell and Goldstein 1998): one by one the picture is taken whose score is
/// high and whose nearest taken picture is far. A threshold alone keeps ten views of the same thing before the first of another.
/// </summary>
internal static class BestSpread
{
    /// <summary>Reason of the pictures that are left.</summary>
    public const string Reason = "not-among-best";

    // Half by what a picture is worth, half by what it adds.
    private const double Worth = 0.5;

    // Comparisons that are made only to say by how much the others were behind.
    private const long MostCompared = 50_000_000;

    /// <summary>
    /// Leaves in <paramref name="candidates"/> at most <paramref name="count"/>, in their order, and gives the drops of the others.
    /// <paramref name="vectors"/>: unit vectors, one a candidate.
    /// </summary>
    public static List<Drop> Narrow(List<Candidate> candidates, int count, IReadOnlyList<float[]> vectors)
    {
        if (candidates.Count <= count) return [];
        var spread = Centred(vectors);
        double[] scores = Scores(candidates), nearest = new double[candidates.Count];
        var compared = new int[candidates.Count]; // with how many of those taken
        var rank = new int[candidates.Count];
        foreach (var (i, place) in Enumerable.Range(0, candidates.Count).OrderBy(i => candidates[i], Candidate.BestFirst).Select((i, place) => (i, place))) rank[i] = place;
        var taken = new List<int>(count);
        // A value only falls as more are taken, so one that was compared with all of them and still leads is the best (Minoux 1978): most are compared with few.
        var waiting = new PriorityQueue<int, (double, int)>(Enumerable.Range(0, candidates.Count).Select(i => (i, (-Value(i), rank[i]))));
        var last = 0.0;
        while (taken.Count < count)
        {
            var best = waiting.Dequeue();
            if (compared[best] < taken.Count)
            {
                Compare(best);
                waiting.Enqueue(best, (-Value(best), rank[best]));
                continue;
            }
            last = Value(best);
            taken.Add(best);
        }
        var kept = taken.ToHashSet();
        int[] rest = [.. Enumerable.Range(0, candidates.Count).Where(i => !kept.Contains(i))];
        var known = (long)rest.Length * count <= MostCompared; // else what is known by now is what is said
        if (known) Array.ForEach(rest, Compare);
        var left = rest.Select(i => candidates[i].Drop(Reason,
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"score {scores[i]:0.###}, cosine {(known ? "" : "of at least ")}{nearest[i]:0.###} to the nearest of the {count} kept"), Value(i), last)).ToList();
        List<Candidate> stay = [.. candidates.Where((_, i) => kept.Contains(i))];
        candidates.Clear();
        candidates.AddRange(stay);
        return left;

        double Value(int i) => Worth * scores[i] - (1 - Worth) * nearest[i];

        void Compare(int i)
        {
            for (; compared[i] < taken.Count; compared[i]++) nearest[i] = Math.Max(nearest[i], TensorPrimitives.Dot<float>(spread[i], spread[taken[compared[i]]]));
        }
    }

    // How much it is on the topic, how good its page's text is, and how sharp it is among the others, 0..1.
    private static double[] Scores(List<Candidate> candidates)
    {
        double[] sharp = [.. candidates.Select(c => c.Measured!.Signals.GetValueOrDefault("picture_sharpness"))];
        var sorted = sharp.Order().ToArray();
        var places = new Dictionary<double, int>();
        for (var i = 0; i < sorted.Length; i++) places.TryAdd(sorted[i], i);
        return [.. candidates.Select((c, i) => 0.6 * c.TextSignals.GetValueOrDefault("relevance", 1) + 0.2 * c.TextSignals.GetValueOrDefault(TextQuality.Signal, 1)
            + 0.2 * places[sharp[i]] / Math.Max(1, sorted.Length - 1))];
    }

    // Less their mean: pictures of one style all lie close together, and what tells them apart is how they differ from it.
    private static float[][] Centred(IReadOnlyList<float[]> vectors)
    {
        var mean = new float[vectors[0].Length];
        foreach (var vector in vectors) TensorPrimitives.Add(mean, vector, mean);
        TensorPrimitives.Divide(mean, vectors.Count, mean);
        return [.. vectors.Select(vector =>
        {
            var centred = new float[vector.Length];
            TensorPrimitives.Subtract(vector, mean, centred);
            var length = TensorPrimitives.Norm<float>(centred);
            if (length > 1e-6f) TensorPrimitives.Divide(centred, length, centred);
            return centred;
        })];
    }
}
