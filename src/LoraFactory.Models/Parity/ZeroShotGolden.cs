using System.Text.Json;
using LoraFactory.Models.Scoring;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Parity;

/// <summary>BART for natural-language inference layer by layer, its tokenizer, and the labels that come of it.</summary>
public sealed class ZeroShotGolden : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["zero-shot"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        using var off = Autograd.NoGrad();
        Layers(@case, found);
        var tokenizer = TextTokenizer.Load(@case.Path("model"));
        foreach (var line in @case.Json.GetProperty("encode").EnumerateArray())
        {
            var text = line.GetProperty("text").GetString()!;
            found.Same($"ids of '{text}'", tokenizer.Encode(text).Ids, Ids(line.GetProperty("ids")));
            // The second text of these pairs is not named; it is what follows the first one's end.
            var pair = Ids(line.GetProperty("pair_ids"));
            var second = tokenizer.Decode(pair[(Ids(line.GetProperty("ids")).Length + 1)..^1]);
            found.Same($"ids of '{text}' and '{second}'", tokenizer.Encode(text, second).Ids, pair);
        }
        using var judge = ZeroShot.Load(@case.Path("model"));
        var number = 0;
        foreach (var line in @case.Json.GetProperty("zero_shot").EnumerateArray()) Judged(@case, found, judge, line, $"zero_shot[{number++}]");
    }

    private static void Layers(GoldenCase @case, Findings found)
    {
        using var bart = Bart.Load(@case.Path("model"));
        var (ids, mask) = (@case.Tensor("in.input_ids"), @case.Tensor("in.attention_mask"));
        found.Same("decoder_input_ids", bart.Shifted(ids).ToArray<long>(), @case.Tensor("out.decoder_input_ids").ToArray<long>());
        using var tape = new Tape();
        var logits = bart.Logits(ids, mask);
        foreach (var name in @case.Names("out.encoder.").Concat(@case.Names("out.decoder.")))
        {
            var path = "model." + name["out.".Length..].Replace(".layer.", ".layers.", StringComparison.Ordinal);
            // The encoder's outputs at padding are stored as 0, the decoder's as they are.
            var output = path.StartsWith("model.encoder.", StringComparison.Ordinal) ? tape.Outputs[path] * mask.Unsqueeze(-1) : tape.Outputs[path];
            found.Close(name, output, @case.Tensor(name), Bound(@case, "hidden"));
        }
        found.Close("logits", logits, @case.Tensor("out.logits"), Bound(@case, "logits"));
        found.Close("loss", logits.CrossEntropyLoss(@case.Tensor("in.labels")), @case.Tensor("out.loss"), Bound(@case, "loss"));
    }

    private static void Judged(GoldenCase @case, Findings found, ZeroShot judge, JsonElement line, string name)
    {
        var (text, template, listed) = (line.GetProperty("text").GetString()!, line.GetProperty("hypothesis_template").GetString()!, line.GetProperty("candidate_labels"));
        string[] labels = listed.ValueKind == JsonValueKind.Array ? [.. listed.EnumerateArray().Select(label => label.GetString()!)] : ZeroShot.Labels(listed.GetString()!);
        IReadOnlyList<int>[] pairs = [.. labels.Select(label => judge.Ids(text, label, template))];
        var rows = line.GetProperty("input_ids").EnumerateArray().Select(Ids).ToList();
        for (var i = 0; i < rows.Count; i++) found.Same($"{name} ids {i}", pairs[i], rows[i]);
        var logits = judge.Logits(pairs).SelectMany(row => row).ToArray();
        found.Close($"{name} logits", logits, [.. line.GetProperty("logits").EnumerateArray().SelectMany(row => row.EnumerateArray()).Select(v => v.GetDouble())], Bound(@case, "logits"));
        var scores = judge.Score([text], labels, line.GetProperty("multi_label").GetBoolean(), template)[0];
        var order = Enumerable.Range(0, labels.Length).OrderByDescending(i => scores[i]).ToArray();
        found.Same($"{name} order", [.. order.Select(i => labels[i])], [.. line.GetProperty("labels_sorted").EnumerateArray().Select(label => label.GetString()!)]);
        found.Close($"{name} scores", [.. order.Select(i => scores[i])], [.. line.GetProperty("scores_sorted").EnumerateArray().Select(v => v.GetDouble())], Bound(@case, "scores"));
    }

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];

    private static Tolerance Bound(GoldenCase @case, string part)
    {
        var t = @case.Json.GetProperty("tolerances").GetProperty(part);
        return new(t.GetProperty("atol").GetDouble(), t.GetProperty("rtol").GetDouble());
    }
}
