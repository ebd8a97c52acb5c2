using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace LoraFactory.Tests.Stages.Deploy.Serving;

/// <summary>Whatever comes in, the answer is one JSON sentence with a 4xx status, and the next request is served.</summary>
[Collection("torch")]
public sealed class HostileRequestsTests(PocketService service) : IClassFixture<PocketService>
{
    private async Task Refused(HttpStatusCode status, string named, Task<(HttpStatusCode Status, JsonElement Body)> asked)
    {
        var (answered, body) = await asked;
        var error = body.GetProperty("error").GetString()!;
        Assert.True(answered == status, $"{(int)answered}: {error}");
        Assert.Contains(named, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error);
    }

    [Theory]
    [InlineData("steps", "0", "steps is 0; valid: 1 to 150"), InlineData("steps", "151", "steps"), InlineData("steps", "-5", "steps")]
    [InlineData("batch_size", "0", "batch_size is 0; valid: 1 to 8"), InlineData("batch_size", "9", "batch_size")]
    [InlineData("cfg_scale", "-1", "cfg_scale is -1; valid: 0 to 30"), InlineData("cfg_scale", "31", "cfg_scale"), InlineData("cfg_scale", "\"NaN\"", "cfg_scale is NaN"), InlineData("cfg_scale", "1e300", "cfg_scale")]
    [InlineData("width", "15", "15×64"), InlineData("width", "4096", "4096×64"), InlineData("height", "-64", "64×-64"), InlineData("width", "66", "66×64: each side has to be a multiple of")]
    [InlineData("seed", "-2", "seed is -2; valid: 0 to 9007199254740991"), InlineData("seed", "9223372036854775807", "seed")]
    public async Task A_value_out_of_its_range_is_named(string key, string value, string named) =>
        await Refused(HttpStatusCode.BadRequest, named, service.PostAsync("/sdapi/v1/txt2img", $"{{\"prompt\": \"a cat\", \"{key}\": {value}}}"));

    [Fact]
    public async Task Too_much_of_one_request_is_refused_before_it_is_drawn()
    {
        await Refused(HttpStatusCode.BadRequest, "up to 4000 characters", service.PostAsync("/sdapi/v1/txt2img", new { prompt = new string('a', 4001) }));
        await Refused(HttpStatusCode.BadRequest, "up to 4000 characters", service.PostAsync("/sdapi/v1/txt2img", new { prompt = "a", negative_prompt = new string('a', 4001) }));
        await Refused(HttpStatusCode.BadRequest, "too much for one request", service.PostAsync("/sdapi/v1/txt2img", new { prompt = "a", width = 2048, height = 2048 }));
        await Refused(HttpStatusCode.BadRequest, "too much for one request", service.PostAsync("/sdapi/v1/txt2img", new { prompt = "a", width = 128, height = 128, batch_size = 5 }));
        await service.DrawAsync(new string('字', 4000), steps: 1);
    }

    [Theory]
    [InlineData(""), InlineData("{"), InlineData("[]"), InlineData("null"), InlineData("\"text\""), InlineData("{\"prompt\": 5}"), InlineData("{\"prompt\": null}")]
    [InlineData("{\"steps\": \"20\"}"), InlineData("{\"steps\": 1e300}"), InlineData("{\"steps\": 2.5}"), InlineData("{\"batch_size\": 99999999999999999999}"), InlineData("{\"prompt\": \"a\"} extra")]
    [InlineData("{\"prompt\": \"\\ud800\"}"), InlineData("{\"init_images\": []}"), InlineData("<xml/>")]
    public async Task A_body_that_is_not_the_object_is_refused_with_the_keys(string json)
    {
        await Refused(HttpStatusCode.BadRequest, "the keys are prompt, negative_prompt, steps", service.PostAsync("/sdapi/v1/txt2img", json));
        await Refused(HttpStatusCode.BadRequest, "the keys are generation_id, rating, comment", service.PostAsync("/feedback", json));
    }

