using LoraFactory.Flow;
using LoraFactory.Models.Scoring;

namespace LoraFactory.Stages.Evaluate;

/// <summary>One measured quantity, with the rule it is judged by. Everything that gates has passed the exam in the tests.</summary>
public interface IMetric
{
    /// <summary>Name in report.json.</summary>
    string Name { get; }

    /// <summary>Measures; <see cref="Metric.Gate"/> is null when the metric only informs.</summary>
    Metric Measure(EvaluationSet set);
}

/// <summary>Does the adapter's picture fit its whole prompt, style word included, better than the base's of the same seed?</summary>
public sealed class ClipScoreDelta : IMetric
{
    /// <inheritdoc/>
    public string Name => "clip_score_delta";

    /// <inheritdoc/>
    public Metric Measure(EvaluationSet set)
    {
        double Delta(int i) => ClipScorer.Cosine(set.Adapter[i], set.Prompts[set.PromptOf(i)]) - ClipScorer.Cosine(set.Base[i], set.Prompts[set.PromptOf(i)]);
        var interval = Intervals.Bootstrap(set, rows => rows.Average(Delta));
        return new(Name, interval.Value, interval.Low, interval.High, interval.N, "low end above 0", interval.Low > 0,
            "cosine of picture and full prompt, adapter less base, same seeds");
    }
}

/// <summary>
/// Do the adapter's pictures look like held-out pictures of the style more than the base's do? A cosine of two pictures also tells whether they
/// show alike things, and the prompts ask for things that the style's pictures lack. So what the style itself has is taken from its pairs
/// of a training and a held-out picture whose captions are as alike as prompt and caption are; <see cref="ContentMatch"/>.
/// </summary>
public sealed class StyleSimilarity : IMetric
{
    private const int Fewest = 3;
    private const double LeastRoom = 1e-3;

    /// <inheritdoc/>
    public string Name => "style_similarity";

    /// <inheritdoc/>
    public Metric Measure(EvaluationSet set)
    {
        // fewer than three pictures say little of how alike a style's pictures are
        var (style, which) = set.HeldOut.Count >= Fewest ? (set.HeldOut, "held-out pictures") : (set.Trained, "training pictures");
        var gains = set.Adapter.Select((a, i) => Similarity.Mean(a, style) - Similarity.Mean(set.Base[i], style)).ToArray();
        // half of what the style's own pictures have over the base's: an adapter that only leans towards the style is not there yet
        var byPrompt = style.Count < Fewest ? [] : ContentMatch.Own(set, style);
        var own = style.Count < Fewest ? [] : style.Select((_, j) => byPrompt.Average(p => p[j])).ToArray();
        var without = set.Base.Select(b => Similarity.Mean(b, style)).ToArray();
        var room = own.Length == 0 ? 0 : own.Average() - without.Average();
        // the base's pictures are of the style already, as far as these few can tell (two standard errors of the difference)
        if (room <= Math.Max(2 * Math.Sqrt(ErrorSquared(own) + ErrorSquared(without)), LeastRoom))
        {
            var gain = Intervals.Bootstrap(set, rows => rows.Average(i => gains[i]));
            return new(Name, gain.Value, gain.Low, gain.High, gain.N, null, null,
                $"mean cosine with the style's {which}, adapter less base; no gate, since {(own.Length == 0 ? $"there are fewer than {Fewest} of them" : $"the base's pictures are as near to them ({without.Average():F3}) as the style's own of other content ({own.Average():F3})")}");
        }
        // some prompts are nearer to the style's content than others: gain and room of the same prompts, so that this is no uncertainty
        var rooms = without.Select((b, i) => byPrompt[set.PromptOf(i)].Average() - b).ToArray();
        var interval = Intervals.Bootstrap(set, rows => rows.Average(i => gains[i]) / Math.Max(rows.Average(i => rooms[i]), LeastRoom));
        return new(Name, interval.Value, interval.Low, interval.High, interval.N, "low end above 0.5", interval.Low > 0.5,
            $"share of the way from the base's pictures (0) to the style's own of as different content (1), by mean cosine with its {which}");
    }

