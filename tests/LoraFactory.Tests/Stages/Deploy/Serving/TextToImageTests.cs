using System.Buffers.Binary;
using System.Net;
using System.Text;
using LoraFactory.Images;
using LoraFactory.Stages.Feedback;

namespace LoraFactory.Tests.Stages.Deploy.Serving;

/// <summary>Pictures over HTTP from the pocket base: what is asked for is drawn, and the same request draws the same bytes.</summary>
[Collection("torch")]
public sealed class TextToImageTests(PocketService service) : IClassFixture<PocketService>
{
    private const string Prompt = "a red house in a green field";

    private static double Difference(byte[] a, byte[] b) => a.Zip(b).Average(p => Math.Abs(p.First - p.Second));

    [Fact]
    public async Task A_picture_is_a_png_of_the_bases_size_and_the_same_seed_gives_the_same_bytes()
    {
        var first = await service.DrawAsync(Prompt);
        var picture = PictureDecoder.Decode(first.Pngs.Single());
        Assert.Equal((64, 64), (picture.Width, picture.Height));
        Assert.Equal(first.Pngs[0], (await service.DrawAsync(Prompt)).Pngs[0]);
        Assert.True(Difference(first.Pixels(), (await service.DrawAsync(Prompt, seed: 8)).Pixels()) > 1);
        Assert.Contains($"parameters\0{Prompt}\nSteps: 2, CFG scale: 4, Seed: 7, Size: 64x64", Encoding.Latin1.GetString(first.Pngs[0]));
        Assert.Equal(7, first.Info.GetProperty("seed").GetInt64());
        Assert.NotEqual(first.Generations[0], (await service.DrawAsync(Prompt)).Generations[0]);
    }

