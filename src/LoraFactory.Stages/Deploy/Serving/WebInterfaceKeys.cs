using System.Globalization;
using System.Text.Json;
using LoraFactory.Models;
using LoraFactory.Models.Schedulers;

namespace LoraFactory.Stages.Deploy.Serving;

/// <summary>
/// Keys that clients of AUTOMATIC1111's /sdapi/v1/txt2img send along and that are not done here. One that asks for nothing special is accepted;
/// one that asks for something is refused by name, with what is possible: nothing is ignored in silence.
/// </summary>
internal static class WebInterfaceKeys
{
    // AsksNothing: whether a value, never null, asks for nothing; Possible: what is possible, for the one that does
    private sealed record Rule(Func<JsonElement, bool> AsksNothing, string Possible);

    private const string OnePass = "a picture is drawn in one pass; ask for its whole width and height, and leave this out";
    private const string NoExtensions = "there are no scripts and no extensions here; leave this out";

    private static readonly Dictionary<string, Rule> Rules = new(StringComparer.Ordinal)
    {
        ["enable_hr"] = new(IsFalse, OnePass),
        ["firstpass_image"] = new(IsEmpty, OnePass),
        ["refiner_checkpoint"] = new(IsEmpty, OnePass),
        ["restore_faces"] = new(IsFalse, "faces stay as they are drawn; leave this out or false"),
        ["tiling"] = new(IsFalse, "pictures do not tile; leave this out or false"),
        ["styles"] = new(IsEmpty, "there are no stored styles; write the words into the prompt"),
        ["subseed_strength"] = new(v => IsNumber(v, 0), "a picture has one seed; leave this out or 0"),
        ["seed_resize_from_h"] = new(IsAtMostZero, "the noise has the picture's own size; leave this out or 0"),
        ["seed_resize_from_w"] = new(IsAtMostZero, "the noise has the picture's own size; leave this out or 0"),
        ["s_churn"] = new(v => IsNumber(v, 0), "a sampler adds the noise that is its own; leave this out or 0"),
        ["s_noise"] = new(v => IsNumber(v, 1), "a sampler adds the noise that is its own; leave this out or 1"),
        ["s_min_uncond"] = new(v => IsNumber(v, 0), "every step is guided; leave this out or 0"),
        ["send_images"] = new(v => v.ValueKind == JsonValueKind.True, "pictures come with the answer and are kept nowhere else; leave this out or true"),
        ["save_images"] = new(IsFalse, "pictures come with the answer and are kept nowhere else; leave this out or false"),
        ["disable_extra_networks"] = new(IsFalse, "an adapter is used where the prompt has its tag; leave the tag out"),
        ["script_name"] = new(IsEmpty, NoExtensions),
        ["alwayson_scripts"] = new(IsEmpty, NoExtensions),
        ["force_task_id"] = new(IsEmpty, "there is no progress to ask for; leave this out"),
        ["infotext"] = new(IsEmpty, "give prompt, steps and the like each by its own key"),
        ["comments"] = new(IsEmpty, "pictures carry no comments; leave this out"),
    };

    // Each of these means something only beside another key, which is refused above, or says how to keep what is not kept here.
    private static readonly HashSet<string> Idle = new(StringComparer.Ordinal)
    {
        "subseed", "denoising_strength", "firstphase_width", "firstphase_height", "hr_scale", "hr_upscaler", "hr_second_pass_steps", "hr_resize_x", "hr_resize_y",
        "hr_checkpoint_name", "hr_sampler_name", "hr_scheduler", "hr_prompt", "hr_negative_prompt", "refiner_switch_at", "script_args", "s_tmin", "s_tmax",
        "do_not_save_samples", "do_not_save_grid", "override_settings_restore_afterwards",
    };

