using System.Collections.Immutable;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Lora;

/// <summary>An adapter that is loaded.</summary>
/// <param name="Name">Name that requests use.</param>
/// <param name="Modules">Number of adapted layers.</param>
/// <param name="Bytes">Memory of its matrices.</param>
/// <param name="Metadata">Text of its file.</param>
public sealed record LoadedAdapter(string Name, int Modules, long Bytes, IReadOnlyDictionary<string, string> Metadata);

/// <summary>
/// Adapters over one base pipeline, loaded and unloaded while it serves. Several can apply to one batch, each row with its own weights. Thread-safe: all
/// work with tensors is done on the tensor thread, and an adapter in use is released when its last use ends.
/// </summary>
public sealed class AdapterSet : IDisposable
{
    private readonly IReadOnlyDictionary<string, ParameterStore> components;
    private readonly long maximumBytes;
    private readonly Dictionary<string, Entry> entries = new(StringComparer.Ordinal);
    private volatile ImmutableList<LoadedAdapter> loaded = [];

    /// <summary>Over the models of a pipeline by component; their adapters together take at most <paramref name="maximumBytes"/> (default 4 GiB).</summary>
    public AdapterSet(IReadOnlyDictionary<string, ParameterStore> components, long maximumBytes = 4L << 30)
    {
        this.components = components;
        this.maximumBytes = maximumBytes;
    }

    /// <summary>What is loaded, by name.</summary>
    public IReadOnlyList<LoadedAdapter> Loaded => loaded;

    /// <summary>Loads a file or folder under a name of 1 to 200 characters that is not taken.</summary>
    public LoadedAdapter Load(string name, string path, LoraReading? reading = null) => TorchThread.Shared.Run(() =>
    {
        CheckName(name);
        return Add(name, LoraFile.Read(path, reading));
    });

    /// <summary>Takes over an adapter in memory.</summary>
    public LoadedAdapter Load(string name, LoraAdapter adapter) => TorchThread.Shared.Run(() =>
    {
        CheckName(name);
        return Add(name, adapter);
    });

    /// <summary>Unloads an adapter, its memory with it; one in use goes when that use ends. False when there is none of the name.</summary>
    public bool Unload(string name) => TorchThread.Shared.Run(() =>
    {
        if (!entries.Remove(name, out var entry)) return false;
        loaded = loaded.RemoveAll(a => a.Name == name);
        entry.Gone = true;
        entry.Release();
        return true;
    });

    /// <summary>
    /// Hangs adapters on one component until the result is disposed. <paramref name="rows"/>: for each row of the batch the adapters by name with
    /// their weights. The batch is repeated <paramref name="repeats"/> times along its first dimension (2 for classifier-free guidance: without
    /// and with the prompt). A name that is not loaded is an error that names those that are.
    /// </summary>
    public IDisposable Use(string component, IReadOnlyList<IReadOnlyDictionary<string, double>> rows, int repeats = 1) => TorchThread.Shared.Run(() =>
    {
        if (!components.TryGetValue(component, out var store)) throw new ModelException($"The pipeline has no component '{component}'; it has {string.Join(", ", components.Keys)}.");
        var weights = new List<(Entry Entry, double[] Weights)>();
        foreach (var name in rows.SelectMany(r => r.Keys).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            if (!entries.TryGetValue(name, out var entry)) throw new ModelException($"There is no adapter '{name}'; loaded are {(loaded.Count == 0 ? "none" : string.Join(", ", loaded.Select(a => a.Name)))}.");
            double[] column = [.. rows.Select(r => r.GetValueOrDefault(name))];
            if (column.Any(w => !double.IsFinite(w))) throw new ModelException($"A weight of the adapter '{name}' is not a finite number.");
            weights.Add((entry, column));
        }
        var use = new AdapterUse();
        foreach (var (entry, column) in weights) use.Attach(entry, component, store, column, repeats);
        return use;
    });

