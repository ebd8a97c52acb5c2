using System.Text.Json;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Parity;

/// <summary>Compares a tape with the outputs out.PREFIX… of a case, in the order in which the modules ran.</summary>
internal static class TapeCheck
{
    public static void Compare(Tape tape, GoldenCase @case, Findings found, string prefix, string strip = "")
    {
        var expected = @case.Names(prefix).ToHashSet(StringComparer.Ordinal);
        foreach (var (path, output) in tape.Outputs)
        {
            var name = prefix + (strip.Length > 0 && path.StartsWith(strip, StringComparison.Ordinal) ? path[strip.Length..] : path);
            if (expected.Remove(name)) found.Close(name, output, @case.Tensor(name), @case.Tolerance());
        }
        foreach (var name in expected) found.Miss(name, "the model has no module of that path");
    }
}

/// <summary>Text towers: SD1.5's encoder and SDXL's second one.</summary>
public sealed class ClipTextCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["clip-text", "clip-g"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        using var off = Autograd.NoGrad();
        using var model = ClipTextModel.Load(@case.Path("model"));
        var tolerance = @case.Tolerance();
        void Expect(string name, Func<Tensor> actual)
        {
            if (@case.Has(name)) found.Close(name, actual(), @case.Tensor(name), tolerance);
        }
        var ids = @case.Tensor("in.input_ids");
        var output = model.Text.Forward(ids);
        for (var i = 0; i < output.HiddenStates.Count; i++)
        {
            var layer = i;
            Expect($"out.hidden_states.{i}", () => output.HiddenStates[layer]);
        }
        Expect("out.last_hidden_state", () => output.LastHiddenState);
        Expect("out.clip_skip2_ln", () => model.Text.FinalNorm(output.HiddenStates[^2]));
        Expect("out.pooled_legacy", () => model.Text.Pooled(output.LastHiddenState, ids, 2));
        var eos = @case.Json.TryGetProperty("special", out var special) ? special.GetProperty("eos").GetInt32() : model.Text.Config.EndToken;
        Expect("out.pooled_eos_id", () => model.Text.Pooled(output.LastHiddenState, ids, eos));
        Expect("out.text_embeds", () => model.Text.Project(model.Text.Pooled(output.LastHiddenState, ids)));
        if (@case.Has("in.attention_mask")) Masked(@case, found, model, ids, eos);
        if (!@case.Has("in.short_input_ids")) return;
        using var tape = new Tape();
        Expect("out.short.last_hidden_state", () => model.Text.Forward(@case.Tensor("in.short_input_ids")).LastHiddenState);
        TapeCheck.Compare(tape, @case, found, "out.short.tape.", "text_model.");
    }

    // out.masked.last_hidden_state holds the rows that differ, or all of them.
    private static void Masked(GoldenCase @case, Findings found, ClipTextModel model, Tensor ids, int eos)
    {
        var masked = model.Text.Forward(ids, @case.Tensor("in.attention_mask")).LastHiddenState;
        if (@case.Has("out.masked.pooled_eos_id")) found.Close("out.masked.pooled_eos_id", model.Text.Pooled(masked, ids, eos), @case.Tensor("out.masked.pooled_eos_id"), @case.Tolerance());
        if (!@case.Has("out.masked.last_hidden_state")) return;
        var expected = @case.Tensor("out.masked.last_hidden_state");
        var rows = expected.Size(0);
        var first = rows == masked.Size(0) ? 0 : FirstRow(@case, 2);
        found.Close("out.masked.last_hidden_state", masked.Narrow(0, first, rows), expected, @case.Tolerance());
    }

    // "(last_hidden_state: rows 2 and 3 only)" in the case's own words
    private static int FirstRow(GoldenCase @case, int otherwise)
    {
        var text = @case.Json.GetProperty("outputs").TryGetProperty("masked.*", out var v) ? v.GetString() ?? "" : "";
        var at = text.IndexOf("rows ", StringComparison.Ordinal);
        return at >= 0 && at + 5 < text.Length && char.IsAsciiDigit(text[at + 5]) ? text[at + 5] - '0' : otherwise;
    }
}

