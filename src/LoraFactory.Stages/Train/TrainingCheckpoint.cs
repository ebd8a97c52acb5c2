using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Stages.Train;

/// <summary>
/// Where a run stands, apart from tensors. Sample order and random numbers are functions of seed and step (TrainingRandom), so the step says
/// them too.
/// </summary>
public sealed record TrainingState
{
    /// <summary>Plan that it belongs to.</summary>
    public required string PlanId { get; init; }
    /// <summary>Seed of the run.</summary>
    public required long Seed { get; init; }
    /// <summary>Steps done, skipped ones included.</summary>
    public long Step { get; init; }
    /// <summary>Steps of the optimizer; Adam's counter.</summary>
    public long OptimizerSteps { get; init; }
    /// <summary>What rates are multiplied by; halved at each skipped step.</summary>
    public double RateFactor { get; init; } = 1;
    /// <summary>Skipped steps in a row.</summary>
    public int SkippedInARow { get; init; }
    /// <summary>Skipped steps in all.</summary>
    public int Skipped { get; init; }
    /// <summary>Best validation loss so far, with its step; NaN before the first validation.</summary>
    public double BestLoss { get; init; } = double.NaN;
    /// <summary>Step of the best validation loss.</summary>
    public long BestStep { get; init; }
    /// <summary>Validations in a row without a better loss.</summary>
    public int WithoutBetter { get; init; }
    /// <summary>True when early stopping ended the run.</summary>
    public bool Stopped { get; init; }
    /// <summary>Seconds of training so far.</summary>
    public double Seconds { get; init; }
    /// <summary>Numbers of the optimizer that are no tensors.</summary>
    public IReadOnlyDictionary<string, double> Numbers { get; init; } = new Dictionary<string, double>();
}

/// <summary>Saves and loads the state of a run as one safetensors file, written aside and renamed.</summary>
public static class TrainingCheckpoint
{
    /// <summary>Writes adapter, optimizer and state. A number that is not finite is refused: it never reaches a file.</summary>
    public static void Save(string path, LoraAdapter adapter, Optimizer optimizer, TrainingState state)
    {
        CheckFinite(adapter);
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var weights = Named(adapter).Select(t => t.Tensor.Detach().ToWrite("adapter." + t.Name))
            .Concat(optimizer.State.Select(s => s.Value.ToWrite("optimizer." + s.Key)));
        var full = state with { OptimizerSteps = optimizer.Steps, Numbers = optimizer.Numbers.ToDictionary(StringComparer.Ordinal) };
        SafetensorsWriter.Write(path, weights, new Dictionary<string, string> { ["state"] = JsonSerializer.Serialize(full, RunDirectory.Json) });
    }

    /// <summary>Loads what <see cref="Save"/> wrote into adapter and optimizer; null when there is none, or one of another plan or seed.</summary>
    public static TrainingState? Load(string path, LoraAdapter adapter, Optimizer optimizer, string planId, long seed)
    {
        if (!File.Exists(path)) return null;
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        using var source = SafetensorsFile.Open(path);
        if (!source.Metadata.TryGetValue("state", out var json)) return null;
        var state = JsonSerializer.Deserialize<TrainingState>(json, RunDirectory.Json)!;
        if (state.PlanId != planId || state.Seed != seed) return null;
        Fill(adapter, source, path);
        const string prefix = "optimizer.";
        optimizer.Load(state.OptimizerSteps, source.Names.Where(n => n.StartsWith(prefix, StringComparison.Ordinal))
            .Select(n => KeyValuePair.Create(n[prefix.Length..], source[n].ToTensor())), state.Numbers);
        return state;
    }

    /// <summary>Writes the adapter's matrices alone.</summary>
    public static void SaveAdapter(string path, LoraAdapter adapter)
    {
        CheckFinite(adapter);
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        SafetensorsWriter.Write(path, Named(adapter).Select(t => t.Tensor.Detach().ToWrite("adapter." + t.Name)));
    }

    /// <summary>Puts matrices back that <see cref="SaveAdapter"/> or <see cref="Save"/> wrote.</summary>
    public static void LoadAdapter(string path, LoraAdapter adapter)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        using var source = SafetensorsFile.Open(path);
        Fill(adapter, source, path);
    }

    /// <summary>The adapter's trainable tensors with the names that state is kept under.</summary>
    public static IEnumerable<(string Name, Tensor Tensor)> Named(LoraAdapter adapter, string? component = null) =>
        adapter.Modules.Where(m => component is null || m.Component == component)
            .SelectMany(m => ((string, Tensor)[])[($"{m.Component}.{m.Path}.down", m.Down), ($"{m.Component}.{m.Path}.up", m.Up)]);

    private static void Fill(LoraAdapter adapter, WeightSource source, string path)
    {
        foreach (var (name, tensor) in Named(adapter))
        {
            if (!source.TryGet("adapter." + name, out var weight) || !weight.Shape.SequenceEqual(tensor.Shape))
                throw new LoraException($"{path} does not fit this run ({name} is missing or of another shape); delete the stage's directory to train anew.");
            tensor.Copy_(weight.ToTensor());
        }
    }

    /// <summary>Refuses an adapter that has a number that is not finite.</summary>
    public static void CheckFinite(LoraAdapter adapter)
    {
        foreach (var (name, tensor) in Named(adapter))
        {
            using var scope = new Scope();
            if (tensor.Detach().Isfinite().All().Item() == 0)
                throw new LoraException($"The adapter's {name} is not finite any more, so nothing was saved: the learning rate is too high. Lower train.learning_rate; the last checkpoint is unharmed.");
        }
    }
}
