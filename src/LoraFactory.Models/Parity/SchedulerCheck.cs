using System.Text.Json;
using LoraFactory.Models.Schedulers;
using LoraFactory.Torch;

namespace LoraFactory.Models.Parity;

/// <summary>Kind "scheduler": whole sampling runs on an analytic model, compared after every call.</summary>
internal sealed class SchedulerCheck : IGoldenCheck
{
    public IReadOnlyList<string> Kinds => ["scheduler"];

    public void Run(GoldenCase @case, Findings found)
    {
        foreach (var run in @case.Json.GetProperty("runs").EnumerateArray())
        {
            using var scope = new Scope();
            Run(@case, run, found);
        }
    }

    private static void Run(GoldenCase @case, JsonElement run, Findings found)
    {
        var id = $"out.{run.GetProperty("id").GetString()}";
        var tolerance = @case.Tolerance();
        var options = SchedulerOptions.From(run.GetProperty("scheduler_config"), $"{@case.Name} {id}");
        foreach (var argument in Arguments(@case.Json).Concat(Arguments(run)))
        {
            if (argument.Name == "eta") options = options with { Eta = argument.Value.GetDouble() };
            else found.NotCovered.Add($"step_kwargs.{argument.Name}");
        }
        using var scheduler = Scheduler.Create(options);
        scheduler.SetTimesteps(run.GetProperty("num_inference_steps").GetInt32());
        found.Equal($"{id}.order", scheduler.Order, run.GetProperty("order").GetInt32());
        found.Close($"{id}.init_noise_sigma", scheduler.InitNoiseSigma, run.GetProperty("init_noise_sigma").GetDouble(), tolerance);
        found.Close($"{id}.timesteps", [.. scheduler.Timesteps], @case.Tensor($"{id}.timesteps").ToArray<double>(), tolerance);
        if (@case.Has($"{id}.sigmas")) found.Close($"{id}.sigmas", [.. scheduler.Sigmas], @case.Tensor($"{id}.sigmas").ToArray<double>(), tolerance);
        Noised(@case, run, id, options, found);
        Sampled(@case, run, id, scheduler, found);
    }

    private static IEnumerable<JsonProperty> Arguments(JsonElement of) =>
        of.TryGetProperty("step_kwargs", out var given) && given.ValueKind == JsonValueKind.Object ? given.EnumerateObject() : [];

    private static void Noised(GoldenCase @case, JsonElement run, string id, SchedulerOptions options, Findings found)
    {
        if (!@case.Has($"{id}.add_noise")) return;
        using var fresh = Scheduler.Create(options);
        fresh.SetTimesteps(run.GetProperty("num_inference_steps").GetInt32());
        var t = fresh.Timesteps[run.GetProperty("add_noise_timestep_index").GetInt32()];
        var original = @case.Tensor("in.start_noise") * 0.5 + 0.25;
        found.Close($"{id}.add_noise", fresh.AddNoise(original, @case.Tensor("in.noise").Select(0, 0), t), @case.Tensor($"{id}.add_noise"), @case.Tolerance());
    }

    private static void Sampled(GoldenCase @case, JsonElement run, string id, IScheduler scheduler, Findings found)
    {
        var noise = new GivenNoise(@case.Tensor("in.noise"));
        var drawnAt = new List<int>();
        var (latents, inputs, originals) = (new List<Tensor>(), new List<Tensor>(), new List<Tensor>());
        var x = @case.Tensor("in.start_noise") * scheduler.InitNoiseSigma;
        if (@case.Has($"{id}.initial")) found.Close($"{id}.initial", x, @case.Tensor($"{id}.initial"), @case.Tolerance());
        for (var i = 0; i < scheduler.Timesteps.Count; i++)
        {
            var t = scheduler.Timesteps[i];
            var before = noise.Drawn;
            var scaled = scheduler.ScaleModelInput(x, t);
            var step = scheduler.Step(Model(scaled, t), t, x, noise);
            x = step.Sample;
            latents.Add(x);
            inputs.Add(scaled);
            if (step.Original is { } original) originals.Add(original);
            for (var k = before; k < noise.Drawn; k++) drawnAt.Add(i);
        }
        if (@case.Has($"{id}.scaled_input")) found.Close($"{id}.scaled_input", Ops.Stack(inputs.ToArray()), @case.Tensor($"{id}.scaled_input"), @case.Tolerance());
        found.Close($"{id}.latents", Ops.Stack(latents.ToArray()), @case.Tensor($"{id}.latents"), @case.Tolerance());
        if (@case.Has($"{id}.pred_original_sample"))
            found.Close($"{id}.pred_original_sample", Ops.Stack(originals.ToArray()), @case.Tensor($"{id}.pred_original_sample"), @case.Tolerance());
        if (run.TryGetProperty("noise_draw_at_call", out var expected))
            found.Same($"{id}.noise_draw_at_call", drawnAt, expected.EnumerateArray().Select(v => v.GetInt32()).ToArray());
    }

    // The case's stand-in for a model.
    private static Tensor Model(Tensor x, double t) => x * 0.7 + ((x * 2.0 + t / 100).Sin() * 0.2) + 0.1 * Math.Cos(t / 250);
}
