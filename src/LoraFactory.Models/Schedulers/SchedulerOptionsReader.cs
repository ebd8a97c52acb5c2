using System.Text.Json;

namespace LoraFactory.Models.Schedulers;

/// <summary>Reads <see cref="SchedulerOptions"/>: defaults by class, and a check of every value.</summary>
internal sealed class SchedulerOptionsReader(ModelConfig c, string where)
{
    private static readonly string[] Spacings = ["leading", "linspace", "trailing"];

    public SchedulerOptions Read()
    {
        var name = c.Text("_class_name");
        Scheduler.CheckName(name, where);
        var stepwise = name is "DDIMScheduler" or "DDPMScheduler" or "PNDMScheduler" or "LCMScheduler";
        var sensible = name is "HeunDiscreteScheduler" or "KDPM2DiscreteScheduler" or "KDPM2AncestralDiscreteScheduler" or "LCMScheduler";
        Refuse("use_dynamic_shifting", "the shift depends on the picture's size, which only flow-matching transformers need");
        var options = new SchedulerOptions
        {
            ClassName = name,
            TrainTimesteps = Whole("num_train_timesteps", 1000, 1, 100_000),
            BetaStart = Number("beta_start", sensible ? 0.00085 : 0.0001, 0, 1),
            BetaEnd = Number("beta_end", sensible ? 0.012 : 0.02, 0, 1),
            BetaSchedule = Word("beta_schedule", name == "LCMScheduler" ? "scaled_linear" : "linear", NoiseSchedule.BetaSchedules),
            TrainedBetas = Betas(),
            ZeroTerminalSnr = c.Bool("rescale_betas_zero_snr", false),
            Prediction = Predicts(name),
            Spacing = (Spacing)Array.IndexOf(Spacings, Word("timestep_spacing", stepwise ? "leading" : "linspace", Spacings)),
            StepsOffset = Whole("steps_offset", 0, 0, 100_000),
            Spread = Spreads(name),
            SigmaMin = Optional("sigma_min"),
            SigmaMax = Optional("sigma_max"),
            FinalSigmaZero = Word("final_sigmas_type", "zero", "zero", "sigma_min") == "zero",
            ClipSample = c.Bool("clip_sample", name is "DDIMScheduler" or "DDPMScheduler"),
            ClipRange = Number("clip_sample_range", 1, 0, 1e6),
            Thresholding = c.Bool("thresholding", false),
            ThresholdRatio = Number("dynamic_thresholding_ratio", 0.995, 0, 1),
            ThresholdMax = Number("sample_max_value", 1, 0, 1e6),
            SetAlphaToOne = c.Bool("set_alpha_to_one", name is "DDIMScheduler" or "LCMScheduler"),
            SkipPrkSteps = c.Bool("skip_prk_steps", false),
            Interpolation = Word("interpolation_type", "linear", "linear", "log_linear"),
            ContinuousTimesteps = Word("timestep_type", "discrete", "discrete", "continuous") == "continuous",
            LowerOrderFinal = c.Bool("lower_order_final", true),
            EulerAtFinal = c.Bool("euler_at_final", false),
            PredictX0 = c.Bool("predict_x0", true),
            DisableCorrector = Corrector(),
            FlowShift = Number("flow_shift", 1, 1e-3, 1e3),
            OriginalSteps = Whole("original_inference_steps", 50, 1, 100_000),
            TimestepScaling = Number("timestep_scaling", 10, 0, 1e6),
        };
        return Checked(Solver(options));
    }

    private SchedulerOptions Solver(SchedulerOptions o) => o.ClassName switch
    {
        "DDPMScheduler" => o with
        {
            VarianceType = Word("variance_type", "fixed_small", "fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log", "learned", "learned_range"),
        },
        "DPMSolverMultistepScheduler" => o with
        {
            VarianceType = Word("variance_type", "fixed_small", "fixed_small", "learned", "learned_range"),
            SolverOrder = Whole("solver_order", 2, 1, 3),
            Algorithm = Word("algorithm_type", "dpmsolver++", "dpmsolver++", "dpmsolver", "sde-dpmsolver++", "sde-dpmsolver", "deis") is var a && a == "deis" ? "dpmsolver++" : a,
            SolverType = Word("solver_type", "midpoint", "midpoint", "heun", "logrho", "bh1", "bh2") == "heun" ? "heun" : "midpoint",
            LambdaMinClipped = Number("lambda_min_clipped", double.NegativeInfinity, double.NegativeInfinity, 100),
        },
        "UniPCMultistepScheduler" => o with
        {
            SolverOrder = Whole("solver_order", 2, 1, 5),
            SolverType = Word("solver_type", "bh2", "bh1", "bh2", "midpoint", "heun", "logrho") == "bh1" ? "bh1" : "bh2",
        },
        _ => o,
    };

    private SchedulerOptions Checked(SchedulerOptions o)
    {
        if (o.ClassName == "DPMSolverMultistepScheduler")
        {
            if (o.FinalSigmaZero && !o.Algorithm.EndsWith("++", StringComparison.Ordinal))
                throw new ModelException($"{where}: algorithm_type {o.Algorithm} cannot end at σ = 0; set final_sigmas_type to \"sigma_min\" or take {o.Algorithm}++.");
            if (o.Algorithm == "sde-dpmsolver" && o.SolverOrder == 3)
                throw new ModelException($"{where}: algorithm_type sde-dpmsolver has no third order; set solver_order to 1 or 2.");
        }
        if (o.ClassName == "UniPCMultistepScheduler" && c.Has("solver_p")) throw new ModelException($"{where}: solver_p, a sampler inside a sampler, is not supported; leave it out.");
        return o;
    }

