using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LoraFactory.Models.Lora;

/// <summary>What a training knows about itself that other tools look for in an adapter's header.</summary>
public sealed record LoraFacts
{
    /// <summary>Name of the adapter, without extension.</summary>
    public required string Name { get; init; }
    /// <summary>Family of the base.</summary>
    public ModelFamily Family { get; init; } = ModelFamily.Sd1;
    /// <summary>Whether the base predicts velocity instead of noise.</summary>
    public bool VPrediction { get; init; }
    /// <summary>Rank of Linear layers.</summary>
    public required int Rank { get; init; }
    /// <summary>Alpha of Linear layers.</summary>
    public required double Alpha { get; init; }
    /// <summary>Rank and alpha of 3×3 convolutions, where there are such.</summary>
    public (int Rank, double Alpha)? Conv { get; init; }
    /// <summary>Width and height of the pictures in pixels.</summary>
    public required (int Width, int Height) Resolution { get; init; }
    /// <summary>Seed.</summary>
    public long Seed { get; init; }
    /// <summary>Optimizer steps done.</summary>
    public required int Steps { get; init; }
    /// <summary>Optimizer steps planned.</summary>
    public required int MaximumSteps { get; init; }
    /// <summary>Passes over the data, the last one begun counted in.</summary>
    public int Epochs { get; init; } = 1;
    /// <summary>Passes planned.</summary>
    public int MaximumEpochs { get; init; } = 1;
    /// <summary>Pictures of an optimizer step; 0: not known.</summary>
    public int BatchSize { get; init; }
    /// <summary>Rate of the UNet.</summary>
    public required double UNetRate { get; init; }
    /// <summary>Rate of the text encoder; 0: not trained.</summary>
    public double TextEncoderRate { get; init; }
    /// <summary>Optimizer, e.g. "AdamW".</summary>
    public string Optimizer { get; init; } = "AdamW";
    /// <summary>Schedule, e.g. "cosine".</summary>
    public string Schedule { get; init; } = "constant";
    /// <summary>Warm-up steps.</summary>
    public int WarmUp { get; init; }
    /// <summary>Bound of the gradient norm.</summary>
    public double MaximumGradientNorm { get; init; } = 1;
    /// <summary>min-SNR γ; null: not used.</summary>
    public double? MinSnrGamma { get; init; }
    /// <summary>Noise offset; null: not used.</summary>
    public double? NoiseOffset { get; init; }
    /// <summary>Pictures, each counted as often as it is repeated.</summary>
    public int Pictures { get; init; }
    /// <summary>How often each tag occurs.</summary>
    public IReadOnlyDictionary<string, int> Tags { get; init; } = new Dictionary<string, int>();
    /// <summary>Trigger word; empty: none.</summary>
    public string Trigger { get; init; } = "";
    /// <summary>Free text.</summary>
    public string Comment { get; init; } = "";
    /// <summary>Begin and end.</summary>
    public (DateTimeOffset Begin, DateTimeOffset End)? Times { get; init; }
    /// <summary>Name of the base model.</summary>
    public string BaseModel { get; init; } = "";
    /// <summary>"no", "fp16" or "bf16".</summary>
    public string MixedPrecision { get; init; } = "no";
}

