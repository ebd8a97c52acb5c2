using System.Text.Json;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Models.Parity;

/// <summary>Learning rates of every step.</summary>
public sealed class ScheduleCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["lr-schedule", "lr_schedule"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        foreach (var one in @case.Json.GetProperty("schedules").EnumerateObject())
        {
            var o = new Options(one.Value);
            var expected = @case.Tensor($"out.{one.Name}").ToArray<double>();
            var actual = new double[expected.Length];
            var name = Shape(one.Name, one.Value);
            if (name == "reduce_on_plateau")
            {
                Plateau(o, @case.Tensor("in.plateau_metric").ToArray<double>(), actual);
            }
            else if (Make(name, one.Value) is { } schedule)
            {
                for (var i = 0; i < actual.Length; i++) actual[i] = schedule.At(i, o.Number("base_lr"));
            }
            else
            {
                found.Miss($"out.{one.Name}", "this schedule is not implemented");
                continue;
            }
            found.Close($"out.{one.Name}", actual, expected, @case.Tolerance());
        }
    }

    // Names are the shape's, sometimes with a word on the options behind it ("linear_past_end").
    private static readonly string[] Shapes =
    [
        "cosine_annealing_warm_restarts", "cosine_annealing", "cosine_with_restarts", "cosine_with_min_lr", "cosine", "constant_with_warmup", "constant",
        "linear", "polynomial", "inverse_sqrt", "warmup_stable_decay", "piecewise_constant", "exponential", "multistep", "step", "one_cycle", "reduce_on_plateau",
    ];

    private static string? Shape(string name, JsonElement options) =>
        options.TryGetProperty("type", out var type) ? type.GetString() : Array.Find(Shapes, s => name.StartsWith(s, StringComparison.Ordinal));

    private static void Plateau(Options o, double[] measures, double[] rates)
    {
        var schedule = new PlateauSchedule(o.Number("base_lr"), o.Number("factor"), (int)o.Number("patience"), o.Number("threshold"), (int)o.Number("cooldown", 0), o.Number("min_lr", 0), o.Number("eps", 1e-8));
        for (var i = 0; i < rates.Length; i++)
        {
            rates[i] = schedule.Rate;
            schedule.Report(measures[i]);
        }
    }

    /// <summary>The schedule of a name with the options that stand beside it; null for one that is not known.</summary>
    internal static LearningRateSchedule? Make(string? name, JsonElement options)
    {
        var o = new Options(options);
        var warmup = (long)o.Number("warmup", o.Number("warmup_steps", o.Number("num_warmup_steps", 0)));
        var total = (long)o.Number("num_training_steps", o.Number("steps", 0));
        return name switch
        {
            "constant" or "constant_with_warmup" => LearningRateSchedule.Constant(warmup),
            "linear" => LearningRateSchedule.Linear(warmup, total),
            "cosine" or "cosine_with_min_lr" => LearningRateSchedule.Cosine(warmup, total, o.Number("num_cycles", 0.5), o.Number("min_lr", 0)),
            "cosine_with_restarts" => LearningRateSchedule.CosineWithRestarts(warmup, total, (long)o.Number("num_cycles", 1)),
            "polynomial" => LearningRateSchedule.Polynomial(warmup, total, o.Number("power", 1), o.Number("lr_end", 1e-7)),
            "inverse_sqrt" => LearningRateSchedule.InverseSqrt(warmup, o.Has("timescale") ? (long)o.Number("timescale") : null),
            "warmup_stable_decay" => LearningRateSchedule.WarmupStableDecay(warmup, (long)o.Number("num_stable_steps"), (long)o.Number("num_decay_steps"),
                o.Number("min_lr_ratio", 0), o.Text("decay_type", "cosine"), o.Number("num_cycles", 0.5), o.Text("warmup_type", "linear")),
            "piecewise_constant" => LearningRateSchedule.Piecewise(o.Text("rules", "1")),
            "exponential" => LearningRateSchedule.Exponential(o.Number("gamma")),
            "step" => LearningRateSchedule.Step((long)o.Number("step_size"), o.Number("gamma")),
            "multistep" => LearningRateSchedule.MultiStep(o.Integers("milestones"), o.Number("gamma")),
            "cosine_annealing" => LearningRateSchedule.CosineAnnealing((long)o.Number("T_max"), o.Number("eta_min", 0)),
            "cosine_annealing_warm_restarts" => LearningRateSchedule.CosineAnnealingWarmRestarts((long)o.Number("T_0"), (long)o.Number("T_mult", 1), o.Number("eta_min", 0)),
            "one_cycle" => LearningRateSchedule.OneCycle(o.Number("max_lr"), (long)o.Number("total_steps"), o.Number("pct_start", 0.3), o.Text("anneal_strategy", "cos") == "linear",
                o.Flag("three_phase"), o.Number("div_factor", 25), o.Number("final_div_factor", 1e4)),
            _ => null,
        };
    }

    private readonly record struct Options(JsonElement Json)
    {
        public bool Has(string key) => Json.TryGetProperty(key, out _);
        public double Number(string key) => Json.GetProperty(key).GetDouble();
        public double Number(string key, double otherwise) => Json.TryGetProperty(key, out var v) && v.ValueKind == JsonValueKind.Number ? v.GetDouble() : otherwise;
        public string Text(string key, string otherwise) => Json.TryGetProperty(key, out var v) ? v.GetString()! : otherwise;
        public bool Flag(string key) => Json.TryGetProperty(key, out var v) && v.ValueKind == JsonValueKind.True;
        public IReadOnlyList<long> Integers(string key) => [.. Json.GetProperty(key).EnumerateArray().Select(v => v.GetInt64())];
    }
}