    // Square of the standard error of the mean.
    private static double ErrorSquared(double[] values) => values.Length < 2 ? 0 : values.Sum(v => Math.Pow(v - values.Average(), 2)) / (values.Length - 1) / values.Length;
}

/// <summary>
/// Is what the prompt asks for still drawn? Every picture is held against its own prompt and each other one; the share of these comparisons
/// that its own prompt wins (the area under the ROC curve, a tie counts half) is 0.5 by chance, whatever the number of prompts and however
/// alike some of them are. How much the judge sees in this style is measured on the training pictures and their captions: more than it
/// sees there cannot be asked for.
/// </summary>
public sealed class PromptObedience : IMetric
{
    private const double Chance = 0.5;

    /// <inheritdoc/>
    public string Name => "prompt_obedience";

    /// <inheritdoc/>
    public Metric Measure(EvaluationSet set)
    {
        if (set.Prompts.Count < 2) return new(Name, double.NaN, double.NaN, double.NaN, set.Adapter.Count, null, null, "needs two prompts at least, to tell one from another");
        double Won(IReadOnlyList<float[]> pictures, int i) => Wins(pictures[i], set.Prompts[set.PromptOf(i)], set.Prompts.Where((_, k) => k != set.PromptOf(i)));
        var won = set.Adapter.Select((_, i) => Won(set.Adapter, i)).ToArray();
        var without = set.Base.Select((_, i) => Won(set.Base, i)).Average();
        var own = Own(set);
        var floor = Chance + 0.5 * Math.Max(0, Math.Min(own, without) - Chance);
        var interval = Intervals.Bootstrap(set, rows => rows.Average(i => won[i]));
        return new(Name, interval.Value, interval.Low, interval.High, interval.N, $"at least {floor:F2} and low end above chance (0.5)", interval.Value >= floor && interval.Low > Chance,
            $"share of other prompts that a picture fits less well than its own; base {without:F2}, training pictures among as many captions {own:F2}");
    }

    // Training pictures with their own caption and as many others as there are prompts, evenly spread.
    private static double Own(EvaluationSet set)
    {
        var (n, k) = (set.Trained.Count, Math.Min(set.Prompts.Count, set.Trained.Count));
        return n < 2 ? 1 : Enumerable.Range(0, n).Average(i => Wins(set.Trained[i], set.TrainedCaptions[i], Enumerable.Range(1, k - 1).Select(j => set.TrainedCaptions[(i + j * n / k) % n])));
    }

    private static double Wins(float[] picture, float[] own, IEnumerable<float[]> others)
    {
        var score = ClipScorer.Cosine(picture, own);
        return others.Select(o => score.CompareTo(ClipScorer.Cosine(picture, o))).Select(c => c > 0 ? 1 : c == 0 ? 0.5 : 0).DefaultIfEmpty(1).Average();
    }
}

/// <summary>Vendi score (Friedman and Dieng 2023): the effective number of different pictures, against the base's.</summary>
public sealed class Diversity : IMetric
{
    /// <inheritdoc/>
    public string Name => "diversity";

    /// <inheritdoc/>
    public Metric Measure(EvaluationSet set)
    {
        // against what the style itself has: an adapter narrows the looks to one style, which is its purpose
        var style = set.HeldOut.Count > 1 ? set.HeldOut : set.Trained;
        var norm = 1 - SetMetrics.MeanCosine(SetMetrics.Rows(style));
        var interval = Intervals.Bootstrap(set, rows => (1 - Similarity.MeanOfPairs(set.Adapter, rows)) / Math.Max(norm, 1e-3));
        var vendi = SetMetrics.Vendi(SetMetrics.Rows(set.Adapter));
        return new(Name, interval.Value, interval.Low, interval.High, interval.N, "at least 0.4", interval.Value >= 0.4,
            $"spread (1 − mean cosine) of the adapter's pictures over that of the style's own; Vendi score {vendi:F1} of {set.Adapter.Count}, base {SetMetrics.Vendi(SetMetrics.Rows(set.Base)):F1}");
    }
}

