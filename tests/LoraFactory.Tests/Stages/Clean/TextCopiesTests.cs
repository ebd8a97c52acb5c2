using LoraFactory.Stages.Clean.Text;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public sealed class TextCopiesTests
{
    [Fact]
    public void The_best_of_a_cluster_stays_and_a_chain_of_changes_joins_nothing()
    {
        // 20 degrees apart each: neighbours are copies at cosine 0.9, the ends of the chain are not.
        float[][] chain = [At(0), At(20), At(40), At(60)];
        Assert.Equal([(1, 0), (3, 2)], TextCopies.Find(chain, 0.9).Select(c => (c.Index, c.Of)));
        Assert.All(TextCopies.Find(chain, 0.9), copy => Assert.Equal(Math.Cos(Math.PI / 9), copy.Cosine, 5));
        Assert.Empty(TextCopies.Find(chain, 0.95));
        Assert.Empty(TextCopies.Find([], 0.9));
    }

    [Fact]
    public void Texts_without_a_vector_are_copies_of_nothing() => Assert.Empty(TextCopies.Find([new float[4], new float[4]], 0));

    [Theory]
    [InlineData(0.85, 0.86)]
    [InlineData(0.95, 0.97)]
    public void The_hashed_search_finds_what_the_exact_one_finds(double threshold, double cosine)
    {
        const int Originals = 1500, Width = 64;
        var random = new Random(3);
        float[][] vectors = [.. Enumerable.Range(0, Originals).Select(_ => Unit(random, Width))];
        // Each copy lies at the same angle from its original.
        float[][] all = [.. vectors, .. vectors.Select(v => Near(v, cosine, random))];
        var (exact, hashed) = (TextCopies.Find(all, threshold), TextCopies.Find(all, threshold, exact: 0));
        Assert.Equal(Originals, exact.Count);
        Assert.All(exact, copy => Assert.Equal(copy.Index - Originals, copy.Of));
        Assert.InRange(hashed.Count, 0.98 * Originals, Originals);
        Assert.Empty(hashed.Select(c => (c.Index, c.Of)).Except(exact.Select(c => (c.Index, c.Of))));
    }

    private static float[] At(double degrees) => [(float)Math.Cos(degrees * Math.PI / 180), (float)Math.Sin(degrees * Math.PI / 180)];

    private static float[] Unit(Random random, int width)
    {
        double[] v = [.. Enumerable.Range(0, width).Select(_ => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];
        var length = Math.Sqrt(v.Sum(x => x * x));
        return [.. v.Select(x => (float)(x / length))];
    }

    private static float[] Near(float[] to, double cosine, Random random)
    {
        var other = Unit(random, to.Length);
        var along = other.Zip(to, (a, b) => (double)a * b).Sum();
        double[] across = [.. other.Select((x, i) => x - along * to[i])];
        var length = Math.Sqrt(across.Sum(x => x * x));
        return [.. to.Select((x, i) => (float)(cosine * x + Math.Sqrt(1 - cosine * cosine) * across[i] / length))];
    }
}
