using System.Text.Json;
using System.Text.Json.Serialization;
using LoraFactory.Models;
using LoraFactory.Models.Schedulers;

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
    /// <summary>Seed of the first picture, to 2⁵³ − 1, the largest whole number that every JSON reader keeps; −1 draws one.</summary>
    public long Seed { get; init; } = -1;
    /// <summary>Pictures drawn together, 1..8.</summary>
    public int BatchSize { get; init; } = 1;
    /// <summary>Such batches, one after the other, 1..16; seeds count on from one to the next.</summary>
    public int NIter { get; init; } = 1;
    /// <summary>Sampler as web interfaces name it, e.g. "DPM++ 2M Karras"; empty takes the base's own.</summary>
    public string? SamplerName { get; init; }
    /// <summary>The sampler's older key, taken where <see cref="SamplerName"/> is empty.</summary>
    public string? SamplerIndex { get; init; }
    /// <summary>How the noise levels are spread, one of <see cref="Schedulers"/>; the same as the last word of some samplers' names.</summary>
    public string? Scheduler { get; init; }
    /// <summary>All other keys; <see cref="WebInterfaceKeys"/> says which may be there.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement> Others { get; init; } = [];

    /// <summary>What <see cref="Scheduler"/> may be.</summary>
    internal static IReadOnlyList<string> Schedulers { get; } = ["Automatic", "Karras", "Exponential"];

    private const int MaxPrompt = 4000;
    private const int MaxAreas = 16;
    private const long MaxSeed = (1L << 53) - 1;

    /// <summary>
    /// Width and height that are drawn. Throws a <see cref="ModelException"/> that names the first value out of its range. A picture costs time and
    /// memory by its area, so a request may ask for 16 times the base's own (<paramref name="side"/> pixels square) at most, all pictures together.
    /// </summary>
    public (int Width, int Height) Checked(int side)
    {
        Require(Prompt.Length <= MaxPrompt && NegativePrompt.Length <= MaxPrompt, $"prompt and negative_prompt may have up to {MaxPrompt} characters");
        Require(Steps is >= 1 and <= 150, $"steps is {Steps}; valid: 1 to 150");
        Require(CfgScale is >= 0 and <= 30, $"cfg_scale is {CfgScale}; valid: 0 to 30");
        Require(BatchSize is >= 1 and <= 8, $"batch_size is {BatchSize}; valid: 1 to 8");
        Require(NIter is >= 1 and <= MaxAreas, $"n_iter is {NIter}; valid: 1 to {MaxAreas}");
        Require(Seed is >= -1 and <= MaxSeed, $"seed is {Seed}; valid: 0 to {MaxSeed}, or -1 for any");
        var (width, height) = (Width == 0 ? side : Width, Height == 0 ? side : Height);
        Require(width is >= 16 and <= 2048 && height is >= 16 and <= 2048, $"{width}×{height}: width and height have to be 16 to 2048");
        Require((long)width * height * BatchSize * NIter <= (long)MaxAreas * side * side,
            $"{BatchSize * NIter} of {width}×{height} is too much for one request; valid: up to {MaxAreas} times the area of {side}×{side} in all");
        return (width, height);
    }

    /// <summary>The sampler that is asked for, on the base's own noise tables; null where none is. Throws a <see cref="ModelException"/> that names those that there are.</summary>
    public SchedulerOptions? Sampler(SchedulerOptions own) => SamplerInFull() is { Length: > 0 } name ? SamplerNames.Resolve(name, own) : null;

    /// <summary>The sampler's name with its scheduler's, such as "DPM++ 2M Karras", as infotexts have it; empty where the base's own is taken.</summary>
    public string SamplerInFull()
    {
        var name = (string.IsNullOrEmpty(SamplerName) ? SamplerIndex : SamplerName)?.Trim() ?? "";
        if (!string.IsNullOrEmpty(Scheduler) && !Scheduler.Equals(Schedulers[0], StringComparison.OrdinalIgnoreCase))
        {
            Require(Schedulers.Contains(Scheduler, StringComparer.OrdinalIgnoreCase), $"scheduler is {JsonBody.Short(Scheduler)}; valid: {string.Join(", ", Schedulers)}");
            Require(name.Length > 0, $"scheduler is {Scheduler}, which goes with a sampler; give sampler_name too, such as DPM++ 2M");
            if (!name.EndsWith($" {Scheduler}", StringComparison.OrdinalIgnoreCase)) name += $" {Scheduler}";
        }
        return name;
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds) throw new ModelException(otherwise + ".");
    }
}
