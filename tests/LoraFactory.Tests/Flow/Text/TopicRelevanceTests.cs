using LoraFactory.Flow;

namespace LoraFactory.Tests.Flow.Text;

public sealed class TopicRelevanceTests
{
    [Theory]
    [InlineData("caresses", "caress")]
    [InlineData("ponies", "poni")]
    [InlineData("drawings", "draw")]
    [InlineData("hopping", "hop")]
    [InlineData("relational", "relat")]
    [InlineData("triplicate", "triplic")]
    [InlineData("adjustment", "adjust")]
    [InlineData("controlling", "control")]
    [InlineData("sky", "sky")]
    public void Words_are_stemmed_as_Porter_does(string word, string stem) => Assert.Equal(stem, WordStem.Of(word));

    [Fact]
    public void Relevance_follows_the_weights()
    {
        var relevance = new TopicRelevance(new Seed("s", "blueprint drawings", [new("blueprint drawings", 1, "topic"), new("blueprint", 0.9, "topic"), new("drawings", 0.35, "topic")], []));
        Assert.Equal(1, relevance.Of("A Blueprint drawing of a boat"));
        Assert.InRange(relevance.Of("many blueprints"), 0.4, 0.95);
        Assert.Equal(0, relevance.Of("a boat in the snow"));
        Assert.True(relevance.Of(new Uri("http://a.test/img/blue-print/blueprint_01.html")) > 0.4);
    }
}
