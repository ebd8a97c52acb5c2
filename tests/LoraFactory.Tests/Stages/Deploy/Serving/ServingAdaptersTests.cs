using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using LoraFactory.Flow;

namespace LoraFactory.Tests.Stages.Deploy.Serving;

/// <summary>Adapters come and go while the endpoint draws; it turns away what it cannot take, and ends without cutting anybody off.</summary>
[Collection("torch")]
public sealed class ServingAdaptersTests(PocketService service) : IClassFixture<PocketService>
{
    private Task<(HttpStatusCode Status, System.Text.Json.JsonElement Body)> LoadAsync(string name, int? version = null) => service.PostAsync("/v1/adapters", new { name, version });

    [Fact]
    public async Task Champions_with_a_certificate_are_live_and_the_others_say_why_not()
    {
        Assert.Equal(["other", "style"], (await service.ModelsAsync()).Skip(1).Where(m => m is "other" or "style" or "tampered" or "fried" or "foreign"));
        var (status, body) = await service.SendAsync(HttpMethod.Get, "/healthz");
        Assert.Equal((HttpStatusCode.OK, "ok"), (status, body.GetProperty("status").GetString()));
        Assert.Contains("live: <lora:style:1>, version 1", service.Lines);
        Assert.Contains(service.Lines, l => l.StartsWith("not live: tampered: ", StringComparison.Ordinal) && l.Contains("belongs to other bytes"));
        foreach (var (name, version, code, why) in new (string, int?, HttpStatusCode, string)[]
        {
            ("fried", 1, HttpStatusCode.Forbidden, "was refused: refused as fried"),
            ("tampered", null, HttpStatusCode.Forbidden, "belongs to other bytes"),
            ("foreign", null, HttpStatusCode.BadRequest, "was made for the base some/other-model"),
            ("candidate", null, HttpStatusCode.BadRequest, "has no champion called candidate"),
            ("style", 7, HttpStatusCode.BadRequest, "has no version 7 of style"),
            ("nobody", null, HttpStatusCode.BadRequest, "has no champion called nobody"),
        })
        {
            var (refused, answer) = await LoadAsync(name, version);
            Assert.True(refused == code, answer.ToString());
            Assert.Contains(why, answer.GetProperty("error").GetString());
        }
    }

