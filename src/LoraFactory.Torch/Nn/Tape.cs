namespace LoraFactory.Torch.Nn;

/// <summary>
/// Records what named modules return, so that a model can be held against a reference module by module. Nothing is recorded, and nothing
/// is paid, while no tape is open on the thread.
/// </summary>
public sealed class Tape : IDisposable
{
    [ThreadStatic] private static Tape? current;
    private readonly Dictionary<string, Tensor> outputs = new(StringComparer.Ordinal);
    private readonly Tape? outer;

    /// <summary>Opens a tape on this thread.</summary>
    public Tape()
    {
        outer = current;
        current = this;
    }

    /// <summary>Outputs by module path; they live until the tape is closed.</summary>
    public IReadOnlyDictionary<string, Tensor> Outputs => outputs;

    /// <summary>Notes the output of the module at <paramref name="path"/> and returns it.</summary>
    public static Tensor Note(string path, Tensor output)
    {
        if (current is null) return output;
        if (current.outputs.Remove(path, out var before)) before.Dispose();
        current.outputs[path] = output.Share().Own();
        return output;
    }

    /// <summary>Closes the tape.</summary>
    public void Dispose()
    {
        current = outer;
        foreach (var output in outputs.Values) output.Dispose();
        outputs.Clear();
    }
}
