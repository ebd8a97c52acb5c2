using System.Text.Json;

namespace LoraFactory.Models.Schedulers;

/// <summary>What a model's output stands for.</summary>
public enum Prediction
{
    /// <summary>The noise ε in x = α·x0 + σ·ε.</summary>
    Epsilon,
    /// <summary>v = α·ε − σ·x0 (Salimans and Ho 2022).</summary>
    Velocity,
    /// <summary>The clean sample x0.</summary>
    Sample,
    /// <summary>ε − x0 of the straight path x = (1−σ)·x0 + σ·ε.</summary>
    Flow,
}

/// <summary>How n timesteps are chosen out of the T of training (Lin et al. 2023, table 2).</summary>
public enum Spacing
{
    /// <summary>i·⌊T/n⌋ + offset.</summary>
    Leading,
    /// <summary>n points from 0 to T−1.</summary>
    Linspace,
    /// <summary>T − i·T/n − 1, so that the last step of training is included.</summary>
    Trailing,
}

/// <summary>How the σ's between the first and the last are spread.</summary>
public enum SigmaSpread
{
    /// <summary>As the timesteps fall.</summary>
    Timesteps,
    /// <summary>ρ = 7 ramp (Karras et al. 2022, eq. 5).</summary>
    Karras,
    /// <summary>Evenly in log σ.</summary>
    Exponential,
    /// <summary>Quantiles of a Beta(0.6, 0.6) distribution (Lee et al. 2024).</summary>
    Beta,
    /// <summary>Evenly in log SNR with rounded timesteps (Lu et al. 2022).</summary>
    Lu,
    /// <summary>Straight-path σ in (0, 1], shifted.</summary>
    Flow,
}

/// <summary>
/// The settings of a sampler, as a diffusers scheduler_config.json has them. What the file leaves out takes the default of its class,
/// which differs by class. Keys of other samplers are left alone; a value that the sampler cannot carry out is an error.
/// </summary>
public sealed record SchedulerOptions
{
    /// <summary>What recipes and plans call a prediction: "epsilon" or "v_prediction"; "auto" and null believe the model.</summary>
    public static Prediction? PredictionNamed(string? word) => word switch
    {
        null or "auto" => null,
        "epsilon" => Schedulers.Prediction.Epsilon,
        "v_prediction" => Schedulers.Prediction.Velocity,
        _ => throw new ModelException($"A base that predicts \"{word}\" is not known; valid: auto, epsilon, v_prediction (base.prediction in a recipe)."),
    };

