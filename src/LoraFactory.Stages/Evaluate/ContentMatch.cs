using LoraFactory.Models.Scoring;

namespace LoraFactory.Stages.Evaluate;

/// <summary>
/// How alike two pictures of a style are when they show things as different as a prompt and a picture do: true pictures of what the
/// prompts ask for would come out at about this (docs/decisions/evaluation-gates.md).
/// </summary>
internal static class ContentMatch
{
    /// <summary>Training pictures that stand for one prompt beside one picture.</summary>
    private const int Nearest = 5;
    /// <summary>Training pictures that are looked through at most, evenly spread: more change nothing but the time.</summary>
    private const int Most = 1000;

    /// <summary>
    /// For each prompt and each picture of the style (the held-out ones or the training pictures themselves) the mean cosine of that picture with
    /// training pictures, those whose captions are as near to its own caption as the prompt is. [prompt][picture of the style].
    /// </summary>
    public static double[][] Own(EvaluationSet set, IReadOnlyList<float[]> style)
    {
        var itself = ReferenceEquals(style, set.Trained);
        var captions = itself ? set.TrainedCaptions : set.HeldOutCaptions;
        var trained = Enumerable.Range(0, Math.Min(Most, set.Trained.Count)).Select(i => (int)((long)i * set.Trained.Count / Math.Min(Most, set.Trained.Count))).ToArray();
        var near = style.Select((_, j) => trained.Where(t => !itself || t != j)
            .Select(t => (Caption: ClipScorer.Cosine(set.TrainedCaptions[t], captions[j]), Picture: t)).OrderBy(n => n.Caption).ToArray()).ToArray();
        return [.. set.Prompts.Select(prompt => style.Select((picture, j) =>
            Closest(near[j], ClipScorer.Cosine(prompt, captions[j])).Average(t => ClipScorer.Cosine(set.Trained[t], picture))).ToArray())];
    }

    // The few whose cosine is closest to x, of a list in rising order.
    private static IEnumerable<int> Closest((double Caption, int Picture)[] near, double x)
    {
        var (low, high) = (0, near.Length);
        for (var count = Math.Min(Nearest, near.Length); high - low > count;)
        {
            if (x - near[low].Caption > near[high - 1].Caption - x) low++;
            else high--;
        }
        return near[low..high].Select(n => n.Picture);
    }
}