    [Fact]
    public async Task Sides_that_are_asked_for_are_drawn()
    {
        var (status, body) = await service.PostAsync("/sdapi/v1/txt2img", new { prompt = Prompt, seed = 1, steps = 1, width = 96, height = 32 });
        Assert.True(status == HttpStatusCode.OK, body.ToString());
        var png = body.GetProperty("images")[0].GetBytesFromBase64();
        Assert.Equal((96, 32), (BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)), BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20))));
    }

    [Fact]
    public async Task An_adapter_changes_the_picture_by_its_weight_and_weight_0_not_at_all()
    {
        var plain = (await service.DrawAsync(Prompt)).Pixels();
        var whole = (await service.DrawAsync($"{Prompt} <lora:style:1>")).Pixels();
        Assert.True(Difference(plain, whole) > 1);
        Assert.Equal(whole, (await service.DrawAsync($"<lora:style> {Prompt}")).Pixels());
        Assert.Equal(whole, (await service.DrawAsync($"{Prompt} <lora:style:0.75><lora:style:0.25>")).Pixels());
        Assert.Equal(plain, (await service.DrawAsync($"{Prompt} <lora:style:0>")).Pixels());
        var half = (await service.DrawAsync($"{Prompt} <lora:style:0.5>")).Pixels();
        Assert.True(Difference(half, whole) > 0 && Difference(half, plain) > 0);
        var other = (await service.DrawAsync($"{Prompt} <lora:other:1>")).Pixels();
        var both = (await service.DrawAsync($"{Prompt} <lora:style:1> <lora:other:1>")).Pixels();
        Assert.All(new[] { plain, whole, other }, p => Assert.True(Difference(both, p) > 0));
        Assert.Equal(plain, (await service.DrawAsync(Prompt)).Pixels()); // nothing stays behind
    }

    [Fact]
    public async Task An_adapter_that_is_not_loaded_is_named_with_those_that_are()
    {
        foreach (var name in new[] { "nobody", "candidate", "fried", "foreign", "tampered", "Style" })
        {
            var (status, body) = await service.PostAsync("/sdapi/v1/txt2img", new { prompt = $"{Prompt} <lora:{name}:1>", steps = 1 });
            Assert.Equal(HttpStatusCode.BadRequest, status);
            Assert.Equal($"there is no adapter {name}; loaded: other, style.", body.GetProperty("error").GetString());
        }
    }

    [Fact]
    public async Task A_batch_counts_its_seeds_up_and_each_picture_can_be_rated()
    {
        var batch = await service.DrawAsync($"{Prompt} <lora:style:1>", seed: 40, batch: 3);
        Assert.Equal([40, 41, 42], batch.Info.GetProperty("all_seeds").EnumerateArray().Select(s => s.GetInt64()));
        Assert.Equal(3, batch.Generations.Distinct().Count());
        for (var i = 0; i < 3; i++)
        {
            // a batch of three is computed in other blocks than one of one: rounding may tip a pixel by one
            var alone = await service.DrawAsync($"{Prompt} <lora:style:1>", seed: 40 + i);
            Assert.True(Difference(alone.Pixels(), batch.Pixels(i)) < 0.05, $"picture {i} differs by {Difference(alone.Pixels(), batch.Pixels(i))}");
            Assert.True(Difference(batch.Pixels(i), batch.Pixels((i + 1) % 3)) > 1);
        }
    }

    [Fact]
    public async Task Samplers_go_by_the_names_of_web_interfaces()
    {
        var pictures = new List<byte[]>();
        foreach (var name in new[] { "Euler a", "ddim", "DPM++ 2M Karras" }) pictures.Add((await service.DrawAsync(Prompt, sampler: name, steps: 4)).Pixels());
        Assert.True(Difference(pictures[0], pictures[1]) > 0.5 && Difference(pictures[1], pictures[2]) > 0.5 && Difference(pictures[0], pictures[2]) > 0.5);
        var (status, body) = await service.PostAsync("/sdapi/v1/txt2img", new { prompt = Prompt, sampler_name = "Euler b" });
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("DPM++ 2M Karras", body.GetProperty("error").GetString());
    }

    [Fact]
    public async Task Counters_move_with_every_picture()
    {
        using var scraped = await service.Http.GetAsync("/metrics", TestContext.Current.CancellationToken);
        Assert.Equal("text/plain", scraped.Content.Headers.ContentType!.MediaType);
        foreach (var line in (await scraped.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).TrimEnd('\n').Split('\n'))
            Assert.Matches(@"^(# (HELP|TYPE) lora_[a-z_]+ .+|lora_[a-z_]+ [0-9.E+-]+)$", line);
        var (pictures, requests, seconds) = (await service.MetricAsync("lora_pictures_total"), await service.MetricAsync("lora_requests_total"), await service.MetricAsync("lora_draw_seconds_total"));
        await service.DrawAsync(Prompt, batch: 2);
        await service.PostAsync("/sdapi/v1/txt2img", new { prompt = Prompt, steps = 0 });
        Assert.Equal((pictures + 2, requests + 1), (await service.MetricAsync("lora_pictures_total"), await service.MetricAsync("lora_requests_total")));
        Assert.True(await service.MetricAsync("lora_draw_seconds_total") > seconds);
        Assert.Equal(0, await service.MetricAsync("lora_waiting"));
        Assert.Equal(2, await service.MetricAsync("lora_adapters"));
    }

    [Fact]
    public async Task Ratings_of_drawn_pictures_are_kept_in_the_stores_database()
    {
        var drawn = await service.DrawAsync($"{Prompt} <lora:style:0.5>", batch: 2);
        var plain = await service.DrawAsync(Prompt);
        var before = await service.MetricAsync("lora_ratings_total");
        async Task Rate(string id, double value, string comment)
        {
            var (status, body) = await service.PostAsync("/feedback", new { generation_id = id, rating = value, comment });
            Assert.Equal((HttpStatusCode.OK, id), (status, body.GetProperty("stored").GetString()));
        }
        await Rate(drawn.Generations[0], 0.25, "too blue");
        await Rate(drawn.Generations[1], 1, "");
        await Rate(plain.Generations[0], 0, "");
        await Rate(drawn.Generations[0], 0.5, "it's better than I thought — 好");
        Assert.Equal(before + 4, await service.MetricAsync("lora_ratings_total"));
        using var database = new FeedbackStore(service.Ratings);
        var kept = database.Latest("style", 10);
        Assert.Equal([(drawn.Generations[0], 0.5, "it's better than I thought — 好"), (drawn.Generations[1], 1, "")], kept.Select(r => (r.Generation, r.Value, r.Comment)));
        Assert.All(kept, r => Assert.Equal((1, $"{Prompt} <lora:style:0.5>"), (r.Version, r.Prompt)));
        Assert.Contains(database.Latest("", 10), r => r.Generation == plain.Generations[0] && r.Version == 0);
    }
}
