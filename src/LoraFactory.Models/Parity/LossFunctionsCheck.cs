using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Torch;

namespace LoraFactory.Models.Parity;

/// <summary>Every option of the diffusion loss on one given prediction, without a model.</summary>
public sealed class LossFunctionsCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["loss-functions", "loss_functions"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var schedule = NoiseSchedule.StableDiffusion();
        var t = @case.Tensor("in.timesteps");
        var (pred, target) = (@case.Tensor("in.pred"), @case.Tensor("in.target"));
        var c = @case.Json.TryGetProperty("huber_c", out var hc) ? hc.GetDouble() : 0.1;
        DiffusionLoss With(DiffusionLossOptions o) => new(schedule, o with { HuberC = c });
        var checkedNames = new HashSet<string>(StringComparer.Ordinal);
        void Close(string name, Func<Tensor> actual)
        {
            if (!@case.Has(name)) return;
            checkedNames.Add(name);
            found.Close(name, actual(), @case.Tensor(name), @case.Tolerance());
        }

        Close("out.alphas_cumprod", () => Tensor.From(schedule.AlphaTable.ToArray()));
        Close("out.snr", () => LossWeights.Of(schedule, t, snr => snr));
        foreach (var (name, shape) in ((string, LossShape)[])[("l2", LossShape.Squared), ("l1", LossShape.Absolute)])
            Close($"out.{name}", () => With(new() { Shape = shape }).PerSample(pred, target, t));
        foreach (var when in Enum.GetValues<HuberSchedule>())
        {
            var name = when.ToString().ToLowerInvariant();
            Close($"out.huber_c.{name}", () => With(new() { HuberSchedule = when }).HuberC(t));
            Close($"out.huber.{name}", () => With(new() { Shape = LossShape.Huber, HuberSchedule = when }).PerSample(pred, target, t));
            Close($"out.smooth_l1.{name}", () => With(new() { Shape = LossShape.SmoothAbsolute, HuberSchedule = when }).PerSample(pred, target, t));
        }
        if (@case.Has("in.mask"))
        {
            Close("out.mask_resized", () => DiffusionLoss.Resized(@case.Tensor("in.mask"), pred.Size(2), pred.Size(3)));
            Close("out.masked_l2", () => With(new()).PerSample(pred, target, t, @case.Tensor("in.mask")));
        }
        foreach (var (name, prediction) in ((string, Prediction)[])[("eps", Prediction.Epsilon), ("v", Prediction.Velocity)])
        {
            // the case's numbers are the weighted l2 losses
            Tensor Weighted(DiffusionLossOptions o)
            {
                var loss = With(o with { Prediction = prediction });
                return loss.PerSample(pred, target, t) * loss.TimestepWeights(t)!;
            }
            foreach (var full in @case.Names("out.min_snr_").Where(n => n.EndsWith($".{name}", StringComparison.Ordinal)))
            {
                var gamma = double.Parse(full["out.min_snr_".Length..^(name.Length + 1)], System.Globalization.CultureInfo.InvariantCulture);
                Close(full, () => Weighted(new() { MinSnrGamma = gamma }));
            }
            Close($"out.debiased.{name}", () => Weighted(new() { Debiased = true }));
            if (name == "v") Close("out.scale_v_like_noise", () => Weighted(new() { VelocityLikeEpsilon = true }));
        }
        var zero = NoiseSchedule.StableDiffusion(zeroTerminalSnr: true);
        Close("out.ztsnr.alphas_cumprod", () => Tensor.From(zero.AlphaTable.ToArray()));
        Close("out.ztsnr.betas", () => Tensor.From(zero.BetaTable.ToArray()));
        MultiResolution(@case, Close);
        found.NotCovered.AddRange(@case.Names("out.").Where(n => !checkedNames.Contains(n)));
    }

    private static void MultiResolution(GoldenCase @case, Action<string, Func<Tensor>> close)
    {
        if (!@case.Has("in.multires.noise")) return;
        var noise = @case.Tensor("in.multires.noise");
        var draws = @case.Names("in.multires.draw").Order(StringComparer.Ordinal).Select(@case.Tensor).ToArray();
        var levels = draws.Select(d => (d.Size(2), d.Size(3))).ToList();
        close("out.multires.noise", () => TrainingNoise.Pyramid(noise, 0.3, levels, (i, _, _) => draws[i]));
        close("out.multires.unscaled", () => TrainingNoise.PyramidSum(noise, 0.3, levels, (i, _, _) => draws[i]));
    }
}
