namespace LoraFactory.Models.Schedulers;

/// <summary>The names by which people choose samplers in web interfaces, such as "DPM++ 2M Karras".</summary>
public static class SamplerNames
{
    private static readonly Dictionary<string, Func<SchedulerOptions, SchedulerOptions>> Known = new(StringComparer.OrdinalIgnoreCase)
    {
        ["DDIM"] = o => o with { ClassName = "DDIMScheduler", Spacing = Spacing.Leading },
        ["DDPM"] = o => o with { ClassName = "DDPMScheduler", Spacing = Spacing.Leading },
        ["PLMS"] = o => o with { ClassName = "PNDMScheduler", Spacing = Spacing.Leading, SkipPrkSteps = true },
        ["LCM"] = o => o with { ClassName = "LCMScheduler", Spacing = Spacing.Leading },
        ["Euler"] = o => o with { ClassName = "EulerDiscreteScheduler" },
        ["Euler a"] = o => o with { ClassName = "EulerAncestralDiscreteScheduler" },
        ["Heun"] = o => o with { ClassName = "HeunDiscreteScheduler" },
        ["DPM2"] = o => o with { ClassName = "KDPM2DiscreteScheduler" },
        ["DPM2 a"] = o => o with { ClassName = "KDPM2AncestralDiscreteScheduler" },
        ["LMS"] = o => o with { ClassName = "LMSDiscreteScheduler" },
        ["DPM++ 2M"] = o => o with { ClassName = "DPMSolverMultistepScheduler" },
        ["DPM++ 2M SDE"] = o => o with { ClassName = "DPMSolverMultistepScheduler", Algorithm = "sde-dpmsolver++" },
        ["UniPC"] = o => o with { ClassName = "UniPCMultistepScheduler", SolverType = "bh2" },
    };

    private static readonly string[] Spreadable = ["Euler", "Heun", "DPM2", "DPM2 a", "LMS", "DPM++ 2M", "DPM++ 2M SDE", "UniPC"];

    /// <summary>All names, those with Karras' or exponential σ's included.</summary>
    public static IEnumerable<string> All => Known.Keys.Concat(Spreadable.Select(name => $"{name} Karras")).Concat(Spreadable.Select(name => $"{name} Exponential"));

    /// <summary>
    /// A sampler by name, in any case, for a model: the noise tables and what the model predicts are kept from <paramref name="model"/>'s own
    /// settings, everything else is the sampler's usual.
    /// </summary>
    public static SchedulerOptions Resolve(string name, SchedulerOptions model)
    {
        var trimmed = name.Trim();
        foreach (var (ending, spread) in (ReadOnlySpan<(string, SigmaSpread)>)[(" Karras", SigmaSpread.Karras), (" Exponential", SigmaSpread.Exponential), ("", SigmaSpread.Timesteps)])
        {
            if (!trimmed.EndsWith(ending, StringComparison.OrdinalIgnoreCase)) continue;
            var plain = trimmed[..^ending.Length];
            if (!Known.TryGetValue(plain, out var configure) || (spread != SigmaSpread.Timesteps && !Spreadable.Contains(plain, StringComparer.OrdinalIgnoreCase))) continue;
            var chosen = configure(new SchedulerOptions
            {
                ClassName = model.ClassName,
                TrainTimesteps = model.TrainTimesteps,
                BetaStart = model.BetaStart,
                BetaEnd = model.BetaEnd,
                BetaSchedule = model.BetaSchedule,
                TrainedBetas = model.TrainedBetas,
                ZeroTerminalSnr = model.ZeroTerminalSnr,
                Prediction = model.Prediction,
                StepsOffset = model.StepsOffset,
                Spread = spread,
            });
            // only trailing spacing begins where the SNR is zero
            return model.ZeroTerminalSnr ? chosen with { Spacing = Spacing.Trailing } : chosen;
        }
        throw new ModelException($"There is no sampler \"{name}\"; there are {string.Join(", ", All)}.");
    }
}
