using System.Globalization;
using System.Text.Json;
using LoraFactory.Models.Schedulers;
using LoraFactory.Torch;

namespace LoraFactory.Models.Parity;

/// <summary>Kind "training-noise": tables, noising, targets, loss weights and special noises of a trainer.</summary>
internal sealed class TrainingNoiseCheck : IGoldenCheck
{
    public IReadOnlyList<string> Kinds => ["training-noise"];

    public void Run(GoldenCase @case, Findings found)
    {
        var schedules = new Dictionary<string, NoiseSchedule>(StringComparer.Ordinal);
        foreach (var name in @case.Names("out.").ToArray())
        {
            using var scope = new Scope();
            var parts = name.Split('.');
            var actual = parts.Length == 2 ? Special(@case, parts[1], () => Schedule(schedules, "sd15")!)
                : Schedule(schedules, parts[1]) is { } schedule ? Scheduled(@case, schedule, parts[2], parts.Length > 3 ? parts[3] : "") : null;
            if (actual is null) found.NotCovered.Add(name);
            else found.Close(name, actual, @case.Tensor(name), ToleranceOf(@case, parts));
        }
    }

    // SNR = ᾱ/(1−ᾱ) and its inverse lose digits of the float32 table at both ends; the case's own note allows 1e-4 there.
    private static Tolerance ToleranceOf(GoldenCase @case, string[] parts)
    {
        var general = @case.Tolerance();
        var derived = parts.Length > 2 && parts[2] is not ("betas" or "alphas_cumprod" or "add_noise" or "velocity");
        return derived ? general with { Relative = Math.Max(general.Relative, 1e-4) } : general;
    }

    private static NoiseSchedule? Schedule(Dictionary<string, NoiseSchedule> known, string name)
    {
        if (known.TryGetValue(name, out var schedule)) return schedule;
        var linear = new SchedulerOptions { ClassName = "DDPMScheduler" };
        return name switch
        {
            "sd15" => known[name] = NoiseSchedule.StableDiffusion(),
            "zsnr" => known[name] = NoiseSchedule.StableDiffusion(zeroTerminalSnr: true),
            "linear" => known[name] = new(linear),
            "cosine" => known[name] = new(linear with { BetaSchedule = "squaredcos_cap_v2" }),
            _ => null,
        };
    }

    private static Tensor? Scheduled(GoldenCase @case, NoiseSchedule schedule, string what, string argument)
    {
        Tensor Weights(Func<double, double> weight) => LossWeights.Of(schedule, Ops.Arange(schedule.Count, dtype: DType.Int64), weight);
        var gamma = double.TryParse(argument, NumberStyles.Float, CultureInfo.InvariantCulture, out var g) ? g : 5;
        return what switch
        {
            "betas" => Tensor.From(schedule.BetaTable.ToArray()),
            "alphas_cumprod" => Tensor.From(schedule.AlphaTable.ToArray()),
            "snr" => Weights(snr => snr),
            "min_snr_eps" => Weights(snr => LossWeights.MinSnr(snr, gamma, Prediction.Epsilon)),
            "min_snr_v" => Weights(snr => LossWeights.MinSnr(snr, gamma, Prediction.Velocity)),
            "v_like_eps_scale" => Weights(LossWeights.VelocityLikeEpsilon),
            "debiased_eps" => Weights(LossWeights.Debiased),
            "add_noise" => TrainingNoise.AddNoise(schedule, @case.Tensor("in.x0"), @case.Tensor("in.noise"), @case.Tensor("in.timesteps")),
            "velocity" => TrainingNoise.Velocity(schedule, @case.Tensor("in.x0"), @case.Tensor("in.noise"), @case.Tensor("in.timesteps")),
            _ => null,
        };
    }

    private static Tensor? Special(GoldenCase @case, string what, Func<NoiseSchedule> schedule)
    {
        var options = @case.Json.GetProperty("options");
        double Option(string name) => options.GetProperty(name).GetDouble();
        var (x0, noise) = (@case.Tensor("in.x0"), @case.Tensor("in.noise"));
        return what switch
        {
            "noise_offset" => TrainingNoise.Offset(noise, @case.Tensor("in.offset_draw"), Option("noise_offset")),
            "noise_offset_adaptive" => TrainingNoise.AdaptiveOffset(noise, @case.Tensor("in.offset_draw"), x0, Option("noise_offset"), Option("adaptive")),
            "ip_noisy" => TrainingNoise.AddNoise(schedule(), x0, TrainingNoise.Perturbed(noise, @case.Tensor("in.ip_draw"), Option("ip_gamma")), @case.Tensor("in.timesteps")),
            "pyramid" => Pyramid(@case, Option("pyramid_discount"), options.GetProperty("pyramid_level_sizes")),
            _ when options.TryGetProperty(what, out var other) && other.TryGetProperty("level_sizes", out var sizes) =>
                Pyramid(@case, other.GetProperty("discount").GetDouble(), sizes),
            _ => null,
        };
    }

    // The case limits the levels by listing their sizes; that they are those that follow from the uniform draws is checked with it.
    private static Tensor Pyramid(GoldenCase @case, double discount, JsonElement sizes)
    {
        var (noise, draws) = (@case.Tensor("in.pyramid_noise"), @case.Tensor("in.pyramid_draws"));
        var levels = TrainingNoise.PyramidLevels(noise.Size(2), noise.Size(3), @case.Tensor("in.pyramid_uniform").ToArray<double>(), sizes.GetArrayLength());
        var listed = sizes.EnumerateArray().Select(s => (s[0].GetInt64(), s[1].GetInt64())).ToArray();
        if (!levels.SequenceEqual(listed)) throw new ModelException($"the pyramid's levels are {string.Join(" ", levels)} instead of {string.Join(" ", listed)}.");
        return TrainingNoise.Pyramid(noise, discount, levels, (i, h, w) => draws.Select(0, i).Narrow(2, 0, h).Narrow(3, 0, w));
    }
}
