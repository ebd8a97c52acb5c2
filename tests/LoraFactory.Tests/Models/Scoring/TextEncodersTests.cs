using System.Text.Json.Nodes;
using LoraFactory.Models;
using LoraFactory.Models.Scoring;
using Xunit;

namespace LoraFactory.Tests.Models.Scoring;

/// <summary>Sentence encoder and zero-shot labels beyond what their golden cases hold: order, batches, lengths, and folders that are none.</summary>
[Collection("torch")]
public sealed class TextEncodersTests
{
    private static string Bart => TestData.Golden("language/bart-mnli/model");

    [Fact]
    public void Texts_of_all_lengths_come_back_in_their_order()
    {
        using var encoder = SentenceEncoder.Load(Folder());
        string[] texts = [.. Enumerable.Range(0, 150).Select(i => string.Join(' ', Enumerable.Range(0, 1 + i * 7 % 60).Select(j => $"w{(i + j) % 90}")))];
        var done = new List<int>();
        var rows = encoder.Embed(texts, done.Add);
        Assert.Equal(150, rows.Length);
        Assert.Equal(150, done[^1]);
        foreach (var i in (int[])[0, 17, 61, 149])
        {
            Assert.Equal(1, Math.Sqrt(rows[i].Sum(v => v * v)), 5);
            Assert.All(encoder.Embed([texts[i]])[0].Zip(rows[i]), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        }
        Assert.True(ClipScorer.Cosine(rows[0], rows[1]) < 0.999);
    }

    [Fact]
    public void A_text_is_cut_at_the_model_s_length()
    {
        var folder = Folder();
        using var whole = SentenceEncoder.Load(folder);
        Assert.Equal(40, whole.MaximumLength);
        File.WriteAllText(Path.Combine(folder, "sentence_bert_config.json"), "{\"max_seq_length\": 8}");
        using var encoder = SentenceEncoder.Load(folder);
        Assert.Equal(8, encoder.Ids(string.Join(' ', Enumerable.Repeat("w1", 1000))).Count);
        Assert.Equal(encoder.Embed(["w1 w2 w3 w4 w5 w6"])[0], encoder.Embed(["w1 w2 w3 w4 w5 w6 w7 w8"])[0]);
    }

    [Fact]
    public void Pooling_is_the_model_s_own_and_an_unknown_one_is_refused()
    {
        var folder = Folder();
        using var mean = SentenceEncoder.Load(folder);
        Directory.CreateDirectory(Path.Combine(folder, "1_Pooling"));
        File.WriteAllText(Path.Combine(folder, "modules.json"), """[{"type":"sentence_transformers.models.Transformer","path":""},{"type":"sentence_transformers.models.Pooling","path":"1_Pooling"}]""");
        File.WriteAllText(Path.Combine(folder, "1_Pooling", "config.json"), """{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}""");
        using var first = SentenceEncoder.Load(folder);
        Assert.True(ClipScorer.Cosine(mean.Embed(["w1 w2 w3"])[0], first.Embed(["w1 w2 w3"])[0]) < 0.999);
        File.WriteAllText(Path.Combine(folder, "1_Pooling", "config.json"), """{"pooling_mode_max_tokens":true,"pooling_mode_mean_tokens":false}""");
        Assert.Contains("pooling", Assert.Throws<ModelException>(() => SentenceEncoder.Examine(folder)).Message);
        File.WriteAllText(Path.Combine(folder, "modules.json"), """[{"type":"sentence_transformers.models.Dense","path":"2_Dense"}]""");
        Assert.Contains("Dense", Assert.Throws<ModelException>(() => SentenceEncoder.Load(folder)).Message);
    }

    [Fact]
    public void A_tokenizer_of_another_model_is_refused()
    {
        var folder = Folder(words: 200);
        Assert.Contains("different models", Assert.Throws<ModelException>(() => SentenceEncoder.Load(folder)).Message);
        Assert.Throws<ModelException>(() => SentenceEncoder.Load(Bart));
        Assert.Throws<ModelException>(() => ZeroShot.Load(folder));
    }

    [Fact]
    public void Labels_add_up_to_one_unless_they_are_judged_apart()
    {
        using var judge = ZeroShot.Load(Bart);
        string[] texts = ["a cat in the snow", "football"], labels = ["animals", "sports", "food"];
        var shares = judge.Score(texts, labels);
        Assert.All(shares, row => Assert.Equal(1, row.Sum(), 9));
        var apart = judge.Score(texts, labels, several: true);
        Assert.All(apart.SelectMany(row => row), score => Assert.InRange(score, 0, 1));
        Assert.Equal(judge.Score(["football"], ["sports"])[0][0], apart[1][1], 5);
        Assert.Empty(judge.Score([], labels));
        Assert.Equal(["urgent", "not urgent"], ZeroShot.Labels(" urgent, ,not urgent"));
    }

    [Fact]
    public void A_model_without_an_entailment_class_is_refused()
    {
        var folder = TestData.NewFolder();
        foreach (var file in Directory.GetFiles(Bart)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        var config = Path.Combine(folder, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"entailment\"", "\"other\"", StringComparison.Ordinal));
        Assert.Contains("entail", Assert.Throws<ModelException>(() => ZeroShot.Load(folder)).Message);
    }

    // The golden case's encoder with a tokenizer of as many words as it has.
    private static string Folder(int words = 91)
    {
        var folder = TestData.NewFolder();
        foreach (var file in Directory.GetFiles(TestData.Golden("language/bert/model"))) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        string[] all = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", .. Enumerable.Range(0, words).Select(i => $"w{i}")];
        var json = new JsonObject
        {
            ["normalizer"] = new JsonObject { ["type"] = "BertNormalizer" },
            ["pre_tokenizer"] = new JsonObject { ["type"] = "BertPreTokenizer" },
            ["post_processor"] = new JsonObject { ["type"] = "BertProcessing", ["sep"] = new JsonArray("[SEP]", 3), ["cls"] = new JsonArray("[CLS]", 2) },
            ["model"] = new JsonObject { ["type"] = "WordPiece", ["vocab"] = new JsonObject(all.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))) },
        };
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), json.ToJsonString());
        return folder;
    }
}
