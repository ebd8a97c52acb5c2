using System.Text.Json;
using LoraFactory.Models.Lora;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Models.Parity;

/// <summary>
/// LoRA steps of a Llama in float32, under bfloat16 autocast, and on a base in bfloat16: the same <see cref="Autocast"/>, branches, clip and
/// optimizer as training a diffusion model uses. Half precision is held by loss, logits, dtypes and the direction of the gradients.
/// </summary>
public sealed class AmpCheck : IGoldenCheck
{
    private const string Prefix = "base_model.model.";
    private const double SameDirection = 0.99;

    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["amp"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        foreach (var mode in @case.Json.GetProperty("modes").EnumerateObject().Select(m => m.Name))
        {
            if (mode is "fp32" or "bf16-autocast" or "bf16-weights") Steps(@case, found, mode);
            else found.NotCovered.Add($"mode {mode}");
        }
    }

    private static void Steps(GoldenCase @case, Findings found, string mode)
    {
        using var scope = new Scope();
        // "bf16-weights" is a model moved to bfloat16 as a whole, the frequencies of its positions included
        var dtype = mode == "bf16-weights" ? DType.BFloat16 : DType.Float32;
        using var llama = Llama.Load(@case.Path(@case.Json.GetProperty("model").GetString()!), dtype, frequencies: dtype);
        using var adapter = Start(@case, llama);
        adapter.Attach("model", llama.Store);
        adapter.RequireGrad(true);
        using var optimizer = Optimizer(@case.Json.GetProperty("optimizer"), adapter);
        var gradients = adapter.Parameters();
        var (ids, mask, labels) = (@case.Tensor("in.input_ids"), @case.Tensor("in.attention_mask"), @case.Tensor("in.labels"));
        var tolerance = @case.Tolerance(mode == "fp32" ? "fp32_loss" : "bf16_loss");
        for (var step = 0; step < ids.Size(0); step++)
        {
            using var inner = new Scope();
            using var tape = new Tape();
            Tensor logits, loss;
            using (new Autocast(DeviceType.Cpu, mode == "fp32" ? DType.Float32 : DType.BFloat16))
            {
                logits = llama.Forward(ids.Select(0, step), mask.Select(0, step));
                loss = llama.Loss(logits, labels.Select(0, step));
            }
            found.Close($"{mode}.loss[{step}]", loss.Item(), @case.Tensor($"out.{mode}.loss").Select(0, step).Item(), tolerance);
            loss.Backward();
            if (step == 0) First(@case, found, mode, adapter, (logits, mask.Select(0, 0), loss), tape);
            var norm = GradientClip.ToNorm([.. gradients.Select(p => p.Grad()!)], @case.Json.GetProperty("max_grad_norm").GetDouble());
            // no bound is given for norms in half precision, where they are sums of rounding
            if (mode == "fp32") found.Close($"{mode}.grad_norm[{step}]", norm, @case.Tensor($"out.{mode}.grad_norm").Select(0, step).Item(), tolerance);
            optimizer.Step();
            optimizer.ClearGradients();
        }
        adapter.RequireGrad(false);
    }

    private static LoraAdapter Start(GoldenCase @case, Llama llama)
    {
        var config = @case.Json.GetProperty("lora_config");
        var targets = LoraTargets.OfNames(config.GetProperty("target_modules").EnumerateArray().Select(t => t.GetString()!));
        var adapter = LoraAdapter.Create([new("model", llama.Store, new() { Rank = config.GetProperty("r").GetInt32(), Alpha = config.GetProperty("lora_alpha").GetDouble(), Targets = targets })], seed: 0);
        foreach (var module in adapter.Modules)
        {
            module.Down.Copy_(@case.Tensor($"in.init.{Prefix}{module.Path}.lora_A.weight"));
            module.Up.Copy_(@case.Tensor($"in.init.{Prefix}{module.Path}.lora_B.weight"));
        }
        return adapter;
    }

