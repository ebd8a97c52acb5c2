using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Stages.Deploy;
using LoraFactory.Stages.Deploy.Serving;
using LoraFactory.Stages.Feedback;

namespace LoraFactory.Tests.Stages.Deploy.Serving;

/// <summary>The endpoint on a free port of loopback, over the pocket base and a store with adapters of every kind; asked over HTTP.</summary>
public sealed class PocketService : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private InferenceServer? server;

    /// <summary>Steps of a picture: few, since nobody looks at it.</summary>
    public const int Steps = 2;

    public AdapterStore Store => new(folder.File("store"));

    public string Folder => folder.Path;

    public string Ratings => FeedbackStore.PathIn(Store.Folder);

    public HttpClient Http { get; private set; } = null!;

    public List<string> Lines { get; } = [];

    /// <summary>"style" and "other" are live; "tampered" is a champion whose bytes changed; the rest has no champion for this base.</summary>
    public async ValueTask InitializeAsync()
    {
        string File(string name, long seed, double deviation = 0.3) => PocketAdapters.Write(folder.File(name + ".safetensors"), seed, deviation);
        PocketAdapters.Store(Store, "style", File("style", 1));
        PocketAdapters.Store(Store, "other", File("other", 2));
        PocketAdapters.Store(Store, "candidate", File("candidate", 3), "candidate");
        PocketAdapters.Store(Store, "fried", File("fried", 4), "refused", "fried");
        PocketAdapters.Store(Store, "foreign", File("foreign", 5), @base: "some/other-model", baseHash: new string('0', 64));
        var tampered = PocketAdapters.Store(Store, "tampered", File("tampered", 6));
        System.IO.File.AppendAllText(Path.Combine(Store.Bundle(tampered), "adapter.safetensors"), "!");
        server = await StartAsync();
        Http = new HttpClient { BaseAddress = new Uri(server.Url), Timeout = TimeSpan.FromMinutes(2) };
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await server!.DisposeAsync();
        folder.Dispose();
    }

    /// <summary>One more server over the same base and store.</summary>
    public Task<InferenceServer> StartAsync(int port = 0, string? store = null) => ServingStart.OpenAsync(
        new(PocketAdapters.Base, store ?? Store.Folder, IPAddress.Loopback, port) { Patience = TimeSpan.FromMinutes(10) }, new FeedbackStore(FeedbackStore.PathIn(store ?? Store.Folder)), TimeProvider.System, Lines.Add);

    public async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, object body) => await Answer(await Http.PostAsJsonAsync(path, body));

    public async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, HttpContent body) => await Answer(await Http.PostAsync(path, body));

    public Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, string json) => PostAsync(path, new StringContent(json, Encoding.UTF8, "application/json"));

    public async Task<(HttpStatusCode Status, JsonElement Body)> SendAsync(HttpMethod method, string path) => await Answer(await Http.SendAsync(new(method, path)));

    /// <summary>What /sdapi/v1/txt2img gives for a prompt, which has to be 200.</summary>
    public async Task<Drawn> DrawAsync(string prompt, long seed = 7, int batch = 1, string sampler = "", int steps = Steps)
    {
        var (status, body) = await PostAsync("/sdapi/v1/txt2img", new { prompt, seed, steps, batch_size = batch, sampler_name = sampler });
        Assert.True(status == HttpStatusCode.OK, body.ToString());
        var info = JsonSerializer.Deserialize<JsonElement>(body.GetProperty("info").GetString()!);
        return new([.. body.GetProperty("images").EnumerateArray().Select(i => i.GetBytesFromBase64())], info, [.. info.GetProperty("generations").EnumerateArray().Select(g => g.GetString()!)]);
    }

    /// <summary>The value of a metric in /metrics.</summary>
    public async Task<double> MetricAsync(string name)
    {
        var text = await Http.GetStringAsync("/metrics");
        return double.Parse(Assert.Single(text.Split('\n'), l => l.StartsWith(name + " ", StringComparison.Ordinal)).Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }

    public async Task<IReadOnlyList<string>> ModelsAsync() =>
        [.. (await SendAsync(HttpMethod.Get, "/v1/models")).Body.GetProperty("data").EnumerateArray().Select(m => m.GetProperty("id").GetString()!)];

    private static async Task<(HttpStatusCode, JsonElement)> Answer(HttpResponseMessage answer)
    {
        using (answer)
        {
            Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
            return (answer.StatusCode, JsonSerializer.Deserialize<JsonElement>(await answer.Content.ReadAsStringAsync()));
        }
    }
}

/// <summary>Pictures as PNG, what the answer says about them, and their generation ids.</summary>
public sealed record Drawn(IReadOnlyList<byte[]> Pngs, JsonElement Info, IReadOnlyList<string> Generations)
{
    public byte[] Pixels(int at = 0) => PictureDecoder.Decode(Pngs[at]).Pixels;
}