    [Fact]
    public async Task A_port_that_is_taken_is_said_before_anything_is_called_live()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var said = service.Lines.Count;
        var refused = await Assert.ThrowsAsync<LoraException>(() => service.StartAsync(port));
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.StartsWith($"Port {port} on 127.0.0.1 cannot be listened on (", refused.Message, StringComparison.Ordinal);
        Assert.EndsWith(" Choose another with --port, or 0 for a free one.", refused.Message, StringComparison.Ordinal);
        Assert.Equal(said, service.Lines.Count);
    }

    [Fact]
    public async Task A_candidate_is_loaded_by_its_version_and_unloaded_again()
    {
        var plain = (await service.DrawAsync("a cat")).Pixels();
        var (status, body) = await LoadAsync("candidate", 1);
        Assert.True(status == HttpStatusCode.OK, body.ToString());
        Assert.Equal(("candidate", 1), (body.GetProperty("state").GetString(), body.GetProperty("version").GetInt32()));
        Assert.Contains("candidate", await service.ModelsAsync());
        Assert.NotEqual(plain, (await service.DrawAsync("a cat <lora:candidate>")).Pixels());
        Assert.Equal(HttpStatusCode.OK, (await service.SendAsync(HttpMethod.Delete, "/v1/adapters/candidate")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await service.SendAsync(HttpMethod.Delete, "/v1/adapters/candidate")).Status);
        Assert.DoesNotContain("candidate", await service.ModelsAsync());
        Assert.Equal(HttpStatusCode.BadRequest, (await service.PostAsync("/sdapi/v1/txt2img", new { prompt = "a cat <lora:candidate>" })).Status);
    }

    [Fact]
    public async Task A_new_champion_replaces_the_one_before_and_a_rollback_brings_it_back()
    {
        var name = "swapped";
        PocketAdapters.Store(service.Store, name, PocketAdapters.Write(Path.Combine(service.Folder, "swapped.safetensors"), 21, 0.3));
        await LoadAsync(name);
        var first = (await service.DrawAsync($"a cat <lora:{name}>")).Pixels();
        PocketAdapters.Store(service.Store, name, PocketAdapters.Write(Path.Combine(service.Folder, "swapped.safetensors"), 22, 0.3));
        Assert.Equal(first, (await service.DrawAsync($"a cat <lora:{name}>")).Pixels()); // until it is told
        Assert.Equal(2, (await LoadAsync(name)).Body.GetProperty("version").GetInt32());
        Assert.NotEqual(first, (await service.DrawAsync($"a cat <lora:{name}>")).Pixels());
        service.Store.Rollback(name, null, "a test");
        Assert.Equal(1, (await LoadAsync(name)).Body.GetProperty("version").GetInt32());
        Assert.Equal(first, (await service.DrawAsync($"a cat <lora:{name}>")).Pixels());
        await service.SendAsync(HttpMethod.Delete, $"/v1/adapters/{name}");
    }

    [Fact]
    public async Task Adapters_come_and_go_while_pictures_are_drawn()
    {
        const string Name = "restless";
        var file = PocketAdapters.Write(Path.Combine(service.Folder, "restless.safetensors"), 31, 0.3);
        PocketAdapters.Store(service.Store, Name, file);
        var plain = (await service.DrawAsync("a dog")).Pixels();
        var style = (await service.DrawAsync("a dog <lora:style>")).Pixels();
        await LoadAsync(Name);
        var restless = (await service.DrawAsync($"a dog <lora:{Name}>")).Pixels();
        var drawing = Enumerable.Range(0, 18).Select(async i =>
        {
            var (prompt, expected) = (i % 3) switch { 0 => ("a dog", plain), 1 => ("a dog <lora:style>", style), _ => ($"a dog <lora:{Name}>", restless) };
            var (status, body) = await service.PostAsync("/sdapi/v1/txt2img", new { prompt, seed = 7, steps = PocketService.Steps });
            if (status == HttpStatusCode.BadRequest && i % 3 == 2) return false; // it was unloaded just then
            Assert.True(status == HttpStatusCode.OK, body.ToString());
            Assert.Equal(expected, LoraFactory.Images.PictureDecoder.Decode(body.GetProperty("images")[0].GetBytesFromBase64()).Pixels);
            return true;
        }).ToList();
        for (var i = 0; i < 6; i++)
        {
            Assert.Equal(HttpStatusCode.OK, (await service.SendAsync(HttpMethod.Delete, $"/v1/adapters/{Name}")).Status);
            Assert.Equal(HttpStatusCode.OK, (await LoadAsync(Name)).Status);
        }
        Assert.True((await Task.WhenAll(drawing)).Count(d => d) >= 12);
        await service.SendAsync(HttpMethod.Delete, $"/v1/adapters/{Name}");
        Assert.Equal(plain, (await service.DrawAsync("a dog")).Pixels());
    }

    [Fact]
    public async Task Beyond_32_waiting_requests_are_told_to_come_back_and_the_others_are_drawn()
    {
        using var free = new CancellationTokenSource();
        var long_ = AskAsync(service.Http, new { prompt = "a cat", steps = 150, batch_size = 8 }, free.Token);
        await DrawingAsync(service.Http);
        var turnedAway = 0;
        var asked = Enumerable.Range(0, 40).Select(async _ =>
        {
            using var answer = await AskAsync(service.Http, new { prompt = "a cat", steps = 1, seed = 3 });
            if (answer.StatusCode != HttpStatusCode.ServiceUnavailable) return answer.StatusCode;
            Assert.Equal(TimeSpan.FromSeconds(5), answer.Headers.RetryAfter!.Delta);
            Interlocked.Increment(ref turnedAway);
            return answer.StatusCode;
        }).ToList();
        while (Volatile.Read(ref turnedAway) < 9) await Task.Delay(20, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, (await service.SendAsync(HttpMethod.Get, "/healthz")).Status); // answers under load
        Assert.Equal(32, await service.MetricAsync("lora_waiting"));
        await free.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => long_);
        Assert.Equal(31, (await Task.WhenAll(asked)).Count(s => s == HttpStatusCode.OK));
        Assert.Equal(9, turnedAway);
        Assert.Equal(0, await service.MetricAsync("lora_waiting"));
    }

    private static async Task<HttpResponseMessage> AskAsync(HttpClient http, object request, CancellationToken token = default)
    {
        using var body = JsonContent.Create(request);
        return await http.PostAsync("/sdapi/v1/txt2img", body, token);
    }

    private static async Task DrawingAsync(HttpClient http)
    {
        while (!(await http.GetStringAsync("/metrics")).Contains("\nlora_drawing 1\n", StringComparison.Ordinal)) await Task.Delay(10);
    }

    [Fact]
    public async Task A_client_that_hangs_up_does_not_keep_the_others_waiting()
    {
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var long_ = AskAsync(service.Http, new { prompt = "a cat", steps = 150, batch_size = 8 }, gone.Token);
        await DrawingAsync(service.Http);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => long_);
        var pictures = await service.MetricAsync("lora_pictures_total");
        await service.DrawAsync("a cat", steps: 1);
        Assert.Equal(pictures + 1, await service.MetricAsync("lora_pictures_total"));
    }

    [Fact]
    public async Task Ending_finishes_the_picture_that_is_drawn_and_turns_away_the_rest()
    {
        var server = await service.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(server.Url) };
        var drawn = AskAsync(http, new { prompt = "a cat", steps = 60 });
        await DrawingAsync(http);
        var waiting = AskAsync(http, new { prompt = "a cat", steps = 1 });
        while (!(await http.GetStringAsync("/metrics", TestContext.Current.CancellationToken)).Contains("\nlora_waiting 2\n", StringComparison.Ordinal)) await Task.Delay(10, TestContext.Current.CancellationToken);
        await server.DisposeAsync();
        using (var finished = await drawn) Assert.Equal(HttpStatusCode.OK, finished.StatusCode);
        using (var turnedAway = await waiting) Assert.Equal(HttpStatusCode.ServiceUnavailable, turnedAway.StatusCode);
        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync("/healthz"));
    }

    [Fact]
    public async Task A_port_in_use_and_one_that_there_is_not_are_one_sentence()
    {
        var taken = service.Http.BaseAddress!.Port;
        var error = await Assert.ThrowsAsync<LoraException>(() => service.StartAsync(taken));
        Assert.Contains($"Port {taken} on 127.0.0.1", error.Message);
        Assert.Contains("Choose another with --port", error.Message);
        Assert.Equal(ExitCode.BadUsage, (await Assert.ThrowsAsync<LoraException>(() => service.StartAsync(70000))).Code);
        using var listener = new TcpListener(IPAddress.Loopback, 0); // the failed one left nothing behind
        await service.DrawAsync("a cat", steps: 1);
    }
}
