using System.Text.Json;
using LoraFactory.Models.Scoring;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Parity;

/// <summary>BERT encoders and the sentence embeddings made of them: a small one with random weights layer by layer, and real ones by their texts.</summary>
public sealed class SentenceGolden : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["sentence-embedding"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        using var off = Autograd.NoGrad();
        if (@case.Json.TryGetProperty("model", out var model)) Real(@case, found, @case.Beside(model.GetString()!.Split(' ')[0]));
        else Small(@case, found);
    }

    private static void Small(GoldenCase @case, Findings found)
    {
        using var bert = Bert.Load(@case.Path("model"));
        var (ids, mask, types) = (@case.Tensor("in.input_ids"), @case.Tensor("in.attention_mask"), @case.Tensor("in.token_type_ids"));
        var shown = mask.Unsqueeze(-1); // outputs at padding are stored as 0
        using var tape = new Tape();
        var hidden = bert.Forward(ids, mask, types);
        void Expect(string name, Tensor actual, string part) => found.Close(name, actual, @case.Tensor("out." + name), Bound(@case, part));
        Expect("embeddings", tape.Outputs["embeddings"] * shown, "hidden");
        Expect("block0.attention", tape.Outputs["encoder.layer.0.attention"] * shown, "hidden");
        for (var i = 0; i < bert.Config.Layers; i++) Expect($"block.{i}", tape.Outputs[$"encoder.layer.{i}"] * shown, "hidden");
        Expect("last_hidden_state", hidden * shown, "hidden");
        var (q, k) = (tape.Outputs["encoder.layer.0.query"], tape.Outputs["encoder.layer.0.key"]);
        var scores = (q.Matmul(k.Transpose(-1, -2)) / Math.Sqrt(q.Size(-1))).MaskedFill(mask.Eq((Scalar)0).View([mask.Size(0), 1, 1, mask.Size(1)]), float.MinValue);
        Expect("attention_probs.0", scores.Softmax(-1) * mask.View([mask.Size(0), 1, mask.Size(1), 1]), "hidden");
        Expect("pooler_output", bert.Pooled(hidden), "hidden");
        Expect("mean_pooled", Bert.MeanPooled(hidden, mask), "hidden");
        Expect("sentence_embedding", Bert.Normalized(Bert.MeanPooled(hidden, mask)), "embedding");
        Expect("sentence_embedding_no_types", Bert.Normalized(Bert.MeanPooled(bert.Forward(ids, mask), mask)), "embedding");
    }

    private static void Real(GoldenCase @case, Findings found, string folder)
    {
        using var encoder = SentenceEncoder.Load(folder);
        found.Equal("max_seq_length", encoder.MaximumLength, @case.Json.GetProperty("max_seq_length").GetInt32());
        var lines = File.ReadAllText(@case.Path("sentences.jsonl")).Split('\n').Where(line => line.Length > 0).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        string[] texts = [.. lines.Select(line => line.GetProperty("text").GetString()!)];
        for (var i = 0; i < texts.Length; i++)
            found.Same($"ids {i}", encoder.Ids(texts[i]), [.. lines[i].GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())]);
        if (@case.Has("in.input_ids.0"))
        {
            using var bert = Bert.Load(folder);
            found.Close("last_hidden_state.0", bert.Forward(@case.Tensor("in.input_ids.0")), @case.Tensor("out.last_hidden_state.0"), Bound(@case, "embedding"));
        }
        var expected = @case.Tensor("out.embeddings");
        var rows = encoder.Embed(texts);
        var together = Tensor.From([.. rows.SelectMany(row => row)], texts.Length, encoder.Width);
        found.Close("embeddings, in batches", together, expected, Bound(@case, "embedding"));
        found.Close("embeddings, one by one", Tensor.From([.. texts.SelectMany(text => encoder.Embed([text])[0])], texts.Length, encoder.Width), expected, Bound(@case, "embedding"));
        found.Close("cosine", together.Matmul(together.T()), @case.Tensor("out.cosine"), Bound(@case, "cosine"));
        var threshold = @case.Json.GetProperty("threshold").GetDouble();
        var pairs = new List<long>();
        for (var i = 0; i < texts.Length; i++)
            for (var j = i + 1; j < texts.Length; j++)
                if (ClipScorer.Cosine(rows[i], rows[j]) >= threshold) pairs.AddRange([i, j]);
        found.Same($"pairs of cosine {threshold} and more", pairs, @case.Tensor(@case.Names("out.pairs_above_").First()).ToArray<long>());
    }

    private static Tolerance Bound(GoldenCase @case, string part)
    {
        var t = @case.Json.GetProperty("tolerances").GetProperty(part);
        return new(t.GetProperty("atol").GetDouble(), t.GetProperty("rtol").GetDouble());
    }
}
