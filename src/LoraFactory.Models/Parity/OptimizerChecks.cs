using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using LoraFactory.Torch;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Models.Parity;

/// <summary>Optimizers, step by step on given gradients.</summary>
public sealed class OptimizerCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["optimizer"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var names = @case.Names("in.param.").Select(n => n["in.param.".Length..]).ToList();
        var parameters = names.ToDictionary(n => n, n => new Trainable(n, @case.Tensor($"in.param.{n}").Clone()));
        foreach (var p in parameters.Values) p.Value.RequiresGrad = true;
        var groups = @case.Json.GetProperty("param_groups").EnumerateArray().Select(g => new ParameterGroup(
            [.. g.GetProperty("params").EnumerateArray().Select(p => parameters[p.GetString()!])], 0, g.GetProperty("weight_decay").GetDouble())).ToList();
        var options = @case.Json.GetProperty("options");
        using var optimizer = Make(options, groups);
        if (optimizer is null)
        {
            found.Miss("optimizer", $"{options.GetProperty("optimizer").GetString()} is not implemented");
            return;
        }
        var rates = @case.Has("in.lr") ? @case.Tensor("in.lr").ToArray<double>() : null;
        var steps = @case.Json.GetProperty("steps").GetInt32();
        for (var i = 0; i < steps; i++)
        {
            using var scope = new Scope();
            foreach (var (name, p) in parameters) p.Value.SetGrad(@case.Tensor($"in.grad.{name}").Select(0, i).Clone());
            foreach (var g in groups) g.LearningRate = rates?[i] ?? Number(options, "lr", double.NaN);
            optimizer.Step();
            foreach (var (name, p) in parameters)
                found.Close($"out.param.{name}[{i}]", p.Value.Detach(), @case.Tensor($"out.param.{name}").Select(0, i), @case.Tolerance());
            MoreOutputs(@case, found, optimizer, i, parameters.Values);
        }
        FinalState(@case, found, optimizer, names);
        optimizer.ClearGradients();
    }

    private static void MoreOutputs(GoldenCase @case, Findings found, Optimizer optimizer, int step, IEnumerable<Trainable> parameters)
    {
        if (@case.Has("out.d")) found.Close($"out.d[{step}]", optimizer.Numbers["d"], @case.Tensor("out.d").Select(0, step).Item(), @case.Tolerance("d"));
        if (optimizer is not ScheduleFreeAdamW free) return;
        foreach (var p in parameters)
        {
            found.Close($"out.z.{p.Name}[{step}]", free.State[$"{p.Name}.z"], @case.Tensor($"out.z.{p.Name}").Select(0, step), @case.Tolerance());
            found.Close($"out.eval.{p.Name}[{step}]", free.Averaged(p), @case.Tensor($"out.eval.{p.Name}").Select(0, step), @case.Tolerance());
        }
    }

    // The 8-bit state: code tables, codes and the scale of each block. A code may be one off where two table entries are equally near.
    private static void FinalState(GoldenCase @case, Findings found, Optimizer optimizer, IEnumerable<string> names)
    {
        if (optimizer is not Adam8Bit) return;
        found.Close("out.code.signed", Adam8Bit.SignedTable, @case.Tensor("out.code.signed").ToArray<double>(), new(1e-7, 1e-6));
        found.Close("out.code.unsigned", Adam8Bit.UnsignedTable, @case.Tensor("out.code.unsigned").ToArray<double>(), new(1e-7, 1e-6));
        foreach (var name in names)
        {
            foreach (var moment in (string[])["m", "v"])
            {
                found.Close($"out.state.{name}.{moment}_absmax", optimizer.State[$"{name}.{moment}_absmax"], @case.Tensor($"out.state.{name}.{moment}_absmax"), @case.Tolerance());
                found.Close($"out.state.{name}.{moment}_codes", optimizer.State[$"{name}.{moment}_codes"], @case.Tensor($"out.state.{name}.{moment}_codes"), new(1, 0));
            }
        }
    }

    private static Optimizer? Make(JsonElement o, List<ParameterGroup> groups)
    {
        var name = o.GetProperty("optimizer").GetString()!;
        var betas = o.TryGetProperty("betas", out var b) ? b.EnumerateArray().Select(x => x.GetDouble()).ToArray() : [0.9, 0.999];
        var adam = new AdamOptions { Beta1 = betas[0], Beta2 = betas[1], Epsilon = Number(o, "eps", 1e-8), AmsGrad = Flag(o, "amsgrad"), Decoupled = !name.EndsWith(".Adam", StringComparison.Ordinal) };
        return name switch
        {
            "torch.optim.AdamW" or "torch.optim.Adam" => new Adam(groups, adam),
            "torch.optim.SGD" => new Sgd(groups, new() { Momentum = Number(o, "momentum", 0), Dampening = Number(o, "dampening", 0), Nesterov = Flag(o, "nesterov") }),
            "torch.optim.RMSprop" => new RmsProp(groups, Number(o, "alpha", 0.99), Number(o, "eps", 1e-8), Number(o, "momentum", 0)),
            "torch.optim.Adagrad" => new Adagrad(groups, Number(o, "lr_decay", 0), Number(o, "eps", 1e-10)),
            "transformers.optimization.Adafactor" => new Adafactor(groups, new()
            {
                Epsilon = o.GetProperty("eps")[0].GetDouble(),
                LeastScale = o.GetProperty("eps")[1].GetDouble(),
                ClipThreshold = Number(o, "clip_threshold", 1),
                DecayRate = Number(o, "decay_rate", -0.8),
                Beta1 = o.TryGetProperty("beta1", out var beta1) && beta1.ValueKind == JsonValueKind.Number ? beta1.GetDouble() : null,
                RelativeStep = Flag(o, "relative_step"),
                ScaleParameter = Flag(o, "scale_parameter"),
                WarmupInit = Flag(o, "warmup_init"),
            }),
            "torch.optim.Adafactor" => new CappedAdafactor(groups, Number(o, "beta2_decay", -0.8),
                o.GetProperty("eps")[0].ValueKind == JsonValueKind.Number ? o.GetProperty("eps")[0].GetDouble() : null, o.GetProperty("eps")[1].GetDouble(), Number(o, "d", 1)),
            "prodigyopt.Prodigy" => new Prodigy(groups, RateFree(o, betas)),
            "dadaptation.DAdaptAdam" => new DAdaptAdam(groups, RateFree(o, betas)),
            "schedulefree.AdamWScheduleFree" => new ScheduleFreeAdamW(groups, new()
            {
                Beta1 = betas[0],
                Beta2 = betas[1],
                Epsilon = Number(o, "eps", 1e-8),
                WarmupSteps = (long)Number(o, "warmup_steps", 0),
                R = Number(o, "r", 0),
                WeightPower = Number(o, "weight_lr_power", 2),
            }),
            _ when name.Contains("CAME", StringComparison.Ordinal) => new Came(groups, (betas[0], betas[1], betas[2]),
                (o.GetProperty("eps")[0].GetDouble(), o.GetProperty("eps")[1].GetDouble()), Number(o, "clip_threshold", 1)),
            _ when name.Contains("8-bit", StringComparison.Ordinal) => new Adam8Bit(groups, betas[0], betas[1], Number(o, "eps", 1e-8), (int)Number(o, "blocksize", 256)),
            _ when name.Contains("Lion", StringComparison.Ordinal) => new Lion(groups, betas[0], betas[1]),
            _ => null,
        };
    }

    private static RateFreeOptions RateFree(JsonElement o, double[] betas) => new()
    {
        Beta1 = betas[0],
        Beta2 = betas[1],
        Beta3 = o.TryGetProperty("beta3", out var beta3) && beta3.ValueKind == JsonValueKind.Number ? beta3.GetDouble() : null,
        Epsilon = Number(o, "eps", 1e-8),
        Start = Number(o, "d0", 1e-6),
        Coefficient = Number(o, "d_coef", 1),
        BiasCorrection = Flag(o, "use_bias_correction"),
        SafeguardWarmup = Flag(o, "safeguard_warmup"),
        GrowthRate = Number(o, "growth_rate", double.PositiveInfinity),
    };

    private static double Number(JsonElement o, string key, double otherwise) =>
        !o.TryGetProperty(key, out var v) ? otherwise
        : v.ValueKind == JsonValueKind.Number ? v.GetDouble()
        : v.ValueKind == JsonValueKind.String && v.GetString() == "inf" ? double.PositiveInfinity : otherwise;

    private static bool Flag(JsonElement o, string key) => o.TryGetProperty(key, out var v) && v.ValueKind == JsonValueKind.True;
}

