namespace LoraFactory.Stages.Train;

/// <summary>The losses of a run, for reports: loss.json.</summary>
/// <param name="Steps">Number of each step that was taken.</param>
/// <param name="Loss">Its loss.</param>
/// <param name="Smoothed">Exponential moving average of the loss with weight 0.1 for the newest.</param>
/// <param name="LearningRate">Rate of the UNet's adapter in it.</param>
/// <param name="GradientNorm">Gradient norm before clipping.</param>
/// <param name="Validation">Validation losses.</param>
public sealed record LossCurve(IReadOnlyList<long> Steps, IReadOnlyList<double> Loss, IReadOnlyList<double> Smoothed, IReadOnlyList<double> LearningRate, IReadOnlyList<double> GradientNorm, IReadOnlyList<ValidationPoint> Validation)
{
    /// <summary>Collects the curve from events.jsonl.</summary>
    public static LossCurve Of(IReadOnlyList<TrainingEvent> events)
    {
        var steps = events.Where(e => e.Event == "step" && e.Skipped != true).ToList();
        var smoothed = new List<double>();
        foreach (var e in steps) smoothed.Add(smoothed.Count == 0 ? e.Loss!.Value : smoothed[^1] * 0.9 + e.Loss!.Value * 0.1);
        return new([.. steps.Select(e => e.Step)], [.. steps.Select(e => e.Loss!.Value)], smoothed, [.. steps.Select(e => e.LearningRate ?? 0)],
            [.. steps.Select(e => e.GradientNorm ?? double.NaN)], [.. events.Where(e => e.Event == "validation").Select(e => new ValidationPoint(e.Step, e.Loss!.Value))]);
    }
}

/// <summary>One validation.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Loss">Mean loss over the held-out samples at fixed noise and timesteps.</param>
public sealed record ValidationPoint(long Step, double Loss);
