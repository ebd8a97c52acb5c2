using LoraFactory.Flow;

namespace LoraFactory.Stages.Configure;

/// <summary>A value that a policy proposes, with its reason.</summary>
public sealed record Proposal(double Value, string Why);

/// <summary>What a policy decides: rank, rate, steps and batch, from the data and the base.</summary>
public interface ITrainPolicy
{
    /// <summary>Name in recipes (configure.policy).</summary>
    string Name { get; }
    /// <summary>Rank of the adapter.</summary>
    Proposal Rank(DataComplexity data, BaseFacts facts);
    /// <summary>Learning rate of the UNet's adapter of this rank, for alpha = rank.</summary>
    Proposal LearningRate(DataComplexity data, BaseFacts facts, int rank);
    /// <summary>Pictures per micro-batch.</summary>
    Proposal BatchSize(DataComplexity data, BaseFacts facts);
    /// <summary>Optimizer steps at this batch (micro-batch times accumulation).</summary>
    Proposal Steps(DataComplexity data, BaseFacts facts, int batch);
}

/// <summary>
/// The first rule: rank = clamp(round(100·(0.7·semantic diversity + 0.3·visual variance)), 4, 128), rate = 1e-5·(1 + 0.3·log10 n).
/// It knows nothing of the base; <see cref="MeasuredPolicy"/> was made because of that.
/// </summary>
public sealed class AdaptivePolicy : ITrainPolicy
{
    /// <inheritdoc/>
    public string Name => "adaptive-v1";

    /// <inheritdoc/>
    public Proposal Rank(DataComplexity data, BaseFacts facts)
    {
        var rank = Math.Clamp(Math.Round(100 * (0.7 * data.SemanticDiversity + 0.3 * data.VisualVariance)), 4, 128);
        return new(Math.Min(rank, facts.SmallestLayer), $"round(100·(0.7·{data.SemanticDiversity:F3} semantic diversity + 0.3·{data.VisualVariance:F3} visual variance)), within 4..128 and the smallest layer, {facts.SmallestLayer}");
    }

    /// <inheritdoc/>
    public Proposal LearningRate(DataComplexity data, BaseFacts facts, int rank) =>
        new(1e-5 * (1 + 0.3 * Math.Log10(Math.Max(1, data.Pictures))), $"1e-5·(1 + 0.3·log10 {data.Pictures} pictures)");

    /// <inheritdoc/>
    public Proposal BatchSize(DataComplexity data, BaseFacts facts) => new(Math.Min(4, data.Pictures), "four pictures, or all when there are fewer");

    /// <inheritdoc/>
    public Proposal Steps(DataComplexity data, BaseFacts facts, int batch) => new(Math.Ceiling(100.0 * data.Pictures / batch), $"every picture a hundred times{TrainPolicies.Spread(data, 100)}");
}

/// <summary>
/// Rules fitted to measured runs (docs/decisions/train-policy.md): a rate that grows as base and rank get smaller, a rank by the variety of the
/// data but small, and as many steps as it takes to see every picture often enough, within the time allowed.
/// </summary>
public class MeasuredPolicy : ITrainPolicy
{
    // sets of one style lie at 0.56 to 0.66 and gain nothing from more than rank 8
    private const double MuchVariety = 0.7, MostVariety = 0.85;

    /// <inheritdoc/>
    public virtual string Name => "measured-v2";

    /// <inheritdoc/>
    public Proposal Rank(DataComplexity data, BaseFacts facts)
    {
        var variety = Math.Clamp(0.7 * data.SemanticDiversity + 0.3 * data.VisualVariance, 0, 1);
        var rank = variety < MuchVariety ? 8 : variety < MostVariety ? 16 : 32;
        return new(Math.Min(rank, facts.SmallestLayer), $"variety {variety:F2} of 1 (captions {data.SemanticDiversity:F2}, pictures {data.VisualVariance:F2}): 8 below {MuchVariety}, 16 below {MostVariety}, else 32; at most the smallest layer, {facts.SmallestLayer}");
    }

    /// <inheritdoc/>
    public virtual Proposal LearningRate(DataComplexity data, BaseFacts facts, int rank)
    {
        var rate = Math.Clamp(1e-4 * Math.Pow(860e6 / facts.Parameters, 0.32) * 16 / rank, 2e-5, 2e-3);
        return new(Math.Round(rate, 6), $"1e-4·(860 M / {facts.Parameters / 1e6:F1} M weights)^0.32·16/{rank}, within 2e-5..2e-3: small bases need larger steps, and a larger rank with alpha = rank moves further at the same rate");
    }

    /// <inheritdoc/>
    public Proposal BatchSize(DataComplexity data, BaseFacts facts)
    {
        var batch = facts.Parameters < 50e6 ? 8 : facts.Resolution <= 512 ? 2 : 1;
        return new(Math.Min(batch, data.Pictures), facts.Parameters < 50e6 ? "a small base: eight pictures make steady gradients at little memory" : "a full-size base: as many as ordinary memory holds");
    }

    /// <inheritdoc/>
    public Proposal Steps(DataComplexity data, BaseFacts facts, int batch)
    {
        var passes = data.Pictures < 30 ? 100 : data.Pictures < 200 ? 60 : 20;
        var steps = Math.Clamp(Math.Ceiling((double)passes * data.Pictures / batch / 10) * 10, 150, 5000);
        return new(steps, $"every one of {data.Pictures} pictures about {passes} times{TrainPolicies.Spread(data, passes)} at batch {batch}, within 150..5000");
    }
}

/// <summary>What <see cref="MeasuredPolicy"/> was before its grid: a rate that knows nothing of the rank. Kept for recipes that name it.</summary>
public sealed class FirstMeasuredPolicy : MeasuredPolicy
{
    /// <inheritdoc/>
    public override string Name => "measured-v1";

    /// <inheritdoc/>
    public override Proposal LearningRate(DataComplexity data, BaseFacts facts, int rank)
    {
        var rate = Math.Clamp(1e-4 * Math.Pow(860e6 / facts.Parameters, 0.6), 5e-5, 2e-3);
        return new(Math.Round(rate, 6), $"1e-4·(860 M / {facts.Parameters / 1e6:F1} M weights)^0.6, within 5e-5..2e-3: small bases need larger steps");
    }
}

/// <summary>The policies by name.</summary>
public static class TrainPolicies
{
    private static readonly ITrainPolicy[] All = [new MeasuredPolicy(), new FirstMeasuredPolicy(), new AdaptivePolicy()];

    // Repeats shift how often pictures are seen against each other, not how long training takes: ten repeats of everything are the same data.
    internal static string Spread(DataComplexity data, int passes) =>
        data.Repeats is not { } r ? "" : $" on average, by their repeats from {Math.Max(1, passes * r.Fewest / r.Mean):F0} to {passes * r.Most / r.Mean:F0} times";

    /// <summary>The policy of this name.</summary>
    public static ITrainPolicy Named(string name) => All.FirstOrDefault(p => p.Name == name)
        ?? throw new LoraException($"configure.policy: there is no policy \"{name}\"; there are {string.Join(", ", All.Select(p => p.Name))}.", ExitCode.BadUsage);
}
