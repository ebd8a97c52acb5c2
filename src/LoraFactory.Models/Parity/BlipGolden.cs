using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Models.Parity;

/// <summary>Picture → caption: image states, logits, losses, gradients and greedy captions of a BLIP.</summary>
public sealed class BlipGolden : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["image-caption"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var config = BlipConfig.Read(ModelConfig.Read(@case.Path("model/config.json")));
        if (@case.Json.TryGetProperty("label_smoothing", out var smoothing))
            config = config with { TextConfig = config.TextConfig with { LabelSmoothing = smoothing.GetDouble() } };
        using var blip = new Blip(config);
        var weights = @case.Open("model/model.safetensors");
        blip.Store.Load(weights.Finder());
        blip.Store.RequireGrad(true);
        Forward(blip, @case, found);
        Captions(blip, @case, found);
    }

    private static void Forward(Blip blip, GoldenCase @case, Findings found)
    {
        var states = blip.ImageStates(@case.Tensor("in.pixel_values"));
        found.Close("vision.last_hidden_state", states, @case.Tensor("out.vision.last_hidden_state"), Bound(@case, "hidden"));
        var mask = @case.Tensor("in.attention_mask");
        var logits = blip.Logits(@case.Tensor("in.input_ids"), states, mask);
        // Outputs at padding are stored as 0.
        found.Close("logits", logits * mask.Unsqueeze(-1), @case.Tensor("out.logits"), Bound(@case, "logits"));
        var loss = blip.Loss(logits, @case.Tensor("in.labels"));
        found.Close("loss", loss, @case.Tensor("out.loss"), Bound(@case, "loss"));
        loss.Backward();
        foreach (var name in @case.Names("out.grad."))
        {
            var parameter = blip.Store.Find(name["out.grad.".Length..]);
            if (parameter?.Value.Grad() is { } grad) found.Close(name, grad, @case.Tensor(name), Bound(@case, "grad"));
            else found.Miss(name, "there is no gradient");
        }
    }

    private static void Captions(Blip blip, GoldenCase @case, Findings found)
    {
        var text = blip.Config.TextConfig;
        foreach (var options in @case.Json.GetProperty("generation").EnumerateArray())
        {
            var name = options.GetProperty("out").GetString()!;
            if (options.GetProperty("num_beams").GetInt32() != 1)
            {
                found.NotCovered.Add($"{name} (beam search)");
                continue;
            }
            var expected = @case.Tensor($"out.{name}.ids");
            var width = (int)expected.Size(1);
            var ids = expected.ToArray<long>();
            var prompts = options.GetProperty("prompt").GetString() is { } prompt ? @case.Tensor(prompt) : null;
            for (var row = 0; row < expected.Size(0); row++)
            {
                // The first id of a prompt is replaced by the start id, the last is dropped.
                var given = prompts is null ? [] : prompts.Narrow(0, row, 1).ToArray<long>()[1..^1];
                var caption = blip.Caption(@case.Tensor("in.pixel_values").Narrow(0, row, 1), options.GetProperty("max_new_tokens").GetInt32(), given)[0];
                found.Same($"{name}[{row}]", caption, [.. ids.Skip(row * width + 1 + given.Length).Take(width - 1 - given.Length).TakeWhile(id => id != text.SepTokenId)]);
            }
        }
    }

    private static Tolerance Bound(GoldenCase @case, string part)
    {
        var t = @case.Json.GetProperty("tolerances").GetProperty(part);
        return new(t.GetProperty("atol").GetDouble(), t.GetProperty("rtol").GetDouble());
    }
}