/// <summary>Gradient clipping.</summary>
public sealed partial class ClipCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["clip"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var names = @case.Names("in.grad.").Select(n => n["in.grad.".Length..]).ToList();
        foreach (var one in @case.Json.GetProperty("cases").EnumerateObject())
        {
            var o = one.Value;
            var gradients = names.ConvertAll(n => @case.Tensor($"in.grad.{n}") * (o.TryGetProperty("scale", out var s) ? s.GetDouble() : 1)).ToArray();
            if (o.TryGetProperty("bad", out var bad))
            {
                if (Place(@case) is not var (name, index) || names.IndexOf(name) is not (>= 0 and var which) || index >= gradients[which].Count)
                {
                    found.NotCovered.Add($"{one.Name}: the place of the bad number");
                    continue;
                }
                gradients[which].Span<float>()[index] = bad.GetString() == "nan" ? float.NaN : float.PositiveInfinity;
            }
            if (o.TryGetProperty("clip_value", out var value))
            {
                GradientClip.ToValue(gradients, value.GetDouble());
            }
            else
            {
                var type = o.GetProperty("norm_type");
                var order = type.ValueKind == JsonValueKind.Number ? type.GetDouble() : double.PositiveInfinity;
                var norm = GradientClip.ToNorm(gradients, o.GetProperty("max_norm").GetDouble(), order);
                found.Close($"out.{one.Name}.norm", norm, @case.Tensor($"out.{one.Name}.norm").Item(), @case.Tolerance());
            }
            for (var i = 0; i < names.Count; i++)
                found.Close($"out.{one.Name}.{names[i]}", gradients[i], @case.Tensor($"out.{one.Name}.{names[i]}"), @case.Tolerance());
        }
    }

    // Which number is replaced stands in the case's words: "'bad' replaces element 2 of gradient b".
    private static (string Name, int Index)? Place(GoldenCase @case)
    {
        if (!@case.Json.TryGetProperty("formula", out var words) || BadNumber().Match(words.GetString() ?? "") is not { Success: true } match) return null;
        return (match.Groups["name"].Value, int.Parse(match.Groups["index"].ValueSpan, CultureInfo.InvariantCulture));
    }

    [GeneratedRegex(@"'bad' replaces element (?<index>[0-9]{1,6}) of gradient (?<name>[A-Za-z0-9_]+)", RegexOptions.NonBacktracking)]
    private static partial Regex BadNumber();
}

