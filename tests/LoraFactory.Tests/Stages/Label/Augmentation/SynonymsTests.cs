using LoraFactory.Flow;
using LoraFactory.Images.Scenes;
using LoraFactory.Stages.Label.Augmentation;

namespace LoraFactory.Tests.Stages.Label.Augmentation;

public sealed class SynonymsTests : IDisposable
{
    private readonly WordNet? net = WordNet.Open();

    public void Dispose() => net?.Dispose();

    private Synonyms Of(params string[] kept)
    {
        Assert.SkipWhen(net is null, "WordNet is not installed (wordnet-base)");
        return new(net!, kept);
    }

    [Theory]
    [InlineData("car", "automobile")]
    [InlineData("cars", "automobiles")]
    [InlineData("doctor", "physician")]
    [InlineData("carpets", "rugs")]
    [InlineData("constructing", "building")]
    [InlineData("huge", "vast")]
    [InlineData("teachers", "instructors")]
    public void A_word_of_one_meaning_has_its_synonyms_in_its_own_form(string word, string other) => Assert.Contains(other, Of().Others(word));

    // "house" is a firm too, "table" a chart, "boat" a verb, "staring" may be of star: whatever the caption means, no guess is made.
    [Theory]
    [InlineData("house")]
    [InlineData("table")]
    [InlineData("bank")]
    [InlineData("staring")]
    [InlineData("cities")]
    [InlineData("leaves")]
    [InlineData("person")]
    [InlineData("qwertz")]
    [InlineData("the")]
    public void A_word_that_is_not_sure_has_none(string word) => Assert.Empty(Of().Others(word));

    [Fact]
    public void Articles_follow_and_protected_words_stay()
    {
        Assert.Equal(["an automobile at a bridge"], All(Of(), "a car at a bridge", 8).Where(c => c.Contains("automobile", StringComparison.Ordinal)));
        Assert.Contains("An immense forest", All(Of(), "A huge forest", 8));
        Assert.Empty(All(Of("car"), "a car", 4));
        Assert.Empty(All(Of(), "two red cats left of nine keys", 4)); // numbers, colours, sides
        Assert.Empty(All(Of(), "the Car of Doctor Who", 4));
        Assert.Empty(All(Of(), "a sign that says \"car\"", 4));
        Assert.Empty(All(Of(), "a police-car", 4));
        Assert.DoesNotContain(All(Of(), "the sports car of a doctor", 8), c => c.Contains("sports auto", StringComparison.Ordinal)); // one thing, in two words
    }

    [Fact]
    public void What_is_kept_is_kept_in_any_caption_and_the_same_seed_says_the_same()
    {
        var synonyms = Of("blueprint", "forest");
        string[] words = ["a", "the", "car", "forest", "blueprint", "huge", "red", "two", "doctor", "London", "city", "left", "cars,", "in", "of", "an", "automobile", "building"];
        var changed = 0;
        for (var i = 0; i < 300; i++)
        {
            var random = new SceneRandom(7, i);
            var caption = string.Join(' ', Enumerable.Range(0, 3 + random.Next(8)).Select(_ => words[random.Next(words.Length)]));
            var (one, two) = (random, random);
            var found = synonyms.Of(caption, 3, ref one);
            Assert.Equal(found, synonyms.Of(caption, 3, ref two));
            Assert.Equal(found.Count, found.Select(f => f.Caption).Distinct(StringComparer.Ordinal).Count());
            foreach (var other in found)
            {
                Assert.NotEqual(caption, other.Caption);
                var (before, after) = (caption.Split(' '), other.Caption.Split(' '));
                Assert.Equal(before.Length, after.Length);
                foreach (var (b, a) in before.Zip(after))
                    if (b is "red" or "two" or "left" or "London" or "blueprint" or "forest" or "of" or "in" or "the") Assert.Equal(b, a);
                changed++;
            }
        }
        Assert.True(changed > 200, $"{changed} captions");
    }

    private static IEnumerable<string> All(Synonyms synonyms, string caption, int count)
    {
        var random = new SceneRandom(1);
        return [.. synonyms.Of(caption, count, ref random).Select(o => o.Caption)];
    }
}
