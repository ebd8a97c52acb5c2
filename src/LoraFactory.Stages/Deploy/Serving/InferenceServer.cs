using System.Globalization;
using System.Data.Common;
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
using Microsoft.Extensions.Logging;

namespace LoraFactory.Stages.Deploy.Serving;

/// <summary>A picture request in the form of /sdapi/v1/txt2img; what is not named here is refused, not ignored.</summary>
public sealed record TextToImage
{
    /// <summary>Prompt, with &lt;lora:name:weight&gt; tags.</summary>
    public string Prompt { get; init; } = "";
    /// <summary>What to keep away from.</summary>
    public string NegativePrompt { get; init; } = "";
    /// <summary>Sampler steps, 1..150.</summary>
    public int Steps { get; init; } = 20;
    /// <summary>Guidance, 0..30.</summary>
    public double CfgScale { get; init; } = 4;
    /// <summary>Width in pixels; 0 takes the base's own.</summary>
    public int Width { get; init; }
    /// <summary>Height in pixels; 0 takes the base's own.</summary>
    public int Height { get; init; }
    /// <summary>Seed of the first picture; −1 draws one.</summary>
    public long Seed { get; init; } = -1;
    /// <summary>Pictures, 1..8.</summary>
    public int BatchSize { get; init; } = 1;
}

