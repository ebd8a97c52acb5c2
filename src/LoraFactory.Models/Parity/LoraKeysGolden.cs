using System.Text.Json;
using LoraFactory.Models.Lora;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Parity;

/// <summary>
/// The modules of a full-sized model that kohya's trainers adapt: names and shapes, in both directions. The models are built without memory for their
/// weights.
/// </summary>
public sealed class LoraKeysGolden : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["kohya_keys"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var name = @case.Json.GetProperty("case").GetString()!.Split(' ')[^1];
        var (family, models) = Models(name);
        var spec = new LoraSpec { Targets = LoraTargets.AttentionAndFeedForward, Rank = @case.Json.GetProperty("rank").GetInt32() };
        var plans = LoraAdapter.Plan([.. models.Select(m => new LoraTarget(m.Component, m.Store, spec))]);
        Compare(@case, found, "modules", plans, family);
        var wide = spec with { Targets = LoraTargets.All, ConvRank = @case.Json.GetProperty("conv_rank").GetInt32() };
        var all = LoraAdapter.Plan([.. models.Select(m => new LoraTarget(m.Component, m.Store, wide))]);
        LoraPlan[] extra = [.. all.ExceptBy(plans.Select(p => (p.Component, p.Path)), p => (p.Component, p.Path))];
        Compare(@case, found, "locon", extra, family);
        Counts(@case.Json.GetProperty("counts"), found, plans, extra);
    }

    private static void Counts(JsonElement counts, Findings found, IReadOnlyList<LoraPlan> plans, IReadOnlyList<LoraPlan> extra)
    {
        foreach (var count in counts.EnumerateObject())
        {
            found.Equal($"counts.{count.Name}", count.Name switch
            {
                "total" => plans.Count,
                "locon_extra" => extra.Count,
                "locon_linear" => extra.Count(p => Type(p) == "linear"),
                "locon_conv1x1" => extra.Count(p => Type(p) == "conv1x1"),
                "locon_conv3x3" => extra.Count(p => Type(p) == "conv3x3"),
                var component => plans.Count(p => p.Component == component),
            }, count.Value.GetInt32());
        }
    }

    private static string Type(LoraPlan plan) => plan.BaseShape.Count == 2 ? "linear" : $"conv{plan.BaseShape[2]}x{plan.BaseShape[3]}";

    private static void Compare(GoldenCase @case, Findings found, string list, IReadOnlyList<LoraPlan> plans, ModelFamily family)
    {
        var entries = @case.Json.GetProperty(list).EnumerateArray().ToList();
        string Shape(IEnumerable<long> shape) => string.Join(',', shape);
        string Given(JsonElement e, string key) => Shape(e.GetProperty(key).EnumerateArray().Select(n => n.GetInt64()));
        found.Same($"{list}: names and shapes",
            [.. plans.Select(p => $"{LoraKeys.KohyaModule(p.Component, p.Path, family)} {p.Component} {p.Path} {Type(p)} [{Shape(p.DownShape)}] [{Shape(p.UpShape)}]").Order(StringComparer.Ordinal)],
            (List<string>)[.. entries.Select(e => $"{e.GetProperty("kohya")} {e.GetProperty("component")} {e.GetProperty("module")} {e.GetProperty("type")} [{Given(e, "down")}] [{Given(e, "up")}]").Order(StringComparer.Ordinal)]);
        foreach (var entry in entries)
        {
            var kohya = entry.GetProperty("kohya").GetString()!;
            foreach (var suffix in new[] { "lora_down.weight", "lora_up.weight", "alpha" })
            {
                var key = LoraKeys.Parse($"{kohya}.{suffix}");
                found.Equal($"{kohya}.{suffix} read", $"{key?.Component} {key?.Path}", $"{entry.GetProperty("component")} {entry.GetProperty("module")}");
            }
        }
    }

    private static (ModelFamily, List<(string Component, ParameterStore Store)>) Models(string name)
    {
        ParameterStore Text(int width, int heads, int layers, bool projection = false) =>
            new ClipTextModel(new(new(width, heads, layers, 4 * width, "gelu", 1e-5, width), 49408, 77, 49407), projection).Store;
        return name switch
        {
            "sd15" => (ModelFamily.Sd1, [("unet", new UNet(Small(768, linear: false)).Store), ("text_encoder", Text(768, 12, 12))]),
            "sd21" => (ModelFamily.Sd2, [("unet", new UNet(Small(1024, linear: true)).Store), ("text_encoder", Text(1024, 16, 23))]),
            "sdxl" => (ModelFamily.Sdxl, [("unet", new UNet(Large()).Store), ("text_encoder", Text(768, 12, 12)), ("text_encoder_2", Text(1280, 20, 32, projection: true))]),
            _ => throw new ModelException($"The full-sized model '{name}' is not known; sd15, sd21 and sdxl are."),
        };
    }

    private static UNetConfig Small(int context, bool linear) => new()
    {
        InChannels = 4, OutChannels = 4, Channels = [320, 640, 1280, 1280], DownAttention = [true, true, true, false], UpAttention = [false, true, true, true],
        LayersPerBlock = 2, Heads = [8, 8, 8, 8], TransformerLayers = [1, 1, 1, 1], ContextWidth = context, Groups = 32, NormEps = 1e-5,
        LinearProjection = linear, FlipSinToCos = true, FreqShift = 0, SampleSize = 64,
    };

    private static UNetConfig Large() => new()
    {
        InChannels = 4, OutChannels = 4, Channels = [320, 640, 1280], DownAttention = [false, true, true], UpAttention = [true, true, false],
        LayersPerBlock = 2, Heads = [5, 10, 20], TransformerLayers = [1, 2, 10], ContextWidth = 2048, Groups = 32, NormEps = 1e-5,
        LinearProjection = true, FlipSinToCos = true, FreqShift = 0, SampleSize = 128, AdditionTimeWidth = 256, AdditionInput = 2816,
    };
}
