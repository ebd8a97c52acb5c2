using System.Runtime.CompilerServices;
using LoraFactory.Images;
using LoraFactory.Models.Scoring;
using LoraFactory.Models.Weights;

namespace LoraFactory.Tests.Models.Scoring;

[Collection("torch")]
public sealed class ClipScorerTests
{
    private readonly List<WeakReference> made = [];

    [Fact]
    public void Pictures_of_full_size_are_not_held_together()
    {
        using var clip = ClipScorer.Load(ModelLocator.Find("pocket-clip"));
        var most = 0;
        IEnumerable<Picture> Pictures()
        {
            for (var i = 0; i < 12; i++)
            {
                GC.Collect();
                most = Math.Max(most, made.Count(m => m.IsAlive));
                yield return Make(i);
            }
        }
        var vectors = clip.Embed(Pictures());
        Assert.Equal((12, clip.Width), (vectors.Length, vectors[0].Length));
        Assert.InRange(most, 0, 3); // the one that is taken, and what the iterators still hold
        Assert.Equal(1, ClipScorer.Cosine(vectors[3], clip.Embed([Make(3)])[0]), 5);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Picture Make(int i)
    {
        var pixels = new byte[400 * 300 * 3];
        new Random(i).NextBytes(pixels);
        var picture = new Picture(400, 300, pixels);
        made.Add(new WeakReference(picture));
        return picture;
    }
}
