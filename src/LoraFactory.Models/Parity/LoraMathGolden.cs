using System.Text.Json;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Models.Parity;

/// <summary>Adapters computed from weights alone: extraction, resizing, combination, and merging into weights of any model.</summary>
public sealed class LoraMathGolden : IGoldenCheck
{
    private const string Component = "model";

    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["lora-extract", "lora-resize", "lora-combine", "merge-llama"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        switch (@case.Kind)
        {
            case "lora-extract": Extract(@case, found); break;
            case "lora-resize": Resize(@case, found); break;
            case "lora-combine": Combine(@case, found); break;
            default: Merge(@case, found); break;
        }
    }

    private static void Extract(GoldenCase @case, Findings found)
    {
        var tolerance = @case.Tolerance();
        foreach (var entry in @case.Json.GetProperty("modules").EnumerateObject())
        {
            using var scope = new Scope();
            var (name, rank) = (entry.Name, entry.Value.GetProperty("rank").GetInt32());
            var (weight, tuned) = (@case.Tensor($"in.{name}.base"), @case.Tensor($"in.{name}.tuned"));
            using var module = LoraExtract.Module(Component, name, weight, tuned, rank, quantile: 1);
            found.Equal($"{name}.rank", module.Rank, rank);
            found.Equal($"{name}.alpha", module.Alpha, entry.Value.GetProperty("alpha").GetDouble());
            var product = module.Delta();
            found.Close($"{name}.product", product, @case.Tensor($"out.{name}.product"), tolerance);
            // the columns of up are as long as the singular values
            var lengths = module.Up.Flatten(1).LinalgVectorNorm(2.0, [0]);
            found.Close($"{name}.singular_values", lengths, @case.Tensor($"out.{name}.singular_values").Narrow(0, 0, rank), tolerance);
            var difference = tuned - weight;
            var error = (product - difference).LinalgVectorNorm(2.0).Item() / difference.LinalgVectorNorm(2.0).Item();
            found.Close($"{name}.relative_error", error, entry.Value.GetProperty("relative_error").GetDouble(), tolerance);
            var (up, down, value) = LoraExtract.Clamp(@case.Tensor($"in.{name}.up_before_clamp"), @case.Tensor($"in.{name}.down_before_clamp"), LoraExtract.DefaultQuantile);
            found.Close($"{name}.clamp_value", value, @case.Tensor($"out.{name}.clamp_value").Item(), tolerance);
            found.Close($"{name}.up_clamped", up, @case.Tensor($"out.{name}.up_clamped"), tolerance);
            found.Close($"{name}.down_clamped", down, @case.Tensor($"out.{name}.down_clamped"), tolerance);
            found.Close($"{name}.product_clamped", up.Mm(down).View(weight.Shape), @case.Tensor($"out.{name}.product_clamped"), tolerance);
        }
    }

    private static void Resize(GoldenCase @case, Findings found)
    {
        var tolerance = @case.Tolerance();
        foreach (var method in @case.Json.GetProperty("methods").EnumerateObject())
        {
            var rule = method.Value.GetProperty("method").GetString() switch
            {
                "fixed" => RankRule.Fixed,
                "sv_ratio" => RankRule.SingularRatio,
                "sv_cumulative" => RankRule.CumulativeSum,
                "sv_fro" => RankRule.FrobeniusShare,
                var other => throw new ModelException($"The resize method '{other}' is not known."),
            };
            var parameter = method.Value.GetProperty("param") is { ValueKind: JsonValueKind.Number } p ? p.GetDouble() : 0;
            var newRank = method.Value.GetProperty("new_rank").GetInt32();
            foreach (var entry in method.Value.GetProperty("modules").EnumerateObject())
            {
                using var scope = new Scope();
                var (name, where) = (entry.Name, $"{method.Name}.{entry.Name}");
                using var module = new LoraModule(Component, name, @case.Tensor($"in.{name}.down"), @case.Tensor($"in.{name}.up"), @case.Tensor($"in.{name}.alpha").Item());
                var resized = LoraResize.Resize(module, rule, newRank, parameter);
                using var smaller = resized.Module;
                found.Equal($"{where}.rank", smaller.Rank, entry.Value.GetProperty("rank").GetInt32());
                found.Close($"{where}.alpha", smaller.Alpha, entry.Value.GetProperty("alpha").GetDouble(), tolerance);
                found.Close($"{where}.product", LoraModule.Product(smaller.Down, smaller.Up), @case.Tensor($"out.{where}.product"), tolerance);
                Share(found, $"{where}.sum_retained", resized.SumRetained, entry.Value.GetProperty("sum_retained"), tolerance);
                Share(found, $"{where}.fro_retained", resized.FrobeniusRetained, entry.Value.GetProperty("fro_retained"), tolerance);
            }
        }
    }