    /// <summary>Unloads all.</summary>
    public void Dispose() => TorchThread.Shared.Run(() =>
    {
        foreach (var name in entries.Keys.ToList()) Unload(name);
    });

    private void CheckName(string name)
    {
        if (name.Length is 0 or > 200) throw new ModelException("The name of an adapter has to have 1 to 200 characters.");
        if (entries.ContainsKey(name)) throw new ModelException($"An adapter '{name}' is loaded already: unload it first, or choose another name.");
    }

    private LoadedAdapter Add(string name, LoraAdapter adapter)
    {
        try
        {
            var foreign = adapter.Modules.FirstOrDefault(m => !components.ContainsKey(m.Component));
            if (foreign is not null)
                throw new ModelException($"The adapter '{name}' has modules for the {foreign.Component}, which this pipeline lacks (it has {string.Join(", ", components.Keys)}): it was trained on a model of another kind.");
            foreach (var (component, store) in components)
                foreach (var (module, layer) in adapter.Match(component, store)) module.To(layer.Weight.Value.DType, layer.Weight.Value.Device);
            var bytes = adapter.Parameters().Sum(t => t.Count * DTypes.Bytes(t.DType));
            if (bytes + loaded.Sum(a => a.Bytes) > maximumBytes)
                throw new ModelException($"The adapter '{name}' of {bytes} bytes does not fit beside the {loaded.Count} that are loaded, within {maximumBytes} bytes: unload one first.");
            var row = new LoadedAdapter(name, adapter.Modules.Count, bytes, adapter.Metadata);
            entries.Add(name, new Entry(adapter));
            loaded = loaded.Add(row);
            return row;
        }
        catch
        {
            adapter.Dispose();
            throw;
        }
    }

    // touched on the tensor thread only
    private sealed class Entry(LoraAdapter adapter)
    {
        public LoraAdapter Adapter => adapter;
        public int Uses { get; set; }
        public bool Gone { get; set; }

        public void Release()
        {
            if (Gone && Uses == 0) adapter.Dispose();
        }
    }

    private sealed class AdapterUse : IDisposable
    {
        private readonly List<(AdaptableLayer Layer, LoraBranch Branch)> attached = [];
        private readonly HashSet<Entry> used = [];

        public void Attach(Entry entry, string component, ParameterStore store, double[] weights, int repeats)
        {
            if (used.Add(entry)) entry.Uses++;
            var runs = Runs(weights, repeats);
            foreach (var (module, layer) in entry.Adapter.Match(component, store))
            {
                foreach (var (first, rows, weight) in runs)
                {
                    var branch = new LoraBranch(module.Down, module.Up, module.Alpha) { Strength = weight, FirstRow = first, Rows = rows };
                    layer.Branches.Add(branch);
                    attached.Add((layer, branch));
                }
            }
        }

        public void Dispose() => TorchThread.Shared.Run(() =>
        {
            foreach (var (layer, branch) in attached) layer.Branches.Remove(branch);
            attached.Clear();
            foreach (var entry in used)
            {
                entry.Uses--;
                entry.Release();
            }
            used.Clear();
        });

        // Neighbouring rows of one weight share a branch; a weight that all rows have needs no slicing (Rows 0 means all).
        private static List<(int First, int Rows, double Weight)> Runs(double[] weights, int repeats)
        {
            if (weights.All(w => w.Equals(weights[0]))) return weights.Length == 0 || weights[0] == 0 ? [] : [(0, 0, weights[0])];
            var runs = new List<(int, int, double)>();
            double[] all = [.. Enumerable.Repeat(weights, repeats).SelectMany(w => w)];
            for (var i = 0; i < all.Length;)
            {
                var end = i + 1;
                while (end < all.Length && all[end].Equals(all[i])) end++;
                if (all[i] != 0) runs.Add((i, end - i, all[i]));
                i = end;
            }
            return runs;
        }
    }
}
