using System.Data.Common;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Models;
using LoraFactory.Models.Pipelines;
using LoraFactory.Torch;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LoraFactory.Stages.Deploy.Serving;

/// <summary>The endpoint: pictures, models, health, metrics, ratings. Listens on loopback unless told otherwise.</summary>
public sealed class InferenceServer : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ServedModel model;
    private readonly IRatings feedback;
    private readonly TimeProvider clock;
    private readonly WebInterfaceAnswers web;
    private readonly ServingMetrics metrics = new();
    private readonly TimeSpan patience;
    private bool listening;

    private InferenceServer(WebApplication app, ServedModel model, IRatings feedback, TimeProvider clock, TimeSpan patience)
    {
        this.patience = patience;
        this.app = app;
        this.model = model;
        web = new WebInterfaceAnswers(model);
        this.feedback = feedback;
        this.clock = clock;
    }

    /// <summary>Starts listening. Takes over model and feedback. A port that was taken since <see cref="RequirePort"/> looked is one clear error.</summary>
    public static async Task<InferenceServer> StartAsync(ServedModel model, IRatings feedback, IPAddress address, int port, TimeProvider clock, TimeSpan patience)
    {
        var server = new InferenceServer(QuietHost.On(address, port, k => k.Limits.MaxRequestBodySize = 1 << 20), model, feedback, clock, patience);
        server.Map();
        try
        {
            await server.app.StartAsync();
            server.listening = true;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await server.DisposeAsync();
            throw Refusal(Taken(address, port, e), e);
        }
        return server;
    }

    /// <summary>Refuses a port that is none, or that cannot be listened on now: before anything is loaded that would be served there.</summary>
    /// <exception cref="LoraException">Why not, and what to do.</exception>
    public static void RequirePort(IPAddress address, int port)
    {
        if (port is < 0 or > 65535) throw new LoraException($"--port is {port}; valid: 1 to 65535, or 0 for a free one.", ExitCode.BadUsage);
        if (PortFault(address, port) is { } fault) throw Refusal(fault);
    }

    /// <summary>Why a port cannot be listened on now, null where it can; 0 always can.</summary>
    public static string? PortFault(IPAddress address, int port)
    {
        if (port == 0) return null;
        try
        {
            using var probe = new TcpListener(address, port);
            probe.Start();
            return null;
        }
        catch (SocketException e)
        {
            return Taken(address, port, e);
        }
    }

    private static LoraException Refusal(string fault, Exception? inner = null) => new($"{fault} Choose another with --port, or 0 for a free one.", inner: inner);

    private static string Taken(IPAddress address, int port, Exception failure) => $"Port {port} on {address} cannot be listened on ({failure.Message}).";

    /// <summary>Where it listens, e.g. http://127.0.0.1:7860.</summary>
    public string Url => app.Urls.First();

    /// <summary>Adapters that are loaded.</summary>
    public IReadOnlyList<StoredAdapter> Live => model.Live;

    /// <summary>Ends: no new requests, what is being drawn is finished and answered while patience lasts, what still waits is turned away.</summary>
    public async ValueTask DisposeAsync()
    {
        model.Close();
        using var grace = new CancellationTokenSource(patience);
        if (listening) await app.StopAsync(grace.Token);
        await app.DisposeAsync();
        model.Dispose();
        feedback.Dispose();
    }

    private void Map()
    {
        app.MapGet("/healthz", () => Results.Json(new { status = "ok", @base = model.Name, adapters = model.Live.Count }, RunDirectory.Json));
        app.MapGet("/metrics", () => Results.Text(metrics.Text(model), "text/plain; version=0.0.4"));
        app.MapGet("/v1/models", () => Results.Json(new { @object = "list", data = Models() }, RunDirectory.Json));
        app.MapPost("/sdapi/v1/txt2img", context => Guarded(context, DrawAsync));
        app.MapGet("/sdapi/v1/sd-models", context => Guarded(context, async _ => await web.ModelsAsync()));
        app.MapGet("/sdapi/v1/loras", context => Guarded(context, Given(web.Adapters)));
        app.MapGet("/sdapi/v1/samplers", context => Guarded(context, Given(WebInterfaceAnswers.Samplers)));
        app.MapGet("/sdapi/v1/schedulers", context => Guarded(context, Given(WebInterfaceAnswers.Schedulers)));
        app.MapGet("/sdapi/v1/options", context => Guarded(context, async _ => await web.SettingsAsync()));
        app.MapPost("/sdapi/v1/options", context => Guarded(context, SetAsync));
        app.MapPost("/v1/adapters", context => Guarded(context, LoadAsync));
        app.MapDelete("/v1/adapters/{name}", context => Guarded(context, UnloadAsync));
        app.MapPost("/feedback", context => Guarded(context, RateAsync));
        // what routing answers by itself, 404 and 405, has no body yet
        app.UseStatusCodePages(pages => Guarded(pages.HttpContext, Unknown));
    }

    private static Func<HttpContext, Task<object>> Given(Func<object> answer) => _ => Task.FromResult(answer());

    private static Task<object> Unknown(HttpContext context) => throw new BadHttpRequestException(
        $"{context.Request.Method} {context.Request.Path} is not known here; there are POST /sdapi/v1/txt2img, GET /sdapi/v1/sd-models, loras, samplers, schedulers and options, GET /v1/models, POST /v1/adapters, DELETE /v1/adapters/NAME, POST /feedback, GET /healthz, GET /metrics.", context.Response.StatusCode);

    private IEnumerable<object> Models() =>
        new object[] { new { id = model.Name, @object = "model", kind = "base" } }
            .Concat(model.Live.Select(a => (object)new { id = a.Name, @object = "model", kind = "adapter", version = a.Version, state = a.State, sha256 = a.Sha256, @base = a.Base }));

    // Every error is one JSON sentence with the right status; nothing else about the inside gets out.
    private static async Task Guarded(HttpContext context, Func<HttpContext, Task<object>> handle)
    {
        var (status, body) = (200, (object?)null);
        try
        {
            body = await handle(context);
        }
        catch (Exception e) when (e is ModelException or LoraException or BadHttpRequestException)
        {
            (status, body) = (e is LoraException { Code: ExitCode.Refused } ? 403 : e is BadHttpRequestException b ? b.StatusCode : 400, new { error = e.Message });
        }
        catch (BusyException e)
        {
            context.Response.Headers.RetryAfter = "5";
            (status, body) = (503, new { error = e.Message });
        }
        catch (TorchException e)
        {
            (status, body) = (e.Error == TorchError.OutOfMemory ? 507 : 500, new { error = e.Error == TorchError.OutOfMemory ? "out of memory; ask for smaller or fewer pictures" : "the picture could not be drawn" });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DbException)
        {
            (status, body) = (500, new { error = "the store or the ratings could not be read or written; is the disk full?" });
        }
        catch (OperationCanceledException)
        {
            return; // the client hung up
        }
        context.Response.StatusCode = status;
        await context.Response.WriteAsJsonAsync(body, body!.GetType(), RunDirectory.Json);
    }

    private async Task<object> DrawAsync(HttpContext context)
    {
        var ask = await JsonBody.ReadAsync<TextToImage>(context);
        var (width, height) = ask.Checked(model.Side);
        var sampler = ask.Sampler(model.Sampler);
        await WebInterfaceKeys.CheckAsync(ask.Others, sampler ?? model.Sampler, web.IsBaseAsync);
        var prompt = TaggedPrompt.Parse(ask.Prompt);
        var seed = ask.Seed >= 0 ? ask.Seed : Random.Shared.NextInt64(1L << 32);
        var started = clock.GetTimestamp();
        var drawing = await model.DrawAsync([.. Enumerable.Range(0, ask.NIter).Select(batch => new GenerationRequest
        {
            Prompts = [prompt.Text],
            NegativePrompts = [ask.NegativePrompt],
            PicturesPerPrompt = ask.BatchSize,
            Width = width,
            Height = height,
            Steps = ask.Steps,
            Guidance = ask.CfgScale,
            Sampler = sampler,
            Seeds = [.. Enumerable.Range(batch * ask.BatchSize, ask.BatchSize).Select(i => seed + i)],
            Cancellation = context.RequestAborted,
        })], prompt.Adapters);
        var seconds = clock.GetElapsedTime(started).TotalSeconds;
        metrics.Drew(drawing.Pictures.Count, seconds);
        var asked = ask with { Width = width, Height = height, Seed = seed };
        return new
        {
            images = drawing.Pictures.Select((p, i) => Convert.ToBase64String(PictureWriter.Png(p, [new("parameters", InfoText(asked, i))]))),
            parameters = asked,
            info = JsonSerializer.Serialize(Info(asked, prompt, seconds, Noted(ask.Prompt, prompt, drawing)), RunDirectory.Json),
        };
    }

    // One generation id for each picture, kept so that it can be rated.
    private List<string> Noted(string asked, TaggedPrompt prompt, Drawing drawing)
    {
        var used = string.Join('+', prompt.Adapters.Keys.Order(StringComparer.Ordinal));
        var version = prompt.Adapters.Count == 1 ? drawing.Versions[used] : 0;
        var generations = drawing.Pictures.Select(_ => Guid.NewGuid().ToString("N")).ToList();
        foreach (var generation in generations) feedback.AddGeneration(generation, used, version, asked, clock.GetUtcNow());
        return generations;
    }

    private object Info(TextToImage asked, TaggedPrompt prompt, double seconds, List<string> generations) => new
    {
        asked.Seed,
        all_seeds = generations.Select((_, i) => asked.Seed + i),
        prompt = prompt.Text,
        asked.NegativePrompt,
        prompt.Adapters,
        asked.Width,
        asked.Height,
        asked.Steps,
        asked.CfgScale,
        asked.SamplerName,
        asked.BatchSize,
        infotexts = generations.Select((_, i) => InfoText(asked, i)),
        seconds,
        generations,
    };

    // The web interfaces' own form, from which they draw the picture again.
    private string InfoText(TextToImage asked, int at) =>
        string.Create(CultureInfo.InvariantCulture, $"{asked.Prompt}\n{(asked.NegativePrompt.Length > 0 ? $"Negative prompt: {asked.NegativePrompt}\n" : "")}Steps: {asked.Steps}, {(asked.SamplerInFull() is { Length: > 0 } sampler ? $"Sampler: {sampler}, " : "")}CFG scale: {asked.CfgScale}, Seed: {asked.Seed + at}, Size: {asked.Width}x{asked.Height}, Model: {model.Name}");

    private async Task<object> SetAsync(HttpContext context)
    {
        await WebInterfaceKeys.CheckSettingsAsync(await JsonBody.ReadAsync<Dictionary<string, JsonElement>>(context, WebInterfaceKeys.Settings), web.IsBaseAsync);
        return new { };
    }

    private sealed record LoadAsk(string Name, int? Version);

    private async Task<object> LoadAsync(HttpContext context)
    {
        var ask = await JsonBody.ReadAsync<LoadAsk>(context);
        Require(ask.Name is { Length: > 0 }, "name is missing; give {\"name\": \"…\"} and, if you like, a version");
        var loaded = await model.LoadAsync(ask.Name, ask.Version);
        return new { loaded = loaded.Name, version = loaded.Version, state = loaded.State };
    }

    private async Task<object> UnloadAsync(HttpContext context)
    {
        var name = (string)context.Request.RouteValues["name"]!;
        if (!await model.UnloadAsync(name)) throw new BadHttpRequestException($"no adapter {name} is loaded", 404);
        return new { unloaded = name };
    }

    private sealed record RateAsk(string GenerationId, double? Rating, string? Comment);

    private async Task<object> RateAsync(HttpContext context)
    {
        var ask = await JsonBody.ReadAsync<RateAsk>(context);
        Require(ask.GenerationId is { Length: > 0 }, "generation_id is missing; txt2img gives it in info.generations");
        if (ask.Rating is not { } rating) throw new ModelException("rating is missing; valid: 0 to 1");
        if (!feedback.Rate(ask.GenerationId, rating, ask.Comment ?? "", clock.GetUtcNow()))
            throw new BadHttpRequestException($"no picture {ask.GenerationId} was drawn here", 404);
        metrics.Rated();
        return new { stored = ask.GenerationId };
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds) throw new ModelException(otherwise);
    }
}