/// <summary>
/// Are training pictures handed back? Nearest training picture against the distances that different training pictures have among themselves: near
/// twins count as one, since among them every copy would look usual. Variants of a training picture (flips, crops) are forms of it: a copy of one is a copy
/// of it, and pictures are held against each other in all their forms.
/// </summary>
public sealed class Memorisation : IMetric
{
    /// <summary>A copy that noise of a few grey levels was added to still has a cosine of about 0.999: above a limit beyond that no copy can be told.</summary>
    private const double LeastRoom = 1e-3;
    private const int Fewest = 3;

    /// <inheritdoc/>
    public string Name => "memorisation";

    /// <inheritdoc/>
    public Metric Measure(EvaluationSet set)
    {
        var background = NearTwins.Of(set.Trained).NearestOutside(set.Trained, set.TrainedVariants).Order().ToList();
        var limit = background.Count > 0 ? Bootstrap.Quantile(background, 0.95) : 1;
        var near = set.Adapter.Count(a => Similarity.Nearest(a, set.Trained) > limit || set.TrainedVariants.Any(v => ClipScorer.Cosine(a, v.Vector) > limit));
        var share = Intervals.Share(set, near);
        var merged = set.Trained.Count - background.Count is var twins and > 0 && background.Count >= Fewest ? $" ({twins} near twins of others not counted)" : "";
        var forms = set.TrainedVariants.Count > 0 ? ", or a variant of one," : "";
        var meaning = $"share of pictures nearer to a training picture{forms} (cosine above {limit:F3}) than 95 % of the {background.Count} different training pictures{merged} are to each other";
        if (background.Count < Fewest) return new(Name, share.Value, share.Low, share.High, share.N, null, null, $"{meaning}; no gate, since fewer than {Fewest} different ones say nothing of what is usual");
        if (1 - limit < LeastRoom) return new(Name, share.Value, share.Low, share.High, share.N, null, null, $"{meaning}; cannot tell, no gate: so many of them are nearly alike that a copy would not stand out");
        return new(Name, share.Value, share.Low, share.High, share.N, "at most 0.25", share.Value <= 0.25, $"{meaning}; 0.05 is what training pictures themselves have");
    }
}

/// <summary>The metrics, in the order of the report.</summary>
public static class Metrics
{
    /// <summary>All that gate or inform.</summary>
    public static readonly IReadOnlyList<IMetric> All = [new ClipScoreDelta(), new StyleSimilarity(), new PromptObedience(), new Diversity(), new Memorisation()];

    /// <summary>Measures all and sums up in one sentence.</summary>
    public static (IReadOnlyList<Metric> Metrics, bool Passed, string Verdict) Judge(EvaluationSet set)
    {
        var metrics = All.Select(m => m.Measure(set)).ToList();
        var failed = metrics.Where(m => m.Passed == false).ToList();
        var verdict = set.Prompts.Count < Intervals.Fewest
            ? $"Not passed: the gates need intervals, and {set.Prompts.Count} prompt{(set.Prompts.Count == 1 ? " has" : "s have")} none; name at least {EvaluateOptions.EnoughPrompts} in evaluate.prompts."
            : failed.Count == 0
            ? $"Passed: all {metrics.Count(m => m.Passed is not null)} gates hold."
            : $"Not passed: {string.Join("; ", failed.Select(m => $"{m.Name} is {m.Value:F3} [{m.Low:F3}, {m.High:F3}] where the gate is {m.Gate}"))}.";
        return (metrics, failed.Count == 0, verdict);
    }
}
