using LoraFactory.Stages.Clean.Text;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public sealed class TextTwinsTests
{
    // Words of a seeded generator: two texts share what their seeds share.
    private static string Words(int seed, int count) => string.Join(' ', Enumerable.Range(0, count).Select(i => $"w{new Random(seed * 100_003 + i).Next(50_000)}"));

    private static uint[] Signature(string text) => MinHash.Of(TextTokens.Of(text))!;

    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    [InlineData(60)]
    [InlineData(200)]
    [InlineData(500)]
    public void The_share_of_equal_places_is_the_similarity_of_the_texts(int changed)
    {
        // Similarity of sets is measured over many pairs, as the estimate of one scatters by 0.05.
        double estimated = 0, exact = 0;
        const int pairs = 24;
        for (var pair = 0; pair < pairs; pair++)
        {
            var a = Words(pair, 500);
            var b = Words(pair + 1000, changed) + " " + string.Join(' ', a.Split(' ').Skip(changed));
            HashSet<string> Runs(string text) => [.. text.Split(' ').Select((_, i) => string.Join(' ', text.Split(' ').Skip(i).Take(5))).SkipLast(4)];
            var (x, y) = (Runs(a), Runs(b));
            exact += (double)x.Intersect(y).Count() / x.Union(y).Count();
            estimated += MinHash.Similarity(Signature(a), Signature(b));
        }
        Assert.Equal(exact / pairs, estimated / pairs, 0.04);
    }

    [Fact]
    public void Copies_and_near_copies_name_the_one_that_stays_and_others_stay()
    {
        var texts = new List<string>();
        for (var i = 0; i < 200; i++) texts.Add(Words(i, 300));
        for (var i = 0; i < 50; i++) texts.Add(texts[i]);
        for (var i = 50; i < 100; i++) texts.Add(texts[i] + " and a line of the mirror at its end");
        var twins = new TextTwins(texts.Count, 0.8);
        var found = texts.Select((text, i) => twins.Add(i, Signature(text))).ToList();
        Assert.All(found.Take(200), Assert.Null);
        Assert.All(Enumerable.Range(200, 100), i => Assert.Equal(i - 200, found[i]!.Value.Of));
        Assert.All(found.Skip(200).Take(50), twin => Assert.Equal(1, twin!.Value.Similarity));
    }

    [Fact]
    public void A_chain_of_small_changes_does_not_join_what_is_different()
    {
        // Each step changes a tenth of what is left of the first; the last has nothing of it.
        var words = Words(7, 300).Split(' ');
        var twins = new TextTwins(40, 0.7);
        var kept = 0;
        for (var step = 0; step <= 10; step++)
        {
            if (twins.Add(step, Signature(string.Join(' ', words))) is { } twin) Assert.True(twin.Similarity >= 0.7);
            else kept++;
            for (var i = step * 30; i < Math.Min(300, step * 30 + 30); i++) words[i] = $"x{step}y{i}";
        }
        Assert.InRange(kept, 3, 10);
    }

    [Fact]
    public void A_text_without_words_has_no_signature_and_a_short_one_has() => Assert.Equal((true, false), (MinHash.Of(TextTokens.Of(" … ")) is null, MinHash.Of(TextTokens.Of("two words")) is null));
}
