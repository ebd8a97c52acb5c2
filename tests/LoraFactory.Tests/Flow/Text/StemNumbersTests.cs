using LoraFactory.Flow;
using Xunit;

namespace LoraFactory.Tests.Flow.Text;

public sealed class StemNumbersTests
{
    // Endings that stemming takes away or changes, on beginnings of every kind; and words that are left as they are.
    private static readonly string[] Endings =
        ["", "s", "es", "ies", "sses", "ed", "eed", "ing", "y", "ys", "ational", "ization", "ousness", "al", "ement", "ion", "e", "ll", "ated", "bling", "izing", "ful", "é", "3"];

    [Fact]
    public void A_word_has_the_number_of_its_stem_and_no_other()
    {
        var random = new Random(7);
        var words = Enumerable.Range(0, 30_000).Select(_ => string.Concat(Enumerable.Range(0, random.Next(0, 6)).Select(_ => (char)('a' + random.Next(26)))) + Endings[random.Next(Endings.Length)])
            .Where(w => w.Length > 0).Distinct().ToList();
        var numbers = new StemNumbers();
        var stems = words.Where((_, i) => i % 40 == 0).Select(WordStem.Of).Distinct().ToDictionary(stem => stem, numbers.Add, StringComparer.Ordinal);
        var found = 0;
        foreach (var word in words)
        {
            var expected = stems.GetValueOrDefault(WordStem.Of(word));
            if (expected != 0) found++;
            Assert.Equal(expected, numbers.Of(word));
            Assert.Equal(expected, numbers.Of(word.ToUpperInvariant()));
        }
        Assert.True(found > stems.Count, $"{found}");
        Assert.Equal(0, numbers.Of(new string('a', 65)));
    }
}