    /// <summary>Throws a <see cref="ModelException"/> that names the first key which asks for something that is not done here, or which nobody knows.</summary>
    /// <param name="others">What a request holds besides the keys that are heard.</param>
    /// <param name="sampler">The sampler that will draw.</param>
    /// <param name="isBase">Whether a checkpoint's name means the base that is served.</param>
    public static async Task CheckAsync(IReadOnlyDictionary<string, JsonElement> others, SchedulerOptions sampler, Func<string, Task<bool>> isBase)
    {
        foreach (var (key, value) in others)
        {
            if (key == "override_settings" && value.ValueKind == JsonValueKind.Object)
                await CheckSettingsAsync(value.EnumerateObject().Select(s => KeyValuePair.Create(s.Name, s.Value)), isBase, "override_settings.");
            else if (key == "override_settings") Refuse(key, value, new(IsEmpty, "it is an object of settings; leave it out"));
            else if (key == "eta") Refuse(key, value, Eta(sampler));
            else if (Rules.TryGetValue(key, out var rule)) Refuse(key, value, rule);
            else if (!Idle.Contains(key)) throw JsonBody.Unknown(key, JsonBody.KeysOf<TextToImage>());
        }
    }

    /// <summary>Throws where a setting asks for something else than what is served; <paramref name="before"/> stands before its name in the message.</summary>
    public static async Task CheckSettingsAsync(IEnumerable<KeyValuePair<string, JsonElement>> settings, Func<string, Task<bool>> isBase, string before = "")
    {
        foreach (var (key, value) in settings)
        {
            var served = key == "sd_model_checkpoint" && value.ValueKind == JsonValueKind.String && await isBase(value.GetString()!);
            Refuse(before + key, value, key switch
            {
                "sd_model_checkpoint" => new(_ => served, "this server has one base, see /sdapi/v1/sd-models; lora serve --base starts one with another"),
                "CLIP_stop_at_last_layers" => new(v => IsNumber(v, 1), "the text is encoded by all layers, which is 1"),
                "samples_format" => new(v => v.ValueKind == JsonValueKind.String && v.ValueEquals("png"), "pictures are png"),
                "sd_vae" => new(v => v.ValueKind == JsonValueKind.String && (v.ValueEquals("Automatic") || v.ValueEquals("None")), "the base's own autoencoder is used, which is Automatic"),
                _ => new(_ => false, $"there is no such setting here; there are {string.Join(", ", Settings)}"),
            });
        }
    }

    /// <summary>Settings that are known.</summary>
    public static IReadOnlyList<string> Settings { get; } = ["sd_model_checkpoint", "CLIP_stop_at_last_layers", "samples_format", "sd_vae"];

    // Noise that a sampler adds at each step, as a share of its usual: DDIM's usual is none, ancestral and SDE samplers' all; the others add none.
    private static Rule Eta(SchedulerOptions sampler)
    {
        double? own = sampler.ClassName == "DDIMScheduler" ? sampler.Eta : sampler.ClassName.Contains("Ancestral", StringComparison.Ordinal) || sampler.Algorithm.StartsWith("sde", StringComparison.Ordinal) ? 1 : null;
        return own is { } eta ? new(v => IsNumber(v, eta), string.Create(CultureInfo.InvariantCulture, $"this sampler's own is {eta}; leave this out")) : new(v => v.ValueKind == JsonValueKind.Number, "it is a number; leave this out");
    }

    private static void Refuse(string key, JsonElement value, Rule rule)
    {
        if (value.ValueKind == JsonValueKind.Null || rule.AsksNothing(value)) return;
        throw new ModelException($"{JsonBody.Short(key)} is {JsonBody.Short(value.GetRawText())}: {rule.Possible}.");
    }

    private static bool IsFalse(JsonElement value) => value.ValueKind == JsonValueKind.False;

    private static bool IsNumber(JsonElement value, double wanted) => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number == wanted;

    private static bool IsAtMostZero(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number <= 0;

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.ValueEquals("") || value.ValueEquals("None"),
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => value.GetPropertyCount() == 0,
        _ => false,
    };
}