/// <summary>Averages of weights.</summary>
public sealed class EmaCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["ema"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var values = @case.Tensor("in.param");
        foreach (var one in @case.Json.GetProperty("cases").EnumerateObject())
        {
            var o = one.Value;
            double Number(string key, double otherwise) => o.TryGetProperty(key, out var v) ? v.GetDouble() : otherwise;
            bool Flag(string key) => o.TryGetProperty(key, out var v) && v.GetBoolean();
            using var ema = new Ema([@case.Tensor("in.init")], new()
            {
                Decay = Number("decay", 0.9999),
                MinDecay = Number("min_decay", 0),
                UpdateAfterStep = (long)Number("update_after_step", 0),
                Warmup = Flag("use_ema_warmup"),
                InverseGamma = Number("inv_gamma", 1),
                Power = Number("power", 2.0 / 3),
                Constant = Flag("own"),
            });
            for (var i = 0; i < values.Size(0); i++)
            {
                using var scope = new Scope();
                ema.Update([values.Select(0, i)]);
                found.Close($"out.{one.Name}.shadow[{i}]", ema.Shadows[0], @case.Tensor($"out.{one.Name}.shadow").Select(0, i), @case.Tolerance());
                if (@case.Has($"out.{one.Name}.decay"))
                    found.Close($"out.{one.Name}.decay[{i}]", ema.CurrentDecay, @case.Tensor($"out.{one.Name}.decay").Select(0, i).Item(), @case.Tolerance());
            }
        }
    }
}

/// <summary>Dynamic loss scaling with skipped steps.</summary>
public sealed class GradScalerCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["gradscaler"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        double Number(string key) => @case.Json.GetProperty(key).GetDouble();
        var names = @case.Names("in.param.").Select(n => n["in.param.".Length..]).ToList();
        var parameters = names.ConvertAll(n => new Trainable(n, @case.Tensor($"in.param.{n}").Clone()));
        foreach (var p in parameters) p.Value.RequiresGrad = true;
        var o = @case.Json.GetProperty("optimizer");
        var betas = o.GetProperty("betas");
        using var optimizer = new Adam([new(parameters, o.GetProperty("lr").GetDouble(), o.GetProperty("weight_decay").GetDouble())],
            new() { Beta1 = betas[0].GetDouble(), Beta2 = betas[1].GetDouble(), Epsilon = o.GetProperty("eps").GetDouble() });
        var scaler = new GradScaler(Number("init_scale"), Number("growth_factor"), Number("backoff_factor"), (long)Number("growth_interval"));
        var steps = @case.Tensor($"in.scaled_grad.{names[0]}").Size(0);
        for (var i = 0; i < steps; i++)
        {
            using var scope = new Scope();
            found.Close($"out.scale_used[{i}]", scaler.Scale, @case.Tensor("out.scale_used").Select(0, i).Item(), @case.Tolerance());
            var gradients = names.ConvertAll(n => @case.Tensor($"in.scaled_grad.{n}").Select(0, i).Clone()).ToArray();
            for (var p = 0; p < gradients.Length; p++) parameters[p].Value.SetGrad(gradients[p]);
            var finite = scaler.Unscale(gradients);
            GradientClip.ToNorm(gradients, Number("max_grad_norm"));
            if (finite) optimizer.Step();
            scaler.Update(finite);
            found.Equal($"out.skipped[{i}]", !finite, @case.Tensor("out.skipped").Select(0, i).Item() != 0);
            found.Equal($"out.growth_tracker[{i}]", scaler.GoodSteps, @case.Tensor("out.growth_tracker").Select(0, i).ItemLong());
            foreach (var p in parameters)
                found.Close($"out.param.{p.Name}[{i}]", p.Value.Detach(), @case.Tensor($"out.param.{p.Name}").Select(0, i), @case.Tolerance());
        }
        found.Close("out.scale_final", scaler.Scale, @case.Tensor("out.scale_final").Item(), @case.Tolerance());
        optimizer.ClearGradients();
    }
}
