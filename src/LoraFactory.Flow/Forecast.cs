namespace LoraFactory.Flow;

/// <summary>What configure has to know about a base model. Read from its files, without loading weights.</summary>
public sealed record BaseFacts
{
    /// <summary>Folder or file.</summary>
    public required string Path { get; init; }
    /// <summary>SHA-256 over the weight files.</summary>
    public required string Hash { get; init; }
    /// <summary>"sd15", "sdxl" or "pocket", by the sizes found.</summary>
    public required string Family { get; init; }
    /// <summary>Side in pixels of the pictures that it was trained on.</summary>
    public required int Resolution { get; init; }
    /// <summary>"epsilon" or "v_prediction".</summary>
    public required string Prediction { get; init; }
    /// <summary>Weights of the UNet.</summary>
    public required long Parameters { get; init; }
    /// <summary>Smallest side of a layer that an adapter of the recipe's targets hangs on: no rank is larger.</summary>
    public required int SmallestLayer { get; init; }
}

/// <summary>What training will need, and what a step costs here.</summary>
/// <param name="SecondsPerStep">Seconds of one optimizer step.</param>
/// <param name="PrepareSeconds">Seconds before the first step: loading and caching.</param>
/// <param name="MemoryMiB">Peak resident memory in MiB.</param>
/// <param name="AdapterParameters">Trainable numbers.</param>
public sealed record Forecast(double SecondsPerStep, double PrepareSeconds, double MemoryMiB, long AdapterParameters);

/// <summary>
/// What configure measured and how many steps it therefore allowed, in forecast.json. It lies beside the plan, not in it: a clock never says the
/// same twice, and the plan's bytes decide whether a trained adapter still stands.
/// </summary>
public sealed record TimeForecast
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "forecast.json";
    /// <summary>Content id of the plan before any cut, with the minutes allowed, device and threads. While it stays the same, so do the steps.</summary>
    public required string Key { get; init; }
    /// <summary>Steps allowed.</summary>
    public required int Steps { get; init; }
    /// <summary>Why they are fewer than the policy's, null when they are not.</summary>
    public string? Cut { get; init; }
    /// <summary>Expected seconds of training.</summary>
    public required double Seconds { get; init; }
    /// <summary>Of these, seconds of one step.</summary>
    public required double SecondsPerStep { get; init; }
    /// <summary>Of these, seconds before the first step.</summary>
    public required double PrepareSeconds { get; init; }
}

/// <summary>Knows base models and what training them costs on this machine. Implemented where tensors are; configure only asks.</summary>
public interface ITrainingForecast
{
    /// <summary>Facts of the recipe's base; a missing or wrong one is a <see cref="LoraException"/>.</summary>
    BaseFacts Facts(Recipe recipe);

    /// <summary>The files of the recipe's base that <see cref="BaseFacts.Hash"/> covers; a missing base is a <see cref="LoraException"/>.</summary>
    IReadOnlyList<string> Files(Recipe recipe);

    /// <summary>Looks at the base's configurations and the headers of its weights; one that is missing or is no base to train on is a <see cref="LoraException"/>.</summary>
    void Examine(Recipe recipe);

    /// <summary>Cost of training with these options on <paramref name="pictures"/> pictures.</summary>
    Forecast Estimate(BaseFacts facts, TrainOptions train, int pictures, ResourceOptions resources);
}

/// <summary>How varied a data set is; written by label as complexity.json.</summary>
public sealed record DataComplexity
{
    /// <summary>Pictures that are trained on.</summary>
    public required int Pictures { get; init; }
    /// <summary>Variants made of them; null where there are none.</summary>
    public int? Variants { get; init; }
    /// <summary>How their repeats differ; null where all are seen equally often.</summary>
    public Repetition? Repeats { get; init; }
    /// <summary>Pictures held out.</summary>
    public required int HeldOut { get; init; }
    /// <summary>Clusters of near pictures.</summary>
    public required int Clusters { get; init; }
    /// <summary>1 − mean cosine of two different captions' embeddings, 0..2.</summary>
    public required double SemanticDiversity { get; init; }
    /// <summary>1 − mean cosine of two different pictures' embeddings, 0..2.</summary>
    public required double VisualVariance { get; init; }
    /// <summary>Mean cosine of a picture and its caption.</summary>
    public required double TextImageScore { get; init; }
    /// <summary>Median of the shorter sides in pixels.</summary>
    public required int MedianSide { get; init; }
}

/// <summary>How much more often some pictures are seen than others.</summary>
/// <param name="Fewest">Least repeats of a picture.</param>
/// <param name="Most">Most repeats of a picture.</param>
/// <param name="Mean">Mean repeats of the pictures.</param>
public sealed record Repetition(int Fewest, int Most, double Mean)
{
    /// <summary>Of pictures with these repeats; null where all have the same.</summary>
    public static Repetition? Of(IReadOnlyList<int> repeats) => repeats.Distinct().Count() < 2 ? null : new(repeats.Min(), repeats.Max(), Math.Round(repeats.Average(), 6));
}
