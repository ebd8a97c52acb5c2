using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Models.Parity;

/// <summary>Traces of LoRA training of a UNet, alone or with its text encoder, through the trainer that the stage uses.</summary>
public sealed partial class TrainUNetCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["train-unet", "train_unet"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var folder = @case.Path(@case.Json.GetProperty("model").GetString()!);
        using var unet = UNet.Load(Path.Combine(folder, "unet"));
        var both = @case.Json.TryGetProperty("text_encoder_lora_config", out var te) && te.ValueKind == JsonValueKind.Object;
        using var text = both ? ClipTextModel.Load(Path.Combine(folder, "text_encoder")) : null;
        var targets = new List<LoraTarget> { new("unet", unet.Store, Spec(@case.Json.GetProperty("lora_config"))) };
        if (text is not null) targets.Add(new("text_encoder", text.Store, Spec(te)));
        using var adapter = LoraAdapter.Create(targets, seed: 0);
        SetStart(@case, adapter);
        adapter.Attach("unet", unet.Store);
        if (text is not null) adapter.Attach("text_encoder", text.Store);
        adapter.RequireGrad(true);

        var o = @case.Json.GetProperty("optimizer");
        var betas = o.GetProperty("betas");
        var groups = targets.ConvertAll(target => new ParameterGroup(
            [.. adapter.Of(target.Component).SelectMany(m => (Trainable[])[new($"{m.Component}.{m.Path}.down", m.Down), new($"{m.Component}.{m.Path}.up", m.Up)])],
            o.GetProperty(target.Component == "unet" ? "lr_unet" : "lr_text_encoder").GetDouble(), o.GetProperty("weight_decay").GetDouble()));
        var bases = groups.ConvertAll(g => g.LearningRate);
        using var optimizer = new Adam(groups, new() { Beta1 = betas[0].GetDouble(), Beta2 = betas[1].GetDouble(), Epsilon = o.GetProperty("eps").GetDouble() });
        if (Noise(@case) is not { } noise || Rates(@case) is not { } rates)
        {
            found.NotCovered.Add("its noise schedule or the schedule of its rate");
            return;
        }
        var trainer = new DiffusionTrainer(unet, new(noise, LossOptions(@case.Json.GetProperty("options"))), optimizer)
        {
            MaxGradNorm = @case.Json.GetProperty("max_grad_norm").GetDouble(),
            EncodeText = text is null ? null : ids => text.Text.Forward(ids).LastHiddenState,
        };
        var steps = @case.Json.GetProperty("steps").GetInt32();
        for (var i = 0; i < steps; i++)
        {
            using var scope = new Scope();
            var batch = BatchOf(@case, i);
            if (i == 0) First(@case, found, trainer, batch, adapter);
            for (var g = 0; g < groups.Count; g++) groups[g].LearningRate = rates.At(i, bases[g]);
            var result = trainer.Step(batch);
            found.Close($"out.loss[{i}]", result.Loss, @case.Tensor("out.loss").Select(0, i).Item(), @case.Tolerance("loss"));
            found.Close($"out.grad_norm[{i}]", result.GradientNorm, @case.Tensor("out.grad_norm").Select(0, i).Item(), @case.Tolerance("grad_norm"));
        }
        adapter.RequireGrad(false);
        Compare(@case, found, adapter, "out.final.", t => t, @case.Tolerance("weights"));
        Probe(@case, found, unet, trainer);
    }

    // Its name, with options beside it in the case, or an object with both; constant where the case says nothing.
    private static LearningRateSchedule? Rates(GoldenCase @case)
    {
        if (!@case.Json.TryGetProperty("schedule", out var schedule) || schedule.ValueKind == JsonValueKind.Null) return LearningRateSchedule.Constant();
        if (schedule.ValueKind == JsonValueKind.String) return ScheduleCheck.Make(schedule.GetString(), @case.Json);
        return schedule.ValueKind == JsonValueKind.Object && schedule.TryGetProperty("type", out var type) ? ScheduleCheck.Make(type.GetString(), schedule) : null;
    }

    // As "scaled_linear: betas = linspace(sqrt(.00085), sqrt(.012), 1000)^2, …"; Stable Diffusion's where the case says nothing.
    private static NoiseSchedule? Noise(GoldenCase @case)
    {
        if (!@case.Json.TryGetProperty("noise_schedule", out var said)) return NoiseSchedule.StableDiffusion();
        var match = NoiseWords().Match(said.GetString() ?? "");
        double Number(string name) => double.Parse(match.Groups[name].ValueSpan, CultureInfo.InvariantCulture);
        return !match.Success ? null : new(new SchedulerOptions
        {
            ClassName = "DDPMScheduler",
            BetaSchedule = match.Groups["kind"].Value,
            BetaStart = Number("from"),
            BetaEnd = Number("to"),
            TrainTimesteps = int.Parse(match.Groups["steps"].ValueSpan, CultureInfo.InvariantCulture),
            ZeroTerminalSnr = said.GetString()!.Contains("zero terminal", StringComparison.OrdinalIgnoreCase),
        });
    }

    [GeneratedRegex(@"^(?<kind>linear|scaled_linear): betas = linspace\((sqrt\()?(?<from>[0-9.e-]{1,20})\)?, (sqrt\()?(?<to>[0-9.e-]{1,20})\)?, (?<steps>[0-9]{1,5})\)", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex NoiseWords();

    private static LoraSpec Spec(JsonElement c)
    {
        var targets = c.GetProperty("target_modules");
        IReadOnlyList<KeyValuePair<string, T>> Pattern<T>(string key, Func<JsonElement, T> read) =>
            c.TryGetProperty(key, out var p) && p.ValueKind == JsonValueKind.Object ? [.. p.EnumerateObject().Select(e => new KeyValuePair<string, T>(e.Name, read(e.Value)))] : [];
        return new()
        {
            Rank = c.GetProperty("r").GetInt32(),
            Alpha = c.GetProperty("lora_alpha").GetDouble(),
            Targets = targets.ValueKind == JsonValueKind.String ? LoraTargets.OfPattern(targets.GetString()!) : LoraTargets.OfNames(targets.EnumerateArray().Select(t => t.GetString()!)),
            RankPattern = Pattern("rank_pattern", v => v.GetInt32()),
            AlphaPattern = Pattern("alpha_pattern", v => v.GetDouble()),
            RankStabilized = c.TryGetProperty("use_rslora", out var rs) && rs.ValueKind == JsonValueKind.True,
        };
    }

    private static DiffusionLossOptions LossOptions(JsonElement o)
    {
        string? Text(string key) => o.TryGetProperty(key, out var v) && v.ValueKind == JsonValueKind.String ? v.GetString() : null;
        bool Flag(string key) => o.TryGetProperty(key, out var v) && v.ValueKind == JsonValueKind.True;
        return new()
        {
            Prediction = Flag("v") ? Prediction.Velocity : Prediction.Epsilon,
            MinSnrGamma = o.TryGetProperty("gamma", out var g) && g.ValueKind == JsonValueKind.Number ? g.GetDouble() : 0,
            Debiased = Flag("debiased"),
            VelocityLikeEpsilon = Flag("scale_v_like_noise"),
            HuberC = o.TryGetProperty("huber_c", out var c) ? c.GetDouble() : 0.1,
            Shape = Text("loss") switch { "huber" => LossShape.Huber, "smooth_l1" => LossShape.SmoothAbsolute, "l1" => LossShape.Absolute, _ => LossShape.Squared },
            HuberSchedule = Text("sched") switch { "exponential" => HuberSchedule.Exponential, "constant" => HuberSchedule.Constant, _ => HuberSchedule.Snr },
            Prior = Text("how") == "diffusers" ? PriorPreservation.SumOfMeans : PriorPreservation.OneMean,
        };
    }

    private static Tensor? Input(GoldenCase @case, string name)
    {
        if (@case.Has(name)) return @case.Tensor(name);
        return @case.Json.TryGetProperty("inputs", out var file) && file.ValueKind == JsonValueKind.String && @case.Open(file.GetString()!).TryGet(name, out var weight)
            ? weight.ToTensor() : null;
    }

    private static DiffusionBatch BatchOf(GoldenCase @case, int step)
    {
        Tensor? At(string name) => Input(@case, name)?.Select(0, step);
        var noise = At("in.noise")!;
        if (At("in.offset_noise") is { } draw) noise = TrainingNoise.Offset(noise, draw, @case.Json.GetProperty("options").GetProperty("offset").GetDouble());
        var ids = At("in.input_ids");
        return new()
        {
            Latents = At("in.latents")!,
            Noise = noise,
            Timesteps = At("in.timesteps")!,
            TokenIds = ids,
            Context = ids is null ? At("in.prompt_embeds") : null,
            Mask = At("in.mask"),
            Weights = Input(@case, "in.loss_weights"),
        };
    }

    // Names are "in.init.unet.PATH", "in.init.te.PATH" or the like, with PEFT's spelling of A behind.
    private static void SetStart(GoldenCase @case, LoraAdapter adapter)
    {
        var file = @case.Json.TryGetProperty("init", out var init) && init.ValueKind == JsonValueKind.String ? init.GetString()! : "case.safetensors";
        foreach (var module in adapter.Modules)
        {
            var weight = Names(module, "in.init.", "lora_A").Select(n => @case.Open(file).TryGet(n, out var w) || @case.Open().TryGet(n, out w) ? w : null).FirstOrDefault(w => w is not null)
                ?? throw new ModelException($"{@case.Name}: no start values for {module}.");
            module.Down.Copy_(weight.ToTensor());
        }
    }

    private static IEnumerable<string> Names(LoraModule module, string prefix, string half)
    {
        string[] components = module.Component == "unet" ? ["unet"] : ["text_encoder", "te"];
        foreach (var component in components)
        {
            yield return $"{prefix}{component}.{module.Path}.{half}.weight";
            if (module.Path.StartsWith("text_model.", StringComparison.Ordinal)) yield return $"{prefix}{component}.{module.Path["text_model.".Length..]}.{half}.weight";
        }
    }

    private static void First(GoldenCase @case, Findings found, DiffusionTrainer trainer, DiffusionBatch batch, LoraAdapter adapter)
    {
        using (Autograd.NoGrad())
        {
            var f = trainer.Forward(batch);
            found.Close("out.step0.noisy", f.Noisy, @case.Tensor("out.step0.noisy"), new(1e-5, 1e-5));
            found.Close("out.step0.target", f.Target, @case.Tensor("out.step0.target"), new(1e-5, 1e-5));
            found.Close("out.step0.pred", f.Prediction, @case.Tensor("out.step0.pred"), @case.Tolerance("pred"));
            if (@case.Has("out.step0.loss_per_sample"))
                found.Close("out.step0.loss_per_sample", Weighted(trainer.Loss, f, batch), @case.Tensor("out.step0.loss_per_sample"), @case.Tolerance("loss"));
        }
        trainer.Accumulate(batch);
        Compare(@case, found, adapter, "out.grad0.", t => t.Grad(), new(1e-5, 1e-3));
        trainer.Optimizer.ClearGradients();
    }

    private static Tensor Weighted(DiffusionLoss loss, DiffusionForward f, DiffusionBatch batch)
    {
        var each = loss.PerSample(f.Prediction, f.Target, batch.Timesteps, batch.Mask);
        if (batch.Weights is not null) each = each * batch.Weights;
        return loss.TimestepWeights(batch.Timesteps) is { } w ? each * w : each;
    }

    private static void Compare(GoldenCase @case, Findings found, LoraAdapter adapter, string prefix, Func<Tensor, Tensor?> pick, Tolerance tolerance)
    {
        var left = @case.Names(prefix).ToHashSet(StringComparer.Ordinal);
        foreach (var module in adapter.Modules)
        {
            foreach (var (half, tensor) in ((string, Tensor)[])[("lora_A", module.Down), ("lora_B", module.Up)])
            {
                if (Names(module, prefix, half).FirstOrDefault(left.Remove) is not { } name) continue;
                if (pick(tensor) is { } actual) found.Close(name, actual, @case.Tensor(name), tolerance);
                else found.Miss(name, "no gradient");
            }
        }
        found.True(prefix, left.Count == 0, $"{left.Count} tensors belong to no module, the first: {left.FirstOrDefault()}");
    }

    private static void Probe(GoldenCase @case, Findings found, UNet unet, DiffusionTrainer trainer)
    {
        if (!@case.Has("out.probe.pred")) return;
        using var off = Autograd.NoGrad();
        var batch = BatchOf(@case, Math.Min(3, (int)Input(@case, "in.latents")!.Size(0) - 1));
        var context = batch.Context ?? trainer.EncodeText!(batch.TokenIds!);
        found.Close("out.probe.pred", unet.Forward(batch.Latents, batch.Timesteps, context), @case.Tensor("out.probe.pred"), @case.Tolerance("pred"));
    }
}
