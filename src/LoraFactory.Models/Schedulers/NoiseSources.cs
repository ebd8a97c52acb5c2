using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>
/// One generator per row of the batch, each begun with its own seed: a picture's noise does not depend on what else is in its batch.
/// Draws on the CPU, so that the same seed gives the same noise on every device; the process's own generator is left as it was.
/// </summary>
public sealed class SeededNoise : INoiseSource, IDisposable
{
    private readonly Tensor[] states;

    /// <summary>One seed a row.</summary>
    public SeededNoise(IReadOnlyList<long> seeds)
    {
        using var scope = new Scope();
        var before = TorchLibrary.RandomState();
        states = new Tensor[seeds.Count];
        for (var i = 0; i < states.Length; i++)
        {
            TorchLibrary.Seed(seeds[i]);
            states[i] = TorchLibrary.RandomState().Own();
        }
        TorchLibrary.SetRandomState(before);
    }

    /// <inheritdoc/>
    public Tensor Draw(ReadOnlySpan<long> shape, Device device)
    {
        if (shape[0] != states.Length) throw new ModelException($"noise for {shape[0]} rows was asked of {states.Length} seeds; give one seed a picture.");
        using var scope = new Scope();
        long[] row = [1, .. shape[1..]];
        var before = TorchLibrary.RandomState();
        var rows = new Tensor[states.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            TorchLibrary.SetRandomState(states[i]);
            rows[i] = Ops.Randn(row, dtype: DType.Float32);
            states[i].Dispose();
            states[i] = TorchLibrary.RandomState().Own();
        }
        TorchLibrary.SetRandomState(before);
        return scope.Keep(Ops.Cat(rows, 0).To(dtype: DType.Float32, device: device));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var state in states) state.Dispose();
    }
}

/// <summary>Noise given beforehand: draw k is entry k of a tensor [draws, b, …].</summary>
public sealed class GivenNoise(Tensor draws) : INoiseSource
{
    /// <summary>Draws made so far.</summary>
    public int Drawn { get; private set; }

    /// <inheritdoc/>
    public Tensor Draw(ReadOnlySpan<long> shape, Device device) =>
        Drawn < draws.Size(0) ? draws.Select(0, Drawn++).To(dtype: DType.Float32, device: device)
            : throw new ModelException($"draw {Drawn + 1} of noise was asked for, and {draws.Size(0)} were given.");
}