    [Theory]
    [InlineData("{\"init_images\": []}", "there is no key init_images here"), InlineData("{\"steps\": \"20\"}", "steps has a value of the wrong kind"), InlineData("[]", "the body is not the JSON object")]
    public async Task What_is_wrong_with_a_body_is_told_apart(string json, string said) =>
        await Refused(HttpStatusCode.BadRequest, said, service.PostAsync("/sdapi/v1/txt2img", json));

    [Fact]
    public async Task Deep_json_bad_utf8_and_unknown_long_keys_are_refused()
    {
        await Refused(HttpStatusCode.BadRequest, "the keys are", service.PostAsync("/sdapi/v1/txt2img", new string('[', 400_000)));
        await Refused(HttpStatusCode.BadRequest, "the keys are", service.PostAsync("/sdapi/v1/txt2img", "{\"prompt\": " + string.Concat(Enumerable.Repeat("{\"a\":", 50_000))));
        var bad = new ByteArrayContent([.. "{\"prompt\": \""u8, 0xff, 0xfe, 0xc0, .. "\"}"u8]);
        bad.Headers.ContentType = new("application/json");
        await Refused(HttpStatusCode.BadRequest, "the keys are", service.PostAsync("/sdapi/v1/txt2img", bad));
        await Refused(HttpStatusCode.BadRequest, "the keys are", service.PostAsync("/sdapi/v1/txt2img", $"{{\"{new string('k', 100_000)}\": 1}}"));
        await service.DrawAsync("a \0 cat \u0001 \U0001F408 \r\n", steps: 1);
    }