    private Prediction Predicts(string name)
    {
        string[] words = name switch
        {
            "DPMSolverMultistepScheduler" or "UniPCMultistepScheduler" => ["epsilon", "v_prediction", "sample", "flow_prediction"],
            "EulerAncestralDiscreteScheduler" or "KDPM2DiscreteScheduler" or "KDPM2AncestralDiscreteScheduler" or "PNDMScheduler" => ["epsilon", "v_prediction"],
            "EulerDiscreteScheduler" => ["epsilon", "v_prediction", "sample", "original_sample"],
            _ => ["epsilon", "v_prediction", "sample"],
        };
        return Word("prediction_type", "epsilon", words) switch
        {
            "epsilon" => Prediction.Epsilon,
            "v_prediction" => Prediction.Velocity,
            "flow_prediction" => Prediction.Flow,
            _ => Prediction.Sample,
        };
    }

    private SigmaSpread Spreads(string name)
    {
        if (name is "DDIMScheduler" or "DDPMScheduler" or "PNDMScheduler" or "LCMScheduler" or "EulerAncestralDiscreteScheduler") return SigmaSpread.Timesteps;
        var solver = name is "DPMSolverMultistepScheduler" or "UniPCMultistepScheduler";
        (string Key, SigmaSpread Spread)[] known =
        [
            ("use_karras_sigmas", SigmaSpread.Karras), ("use_exponential_sigmas", SigmaSpread.Exponential), ("use_beta_sigmas", SigmaSpread.Beta),
            ("use_lu_lambdas", SigmaSpread.Lu), ("use_flow_sigmas", SigmaSpread.Flow),
        ];
        var on = known.Where(k => c.Bool(k.Key, false)).Where(k => k.Spread < SigmaSpread.Lu || (solver && (k.Spread == SigmaSpread.Flow || name[0] == 'D'))).ToArray();
        if (on.Length > 1) throw new ModelException($"{where}: {string.Join(" and ", on.Select(k => k.Key))} cannot both be true; keep one.");
        return on.Length == 0 ? SigmaSpread.Timesteps : on[0].Spread;
    }

    private float[]? Betas()
    {
        if (!c.Has("trained_betas")) return null;
        var value = c.Value("trained_betas");
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() is 0 or > 100_000) throw new ModelException($"{where}: trained_betas has to be a list of 1 to 100000 numbers in (0, 1).");
        return [.. value.EnumerateArray().Select(v => v.ValueKind == JsonValueKind.Number && v.TryGetSingle(out var b) && b is >= 0 and <= 1 ? b
            : throw new ModelException($"{where}: trained_betas holds {v.GetRawText()}; each has to be a number in (0, 1)."))];
    }

    private int[] Corrector()
    {
        if (!c.Has("disable_corrector")) return [];
        var value = c.Value("disable_corrector");
        if (value.ValueKind != JsonValueKind.Array) throw new ModelException($"{where}: disable_corrector has to be a list of step numbers.");
        return [.. value.EnumerateArray().Select(v => v.ValueKind == JsonValueKind.Number && v.TryGetInt32(out var i) ? i
            : throw new ModelException($"{where}: disable_corrector holds {v.GetRawText()}; each has to be a step number."))];
    }

    private void Refuse(string key, string why)
    {
        if (c.Bool(key, false)) throw new ModelException($"{where}: {key} is not supported: {why}; set it to false.");
    }

    private string Word(string key, string otherwise, params string[] allowed)
    {
        var word = c.Has(key) && c.Value(key).ValueKind == JsonValueKind.String ? c.Text(key) : c.Has(key) ? c.Value(key).GetRawText() : otherwise;
        return Array.IndexOf(allowed, word) >= 0 ? word : throw new ModelException($"{where}: {key} is {word}; it can be {string.Join(", ", allowed)}.");
    }

    private double? Optional(string key) => c.Has(key) ? Number(key, 0, 1e-10, 1e6) : null;

    private int Whole(string key, int otherwise, int low, int high)
    {
        var number = Number(key, otherwise, low, high);
        return number == Math.Floor(number) ? (int)number : throw new ModelException($"{where}: {key} is {number}; it has to be a whole number from {low} to {high}.");
    }

    private double Number(string key, double otherwise, double low, double high)
    {
        if (!c.Has(key)) return otherwise;
        var value = c.Value(key);
        var number = value.ValueKind switch
        {
            JsonValueKind.Number => value.GetDouble(),
            // Python's JSON has infinities, which strict readers only know as text
            JsonValueKind.String => value.GetString() switch { "-inf" or "-Infinity" => double.NegativeInfinity, "inf" or "Infinity" => double.PositiveInfinity, _ => double.NaN },
            _ => double.NaN,
        };
        return number >= low && number <= high ? number : throw new ModelException($"{where}: {key} is {value.GetRawText()}; it has to be a number from {low} to {high}.");
    }
}
