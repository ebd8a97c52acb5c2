using System.Diagnostics.CodeAnalysis;

namespace LoraFactory.Models.Weights;

/// <summary>Named tensors from a file, several files, or names derived from those. Nothing is read until it is asked for.</summary>
public class WeightSource : IDisposable
{
    private readonly Dictionary<string, Weight> weights;
    private readonly List<string> names;
    private readonly IReadOnlyList<IDisposable> owned;

    /// <summary>A source over given views, which owns what is to be disposed with it.</summary>
    public WeightSource(string path, IEnumerable<Weight> weights, IReadOnlyDictionary<string, string>? metadata = null, params IReadOnlyList<IDisposable> owned)
    {
        Path = path;
        Metadata = metadata ?? new Dictionary<string, string>();
        this.owned = owned;
        this.weights = new Dictionary<string, Weight>(StringComparer.Ordinal);
        names = [];
        foreach (var weight in weights)
        {
            if (!this.weights.TryAdd(weight.Name, weight)) throw new ModelException($"{path}: '{weight.Name}' occurs twice.");
            names.Add(weight.Name);
        }
    }

    /// <summary>Where the weights come from, for messages.</summary>
    public string Path { get; }

    /// <summary>Names in the order of the source.</summary>
    public IReadOnlyList<string> Names => names;

    /// <summary>All tensors in the order of the source.</summary>
    public IEnumerable<Weight> Weights => names.Select(name => weights[name]);

    /// <summary>Text that the file carries beside the tensors; empty where there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>A tensor by name; a missing one is an error that names the source.</summary>
    public Weight this[string name] => weights.TryGetValue(name, out var weight) ? weight
        : throw new ModelException($"{Path} lacks the tensor '{name}' (it has {names.Count}, first '{names.FirstOrDefault()}'): it is probably a checkpoint of another kind of model.");

    /// <summary>Whether there is a tensor of this name.</summary>
    public bool Contains(string name) => weights.ContainsKey(name);

    /// <summary>A tensor by name, when there is one.</summary>
    public bool TryGet(string name, [NotNullWhen(true)] out Weight? weight) => weights.TryGetValue(name, out weight);

    /// <summary>
    /// Opens a safetensors file, the index of a sharded checkpoint, a torch checkpoint (.ckpt, .pt, .pth, .bin), or a model's folder. Files are
    /// told apart by what is in them and not by how they are called.
    /// </summary>
    public static WeightSource Open(string path)
    {
        if (Directory.Exists(path)) return WeightFolder.Open(path);
        if (IsIndex(System.IO.Path.GetFileName(path))) return ShardedWeights.Open(path);
        return TorchCheckpoint.Is(path) ? TorchCheckpoint.Open(path) : SafetensorsFile.Open(path);
    }

    /// <summary>model.safetensors.index.json, or model.safetensors.index.fp16.json.</summary>
    private static bool IsIndex(string name) => name.EndsWith(".json", StringComparison.Ordinal) && name.Contains(".index.", StringComparison.Ordinal);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Disposes what the source owns.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (!disposing) return;
        foreach (var item in owned) item.Dispose();
    }
}
