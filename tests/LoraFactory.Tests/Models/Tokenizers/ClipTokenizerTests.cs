using System.Diagnostics;
using System.Text;
using System.Text.Json;
using LoraFactory.Models;
using LoraFactory.Models.Tokenizers;
using Xunit;

namespace LoraFactory.Tests.Models.Tokenizers;

public sealed class ClipTokenizerTests
{
    [Theory]
    [InlineData("pipeline-sd15")]
    [InlineData("pipeline-sdxl")]
    public void Texts_of_the_pipelines_have_the_expected_ids(string pipeline)
    {
        var folder = TestData.Golden("diffusion/" + pipeline);
        var tokenizers = new Dictionary<string, ClipTokenizer>();
        var count = 0;
        foreach (var line in Lines(Path.Combine(folder, "tokenizer.jsonl")))
        {
            var name = line.GetProperty("tokenizer").GetString()!;
            if (!tokenizers.TryGetValue(name, out var tokenizer)) tokenizers[name] = tokenizer = ClipTokenizer.Load(Path.Combine(folder, "model", name));
            var text = line.GetProperty("text").GetString()!;
            Assert.Equal(Ids(line, "input_ids"), tokenizer.Encode(text));
            Assert.Equal(Ids(line, "untruncated_ids"), tokenizer.EncodeWhole(text));
            Assert.Equal(line.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()), tokenizer.EncodeWhole(text).Select(tokenizer.TokenOf).Take(line.GetProperty("tokens").GetArrayLength()));
            Assert.Equal(line.GetProperty("decoded").GetString(), tokenizer.Decode(tokenizer.EncodeWhole(text)));
            count++;
        }
        Assert.True(count >= 10, $"only {count} texts");
        Assert.Equal(pipeline == "pipeline-sdxl" ? 2 : 1, tokenizers.Count);
    }

    [Theory]
    [InlineData("clip")]
    [InlineData("clip-pad-exclamation")]
    public void Texts_over_the_published_vocabulary_have_the_expected_ids_offsets_and_decoding(string name)
    {
        if (TestData.Shared("golden/text-image/tokenizers/" + name) is not { } folder || TestData.Shared("models/tokenizers/clip-vit-l14") is not { } published)
        {
            Assert.Skip("CLIP's published vocabulary is not kept in this repository; set LORA_SHARED to a folder with models/tokenizers/clip-vit-l14.");
            return;
        }
        using var facts = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "case.json")));
        var vocabulary = ClipVocabulary.Read(published).PaddedWith(facts.RootElement.GetProperty("pad_token").GetString()!);
        var tokenizer = new ClipTokenizer(vocabulary);
        var count = 0;
        foreach (var line in Lines(Path.Combine(folder, "cases.jsonl")))
        {
            var text = line.GetProperty("text").GetString()!;
            var made = tokenizer.EncodeWithOffsets(text);
            Assert.Equal(Ids(line, "ids"), made.Ids);
            Assert.Equal(Ids(line, "ids"), tokenizer.EncodeWhole(text));
            Assert.Equal(line.GetProperty("offsets").EnumerateArray().Select(o => (o[0].GetInt32(), o[1].GetInt32())), made.Offsets);
            Assert.Equal(line.GetProperty("decoded").GetString(), tokenizer.Decode(made.Ids, skipSpecials: false));
            Assert.Equal(line.GetProperty("decoded_skip").GetString(), tokenizer.Decode(made.Ids));
            count++;
        }
        Assert.Equal(facts.RootElement.GetProperty("n_cases").GetInt32(), count);
        foreach (var line in Lines(Path.Combine(folder, "chunks.jsonl")))
        {
            var text = line.GetProperty("text").GetString()!;
            Assert.Equal(Ids(line, "ids_77"), tokenizer.Encode(text));
            Assert.Equal(line.GetProperty("chunks_152").EnumerateArray().Select(Ids), tokenizer.EncodeWindows(text, 2));
            Assert.Equal(line.GetProperty("chunks_227").EnumerateArray().Select(Ids), tokenizer.EncodeWindows(text, 3));
        }
    }

    [Fact]
    public void A_folder_read_by_its_pair_of_files_or_its_one_file_gives_the_same_ids()
    {
        var folder = Path.Combine(TestData.Root, "assets/pocket-sd/tokenizer");
        var (pair, whole) = (ClipTokenizer.Load(folder), ClipTokenizer.Load(Path.Combine(folder, "tokenizer.json")));
        Assert.Equal(32, pair.MaximumLength);
        Assert.Equal(1024, pair.VocabularySize);
        foreach (var text in (string[])["a red circle above a blue square", "Ünïcödé 日本 <|endoftext|>!", ""])
            Assert.Equal(pair.Encode(text), whole.Encode(text));
    }

    [Fact]
    public void Composition_is_that_of_form_C()
    {
        Assert.Equal("é", CanonicalComposition.Compose("e\u0301"));
        Assert.Equal("q\u0323\u0307", CanonicalComposition.Compose("q\u0307\u0323"));
        Assert.Equal("한글", CanonicalComposition.Compose("\u1112\u1161\u11ab\u1100\u1173\u11af"));
        Assert.Equal("Å", CanonicalComposition.Compose("\u212b"));
        Assert.Equal("\u0915\u093c", CanonicalComposition.Compose("\u0958"));
        Assert.Equal("plain", CanonicalComposition.Compose("plain"));
    }

    [Fact]
    public void A_megabyte_without_a_space_takes_no_longer_than_text()
    {
        var tokenizer = ClipTokenizer.Load(TestData.Golden("diffusion/pipeline-sd15/model/tokenizer"));
        var clock = Stopwatch.StartNew();
        var ids = tokenizer.EncodeWhole(string.Concat(Enumerable.Repeat("aphototocat", 100_000)));
        Assert.True(ids.Length > 100_000);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"took {clock.Elapsed}");
    }

    [Fact]
    public void A_folder_that_is_no_tokenizer_is_refused_in_one_sentence()
    {
        var folder = TestData.NewFolder();
        Assert.Contains(folder, Assert.Throws<ModelException>(() => ClipTokenizer.Load(folder)).Message);
        File.WriteAllText(Path.Combine(folder, "vocab.json"), "{\"a\":0,\"b\":1}");
        File.WriteAllText(Path.Combine(folder, "merges.txt"), "#version: 0.2\na b\n");
        Assert.Contains("'a b'", Assert.Throws<ModelException>(() => ClipTokenizer.Load(folder)).Message);
        File.WriteAllText(Path.Combine(folder, "vocab.json"), "[1]");
        Assert.Throws<ModelException>(() => ClipTokenizer.Load(folder));
        Directory.Delete(folder, recursive: true);
    }

    private static int[] Ids(JsonElement line, string name) => Ids(line.GetProperty(name));

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];

    private static IEnumerable<JsonElement> Lines(string path) =>
        File.ReadAllText(path, Encoding.UTF8).Split('\n').Where(line => line.Length > 0).Select(line => JsonDocument.Parse(line).RootElement);
}
