using LoraFactory.Images.Scenes;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>Scenes of one step, with the random stream that goes on to draw texts for them.</summary>
/// <param name="Facts">What each shows.</param>
/// <param name="Pixels">[b, 3, 64, 64] row-major, −1..1: (value / 255 − ½) / ½.</param>
internal sealed record SceneBatch(IReadOnlyList<SceneFacts> Facts, float[] Pixels)
{
    public int Count => Facts.Count;

    /// <summary>The pixels as a tensor [b, 3, 64, 64] in the current scope.</summary>
    public Tensor PixelTensor() => Tensor.From(Pixels, Count, 3, SceneGenerator.Side, SceneGenerator.Side);
}

/// <summary>What the scenes of a step are like.</summary>
/// <param name="Choice">Which scenes.</param>
/// <param name="Disturbed">Share of the pictures that are disturbed, 0..1.</param>
internal sealed record SceneLesson(SceneChoice Choice, double Disturbed = 0)
{
    /// <summary>
    /// Single objects, undisturbed, for the first quarter of a run; then everything. Shapes are learnt far sooner where nothing hides
    /// them (curriculum learning, Bengio et al. 2009).
    /// </summary>
    public static Func<int, SceneLesson> Rising(int steps)
    {
        var easy = new SceneLesson(new SceneChoice { SingleShare = 1 });
        var all = new SceneLesson(new SceneChoice { SingleShare = 0.7 }, 0.6);
        return step => step < steps / 4 ? easy : all;
    }
}

/// <summary>
/// Streams scenes from a seed: step n has scenes n·b to n·b + b − 1, whatever was drawn before, so that a resumed run sees the same
/// ones. The next step's are drawn on another thread meanwhile.
/// </summary>
internal sealed class SceneBatches(long seed, int batchSize, Func<int, SceneLesson> lesson)
{
    public SceneBatches(long seed, int batchSize, SceneChoice choice, bool disturbed) : this(seed, batchSize, Always(new SceneLesson(choice, disturbed ? 1 : 0)))
    {
    }

    private static Func<int, SceneLesson> Always(SceneLesson lesson) => _ => lesson;

    private (int Step, Task<SceneBatch> Batch)? ahead;

    /// <summary>The scenes of a step; those of the next one are begun.</summary>
    public SceneBatch Of(int step)
    {
        var batch = ahead is { } a && a.Step == step ? a.Batch.GetAwaiter().GetResult() : Draw(step);
        ahead = (step + 1, Task.Run(() => Draw(step + 1)));
        return batch;
    }

    private SceneBatch Draw(int step)
    {
        var (choice, disturbed) = lesson(step);
        var generator = new SceneGenerator();
        var facts = new SceneFacts[batchSize];
        var pixels = new float[batchSize * 3 * SceneGenerator.Side * SceneGenerator.Side];
        for (var i = 0; i < batchSize; i++)
        {
            var index = (long)step * batchSize + i;
            var scene = generator.Draw(seed, index, choice);
            facts[i] = scene.Facts;
            var random = new SceneRandom(~seed, index);
            Planes(random.Chance(disturbed) ? SceneAugmentation.Disturb(scene.Pixels, ref random) : scene.Pixels, pixels.AsSpan(i * scene.Pixels.Length));
        }
        return new(facts, pixels);
    }

    /// <summary>Interleaved bytes → planes of −1..1.</summary>
    public static void Planes(ReadOnlySpan<byte> rgb, Span<float> planes)
    {
        var count = rgb.Length / 3;
        for (var i = 0; i < count; i++)
        {
            for (var c = 0; c < 3; c++) planes[c * count + i] = rgb[3 * i + c] / 127.5f - 1;
        }
    }
}
