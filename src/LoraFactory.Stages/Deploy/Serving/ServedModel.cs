using System.Collections.Concurrent;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Pipelines;
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
    private readonly ConcurrentDictionary<string, StoredAdapter> live = new(StringComparer.Ordinal);
    private int waiting;

    /// <summary>Takes over the pipeline.</summary>
    public ServedModel(string name, StableDiffusionPipeline pipeline, AdapterStore store)
    {
        Name = name;
        this.pipeline = pipeline;
        this.store = store;
        adapters = new AdapterSet(pipeline.Components);
    }

    /// <summary>The base as recipes call it.</summary>
    public string Name { get; }
    /// <summary>Adapters that are loaded, with the version that each is.</summary>
    public IReadOnlyList<StoredAdapter> Live => [.. live.Values.OrderBy(a => a.Name, StringComparer.Ordinal)];
    /// <summary>Requests that wait or run.</summary>
    public int Waiting => Volatile.Read(ref waiting);
    /// <summary>Side of the pictures that the base draws unless asked otherwise.</summary>
    public int Side => pipeline.UNet.Config.SampleSize * pipeline.Vae.Config.Factor;

    /// <summary>
    /// Loads a version from the store, the champion unless one is given; a version without a certificate, or a refused one, is not loaded.
    /// One that is loaded under that name is replaced.
    /// </summary>
    public StoredAdapter Load(string name, int? version = null)
    {
        var chosen = version is { } v ? store.Versions(name).FirstOrDefault(a => a.Version == v) : store.Champion(name);
        if (chosen is null)
            throw new ModelException(version is null ? $"the store has no champion called {name}; it has {(store.Names.Count == 0 ? "nothing yet" : string.Join(", ", store.Names))}." : $"the store has no version {version} of {name}.");
        var bundle = store.Bundle(chosen);
        var file = Path.Combine(bundle, "adapter.safetensors");
        if (chosen.State == "refused") throw new ModelException($"{name} version {chosen.Version} was refused: {chosen.Why}");
        Certificate.Require(bundle, ContentId.OfFile(file));
        if (live.TryRemove(name, out _)) adapters.Unload(name);
        adapters.Load(name, file);
        live[name] = chosen;
        return chosen;
    }

    /// <summary>Unloads; false when it is not loaded.</summary>
    public bool Unload(string name) => live.TryRemove(name, out _) && adapters.Unload(name);

    /// <summary>Draws. Adapters are those that the prompts' tags name.</summary>
    public async Task<IReadOnlyList<Picture>> DrawAsync(GenerationRequest request, IReadOnlyDictionary<string, double> weights)
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
                request.Cancellation.ThrowIfCancellationRequested();
                var row = Enumerable.Repeat(weights, request.Count).ToList();
                var uses = new List<IDisposable>();
                try
                {
                    foreach (var component in pipeline.Components.Keys) uses.Add(adapters.Use(component, row));
                    return pipeline.Generate(request);
                }
                finally
                {
                    foreach (var use in uses) use.Dispose();
                }
            });
        }
        finally
        {
            Interlocked.Decrement(ref waiting);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        adapters.Dispose();
        pipeline.Dispose();
    }
}

/// <summary>Too many requests wait.</summary>
public sealed class BusyException(string message) : Exception(message);