/// <summary>Full CLIP.</summary>
public sealed class ClipFullCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["clip-full"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        using var off = Autograd.NoGrad();
        using var model = ClipModel.Load(@case.Path("model"));
        void Expect(string name, Tensor actual)
        {
            if (@case.Has(name)) found.Close(name, actual, @case.Tensor(name), @case.Tolerance());
        }
        var ids = @case.Tensor("in.input_ids");
        var mask = @case.Has("in.attention_mask") ? @case.Tensor("in.attention_mask") : null;
        var pixels = @case.Tensor("in.pixel_values");
        using (var tape = new Tape())
        {
            // the tape was recorded on the first rows only
            var rows = @case.Names("out.vision.tape.").Select(n => @case.Tensor(n).Size(0)).FirstOrDefault(pixels.Size(0));
            model.Vision.Forward(pixels.Narrow(0, 0, rows));
            TapeCheck.Compare(tape, @case, found, "out.vision.tape.", "vision_model.");
        }
        var vision = model.Vision.Forward(pixels);
        for (var i = 0; i < vision.HiddenStates.Count; i++) Expect($"out.vision.hidden_states.{i}", vision.HiddenStates[i]);
        Expect("out.vision.last_hidden_state", vision.LastHiddenState);
        Expect("out.vision.pooler_output", vision.Pooled);
        Expect("out.text_last_hidden_state", model.Text.Forward(ids, mask).LastHiddenState);
        var (image, text) = (model.EmbedImage(pixels), model.EmbedText(ids, mask));
        Expect("out.image_embeds", image);
        Expect("out.text_embeds", text);
        var logits = model.Logits(image, text);
        Expect("out.logits_per_image", logits);
        Expect("out.logits_per_text", logits.T());
        if (@case.Has("out.loss")) Expect("out.loss", ContrastiveLoss.Of(logits.Narrow(1, 0, Math.Min(logits.Size(0), logits.Size(1)))));
        if (!@case.Has("in.pixel_values_other_size")) return;
        var other = @case.Tensor("in.pixel_values_other_size");
        try
        {
            model.Vision.Forward(other);
            found.Miss("in.pixel_values_other_size", "accepted without interpolation");
        }
        catch (ModelException)
        {
            found.True("other size refused", true, "");
        }
        using var second = new Tape();
        var stretched = model.Vision.Forward(other, interpolate: true);
        TapeCheck.Compare(second, @case, found, "out.interp.tape.", "vision_model.");
        Expect("out.interp.last_hidden_state", stretched.LastHiddenState);
        Expect("out.interp.pooler_output", stretched.Pooled);
    }
}

/// <summary>The UNets of SD1.5 and SDXL.</summary>
public sealed class UNetCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["unet"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        using var off = Autograd.NoGrad();
        using var model = UNet.Load(@case.Path("model"));
        foreach (var call in @case.Json.GetProperty("calls").EnumerateArray())
        {
            using var scope = new Scope();
            var id = call.GetProperty("id").GetString()!;
            var sample = @case.Tensor("in." + call.GetProperty("sample").GetString());
            var b = sample.Size(0);
            var context = @case.Tensor("in." + call.GetProperty("context").GetString()).Narrow(0, 0, b);
            var t = call.GetProperty("timestep");
            var timesteps = t.ValueKind == JsonValueKind.Array
                ? Tensor.From(t.EnumerateArray().Select(v => v.GetSingle()).ToArray()) : Ops.Full([b], t.GetDouble(), dtype: DType.Float32);
            var added = @case.Has("in.text_embeds") ? new AddedCondition(@case.Tensor("in.text_embeds").Narrow(0, 0, b), @case.Tensor("in.time_ids").Narrow(0, 0, b)) : null;
            using var tape = new Tape();
            var output = model.Forward(sample, timesteps, context, added);
            TapeCheck.Compare(tape, @case, found, $"out.{id}.tape.");
            found.Close($"out.{id}.sample", output, @case.Tensor($"out.{id}.sample"), @case.Tolerance());
        }
    }
}

/// <summary>The autoencoder.</summary>
public sealed class VaeCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["vae"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        using var off = Autograd.NoGrad();
        using var model = AutoencoderKL.Load(@case.Path("model"));
        void Expect(string name, Func<Tensor> actual)
        {
            if (@case.Has(name)) found.Close(name, actual(), @case.Tensor(name), @case.Tolerance());
        }
        using (var tape = new Tape())
        {
            model.Encode(@case.Tensor("in.image").Narrow(0, 0, 1));
            TapeCheck.Compare(tape, @case, found, "out.encode_first_image.tape.");
        }
        var posterior = model.Encode(@case.Tensor("in.image"));
        Expect("out.mean", () => posterior.Mean);
        Expect("out.logvar", () => posterior.LogVariance);
        var sample = posterior.Sample(@case.Tensor("in.sample_noise"));
        Expect("out.sample", () => sample);
        Expect("out.latents_scaled", () => sample * model.Config.ScalingFactor);
        using (var tape = new Tape())
        {
            Expect("out.decoded", () => model.Decode(@case.Tensor("in.latents") / model.Config.ScalingFactor));
            TapeCheck.Compare(tape, @case, found, "out.decode.tape.");
        }
        Expect("out.odd.mean", () => model.Encode(@case.Tensor("in.odd_image")).Mean);
        Expect("out.grey.mean", () => model.Encode(@case.Tensor("in.grey_image")).Mean);
        Expect("out.small.decoded", () => model.Decode(@case.Tensor("in.small_latents")));
        if (!@case.Has("in.moments")) return;
        var gauss = LatentDistribution.FromMoments(@case.Tensor("in.moments"));
        Expect("out.gauss.logvar", () => gauss.LogVariance);
        Expect("out.gauss.mode", () => gauss.Mean);
        Expect("out.gauss.std", () => gauss.Deviation);
        Expect("out.gauss.sample", () => gauss.Sample(@case.Tensor("in.moments_noise")));
        Expect("out.gauss.kl", gauss.Divergence);
    }
}