    private static void Share(Findings found, string name, double? actual, JsonElement expected, Tolerance tolerance)
    {
        if (actual is { } number && expected.ValueKind == JsonValueKind.Number) found.Close(name, number, expected.GetDouble(), tolerance);
        else found.Equal(name, actual is null, expected.ValueKind == JsonValueKind.Null);
    }

    private static void Combine(GoldenCase @case, Findings found)
    {
        var withLogits = @case.Names("out.").Any(n => n.EndsWith(".logits", StringComparison.Ordinal));
        using var llama = withLogits ? Llama.Load(@case.Path(@case.Json.GetProperty("model").GetString()!)) : null;
        foreach (var entry in @case.Json.GetProperty("combinations").EnumerateObject())
        {
            using var scope = new Scope();
            string[] names = [.. entry.Value.GetProperty("adapters").EnumerateArray().Select(a => a.GetString()!)];
            double[] weights = [.. entry.Value.GetProperty("weights").EnumerateArray().Select(w => w.GetDouble())];
            var adapters = names.Select(n => Adapter(@case, n)).ToList();
            using var combined = LoraCombine.Combine([.. adapters.Zip(weights)], Options(@case, entry, names));
            foreach (var module in combined.Modules)
            {
                var where = $"{entry.Name}.{module.Path}";
                found.Equal($"{where}.rank", module.Rank, entry.Value.GetProperty("rank").GetInt32());
                found.Close($"{where}.scaling", module.Scale, entry.Value.GetProperty("scaling_of_result").GetDouble(), default);
                foreach (var (part, tensor) in new[] { ("A", module.Down), ("B", module.Up), ("delta", module.Delta()) })
                    if (@case.Has($"out.{where}.{part}")) found.Close($"{where}.{part}", tensor, @case.Tensor($"out.{where}.{part}"), @case.Tolerance());
            }
            foreach (var adapter in adapters) adapter.Dispose();
            if (llama is null || !@case.Has($"out.{entry.Name}.logits")) continue;
            combined.Attach(Component, llama.Store);
            Logits(@case, found, llama, "in.probe.", $"out.{entry.Name}.logits", @case.Tolerance());
            combined.Detach();
        }
    }