    private static Adam Optimizer(JsonElement o, LoraAdapter adapter)
    {
        var betas = o.GetProperty("betas");
        var group = new ParameterGroup([.. adapter.Modules.SelectMany(m => (Trainable[])[new($"{m.Path}.down", m.Down), new($"{m.Path}.up", m.Up)])],
            o.GetProperty("lr").GetDouble(), o.GetProperty("weight_decay").GetDouble());
        return new([group], new() { Beta1 = betas[0].GetDouble(), Beta2 = betas[1].GetDouble(), Epsilon = o.GetProperty("eps").GetDouble() });
    }

    private static void First(GoldenCase @case, Findings found, string mode, LoraAdapter adapter, (Tensor Logits, Tensor Mask, Tensor Loss) step, Tape tape)
    {
        using var off = Autograd.NoGrad();
        var seen = step.Mask.Unsqueeze(-1).To(DType.Float32); // logits at padding mean nothing
        found.Close($"out.{mode}.logits0", step.Logits.To(DType.Float32) * seen, @case.Tensor($"out.{mode}.logits0") * seen, @case.Tolerance(mode == "fp32" ? "fp32_loss" : "bf16_logits"));
        foreach (var module in adapter.Modules)
        {
            foreach (var (half, tensor) in ((string, Tensor)[])[("lora_A", module.Down), ("lora_B", module.Up)])
            {
                var name = $"grad0.{Prefix}{module.Path}.{half}.weight";
                if (tensor.Grad() is not { } gradient) found.Miss($"out.{mode}.{name}", "no gradient");
                else if (mode == "fp32") found.Close($"out.{mode}.{name}", gradient, @case.Tensor($"out.{mode}.{name}"), new(1e-5, 1e-3));
                else Direction(found, $"out.{mode}.{name}", gradient, @case.Tensor($"out.fp32.{name}"));
            }
        }
        if (@case.Json.TryGetProperty("dtypes_first_step", out var all) && all.TryGetProperty(mode, out var dtypes)) DTypes(found, mode, dtypes, adapter, step, tape);
    }

    private static void Direction(Findings found, string name, Tensor gradient, Tensor exact)
    {
        var cosine = (gradient * exact).Sum().Item() / (gradient.LinalgVectorNorm(2.0).Item() * exact.LinalgVectorNorm(2.0).Item());
        // where the exact gradient is nothing there is no direction
        found.True(name, cosine > SameDirection || (exact.Abs().Max().Item() == 0 && gradient.Abs().Max().Item() == 0), $"cosine with the float32 gradient {cosine:F4}, not above {SameDirection}");
    }

    // What each module returned; the parts of an adapted layer (base_layer, lora_A …) show in the layer's own output.
    private static void DTypes(Findings found, string mode, JsonElement dtypes, LoraAdapter adapter, (Tensor Logits, Tensor Mask, Tensor Loss) step, Tape tape)
    {
        static string Word(DType dtype) => dtype switch { DType.Float32 => "torch.float32", DType.BFloat16 => "torch.bfloat16", DType.Float16 => "torch.float16", _ => dtype.ToString() };
        foreach (var module in dtypes.GetProperty("modules").EnumerateObject())
            if (tape.Outputs.TryGetValue(module.Name, out var output)) found.Equal($"{mode}: dtype of {module.Name}", Word(output.DType), module.Value[1].GetString());
        found.Equal($"{mode}: dtype of the logits", Word(step.Logits.DType), dtypes.GetProperty("logits").GetString());
        found.Equal($"{mode}: dtype of the loss", Word(step.Loss.DType), dtypes.GetProperty("loss").GetString());
        found.Equal($"{mode}: dtype of the adapter", Word(adapter.Modules[0].Down.DType), dtypes.GetProperty("lora_param")[0].GetString());
        found.Equal($"{mode}: dtype of its gradients", Word(adapter.Modules[0].Up.Grad()!.DType), dtypes.GetProperty("lora_grad")[0].GetString());
    }
}