    [Theory]
    [InlineData(null), InlineData("text/plain"), InlineData("application/x-www-form-urlencoded"), InlineData("multipart/form-data; boundary=x"), InlineData("application/jsonp")]
    public async Task Only_json_is_read(string? type)
    {
        foreach (var path in new[] { "/sdapi/v1/txt2img", "/feedback", "/v1/adapters" })
        {
            var body = new ByteArrayContent("{\"prompt\": \"a cat\"}"u8.ToArray());
            if (type is not null) body.Headers.TryAddWithoutValidation("Content-Type", type);
            await Refused(HttpStatusCode.UnsupportedMediaType, "send application/json", service.PostAsync(path, body));
        }
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public async Task A_huge_body_is_cut_off(bool chunked)
    {
        // by hand: HttpClient gives up when the server closes while it still sends
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", service.Http.BaseAddress!.Port, TestContext.Current.CancellationToken);
        var stream = client.GetStream();
        var head = $"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{(chunked ? "Transfer-Encoding: chunked" : "Content-Length: 3000000000")}\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head), TestContext.Current.CancellationToken);
        var part = Encoding.ASCII.GetBytes(new string(' ', 0x10000));
        try
        {
            for (var i = 0; i < 24; i++) await stream.WriteAsync(chunked ? [.. "10000\r\n"u8, .. part, .. "\r\n"u8] : part, TestContext.Current.CancellationToken);
        }
        catch (IOException e)
        {
            TestContext.Current.SendDiagnosticMessage($"the server hung up first: {e.Message}");
        }
        var buffer = new byte[400];
        var read = await stream.ReadAsync(buffer, TestContext.Current.CancellationToken);
        Assert.StartsWith("HTTP/1.1 413", Encoding.ASCII.GetString(buffer, 0, read), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("style:NaN"), InlineData("style:1e300"), InlineData("style:-1e300"), InlineData("style:Infinity"), InlineData("style:4.01"), InlineData("style:1:2"), InlineData(":1"), InlineData("style:"), InlineData("style:0x1")]
    public async Task A_weight_that_is_none_is_refused(string tag) =>
        await Refused(HttpStatusCode.BadRequest, $"the tag <lora:{tag}>", service.PostAsync("/sdapi/v1/txt2img", new { prompt = $"a cat <lora:{tag}>", steps = 1 }));

    [Fact]
    public async Task Weights_that_add_up_to_too_much_and_tags_without_end_are_refused()
    {
        await Refused(HttpStatusCode.BadRequest, "add up to a weight of 8", service.PostAsync("/sdapi/v1/txt2img", new { prompt = "a cat <lora:style:4><lora:style:4>", steps = 1 }));
        await Refused(HttpStatusCode.BadRequest, "has no closing '>'", service.PostAsync("/sdapi/v1/txt2img", new { prompt = "a cat <lora:style:1", steps = 1 }));
        await Refused(HttpStatusCode.BadRequest, "loaded: other, style", service.PostAsync("/sdapi/v1/txt2img", new { prompt = string.Concat(Enumerable.Range(0, 300).Select(i => $"<lora:a{i}:1>")), steps = 1 }));
    }

    [Theory]
    [InlineData("../../etc/passwd"), InlineData("/etc/passwd"), InlineData(".."), InlineData("style/v1"), InlineData("style\\v1"), InlineData("a\0b"), InlineData(".hidden"), InlineData(""), InlineData("%2e%2e%2f")]
    public async Task A_name_like_a_path_reaches_no_file(string name)
    {
        var before = Files();
        await Refused(HttpStatusCode.BadRequest, "name", service.PostAsync("/v1/adapters", new { name }));
        await Refused(HttpStatusCode.BadRequest, name.Length > 0 ? "there is no adapter" : "the tag", service.PostAsync("/sdapi/v1/txt2img", new { prompt = $"a cat <lora:{name}:1>", steps = 1 }));
        using var unloaded = await service.Http.DeleteAsync("/v1/adapters/" + Uri.EscapeDataString(name), TestContext.Current.CancellationToken);
        Assert.InRange((int)unloaded.StatusCode, 400, 405); // some are no URL, and never get further than the web server
        Assert.Equal(before, Files());

        List<string> Files() => [.. Directory.EnumerateFileSystemEntries(service.Folder, "*", SearchOption.AllDirectories).Where(f => !f.Contains("feedback.db", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
    }

    [Theory]
    [InlineData("rating", "-0.01"), InlineData("rating", "1.01"), InlineData("rating", "\"NaN\""), InlineData("rating", "1e300"), InlineData("rating", "null")]
    public async Task A_rating_is_from_0_to_1(string key, string value)
    {
        var drawn = await service.DrawAsync("a cat", steps: 1);
        await Refused(HttpStatusCode.BadRequest, "valid: 0 to 1", service.PostAsync("/feedback", $"{{\"generation_id\": \"{drawn.Generations[0]}\", \"{key}\": {value}}}"));
    }

    [Fact]
    public async Task A_rating_belongs_to_a_picture_that_was_drawn_here()
    {
        await Refused(HttpStatusCode.NotFound, "was drawn here", service.PostAsync("/feedback", new { generation_id = "nobody", rating = 0.5 }));
        await Refused(HttpStatusCode.NotFound, "was drawn here", service.PostAsync("/feedback", new { generation_id = "' OR 1=1 --", rating = 0.5 }));
        await Refused(HttpStatusCode.BadRequest, "generation_id is missing", service.PostAsync("/feedback", new { rating = 0.5 }));
        await Refused(HttpStatusCode.BadRequest, "rating is missing", service.PostAsync("/feedback", new { generation_id = "a" }));
    }

    [Theory]
    [InlineData("GET", "/", 404), InlineData("GET", "/index.html", 404), InlineData("POST", "/nothing", 404), InlineData("GET", "/../../etc/passwd", 404), InlineData("DELETE", "/v1/adapters", 405)]
    [InlineData("GET", "/sdapi/v1/txt2img", 405), InlineData("POST", "/healthz", 405), InlineData("PUT", "/v1/models", 405), InlineData("GET", "/feedback", 405), InlineData("POST", "/v1/adapters/style", 405)]
    public async Task Paths_and_methods_that_there_are_not_say_which_there_are(string method, string path, int status) =>
        await Refused((HttpStatusCode)status, "there are POST /sdapi/v1/txt2img", service.SendAsync(new(method), path));
}
