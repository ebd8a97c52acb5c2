using LoraFactory.Models.Scoring;

namespace LoraFactory.Stages.Evaluate;

/// <summary>
/// Groups of training pictures that are near copies of each other, so that each group counts as one picture where pictures are compared with pictures.
/// What is near is told from the data: distances of nearest neighbours follow from density and dimension of the set, 1 − 2^−(r/m)^D with their median m and
/// the intrinsic dimension D (Facco et al. 2017, from the ratio of second to first neighbour). A group is made of links that are too short for that at a
/// false discovery rate of 5 % (Benjamini and Hochberg 1995), and it has to stand alone: what is outside is at least twice as far. The groups are then
/// looked at again as single pictures, until nothing changes, since twins disturb the very median that they are told by.
/// </summary>
internal sealed class NearTwins
{
    /// <summary>Near copies of one picture that are looked for at most.</summary>
    private const int Neighbours = 32;
    private const double DiscoveryRate = 0.05, Alone = 2;
    private readonly (int Other, double Distance)[][] near;
    private readonly int[] group;

    private NearTwins((int, double)[][] near)
    {
        this.near = near;
        group = [.. Enumerable.Range(0, near.Length)];
    }

    /// <summary>Number of each picture's group: the least of its members.</summary>
    public IReadOnlyList<int> Groups => group;

    /// <summary>Groups of unit vectors.</summary>
    public static NearTwins Of(IReadOnlyList<float[]> vectors)
    {
        var twins = new NearTwins([.. vectors.Select((v, i) => vectors
            .Select((o, j) => (Other: j, Distance: j == i ? double.PositiveInfinity : Math.Sqrt(Math.Max(0, 2 - 2 * ClipScorer.Cosine(v, o)))))
            .Where(n => n.Other != i).OrderBy(n => n.Distance).Take(Neighbours).ToArray())]);
        while (twins.Merge()) { }
        return twins;
    }

    /// <summary>For each group the largest cosine of a member with a picture outside, in no order; empty where there is one group.</summary>
    public IReadOnlyList<double> NearestOutside() => [.. Outside().Where(o => double.IsFinite(o.First)).Select(o => 1 - o.First * o.First / 2)];

    /// <summary>The same with <paramref name="variants"/>, further forms of the pictures: the largest cosine of a member with any form of a picture outside.</summary>
    public IReadOnlyList<double> NearestOutside(IReadOnlyList<float[]> vectors, IReadOnlyList<(int Source, float[] Vector)> variants)
    {
        var best = Enumerable.Repeat(-1.0, group.Length).ToArray();
        foreach (var (source, vector) in variants)
            for (var i = 0; i < group.Length; i++)
                if (group[i] != group[source]) best[group[i]] = Math.Max(best[group[i]], ClipScorer.Cosine(vectors[i], vector));
        return [.. Outside().Where(o => double.IsFinite(o.First)).Select(o => Math.Max(1 - o.First * o.First / 2, best[o.Group]))];
    }

    // Per group the distances to the nearest and to the second nearest other group, as far as the neighbours reach.
    private List<(int Group, double First, double Second)> Outside()
    {
        var found = new List<(int, double, double)>();
        foreach (var members in Enumerable.Range(0, group.Length).GroupBy(i => group[i]))
        {
            var others = members.SelectMany(i => near[i]).Where(n => group[n.Other] != members.Key).GroupBy(n => group[n.Other]).Select(g => g.Min(n => n.Distance)).Order().Take(2).ToList();
            found.Add((members.Key, others.Count > 0 ? others[0] : double.PositiveInfinity, others.Count > 1 ? others[1] : double.PositiveInfinity));
        }
        return found;
    }

    private bool Merge()
    {
        var outside = Outside().Where(o => double.IsFinite(o.Second)).OrderBy(o => o.First).ToList();
        if (outside.Count < 3) return false;
        var median = outside[outside.Count / 2].First;
        var ratio = outside.Where(o => o.First > 0).Select(o => o.Second / o.First).Order().ToList() is { Count: > 0 } ratios ? ratios[ratios.Count / 2] : double.PositiveInfinity;
        if (ratio <= 1 || median <= 0) return false;
        var dimension = Math.Log(2) / Math.Log(ratio); // 0 where the ratio is infinite: then nothing is short
        var longest = -1.0;
        for (var k = 0; k < outside.Count; k++)
            if (1 - Math.Pow(2, -Math.Pow(outside[k].First / median, dimension)) <= DiscoveryRate * (k + 1) / outside.Count) longest = outside[k].First;
        return longest >= 0 && Link(longest);
    }

    // Single linkage by links up to a length; what does not stand alone falls apart again.
    private bool Link(double longest)
    {
        var root = (int[])group.Clone();
        int Root(int i) => root[i] == i ? i : root[i] = Root(root[i]);
        for (var i = 0; i < near.Length; i++)
            foreach (var (other, _) in near[i].TakeWhile(n => n.Distance <= longest))
                if ((Root(i), Root(other)) is var (a, b) && a != b) root[Math.Max(a, b)] = Math.Min(a, b);
        var merged = false;
        foreach (var members in Enumerable.Range(0, near.Length).GroupBy(Root).Select(g => g.ToList()).Where(g => g.Exists(i => group[i] != group[g[0]])))
        {
            var key = Root(members[0]);
            var within = members.Max(i => near[i].Where(n => Root(n.Other) == key).Select(n => n.Distance).DefaultIfEmpty(0).Min());
            var beyond = members.Min(i => near[i].Where(n => Root(n.Other) != key).Select(n => n.Distance).DefaultIfEmpty(0).Min());
            if (beyond < Alone * within || beyond <= 0) continue;
            foreach (var i in members) group[i] = members[0];
            merged = true;
        }
        return merged;
    }
}
