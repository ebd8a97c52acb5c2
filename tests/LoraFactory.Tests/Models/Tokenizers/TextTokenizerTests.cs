using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraFactory.Models;
using LoraFactory.Models.Tokenizers;
using Xunit;

namespace LoraFactory.Tests.Models.Tokenizers;

/// <summary>Tokenizers read from tokenizer.json: WordPiece over a vocabulary of these tests, byte-level BPE over that of the golden case.</summary>
public sealed class TextTokenizerTests
{
    private static string Roberta => TestData.Golden("text-image/tokenizers/roberta");

    [Fact]
    public void Words_are_cut_into_the_longest_pieces_without_accents_and_in_lower_case()
    {
        var tokenizer = WordPieces("un", "##aff", "##able", "able", ",", "cafe", "猫", "i");
        Assert.Equal("[CLS] un ##aff ##able , [SEP]", Spelled(tokenizer, "Unaffable,"));
        Assert.Equal("[CLS] cafe cafe [SEP]", Spelled(tokenizer, "Cafe\u0301\tCAFÉ"));
        Assert.Equal("[CLS] cafe 猫 猫 cafe [SEP]", Spelled(tokenizer, "cafe猫猫cafe"));
        Assert.Equal("[CLS] [UNK] able [SEP]", Spelled(tokenizer, "unx able"));
        Assert.Equal("[CLS] un [SEP] able [SEP]", Spelled(tokenizer, "un[SEP]able"));
        Assert.Equal("[CLS] [UNK] [SEP]", Spelled(tokenizer, new string('u', 101)));
        Assert.Equal("unaffable, cafe", tokenizer.Decode(tokenizer.Encode("Unaffable, café").Ids));
    }

    [Fact]
    public void Offsets_name_the_code_points_of_the_text_as_it_was()
    {
        var made = WordPieces("un", "##aff", "##able", "cafe").Encode("😀 Unaffable e\u0301 cafe\u0301");
        Assert.Equal([(0, 0), (0, 1), (2, 4), (4, 7), (7, 11), (12, 13), (15, 19), (0, 0)], made.Offsets);
    }

    [Fact]
    public void Two_texts_are_cut_where_they_are_asked_to_be()
    {
        var tokenizer = WordPieces("a", "b");
        var (five, three) = ("a a a a a", "b b b");
        Assert.Equal("[CLS] a a a a [SEP] b b b [SEP]", Spelled(tokenizer, five, three, 10));
        Assert.Equal("[CLS] a a [SEP] b b b [SEP]", Spelled(tokenizer, five, three, 8, Truncation.OnlyFirst));
        Assert.Equal("[CLS] a a a [SEP] b b [SEP]", Spelled(tokenizer, five, three, 8));
        Assert.Equal([0, 0, 0, 0, 1, 1, 1, 1], tokenizer.Encode("a a", three, 8).Types);
        var padded = tokenizer.Pad(tokenizer.Encode("a"), 5);
        Assert.Equal("[CLS] a [SEP] [PAD] [PAD]", string.Join(' ', padded.Ids.Select(tokenizer.TokenOf)));
        Assert.Equal([true, false, true, true, true], padded.Added);
        Assert.Contains("3", Assert.Throws<ModelException>(() => tokenizer.Encode("a", "b", 2)).Message);
    }

    [Fact]
    public void A_pair_of_texts_has_RoBERTa_s_marks_between()
    {
        var tokenizer = TextTokenizer.Load(Roberta);
        Assert.Equal(1, tokenizer.PadId);
        var ids = tokenizer.Encode("one", "two").Ids.Select(tokenizer.TokenOf).ToList();
        Assert.Equal("<s>", ids[0]);
        Assert.Equal(["</s>", "</s>"], ids.Where(t => t == "</s>").Take(2));
        Assert.Equal("one", tokenizer.Decode(tokenizer.Encode("one").Ids));
        Assert.Null(tokenizer.IdOf("no such token"));
    }

    [Fact]
    public void A_megabyte_without_a_space_takes_no_longer_than_text()
    {
        var clock = Stopwatch.StartNew();
        var text = string.Concat(Enumerable.Repeat("aphototocat", 100_000));
        Assert.True(TextTokenizer.Load(Roberta).Encode(text).Ids.Count > 100_000);
        Assert.Equal(3, WordPieces("a").Encode(text).Ids.Count);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), $"took {clock.Elapsed}");
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":2000000000},\"merges\":[]}}")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]},\"pre_tokenizer\":{\"type\":\"ByteLevel\"}}")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]},\"pre_tokenizer\":{\"type\":\"ByteLevel\"}}")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"post_processor\":{\"type\":\"RobertaProcessing\",\"cls\":[\"x\",7],\"sep\":[\"x\",0]}}")]
    [InlineData("{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}},\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}}")]
    [InlineData("{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}")]
    public void A_file_that_is_no_such_tokenizer_is_refused_in_one_sentence(string json)
    {
        var folder = TestData.NewFolder();
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), json);
        Assert.Contains(folder, Assert.Throws<ModelException>(() => TextTokenizer.Load(folder)).Message);
    }

    private static string Spelled(TextTokenizer tokenizer, string text, string? second = null, int length = 0, Truncation truncation = Truncation.LongestFirst) =>
        string.Join(' ', tokenizer.Encode(text, second, length, truncation).Ids.Select(tokenizer.TokenOf));

    private static TextTokenizer WordPieces(params string[] pieces)
    {
        string[] all = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", .. pieces];
        var vocabulary = new JsonObject(all.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id)));
        var added = new JsonArray([.. all.Take(4).Select((token, id) => new JsonObject { ["id"] = id, ["content"] = token, ["special"] = true, ["normalized"] = false })]);
        var json = new JsonObject
        {
            ["added_tokens"] = added,
            ["normalizer"] = new JsonObject { ["type"] = "BertNormalizer" },
            ["pre_tokenizer"] = new JsonObject { ["type"] = "BertPreTokenizer" },
            ["post_processor"] = new JsonObject { ["type"] = "BertProcessing", ["sep"] = new JsonArray("[SEP]", 3), ["cls"] = new JsonArray("[CLS]", 2) },
            ["model"] = new JsonObject { ["type"] = "WordPiece", ["unk_token"] = "[UNK]", ["vocab"] = vocabulary },
        };
        var folder = TestData.NewFolder();
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), json.ToJsonString(new JsonSerializerOptions()));
        return TextTokenizer.Load(folder);
    }
}
