using System.Diagnostics;
using LoraFactory.Flow;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Training;
using LoraFactory.Torch;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Stages.Train;

/// <summary>How a run goes.</summary>
public sealed record TrainingLoopOptions
{
    /// <summary>Plan that checkpoints belong to.</summary>
    public required string PlanId { get; init; }
    /// <summary>Seed of the run.</summary>
    public required long Seed { get; init; }
    /// <summary>Steps.</summary>
    public required long Steps { get; init; }
    /// <summary>Rates over the steps.</summary>
    public required LearningRateSchedule Schedule { get; init; }
    /// <summary>Base rate of each group of the optimizer.</summary>
    public required IReadOnlyList<double> Rates { get; init; }
    /// <summary>A checkpoint every so many steps.</summary>
    public required int CheckpointEvery { get; init; }
    /// <summary>A validation every so many steps, 0 never.</summary>
    public int ValidateEvery { get; init; }
    /// <summary>Validations without a better loss before the run stops, 0 never.</summary>
    public int Patience { get; init; }
    /// <summary>Pictures every so many steps, 0 never.</summary>
    public int SampleEvery { get; init; }
}

/// <summary>
/// Steps, validates, draws, saves. What it does at a step depends on the state before and on the step's number alone, so a run that was
/// killed and resumed ends in the same bytes as one that went straight through. A step whose loss or gradient is not finite is skipped and
/// halves the rate; the third in a row ends the run at its last good state.
/// </summary>
public sealed class TrainingLoop(DiffusionTrainer trainer, LoraAdapter adapter, ITrainingBatches batches, TrainingLoopOptions options, string directory)
{
    /// <summary>Steps in a row that may be skipped; the next ends the run.</summary>
    public const int SkipsBorne = 2;

    /// <summary>Draws pictures of the adapter as it is; called with the steps done. Null draws none.</summary>
    public Action<long, TrainingLog>? Draw { get; init; }

    /// <summary>Where the run stands.</summary>
    public TrainingState State { get; private set; } = new() { PlanId = options.PlanId, Seed = options.Seed };

    private string CheckpointPath => Path.Combine(directory, "checkpoint.safetensors");

    /// <summary>Trains to the end, from a checkpoint where there is one, and leaves the best adapter in place. On the tensor thread.</summary>
    public void Run(IProgressTask bar, TimeProvider clock, CancellationToken token)
    {
        State = TrainingCheckpoint.Load(CheckpointPath, adapter, trainer.Optimizer, options.PlanId, options.Seed) ?? State;
        using var log = new TrainingLog(directory, State.Step, clock);
        bar.Set(State.Step, options.Steps);
        while (State.Step < options.Steps && !State.Stopped)
        {
            if (token.IsCancellationRequested)
            {
                Save();
                token.ThrowIfCancellationRequested();
            }
            var happened = Step();
            log.Write(happened);
            Show(bar, happened);
            AfterStep(log, happened);
        }
        if (State.BestStep > 0) TrainingCheckpoint.LoadAdapter(BestPath(State.BestStep), adapter);
    }

    private TrainingEvent Step()
    {
        var started = Stopwatch.GetTimestamp();
        var groups = trainer.Optimizer.Groups;
        for (var i = 0; i < groups.Count; i++) groups[i].LearningRate = options.Schedule.At(State.Step, options.Rates[i]) * State.RateFactor;
        var result = TakeStep();
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        State = State with
        {
            Step = State.Step + 1,
            SkippedInARow = result.Taken ? 0 : State.SkippedInARow + 1,
            Skipped = State.Skipped + (result.Taken ? 0 : 1),
            RateFactor = result.Taken ? State.RateFactor : State.RateFactor * 0.5,
            Seconds = State.Seconds + seconds,
        };
        return new()
        {
            Event = "step",
            Step = State.Step,
            Loss = result.Loss,
            LearningRate = groups[0].LearningRate,
            TextEncoderLearningRate = groups.Count > 1 ? groups[1].LearningRate : null,
            GradientNorm = result.GradientNorm,
            Seconds = seconds,
            Skipped = result.Taken ? null : true,
        };
    }

    private StepResult TakeStep()
    {
        var (total, count) = (0.0, 0);
        using var scope = new Scope();
        using var batch = batches.Of(State.Step).GetEnumerator();
        var accumulation = Accumulation;
        while (batch.MoveNext())
        {
            total += trainer.Accumulate(batch.Current, accumulation);
            count++;
            if (!double.IsFinite(total)) break;
        }
        return trainer.Finish(total / count);
    }

    /// <summary>Micro-batches of a step.</summary>
    public int Accumulation { get; init; } = 1;

    private void AfterStep(TrainingLog log, TrainingEvent happened)
    {
        if (happened.Skipped == true && State.SkippedInARow > SkipsBorne) GiveUp(happened);
        var last = State.Step == options.Steps;
        if (options.ValidateEvery > 0 && (State.Step % options.ValidateEvery == 0 || last)) Validate(log);
        if (Draw is not null && options.SampleEvery > 0 && (State.Step % options.SampleEvery == 0 || last || State.Stopped)) Draw(State.Step, log);
        if (State.Step % options.CheckpointEvery == 0 || last || State.Stopped) Save();
    }

    private void GiveUp(TrainingEvent happened)
    {
        Save();
        throw new LoraException($"Training stopped at step {State.Step}: {State.SkippedInARow} steps in a row had a loss or gradient that is not finite (loss {happened.Loss:G4}, gradient norm {happened.GradientNorm:G4}). " +
            $"None of them changed the adapter; its last good state is in {CheckpointPath}. Lower train.learning_rate (it was {options.Rates[0]:G4}), or train in float32.");
    }

    private void Validate(TrainingLog log)
    {
        var (total, rows) = (0.0, 0L);
        var started = Stopwatch.GetTimestamp();
        using (var scope = new Scope())
        {
            foreach (var batch in batches.Validation())
            {
                var size = batch.Latents.Size(0);
                total += trainer.Evaluate(batch) * size;
                rows += size;
            }
        }
        if (rows == 0) return;
        var loss = total / rows;
        log.Write(new() { Event = "validation", Step = State.Step, Loss = loss, Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds });
        if (double.IsNaN(State.BestLoss) || loss < State.BestLoss)
        {
            TrainingCheckpoint.SaveAdapter(BestPath(State.Step), adapter);
            State = State with { BestLoss = loss, BestStep = State.Step, WithoutBetter = 0 };
            return;
        }
        State = State with { WithoutBetter = State.WithoutBetter + 1 };
        if (options.Patience > 0 && State.WithoutBetter >= options.Patience) State = State with { Stopped = true };
    }

    private void Save()
    {
        TrainingCheckpoint.Save(CheckpointPath, adapter, trainer.Optimizer, State);
        // the checkpoint names the best state that it needs; older ones are done with
        foreach (var file in Directory.EnumerateFiles(directory, "best-*.safetensors"))
            if (file != BestPath(State.BestStep)) File.Delete(file);
    }

    private string BestPath(long step) => Path.Combine(directory, $"best-{step:D8}.safetensors");

    private void Show(IProgressTask bar, TrainingEvent happened)
    {
        bar.Set(State.Step, options.Steps);
        bar.Note($"loss {happened.Loss:F4}  lr {happened.LearningRate:G3}{(State.Skipped > 0 ? $"  skipped {State.Skipped}" : "")}");
    }
}
