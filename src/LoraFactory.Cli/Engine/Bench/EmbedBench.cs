using System.Text.Json.Nodes;
using LoraFactory.Models;
using LoraFactory.Models.Scoring;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary>Sentences a second through a BERT of all-MiniLM-L6-v2's dimensions (6 layers of 384) on random weights: encoder, mean pooling, length 1.</summary>
public static class EmbedBench
{
    private const int Words = 30_522;

    /// <summary>Measures batches of <paramref name="batch"/> texts of <paramref name="length"/> tokens; gives the line.</summary>
    public static JsonObject Run(int batch, int length, BenchSettings settings) => Measurement.OnTensorThread(settings, () =>
    {
        using var off = Autograd.NoGrad();
        using var model = new Bert(new BertConfig(Words, 384, 12, 6, 1536, 512, 2, 1e-12));
        model.Store.Initialize();
        var ids = Ops.Randint(0, 30_000, [batch, length], dtype: DType.Int64);
        var measurement = new Measurement("minilm_embed", settings);
        // As the encoder does it: so many rows at once that their tokens fit its batch.
        var parts = ids.Split(Math.Max(1, SentenceEncoder.BatchTokens / length));
        var time = measurement.Best(() =>
        {
            foreach (var part in parts)
            {
                using var inner = new Scope();
                Bert.Normalized(Bert.MeanPooled(model.Forward(part)));
            }
        });
        return measurement.Line(new()
        {
            ["batch"] = batch,
            ["length"] = length,
            ["sentences_per_s"] = Measurement.Rounded(batch / time.Best),
            ["embed_s"] = Measurement.Rounded(time.Best),
            ["all_s"] = Measurement.Rounded(time.All),
        });
    });

    /// <summary>Texts a second through the pocket encoder, one thread: <paramref name="batch"/> texts of <paramref name="length"/> made-up words.</summary>
    public static JsonObject Pocket(int batch, int length, BenchSettings settings)
    {
        var encoder = NgramEncoder.Load(ModelLocator.Find("pocket-text"));
        var random = new Random(0);
        string[] words = [.. Enumerable.Range(0, 5000).Select(_ => string.Concat(Enumerable.Range(0, random.Next(2, 11)).Select(_ => (char)('a' + random.Next(26)))))];
        string[] texts = [.. Enumerable.Range(0, batch).Select(_ => string.Join(' ', Enumerable.Range(0, length).Select(_ => words[(int)(words.Length * Math.Pow(random.NextDouble(), 3))])))];
        return Measurement.OnTensorThread(settings, () =>
        {
            var measurement = new Measurement("pocket_embed", settings);
            var time = measurement.Best(() => Array.ForEach(texts, text => encoder.Embed(text)));
            return measurement.Line(new()
            {
                ["batch"] = batch,
                ["words"] = length,
                ["texts_per_s"] = Measurement.Rounded(batch / time.Best),
                ["texts_per_cpu_s"] = Measurement.Rounded(batch / time.Cpu),
                ["all_s"] = Measurement.Rounded(time.All),
            });
        });
    }
}