/// <summary>
/// The header of an adapter: kohya's ss_* keys, which the web UIs read, and modelspec.* (Stability AI's Model Metadata Standard 1.0.0). All values are
/// text, numbers as Python prints them.
/// </summary>
public static class LoraMetadata
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The header's text by key; what is not known is left out.</summary>
    public static Dictionary<string, string> Of(LoraFacts facts)
    {
        var text = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["ss_output_name"] = facts.Name,
            ["ss_network_module"] = "networks.lora",
            ["ss_network_dim"] = Whole(facts.Rank),
            ["ss_network_alpha"] = Real(facts.Alpha),
            ["ss_network_args"] = facts.Conv is var (rank, alpha) ? $$"""{"conv_dim": "{{Whole(rank)}}", "conv_alpha": "{{Real(alpha)}}"}""" : "{}",
            ["ss_base_model_version"] = facts.Family switch { ModelFamily.Sd1 => "sd_v1", ModelFamily.Sd2 => "sd_v2", _ => "sdxl_base_v1-0" },
            ["ss_v2"] = facts.Family == ModelFamily.Sd2 ? "True" : "False",
            ["ss_resolution"] = $"({Whole(facts.Resolution.Width)}, {Whole(facts.Resolution.Height)})",
            ["ss_seed"] = facts.Seed.ToString(CultureInfo.InvariantCulture),
            ["ss_steps"] = Whole(facts.Steps),
            ["ss_max_train_steps"] = Whole(facts.MaximumSteps),
            ["ss_num_epochs"] = Whole(Math.Max(facts.Epochs, facts.MaximumEpochs)),
            ["ss_epoch"] = Whole(facts.Epochs),
            ["ss_learning_rate"] = Real(facts.UNetRate),
            ["ss_unet_lr"] = Real(facts.UNetRate),
            ["ss_text_encoder_lr"] = facts.TextEncoderRate > 0 ? Real(facts.TextEncoderRate) : "None",
            ["ss_optimizer"] = facts.Optimizer,
            ["ss_lr_scheduler"] = facts.Schedule,
            ["ss_lr_warmup_steps"] = Whole(facts.WarmUp),
            ["ss_max_grad_norm"] = Real(facts.MaximumGradientNorm),
            ["ss_min_snr_gamma"] = facts.MinSnrGamma is { } gamma ? Real(gamma) : "None",
            ["ss_noise_offset"] = facts.NoiseOffset is { } offset ? Real(offset) : "None",
            ["ss_num_train_images"] = Whole(facts.Pictures),
            ["ss_tag_frequency"] = JsonSerializer.Serialize(new Dictionary<string, IReadOnlyDictionary<string, int>> { [facts.Name] = facts.Tags }, Plain),
            ["ss_mixed_precision"] = facts.MixedPrecision,
            ["modelspec.sai_model_spec"] = "1.0.0",
            ["modelspec.architecture"] = facts.Family switch { ModelFamily.Sd1 => "stable-diffusion-v1/lora", ModelFamily.Sd2 => "stable-diffusion-v2-512/lora", _ => "stable-diffusion-xl-v1-base/lora" },
            ["modelspec.implementation"] = facts.Family == ModelFamily.Sdxl ? "https://github.com/Stability-AI/generative-models" : "https://github.com/CompVis/stable-diffusion",
            ["modelspec.title"] = facts.Name,
            ["modelspec.resolution"] = $"{Whole(facts.Resolution.Width)}x{Whole(facts.Resolution.Height)}",
            ["modelspec.prediction_type"] = facts.VPrediction ? "v" : "epsilon",
        };
        if (facts.BatchSize > 0) text["ss_total_batch_size"] = Whole(facts.BatchSize);
        if (facts.BaseModel.Length > 0) text["ss_sd_model_name"] = facts.BaseModel;
        if (facts.Comment.Length > 0) text["ss_training_comment"] = facts.Comment;
        if (facts.Trigger.Length > 0) text["modelspec.trigger_phrase"] = facts.Trigger;
        if (facts.Times is var (begin, end))
        {
            text["ss_training_started_at"] = Seconds(begin);
            text["ss_training_finished_at"] = Seconds(end);
            text["modelspec.date"] = end.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture);
        }
        return text.ToDictionary(StringComparer.Ordinal);
    }

    /// <summary>The label that the web UI derives: SDXL, SD2, SD1, or Unknown without metadata.</summary>
    public static string VersionLabel(IReadOnlyDictionary<string, string> metadata)
    {
        if (metadata.TryGetValue("ss_base_model_version", out var version) && version.StartsWith("sdxl_", StringComparison.Ordinal)) return "SDXL";
        if (metadata.TryGetValue("ss_v2", out var v2) && v2 == "True") return "SD2";
        return metadata.Count > 0 ? "SD1" : "Unknown";
    }

    /// <summary>Family of the base that a header speaks of; SD 1 where it says nothing.</summary>
    public static ModelFamily FamilyOf(IReadOnlyDictionary<string, string> metadata) =>
        VersionLabel(metadata) switch { "SDXL" => ModelFamily.Sdxl, "SD2" => ModelFamily.Sd2, _ => ModelFamily.Sd1 };

    private static string Whole(long number) => number.ToString(CultureInfo.InvariantCulture);

    // Python prints 2.0 for a float that is whole, and 1e-05 with at least two digits of exponent
    private static string Real(double number)
    {
        var text = number.ToString("R", CultureInfo.InvariantCulture);
        if (text.Contains('E', StringComparison.Ordinal))
        {
            var (digits, exponent) = (text[..text.IndexOf('E', StringComparison.Ordinal)], int.Parse(text[(text.IndexOf('E', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture));
            return $"{digits}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }
        return text.Contains('.', StringComparison.Ordinal) ? text : text + ".0";
    }

    private static string Seconds(DateTimeOffset time) => Real(time.ToUnixTimeMilliseconds() / 1000.0);
}
