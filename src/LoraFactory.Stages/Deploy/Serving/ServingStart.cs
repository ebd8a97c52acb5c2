using System.Net;
using LoraFactory.Flow;
using LoraFactory.Models;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Schedulers;

namespace LoraFactory.Stages.Deploy.Serving;

/// <summary>What <c>lora serve</c> is asked for.</summary>
/// <param name="Base">Base model, as recipes call it.</param>
/// <param name="Store">Folder of the version store.</param>
/// <param name="Address">Where to listen; loopback unless the user says otherwise.</param>
/// <param name="Port">Port; 0 takes a free one.</param>
public sealed record ServingRequest(string Base, string Store, IPAddress Address, int Port)
{
    /// <summary>What the base predicts: "auto", "epsilon" or "v_prediction".</summary>
    public string Prediction { get; init; } = "auto";
    /// <summary>Device and threads.</summary>
    public ResourceOptions Resources { get; init; } = new();
    /// <summary>How long the end waits for the picture that is being drawn.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>Opens base, store and ratings, loads every champion made for this base, and starts the server.</summary>
public static class ServingStart
{
    /// <summary>The running server, which takes over <paramref name="ratings"/>. <paramref name="line"/> gets one line for each adapter, loaded or refused with its reason, once it listens.</summary>
    public static async Task<InferenceServer> OpenAsync(ServingRequest request, IRatings ratings, TimeProvider clock, Action<string> line)
    {
        ServedModel model;
        AdapterStore store;
        try
        {
            InferenceServer.RequirePort(request.Address, request.Port); // a base takes its time to load
            store = new AdapterStore(request.Store);
            model = new ServedModel(request.Base, Open(request), store);
        }
        catch (Exception e)
        {
            ratings.Dispose();
            if (e is ModelException) throw new LoraException($"--base: {e.Message}{NearestPath.Hint(request.Base)}", ExitCode.BadUsage, e);
            throw;
        }
        var loading = new List<string>();
        foreach (var name in store.Names)
        {
            try
            {
                if (store.Champion(name) is null) continue;
                var loaded = await model.LoadAsync(name);
                loading.Add($"live: <lora:{name}:1>, version {loaded.Version}");
            }
            catch (Exception e) when (e is LoraException or ModelException or IOException or UnauthorizedAccessException)
            {
                loading.Add($"not live: {name}: {e.Message}");
            }
        }
        var server = await InferenceServer.StartAsync(model, ratings, request.Address, request.Port, clock, request.Patience);
        foreach (var adapter in loading) line(adapter); // nothing is live where nothing listens
        return server;
    }

    private static StableDiffusionPipeline Open(ServingRequest request) => StableDiffusionPipeline.Load(request.Base, new()
    {
        Device = Compute.Use(request.Resources.Device, request.Resources.Threads),
        Prediction = SchedulerOptions.PredictionNamed(request.Prediction),
    });
}