/// <summary>The endpoint: pictures, models, health, metrics, ratings. Listens on loopback unless told otherwise.</summary>
public sealed class InferenceServer : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ServedModel model;
    private readonly IRatings feedback;
    private readonly TimeProvider clock;
    private readonly ServingMetrics metrics = new();

    private InferenceServer(WebApplication app, ServedModel model, IRatings feedback, TimeProvider clock)
    {
        this.app = app;
        this.model = model;
        this.feedback = feedback;
        this.clock = clock;
    }

    /// <summary>Starts listening. Takes over model and feedback. A port in use is one clear error.</summary>
    public static async Task<InferenceServer> StartAsync(ServedModel model, IRatings feedback, IPAddress address, int port, TimeProvider clock)
    {
        if (port is < 0 or > 65535)
        {
            model.Dispose();
            feedback.Dispose();
            throw new LoraException($"--port is {port}; valid: 1 to 65535, or 0 for a free one.", ExitCode.BadUsage);
        }
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.Listen(address, port);
            k.Limits.MaxRequestBodySize = 1 << 20;
            k.AddServerHeader = false;
        });
        var server = new InferenceServer(builder.Build(), model, feedback, clock);
        server.Map();
        try
        {
            await server.app.StartAsync();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await server.DisposeAsync();
            throw new LoraException($"Port {port} on {address} cannot be listened on ({e.Message}). Choose another with --port, or 0 for a free one.", inner: e);
        }
        return server;
    }

    /// <summary>Where it listens, e.g. http://127.0.0.1:7860.</summary>
    public string Url => app.Urls.First();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
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
        app.MapPost("/v1/adapters", context => Guarded(context, LoadAsync));
        app.MapDelete("/v1/adapters/{name}", (string name) => model.Unload(name)
            ? Results.Json(new { unloaded = name }, RunDirectory.Json) : Results.Json(new { error = $"no adapter {name} is loaded" }, RunDirectory.Json, statusCode: 404));
        app.MapPost("/feedback", context => Guarded(context, RateAsync));
        app.MapFallback(context => Guarded(context, c => throw new BadHttpRequestException(
            $"{c.Request.Method} {c.Request.Path} is not known here; there are POST /sdapi/v1/txt2img, GET /v1/models, POST /v1/adapters, DELETE /v1/adapters/NAME, POST /feedback, GET /healthz, GET /metrics.", 404)));
    }

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

    private static readonly JsonSerializerOptions Strict = new(RunDirectory.Json)
    {
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
    };

    private static async Task<T> ReadAsync<T>(HttpContext context) where T : class
    {
        JsonException? wrong = null;
        try
        {
            if (await JsonSerializer.DeserializeAsync<T>(context.Request.Body, Strict, context.RequestAborted) is { } read) return read;
        }
        catch (JsonException e)
        {
            wrong = e;
        }
        var keys = string.Join(", ", typeof(T).GetProperties().Select(p => JsonNamingPolicy.SnakeCaseLower.ConvertName(p.Name)));
        throw new ModelException($"the body is not the JSON object that is needed: the fault is at {wrong?.Path ?? "$"}, line {(wrong?.LineNumber ?? 0) + 1}; the keys are {keys}.");
    }

    private async Task<object> DrawAsync(HttpContext context)
    {
        var ask = await ReadAsync<TextToImage>(context);
        Require(ask.Prompt.Length <= 4000 && ask.NegativePrompt.Length <= 4000, "prompt and negative_prompt may have up to 4000 characters");
        Require(ask.Steps is >= 1 and <= 150, $"steps is {ask.Steps}; valid: 1 to 150");
        Require(ask.CfgScale is >= 0 and <= 30, $"cfg_scale is {ask.CfgScale}; valid: 0 to 30");
        Require(ask.BatchSize is >= 1 and <= 8, $"batch_size is {ask.BatchSize}; valid: 1 to 8");
        var (width, height) = (ask.Width == 0 ? model.Side : ask.Width, ask.Height == 0 ? model.Side : ask.Height);
        Require(width is >= 16 and <= 2048 && height is >= 16 and <= 2048, $"{width}×{height}: width and height have to be 16 to 2048");
        var prompt = TaggedPrompt.Parse(ask.Prompt);
        var seed = ask.Seed >= 0 ? ask.Seed : Random.Shared.NextInt64(1L << 32);
        var started = clock.GetTimestamp();
        var drawing = await model.DrawAsync(new GenerationRequest
        {
            Prompts = [prompt.Text],
            NegativePrompts = [ask.NegativePrompt],
            PicturesPerPrompt = ask.BatchSize,
            Width = width,
            Height = height,
            Steps = ask.Steps,
            Guidance = ask.CfgScale,
            Seeds = [.. Enumerable.Range(0, ask.BatchSize).Select(i => seed + i)],
            Cancellation = context.RequestAborted,
        }, prompt.Adapters);
        var seconds = clock.GetElapsedTime(started).TotalSeconds;
        var pictures = drawing.Pictures;
        metrics.Drew(pictures.Count, seconds);
        var used = string.Join('+', prompt.Adapters.Keys.Order(StringComparer.Ordinal));
        var version = prompt.Adapters.Count == 1 ? drawing.Versions[used] : 0;
        var generations = pictures.Select(_ => Guid.NewGuid().ToString("N")).ToList();
        foreach (var generation in generations) feedback.AddGeneration(generation, used, version, ask.Prompt, clock.GetUtcNow());
        var info = new { seed, all_seeds = Enumerable.Range(0, pictures.Count).Select(i => seed + i), prompt = prompt.Text, adapters = prompt.Adapters, width, height, steps = ask.Steps, cfg_scale = ask.CfgScale, seconds, generations };
        return new
        {
            images = pictures.Select((p, i) => Convert.ToBase64String(PictureWriter.Png(p, [new("parameters", $"{ask.Prompt}\nSteps: {ask.Steps}, CFG scale: {ask.CfgScale.ToString(CultureInfo.InvariantCulture)}, Seed: {seed + i}, Size: {width}x{height}, Model: {model.Name}")]))),
            parameters = ask,
            info = JsonSerializer.Serialize(info, RunDirectory.Json),
        };
    }

    private sealed record LoadAsk(string Name, int? Version);

    private async Task<object> LoadAsync(HttpContext context)
    {
        var ask = await ReadAsync<LoadAsk>(context);
        Require(ask.Name is { Length: > 0 }, "name is missing; give {\"name\": \"…\"} and, if you like, a version");
        var loaded = model.Load(ask.Name, ask.Version);
        return new { loaded = loaded.Name, version = loaded.Version, state = loaded.State };
    }

    private sealed record RateAsk(string GenerationId, double? Rating, string? Comment);

    private async Task<object> RateAsync(HttpContext context)
    {
        var ask = await ReadAsync<RateAsk>(context);
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

/// <summary>Counters in Prometheus' text format.</summary>
internal sealed class ServingMetrics
{
    private readonly Lock gate = new();
    private long pictures;
    private long requests;
    private long ratings;
    private double seconds;

    public void Drew(int count, double took)
    {
        lock (gate)
        {
            requests++;
            pictures += count;
            seconds += took;
        }
    }

    public void Rated() => Interlocked.Increment(ref ratings);

    public string Text(ServedModel model)
    {
        lock (gate)
        {
            var text = new StringBuilder();
            void Line(string name, string kind, string help, double value) =>
                text.Append($"# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value.ToString(CultureInfo.InvariantCulture)}\n");
            Line("lora_pictures_total", "counter", "Pictures drawn.", pictures);
            Line("lora_requests_total", "counter", "Requests for pictures that were answered.", requests);
            Line("lora_draw_seconds_total", "counter", "Seconds spent on them, waiting included.", seconds);
            Line("lora_ratings_total", "counter", "Ratings received.", Interlocked.Read(ref ratings));
            Line("lora_waiting", "gauge", "Requests that wait or run.", model.Waiting);
            Line("lora_adapters", "gauge", "Adapters loaded.", model.Live.Count);
            return text.ToString();
        }
    }
}
