using System.Collections.Concurrent;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Deploy.Serving;

/// <summary>A base with adapters that come and go while it serves. All tensor work runs on the one tensor thread, one request after the other.</summary>
public sealed class ServedModel : IDisposable
{
    /// <summary>Requests that may wait; more are turned away.</summary>
    public const int MaxWaiting = 32;

    private readonly StableDiffusionPipeline pipeline;
    private readonly AdapterSet adapters;
    private readonly AdapterStore store;
    private readonly ConcurrentDictionary<string, (StoredAdapter Version, string Key)> live = new(StringComparer.Ordinal);
    private readonly Lazy<string> baseHash;
    private int waiting;
    private int loads;
    private volatile bool closing;
    private volatile bool drawing;

    /// <summary>Takes over the pipeline.</summary>
    public ServedModel(string name, StableDiffusionPipeline pipeline, AdapterStore store)
    {
        Name = name;
        this.pipeline = pipeline;
        this.store = store;
        adapters = new AdapterSet(pipeline.Components);
        Path = ModelLocator.Find(name);
        baseHash = new(() => DiffusionModel.Hash(Path));
    }

    /// <summary>The base as recipes call it.</summary>
    public string Name { get; }
    /// <summary>Its folder or file.</summary>
    public string Path { get; }
    /// <summary>SHA-256 (hex) of its weights, computed once.</summary>
    public Task<string> HashAsync() => Task.Run(() => baseHash.Value);
    /// <summary>Adapters that are loaded, by name, with the file of each.</summary>
    public IReadOnlyList<(string Name, string Path)> LiveFiles => [.. Live.Select(a => (a.Name, FileOf(a)))];
    /// <summary>Adapters that are loaded, with the version that each is.</summary>
    public IReadOnlyList<StoredAdapter> Live => [.. live.Values.Select(a => a.Version).OrderBy(a => a.Name, StringComparer.Ordinal)];
    /// <summary>Requests that wait or run.</summary>
    public int Waiting => Volatile.Read(ref waiting);
    /// <summary>Whether one of them is being drawn.</summary>
    public bool Drawing => drawing;
    /// <summary>The sampler that the base comes with.</summary>
    public SchedulerOptions Sampler => pipeline.Sampler;
    /// <summary>Side of the pictures that the base draws unless asked otherwise.</summary>
    public int Side => pipeline.UNet.Config.SampleSize * pipeline.Vae.Config.Factor;

    /// <summary>
    /// Loads a version from the store, the champion unless one is given; a version without a certificate, a refused one, or one made for
    /// another base, is not loaded. One that is loaded under that name is replaced between two drawings, and stays when the new one fails.
    /// </summary>
    public async Task<StoredAdapter> LoadAsync(string name, int? version = null)
    {
        var chosen = version is { } v ? store.Versions(name).FirstOrDefault(a => a.Version == v) : store.Champion(name);
        if (chosen is null)
            throw new ModelException(version is null ? $"the store has no champion called {name}; it has {(store.Names.Count == 0 ? "nothing yet" : string.Join(", ", store.Names))}." : $"the store has no version {version} of {name}.");
        var bundle = store.Bundle(chosen);
        var file = FileOf(chosen);
        if (chosen.State == "refused") throw new LoraException($"{name} version {chosen.Version} was refused: {chosen.Why}.", ExitCode.Refused);
        var certified = Certificate.Require(bundle).BaseHash; // a base is known by its weights, wherever it lies now
        if (await HashAsync() is var here && certified != here)
        {
            if (!SameBase(chosen.Base, Name)) throw new ModelException($"{name} version {chosen.Version} was made for the base {chosen.Base}; this server has {Name}.");
            throw new LoraException($"{name} version {chosen.Version} was certified on other weights of {Name} ({Short(certified)}) than the ones here ({Short(here)}). Serve the base that it was made for, or run its recipe again.", ExitCode.Refused);
        }
        return await TorchThread.Shared.RunAsync(() =>
        {
            var key = $"{name} version {chosen.Version}, load {++loads}";
            adapters.Load(key, file);
            var before = live.TryGetValue(name, out var loaded) ? loaded.Key : null;
            live[name] = (chosen, key);
            if (before is not null) adapters.Unload(before);
            return chosen;
        });
    }

    private string FileOf(StoredAdapter version) => System.IO.Path.Combine(store.Bundle(version), "adapter.safetensors");

    private static string Short(string hash) => hash.Length > 12 ? hash[..12] + "…" : hash;

    // A recipe may call a base by its name where the server was given its path.
    private static bool SameBase(string a, string b)
    {
        if (a == b) return true;
        try
        {
            return ModelLocator.Find(a) == ModelLocator.Find(b);
        }
        catch (ModelException)
        {
            return false;
        }
    }

    /// <summary>Unloads; false when it is not loaded.</summary>
    public Task<bool> UnloadAsync(string name) => TorchThread.Shared.RunAsync(() => live.TryRemove(name, out var loaded) && adapters.Unload(loaded.Key));

    /// <summary>Draws batches one after the other, all with the same adapters. <paramref name="weights"/>: those that the prompts' tags name.</summary>
    public async Task<Drawing> DrawAsync(IReadOnlyList<GenerationRequest> batches, IReadOnlyDictionary<string, double> weights)
    {
        if (Interlocked.Increment(ref waiting) > MaxWaiting)
        {
            Interlocked.Decrement(ref waiting);
            throw new BusyException($"{MaxWaiting} requests are waiting already; try again in a while.");
        }
        try
        {
            return await TorchThread.Shared.RunAsync(() =>
            {
                batches[0].Cancellation.ThrowIfCancellationRequested();
                if (closing) throw new BusyException("the server is ending; ask again when it is back.");
                var used = weights.ToDictionary(w => w.Key, w => Find(w.Key), StringComparer.Ordinal);
                var keyed = weights.ToDictionary(w => used[w.Key].Key, w => w.Value, StringComparer.Ordinal);
                var row = Enumerable.Repeat((IReadOnlyDictionary<string, double>)keyed, batches[0].Count).ToList();
                var uses = new List<IDisposable>();
                try
                {
                    drawing = true;
                    foreach (var component in pipeline.Components.Keys) uses.Add(adapters.Use(component, row));
                    return new Drawing([.. batches.SelectMany(pipeline.Generate)], used.ToDictionary(u => u.Key, u => u.Value.Version.Version, StringComparer.Ordinal));
                }
                finally
                {
                    drawing = false;
                    foreach (var use in uses) use.Dispose();
                }
            });
        }
        finally
        {
            Interlocked.Decrement(ref waiting);
        }
    }

    private (StoredAdapter Version, string Key) Find(string name) => live.TryGetValue(name, out var loaded) ? loaded
        : throw new ModelException($"there is no adapter {name}; loaded: {(live.IsEmpty ? "none" : string.Join(", ", Live.Select(a => a.Name)))}.");

    /// <summary>Drawings that have not begun are turned away from now on.</summary>
    public void Close() => closing = true;

    /// <inheritdoc/>
    public void Dispose()
    {
        adapters.Dispose();
        pipeline.Dispose();
    }
}

/// <summary>What was drawn.</summary>
/// <param name="Pictures">In the order of the batch.</param>
/// <param name="Versions">Version of each adapter that drew, by name.</param>
public sealed record Drawing(IReadOnlyList<Picture> Pictures, IReadOnlyDictionary<string, int> Versions);

/// <summary>Too many requests wait, or the server is ending.</summary>
public sealed class BusyException(string message) : Exception(message);
