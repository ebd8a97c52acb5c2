using System.Text;
using System.Text.Json;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Train;

/// <summary>One line of events.jsonl.</summary>
public sealed record TrainingEvent
{
    /// <summary>"step", "validation" or "samples".</summary>
    public required string Event { get; init; }
    /// <summary>Steps done when it happened.</summary>
    public required long Step { get; init; }
    /// <summary>Mean loss of the step, or validation loss.</summary>
    public double? Loss { get; init; }
    /// <summary>Rate of the UNet's adapter in this step.</summary>
    public double? LearningRate { get; init; }
    /// <summary>Rate of the text encoder's adapter, when it is trained.</summary>
    public double? TextEncoderLearningRate { get; init; }
    /// <summary>Global gradient norm before clipping.</summary>
    public double? GradientNorm { get; init; }
    /// <summary>Seconds that it took.</summary>
    public double? Seconds { get; init; }
    /// <summary>True for a step that was skipped because loss or gradient were not finite.</summary>
    public bool? Skipped { get; init; }
    /// <summary>Picture grid, relative to the stage's directory.</summary>
    public string? File { get; init; }
}

/// <summary>Writes what happens to events.jsonl and to a TensorBoard event file. A resumed run forgets what came after its checkpoint.</summary>
public sealed class TrainingLog : IDisposable
{
    private readonly FileStream lines;
    private readonly TensorBoardFile board;

    /// <summary>Goes on after <paramref name="doneSteps"/> steps; 0 begins anew.</summary>
    public TrainingLog(string directory, long doneSteps, TimeProvider clock)
    {
        FilePath = Path.Combine(directory, "events.jsonl");
        Keep(doneSteps);
        lines = new(FilePath, FileMode.Append, FileAccess.Write, FileShare.Read);
        var boards = Path.Combine(directory, "tensorboard");
        if (doneSteps == 0 && Directory.Exists(boards)) Directory.Delete(boards, recursive: true);
        board = new(Path.Combine(boards, $"events.out.tfevents.{clock.GetUtcNow().ToUnixTimeSeconds():D10}.lora.{doneSteps:D8}"), clock);
    }

    /// <summary>events.jsonl.</summary>
    public string FilePath { get; }

    /// <summary>Records an event in both places.</summary>
    public void Write(TrainingEvent happened)
    {
        lines.Write(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(happened, RunDirectory.Json) + "\n"));
        lines.Flush();
        if (happened.Event == "validation") board.Scalar(happened.Step, "loss/validation", happened.Loss!.Value);
        if (happened.Event != "step") return;
        board.Scalar(happened.Step, "loss/train", happened.Loss!.Value);
        board.Scalar(happened.Step, "learning_rate/unet", happened.LearningRate!.Value);
        if (happened.TextEncoderLearningRate is { } text) board.Scalar(happened.Step, "learning_rate/text_encoder", text);
        board.Scalar(happened.Step, "gradient_norm", happened.GradientNorm!.Value);
        board.Scalar(happened.Step, "seconds_per_step", happened.Seconds!.Value);
        board.Flush();
    }

    /// <summary>Adds a picture to the TensorBoard file.</summary>
    public void Picture(long step, string tag, int width, int height, ReadOnlyMemory<byte> png) => board.Picture(step, tag, width, height, png);

    /// <summary>All events so far.</summary>
    public static IReadOnlyList<TrainingEvent> Read(string path) => File.Exists(path) ? [.. RunDirectory.ReadLines<TrainingEvent>(path)] : [];

    /// <inheritdoc/>
    public void Dispose()
    {
        lines.Dispose();
        board.Dispose();
    }

    // A killed run may have written beyond its checkpoint, its last line in part.
    private void Keep(long doneSteps)
    {
        if (!File.Exists(FilePath)) return;
        var kept = new List<TrainingEvent>();
        foreach (var line in File.ReadLines(FilePath))
        {
            TrainingEvent? one;
            try
            {
                one = JsonSerializer.Deserialize<TrainingEvent>(line, RunDirectory.Json);
            }
            catch (JsonException)
            {
                break;
            }
            if (one is not null && one.Step <= doneSteps && doneSteps > 0) kept.Add(one);
        }
        RunDirectory.WriteLines(FilePath, kept);
    }
}