    // Logits at padding mean nothing.
    private static void Logits(GoldenCase @case, Findings found, Llama llama, string input, string output, Tolerance tolerance)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var mask = @case.Tensor(input + "attention_mask");
        var seen = mask.Unsqueeze(-1).To(DType.Float32);
        found.Close(output, llama.Forward(@case.Tensor(input + "input_ids"), mask) * seen, @case.Tensor(output) * seen, tolerance);
    }

    private static CombineOptions Options(GoldenCase @case, JsonProperty entry, string[] names)
    {
        var rule = entry.Name switch
        {
            var n when n.StartsWith("cat", StringComparison.Ordinal) => CombineRule.Concatenate,
            var n when n.StartsWith("ties", StringComparison.Ordinal) => CombineRule.Ties,
            var n when n.StartsWith("magnitude_prune", StringComparison.Ordinal) => CombineRule.MagnitudePrune,
            var n when n.StartsWith("dare_linear", StringComparison.Ordinal) => CombineRule.DareLinear,
            var n when n.StartsWith("dare_ties", StringComparison.Ordinal) => CombineRule.DareTies,
            "linear" or "svd" => CombineRule.Linear,
            var n => throw new ModelException($"The combination '{n}' is not known."),
        };
        return new()
        {
            Rule = rule,
            SvdRank = entry.Value.TryGetProperty("svd_rank", out var rank) ? rank.GetInt32() : null,
            Density = entry.Value.TryGetProperty("density", out var density) ? density.GetDouble() : 1,
            SignByFrequency = entry.Value.TryGetProperty("majority_sign_method", out var sign) && sign.GetString() == "frequency",
            Mask = (module, index, side, _) => @case.Tensor($"in.mask.{entry.Name}.{module.Path}.{names[index]}.{side}"),
        };
    }

    private static LoraAdapter Adapter(GoldenCase @case, string name)
    {
        const string prefix = "in.base_model.model.";
        var end = $".lora_A.{name}.weight";
        var alpha = @case.Json.GetProperty("adapters").GetProperty(name).GetProperty("lora_alpha").GetDouble();
        return new(@case.Names(prefix).Where(n => n.EndsWith(end, StringComparison.Ordinal)).Select(n => n[prefix.Length..^end.Length])
            .Select(path => new LoraModule(Component, path, @case.Tensor($"{prefix}{path}.lora_A.{name}.weight"), @case.Tensor($"{prefix}{path}.lora_B.{name}.weight"), alpha)).ToList());
    }

    private static void Merge(GoldenCase @case, Findings found)
    {
        using var model = WeightFolder.Open(@case.Path(@case.Json.GetProperty("model").GetString()!));
        using var adapter = LoraFile.Read(@case.Path(@case.Json.GetProperty("adapter").GetString()!));
        MergedWeights(@case, found, adapter, name => model.TryGet(name, out var weight) ? weight.ToTensor() : null);
        if (!@case.Has("out.logits")) return;
        using var llama = Llama.Load(@case.Path(@case.Json.GetProperty("model").GetString()!));
        foreach (var component in adapter.Modules.Select(m => m.Component).Distinct(StringComparer.Ordinal).ToList())
        {
            using var merged = LoraMerge.Apply(component, llama.Store, (adapter, 1));
            Logits(@case, found, llama, "in.", "out.logits", @case.Tolerance("logits"));
        }
    }

    /// <summary>Compares every out.fp32.*, out.fp16_via_fp32.* and out.bf16_via_fp32.* with the merged weight of that name.</summary>
    internal static void MergedWeights(GoldenCase @case, Findings found, LoraAdapter adapter, Func<string, Tensor?> find)
    {
        var modules = adapter.Modules.ToDictionary(m => m.Path + ".weight", StringComparer.Ordinal);
        // half precision: equal up to one unit in the last place
        var forms = new[] { ("fp32", DType.Float32, @case.Tolerance("weights")), ("fp16_via_fp32", DType.Float16, new Tolerance(6e-8, 1.0 / 1024)), ("bf16_via_fp32", DType.BFloat16, new Tolerance(0, 1.0 / 128)) };
        foreach (var (form, dtype, tolerance) in forms)
        {
            var prefix = $"out.{form}.";
            foreach (var output in @case.Names(prefix))
            {
                using var scope = new Scope();
                var name = output[prefix.Length..];
                var given = dtype == DType.Float16 ? "in.fp16_base." + name : "";
                var weight = given.Length > 0 && @case.Has(given) ? @case.Tensor(given) : find(name)?.To(dtype);
                if (weight is null || !modules.TryGetValue(name, out var module))
                {
                    found.Miss(output, weight is null ? "the base has no such weight" : "the adapter has no such module");
                    continue;
                }
                var merged = LoraMerge.Merged(weight, [(module, 1)]);
                found.Equal($"{output}.dtype", merged.DType, dtype);
                found.Close(output, merged, @case.Tensor(output), tolerance);
            }
        }
    }
}