    /// <summary>_class_name, e.g. "DDIMScheduler".</summary>
    public required string ClassName { get; init; }
    /// <summary>T, timesteps of training; 1..100000, default 1000.</summary>
    public int TrainTimesteps { get; init; } = 1000;
    /// <summary>First β of the schedule.</summary>
    public double BetaStart { get; init; } = 0.0001;
    /// <summary>Last β of the schedule.</summary>
    public double BetaEnd { get; init; } = 0.02;
    /// <summary>"linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace" or "exp".</summary>
    public string BetaSchedule { get; init; } = "linear";
    /// <summary>The β's themselves, T of them; null to calculate them.</summary>
    public IReadOnlyList<float>? TrainedBetas { get; init; }
    /// <summary>Zero terminal SNR (Lin et al. 2023).</summary>
    public bool ZeroTerminalSnr { get; init; }
    /// <summary>What the model predicts.</summary>
    public Prediction Prediction { get; init; }
    /// <summary>Choice of timesteps.</summary>
    public Spacing Spacing { get; init; } = Spacing.Linspace;
    /// <summary>Added to every timestep of leading spacing.</summary>
    public int StepsOffset { get; init; }
    /// <summary>Spread of the σ's.</summary>
    public SigmaSpread Spread { get; init; }
    /// <summary>Smallest σ of the spread; null takes the schedule's.</summary>
    public double? SigmaMin { get; init; }
    /// <summary>Largest σ of the spread; null takes the schedule's.</summary>
    public double? SigmaMax { get; init; }
    /// <summary>Whether the last σ is zero ("zero") or the table's first ("sigma_min").</summary>
    public bool FinalSigmaZero { get; init; } = true;
    /// <summary>Clamp the predicted x0 to ±<see cref="ClipRange"/>.</summary>
    public bool ClipSample { get; init; }
    /// <summary>Bound of the clamp.</summary>
    public double ClipRange { get; init; } = 1;
    /// <summary>Dynamic thresholding of x0 (Saharia et al. 2022); for pixel models only.</summary>
    public bool Thresholding { get; init; }
    /// <summary>Its quantile, 0..1.</summary>
    public double ThresholdRatio { get; init; } = 0.995;
    /// <summary>Its largest threshold, at least 1.</summary>
    public double ThresholdMax { get; init; } = 1;
    /// <summary>Whether ᾱ before step 0 is 1, or that of step 0.</summary>
    public bool SetAlphaToOne { get; init; }
    /// <summary>DDPM's variance: "fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log", "learned", "learned_range".</summary>
    public string VarianceType { get; init; } = "fixed_small";
    /// <summary>PNDM: no Runge-Kutta steps before the multistep ones.</summary>
    public bool SkipPrkSteps { get; init; }
    /// <summary>Euler: "linear" or "log_linear" interpolation of σ.</summary>
    public string Interpolation { get; init; } = "linear";
    /// <summary>Euler with v-prediction: timesteps are ¼·ln σ.</summary>
    public bool ContinuousTimesteps { get; init; }
    /// <summary>DPM-Solver and UniPC: order, 1..3.</summary>
    public int SolverOrder { get; init; } = 2;
    /// <summary>DPM-Solver: "dpmsolver++", "dpmsolver", "sde-dpmsolver++" or "sde-dpmsolver".</summary>
    public string Algorithm { get; init; } = "dpmsolver++";
    /// <summary>DPM-Solver: "midpoint" or "heun"; UniPC: "bh1" or "bh2".</summary>
    public string SolverType { get; init; } = "midpoint";
    /// <summary>Lower the order at the end of short runs.</summary>
    public bool LowerOrderFinal { get; init; } = true;
    /// <summary>DPM-Solver: Euler's method in the last step.</summary>
    public bool EulerAtFinal { get; init; }
    /// <summary>DPM-Solver: timesteps whose log SNR is below are left out.</summary>
    public double LambdaMinClipped { get; init; } = double.NegativeInfinity;
    /// <summary>UniPC: predict x0, else noise.</summary>
    public bool PredictX0 { get; init; } = true;
    /// <summary>UniPC: steps after which the corrector does not run.</summary>
    public IReadOnlyList<int> DisableCorrector { get; init; } = [];
    /// <summary>Shift of straight-path σ's.</summary>
    public double FlowShift { get; init; } = 1;
    /// <summary>LCM: timesteps of distillation.</summary>
    public int OriginalSteps { get; init; } = 50;
    /// <summary>LCM: factor on t in the boundary condition.</summary>
    public double TimestepScaling { get; init; } = 10;
    /// <summary>DDIM: share of DDPM's noise that is drawn, 0..1; an argument of sampling, not of the file.</summary>
    public double Eta { get; init; }

    /// <summary>Reads scheduler_config.json, with Infinity as Python writes it.</summary>
    public static SchedulerOptions Read(string path)
    {
        if (!File.Exists(path)) throw new ModelException($"{path} does not exist; a diffusers folder has scheduler/scheduler_config.json.");
        if (new FileInfo(path).Length > 1 << 20) throw new ModelException($"{path} is larger than 1 MiB, too large for a scheduler configuration.");
        var text = File.ReadAllText(path).Replace(": -Infinity", ": \"-inf\"", StringComparison.Ordinal).Replace(": Infinity", ": \"inf\"", StringComparison.Ordinal);
        try
        {
            using var json = JsonDocument.Parse(text);
            return From(json.RootElement, path);
        }
        catch (JsonException e)
        {
            throw new ModelException($"{path} is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>Takes the settings of a JSON object; <paramref name="where"/> names it in errors.</summary>
    public static SchedulerOptions From(JsonElement json, string where) => new SchedulerOptionsReader(new ModelConfig(json, where), where).Read();
}
