using System.Net;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Models.Weights;

namespace LoraFactory.Tests.Stages.Deploy.Serving;

/// <summary>Clients of AUTOMATIC1111's API find what they look for; what they ask for is drawn or refused by name, never ignored.</summary>
[Collection("torch")]
public sealed class WebInterfaceTests(PocketService service) : IClassFixture<PocketService>
{
    private const string Draw = "/sdapi/v1/txt2img";

    private async Task<JsonElement> Get(string path)
    {
        var (status, body) = await service.SendAsync(HttpMethod.Get, path);
        Assert.Equal(HttpStatusCode.OK, status);
        return body;
    }

    private async Task Refused(string json, params string[] named)
    {
        var (status, body) = await service.PostAsync(Draw, json);
        Assert.True(status == HttpStatusCode.BadRequest, $"{json}: {body}");
        Assert.All(named, n => Assert.Contains(n, body.GetProperty("error").GetString(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_one_model_has_title_name_hash_and_file_and_the_settings_name_it()
    {
        var hash = DiffusionModel.Hash(PocketAdapters.Base);
        var model = Assert.Single((await Get("/sdapi/v1/sd-models")).EnumerateArray());
        string Of(string key) => model.GetProperty(key).GetString()!;
        Assert.Equal((Of("title"), Of("model_name"), Of("hash")), ($"pocket-sd [{hash[..10]}]", "pocket-sd", hash[..10]));
        Assert.Equal((Of("sha256"), Of("filename")), (hash, PocketAdapters.Base));
        Assert.Equal(JsonValueKind.Null, model.GetProperty("config").ValueKind);
        var settings = await Get("/sdapi/v1/options");
        Assert.Equal((Of("title"), hash), (settings.GetProperty("sd_model_checkpoint").GetString(), settings.GetProperty("sd_checkpoint_hash").GetString()));
        Assert.Equal(1, settings.GetProperty("CLIP_stop_at_last_layers").GetInt32());
    }

    [Fact]
    public async Task Loras_are_those_that_a_tag_may_name_with_file_and_metadata()
    {
        var loras = (await Get("/sdapi/v1/loras")).EnumerateArray().ToList();
        Assert.Equal(["other", "style"], loras.Select(l => l.GetProperty("name").GetString()));
        foreach (var lora in loras)
        {
            var (name, path) = (lora.GetProperty("name").GetString()!, lora.GetProperty("path").GetString()!);
            Assert.Equal(name, lora.GetProperty("alias").GetString());
            Assert.Equal(service.Store.Champion(name)!.Sha256, ContentId.OfFile(path));
            using var file = SafetensorsFile.Open(path);
            Assert.NotEmpty(file.Metadata);
            Assert.Equal(file.Metadata.OrderBy(m => m.Key), lora.GetProperty("metadata").EnumerateObject().Select(m => KeyValuePair.Create(m.Name, m.Value.GetString()!)).OrderBy(m => m.Key));
        }
    }

    [Fact]
    public async Task Every_sampler_and_scheduler_that_is_listed_is_taken()
    {
        var samplers = (await Get("/sdapi/v1/samplers")).EnumerateArray().Select(s => s.GetProperty("name").GetString()!).ToList();
        Assert.Equal(SamplerNames.All, samplers);
        foreach (var name in samplers) await service.DrawAsync("a cat", sampler: name, steps: 2);
        Assert.Equal(["Automatic", "Karras", "Exponential"], (await Get("/sdapi/v1/schedulers")).EnumerateArray().Select(s => s.GetProperty("label").GetString()));

        var named = (await service.DrawAsync("a cat", sampler: "DPM++ 2M Karras", steps: 4)).Pngs[0];
        Assert.NotEqual(named, (await service.DrawAsync("a cat", sampler: "DPM++ 2M", steps: 4)).Pngs[0]);
        foreach (var way in new[] { "\"sampler_name\": \"DPM++ 2M\", \"scheduler\": \"Karras\"", "\"sampler_name\": \"DPM++ 2M Karras\", \"scheduler\": \"karras\"", "\"sampler_name\": null, \"sampler_index\": \"DPM++ 2M Karras\", \"scheduler\": \"Automatic\"" })
        {
            var (status, body) = await service.PostAsync(Draw, $"{{\"prompt\": \"a cat\", \"seed\": 7, \"steps\": 4, {way}}}");
            Assert.True(status == HttpStatusCode.OK, body.ToString());
            Assert.Equal(named, body.GetProperty("images")[0].GetBytesFromBase64());
        }
        await Refused("{\"scheduler\": \"Polyexponential\", \"sampler_name\": \"Euler\"}", "scheduler is Polyexponential; valid: Automatic, Karras, Exponential");
        await Refused("{\"scheduler\": \"Karras\"}", "give sampler_name too");
        await Refused("{\"scheduler\": \"Karras\", \"sampler_name\": \"DDIM\"}", "There is no sampler \"DDIM Karras\"");
    }

    [Fact]
    public async Task Batches_are_drawn_one_after_the_other_and_seeds_count_on()
    {
        var together = await service.DrawAsync("a cat", seed: 40, batch: 2);
        var (status, body) = await service.PostAsync(Draw, new { prompt = "a cat", seed = 40, steps = PocketService.Steps, batch_size = 2, n_iter = 2 });
        Assert.True(status == HttpStatusCode.OK, body.ToString());
        var info = JsonSerializer.Deserialize<JsonElement>(body.GetProperty("info").GetString()!);
        Assert.Equal([40, 41, 42, 43], info.GetProperty("all_seeds").EnumerateArray().Select(s => s.GetInt64()));
        Assert.Equal(4, info.GetProperty("generations").EnumerateArray().Select(g => g.GetString()).Distinct().Count());
        var images = body.GetProperty("images").EnumerateArray().Select(i => i.GetBytesFromBase64()).ToList();
        Assert.Equal(together.Pngs, images[..2]);
        Assert.Equal((await service.DrawAsync("a cat", seed: 42, batch: 2)).Pngs, images[2..]);
        Assert.Contains("Seed: 43,", info.GetProperty("infotexts")[3].GetString());
        (_, body) = await service.PostAsync(Draw, new { prompt = "a cat", negative_prompt = "snow", seed = 40, steps = 3, sampler_name = "dpm++ 2m", scheduler = "Karras" });
        Assert.StartsWith("a cat\nNegative prompt: snow\nSteps: 3, Sampler: dpm++ 2m Karras, CFG scale: ", JsonSerializer.Deserialize<JsonElement>(body.GetProperty("info").GetString()!).GetProperty("infotexts")[0].GetString());
        await Refused("{\"n_iter\": 0}", "n_iter is 0; valid: 1 to 16");
        await Refused("{\"n_iter\": 17}", "n_iter is 17");
        await Refused("{\"n_iter\": 3, \"batch_size\": 8}", "24 of 64×64 is too much for one request");
    }

    [Fact]
    public async Task What_asks_for_nothing_is_accepted_as_clients_send_it()
    {
        const string Plain = """
            {"prompt": "a cat", "negative_prompt": "", "styles": [], "seed": 7, "subseed": -1, "subseed_strength": 0.0, "seed_resize_from_h": -1, "seed_resize_from_w": 0,
             "sampler_name": "DPM++ 2M", "sampler_index": "Euler", "scheduler": null, "batch_size": 1, "n_iter": 1, "steps": 2, "cfg_scale": 4.0, "width": 64, "height": 64, "restore_faces": false, "tiling": null,
             "do_not_save_samples": false, "do_not_save_grid": true, "eta": 1.0, "denoising_strength": 0.7, "s_min_uncond": 0, "s_churn": 0.0, "s_tmax": 0, "s_tmin": 0, "s_noise": 1.0,
             "override_settings": {"sd_model_checkpoint": "pocket-sd", "CLIP_stop_at_last_layers": 1}, "override_settings_restore_afterwards": true, "refiner_checkpoint": "None", "refiner_switch_at": 0.8,
             "disable_extra_networks": false, "firstpass_image": null, "comments": {}, "enable_hr": false, "firstphase_width": 0, "firstphase_height": 0, "hr_scale": 2.0, "hr_upscaler": "Latent", "hr_second_pass_steps": 0,
             "hr_resize_x": 0, "hr_resize_y": 0, "hr_checkpoint_name": null, "hr_sampler_name": null, "hr_scheduler": null, "hr_prompt": "", "hr_negative_prompt": "", "force_task_id": null,
             "script_name": "", "script_args": [], "send_images": true, "save_images": false, "alwayson_scripts": {}, "infotext": null}
            """;
        var (status, body) = await service.PostAsync(Draw, Plain);
        Assert.True(status == HttpStatusCode.OK, body.ToString());
        Assert.Equal((await service.DrawAsync("a cat", sampler: "DPM++ 2M")).Pngs[0], body.GetProperty("images")[0].GetBytesFromBase64());
        Assert.Equal((64, 64), (body.GetProperty("parameters").GetProperty("width").GetInt32(), body.GetProperty("parameters").GetProperty("height").GetInt32()));
    }

    [Theory]
    [InlineData("enable_hr", "true", "in one pass"), InlineData("restore_faces", "true", "leave this out or false"), InlineData("tiling", "1", "do not tile"), InlineData("styles", "[\"oil\"]", "write the words into the prompt")]
    [InlineData("subseed_strength", "0.5", "one seed"), InlineData("seed_resize_from_w", "512", "leave this out or 0"), InlineData("s_churn", "5", "leave this out or 0"), InlineData("s_noise", "1.1", "leave this out or 1")]
    [InlineData("send_images", "false", "leave this out or true"), InlineData("save_images", "true", "kept nowhere else"), InlineData("disable_extra_networks", "true", "leave the tag out"), InlineData("script_name", "\"X/Y/Z plot\"", "no scripts")]
    [InlineData("alwayson_scripts", "{\"controlnet\": {\"args\": []}}", "no extensions"), InlineData("refiner_checkpoint", "\"refiner\"", "in one pass"), InlineData("override_settings", "[1]", "object of settings"), InlineData("eta", "\"a\"", "it is a number")]
    public async Task What_asks_for_something_that_is_not_done_is_refused_by_name(string key, string value, string possible) =>
        await Refused($"{{\"prompt\": \"a cat\", \"steps\": 1, \"sampler_name\": \"Euler\", \"{key}\": {value}}}", $"{key} is {value}: ", possible);

    [Fact]
    public async Task A_setting_for_something_else_than_what_is_served_is_refused_by_name()
    {
        await Refused("{\"override_settings\": {\"sd_model_checkpoint\": \"other.safetensors\"}}", "override_settings.sd_model_checkpoint is \"other.safetensors\": this server has one base");
        await Refused("{\"override_settings\": {\"CLIP_stop_at_last_layers\": 2}}", "override_settings.CLIP_stop_at_last_layers is 2: ");
        await Refused("{\"override_settings\": {\"eta_noise_seed_delta\": 31337}}", "override_settings.eta_noise_seed_delta is 31337: there is no such setting here; there are sd_model_checkpoint");
        var title = (await Get("/sdapi/v1/options")).GetProperty("sd_model_checkpoint").GetString();
        Assert.Equal(HttpStatusCode.OK, (await service.PostAsync("/sdapi/v1/options", new { sd_model_checkpoint = title })).Status);
        var (status, body) = await service.PostAsync("/sdapi/v1/options", new { sd_model_checkpoint = "sdxl" });
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.StartsWith("sd_model_checkpoint is \"sdxl\": this server has one base", body.GetProperty("error").GetString());
    }

    [Fact]
    public async Task The_noise_that_a_sampler_adds_can_be_named_but_not_changed()
    {
        foreach (var (sampler, own, other) in new[] { ("Euler a", "1", "0"), ("DDIM", "0", "1"), ("DPM++ 2M SDE", "1", "0.5") })
        {
            var (status, body) = await service.PostAsync(Draw, $"{{\"prompt\": \"a cat\", \"steps\": 2, \"sampler_name\": \"{sampler}\", \"eta\": {own}}}");
            Assert.True(status == HttpStatusCode.OK, body.ToString());
            await Refused($"{{\"sampler_name\": \"{sampler}\", \"eta\": {other}}}", $"eta is {other}: this sampler's own is {own}");
        }
    }
}
