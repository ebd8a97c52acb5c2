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
/// <param name="IsFull">Whether everything is asked of the model; before that, only what the lesson is about.</param>
internal sealed record SceneLesson(SceneChoice Choice, double Disturbed = 0, bool IsFull = true)
{
    /// <summary>
    /// Four lessons (curriculum learning, Bengio et al. 2009): line drawings of one object, then all styles with firm outlines, then all
    /// styles, then everything with disturbances. White lines on blue are the same template whatever the object's colour, so a vision
    /// tower learns shapes from some thousand of them; begun with all styles it has learnt none after a hundred thousand pictures.
    /// A model that is <paramref name="trained"/> already gets everything from the start.
    /// </summary>
    public static Func<int, SceneLesson> Rising(int steps, bool trained)
    {
        var lines = new SceneLesson(new SceneChoice { SingleShare = 1, Styles = [SceneStyle.Blueprint] }, IsFull: false);
        var outlines = new SceneLesson(new SceneChoice { SingleShare = 1, Styles = [SceneStyle.Blueprint, SceneStyle.OutlinedCartoon, SceneStyle.WoodcutPrint] }, IsFull: false);
        var styles = new SceneLesson(new SceneChoice { SingleShare = 0.85 }, 0.3, IsFull: false);
        var all = new SceneLesson(new SceneChoice(), 0.6);
        return step => trained ? all : (20L * step / steps) switch { < 3 => lines, < 6 => outlines, < 10 => styles, _ => all };
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

    /// <summary>The lesson of a step.</summary>
    public SceneLesson Lesson(int step) => lesson(step);

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
        var (choice, disturbed, _) = lesson(step);
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
