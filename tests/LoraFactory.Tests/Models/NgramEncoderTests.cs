using LoraFactory.Models;
using LoraFactory.Models.Scoring;
using LoraFactory.Models.Weights;
using Xunit;

namespace LoraFactory.Tests.Models;

public sealed class NgramEncoderTests
{
    private static readonly NgramConfig Small = new(512, 4, 3, 4, 100, 0.9);

    [Fact]
    public void Features_count_words_letter_groups_and_pairs_without_regard_to_case_and_composition()
    {
        var plain = NgramFeatures.Of("Café noir", Small);
        Assert.Equal(plain.Buckets, NgramFeatures.Of("CAFE\u0301, noir!", Small).Buckets);
        Assert.Equal(plain.Weights, NgramFeatures.Of("cafe\u0301 — NOIR", Small).Weights);
        Assert.NotEqual(plain.Buckets, NgramFeatures.Of("noir café", Small).Buckets); // the pair is another
        // "<cafe>" has 4 groups of three and 3 of four; with the word, that is all there is of one word.
        Assert.Equal(8, NgramFeatures.Of("cafe", Small with { Buckets = 1 << 20 }).Buckets.Length);
        Assert.Equal(2 + 2 * Math.Sqrt(7) + 0.5, NgramFeatures.Of("cafe noir", Small with { Buckets = 1 << 20 }).Weights.Sum(w => (double)w), 4);
        Assert.Equal(plain.Buckets.Order(), plain.Buckets);
        Assert.Empty(NgramFeatures.Of(" — 😀 !", Small).Buckets);
    }

    [Fact]
    public void What_is_said_again_counts_less_than_twice_and_words_beyond_the_limit_not_at_all()
    {
        var config = Small with { Buckets = 1 << 20 };
        var (once, often) = (NgramFeatures.Of("sea", config).Weights.Max(), NgramFeatures.Of("sea sea sea", config).Weights.Max());
        Assert.Equal(1 + Math.Log(3), often / once, 4);
        var words = string.Join(' ', Enumerable.Range(0, 100).Select(i => $"w{i}"));
        Assert.Equal(NgramFeatures.Of(words, config).Buckets, NgramFeatures.Of(words + " more and more", config).Buckets);
        Assert.Equal(5, NgramFeatures.Of("猫犬", config).Buckets.Length); // two words, a group of each, the pair
        Assert.Equal(NgramFeatures.Of("猫 犬", config).Buckets, NgramFeatures.Of("猫犬", config).Buckets);
        Assert.True(NgramFeatures.Of(new string('x', 1_000_000), config).Buckets.Length < 10);
    }

    [Fact]
    public void Vectors_have_length_one_and_hostile_texts_are_taken()
    {
        var encoder = new NgramEncoder(Small, [.. Enumerable.Range(0, 512 * 4).Select(i => (float)Math.Sin(i))]);
        foreach (var text in (string[])["a b c", "\ud800 half", "\0\0x", new string('é', 5000), string.Concat(Enumerable.Repeat("ab ", 50_000))])
            Assert.Equal(1, ClipScorer.Cosine(encoder.Embed(text), encoder.Embed(text)), 4);
        Assert.All(encoder.Embed("…"), v => Assert.Equal(0, v));
        Assert.Throws<ModelException>(() => new NgramEncoder(Small, new float[5]));
    }

    [Fact]
    public void The_pocket_encoder_finds_copies_and_knows_what_words_mean()
    {
        var encoder = NgramEncoder.Load(ModelLocator.Find("pocket-text"));
        double Cosine(string a, string b) => ClipScorer.Cosine(encoder.Embed(a), encoder.Embed(b));
        const string text = "The harbour was built by monks in the thirteenth century and enlarged twice, the second time for the herring fleet that made the town rich.";
        Assert.True(Cosine(text, text.ToUpperInvariant().TrimEnd('.')) > 0.999);
        Assert.True(Cosine(text, text.Replace("enlarged twice", "widened twice", StringComparison.Ordinal).Replace("herring ", "", StringComparison.Ordinal)) >= encoder.Config.DuplicateCosine);
        Assert.True(Cosine(text, "The lighthouse above the harbour was lit with oil until the town was wired for electricity, and its keeper lived in the tower.") < encoder.Config.DuplicateCosine);
        Assert.True(Cosine("musical instrument", "a violin is played with a bow on four strings") > Cosine("musical instrument", "a flatfish lies on the bottom of the sea"));
    }

    [Theory]
    [InlineData("""{"model_type":"bert","buckets":4,"width":2,"duplicate_cosine":0.9}""")]
    [InlineData("""{"buckets":4,"width":2,"duplicate_cosine":0.9}""")]
    [InlineData("""{"model_type":"ngram-encoder","buckets":4,"width":2}""")]
    [InlineData("""{"model_type":"ngram-encoder","buckets":0,"width":2,"duplicate_cosine":0.9}""")]
    [InlineData("""{"model_type":"ngram-encoder","buckets":4,"width":2,"duplicate_cosine":1.1}""")]
    [InlineData("""{"model_type":"ngram-encoder","buckets":4,"width":2,"shortest":5,"longest":3,"duplicate_cosine":0.9}""")]
    [InlineData("""{"model_type":"ngram-encoder","buckets":4,"width":2,"duplicate_cosine":0.9}""")]
    public void A_folder_that_is_none_is_refused(string config)
    {
        var folder = TestData.NewFolder();
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        Assert.Throws<ModelException>(() => NgramEncoder.Load(folder)); // the last one lacks its weights
    }
}
