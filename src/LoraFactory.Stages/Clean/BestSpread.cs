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

    /// <summary>
    /// Leaves in <paramref name="candidates"/> at most <paramref name="count"/>, in their order, and gives the drops of the others.
    /// <paramref name="vectors"/>: unit vectors, one a candidate.
    /// </summary>
    public static List<Drop> Narrow(List<Candidate> candidates, int count, IReadOnlyList<float[]> vectors)
    {
        if (candidates.Count <= count) return [];
        var spread = Centred(vectors);
        double[] scores = Scores(candidates), nearest = [.. Enumerable.Repeat(0.0, candidates.Count)];
        var taken = new bool[candidates.Count];
        var last = 0.0;
        for (var n = 0; n < count; n++)
        {
            var best = -1;
            for (var i = 0; i < candidates.Count; i++)
                if (!taken[i] && (best < 0 || Value(i) > Value(best) || (Value(i) == Value(best) && Candidate.BestFirst.Compare(candidates[i], candidates[best]) < 0))) best = i;
            last = Value(best);
            taken[best] = true;
            for (var i = 0; i < candidates.Count; i++) nearest[i] = Math.Max(nearest[i], TensorPrimitives.Dot<float>(spread[i], spread[best]));
        }
        var left = Enumerable.Range(0, candidates.Count).Where(i => !taken[i]).Select(i =>
            candidates[i].Drop(Reason, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"score {scores[i]:0.###}, cosine {nearest[i]:0.###} to the nearest of the {count} kept"), Value(i), last)).ToList();
        candidates.RemoveAll(candidate => left.Exists(drop => drop.Id == candidate.Id));
        return left;

        double Value(int i) => Worth * scores[i] - (1 - Worth) * nearest[i];
    }

    // How much it is on the topic, how good its page's text is, and how sharp it is among the others, 0..1.
    private static double[] Scores(List<Candidate> candidates)
    {
        double[] sharp = [.. candidates.Select(c => c.Measured!.Signals.GetValueOrDefault("picture_sharpness"))];
        var sorted = sharp.Order().ToArray();
        return [.. candidates.Select((c, i) => 0.6 * c.TextSignals.GetValueOrDefault("relevance", 1) + 0.2 * c.TextSignals.GetValueOrDefault("text_quality", 1)
            + 0.2 * Array.IndexOf(sorted, sharp[i]) / Math.Max(1, sorted.Length - 1))];
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
