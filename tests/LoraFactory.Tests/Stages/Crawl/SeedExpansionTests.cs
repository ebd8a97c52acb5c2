using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class SeedExpansionTests
{
    private static readonly SeedOptions Options = new() { Topic = "blueprint drawings", Urls = ["HTTP://A.test:80/x?utm_source=y#z"], Synonyms = ["cyanotype"] };

    [Fact]
    public void Without_WordNet_the_topic_and_the_synonyms_remain()
    {
        Assert.Null(WordNet.Open("/nonexistent"));
        var seed = SeedExpansion.Expand(Options, null, null);
        Assert.Equal(["blueprint drawings", "blueprint", "drawings", "cyanotype"], seed.Terms.Select(t => t.Text));
        Assert.Equal(["http://a.test/x"], seed.Urls);
        Assert.Equal(seed, SeedExpansion.Expand(Options, null, null) with { Terms = seed.Terms, Urls = seed.Urls });
    }

    [Fact]
    public void Words_of_what_else_is_looked_for_come_last_and_weigh_little()
    {
        var seed = SeedExpansion.Expand(Options with { Also = ["a blueprint of a pink cat in the snow", "two pink cats"] }, null, null);
        Assert.Equal(["pink", "cat", "snow", "two"], seed.Terms.Where(t => t.Relation == SeedTerm.Also).Select(t => t.Text));
        Assert.Equal(seed.Terms.Count - 4, seed.Terms.TakeWhile(t => t.Relation != SeedTerm.Also).Count());
        var relevance = new TopicRelevance(seed);
        Assert.InRange(relevance.Of("a cat"), 0.01, 0.4);
        Assert.True(relevance.Of("a blueprint of a cat") > relevance.Of("a blueprint of a car"));
        Assert.NotEqual(SeedExpansion.Expand(Options, null, null).Id, seed.Id);
    }

    [Fact]
    public void WordNet_adds_synonyms_kinds_and_words_of_the_definition()
    {
        using var net = WordNet.Open();
        Assert.SkipWhen(net is null, "Debian's wordnet-base is not installed.");
        var seed = SeedExpansion.Expand(Options, net, null);
        Assert.True(seed.Terms.Count <= Options.MaxTerms);
        var weights = seed.Terms.ToDictionary(t => t.Text, t => t.Weight);
        Assert.True(weights["blueprint"] > weights["drawings"], "the rarer word says more");
        Assert.Contains(seed.Terms, t => t is { Text: "photograph", Relation: "wordnet:hypernym" });
        Assert.Contains(seed.Terms, t => t is { Text: "technical", Relation: "wordnet:gloss" }); // of the meaning that speaks of drawings, not of the commoner one
        Assert.Contains(seed.Terms, t => t is { Text: "mechanical drawing", Relation: "wordnet:hyponym" });
        Assert.All(seed.Terms, t => Assert.InRange(t.Weight, 0, 1));
    }

    [Theory]
    [InlineData("dog", "canis familiaris", "~")]
    [InlineData("mice", "mouse", "@")]
    [InlineData("boxes", "box", "~")]
    [InlineData("aardvark", "aardvark", "@")]
    [InlineData("zygote", "zygote", "@")]
    public void Nouns_are_found_in_their_plural_too(string form, string word, string relation)
    {
        using var net = WordNet.Open();
        Assert.SkipWhen(net is null, "Debian's wordnet-base is not installed.");
        var senses = net.Nouns(form);
        Assert.Contains(senses, s => s.Words.Contains(word, StringComparer.OrdinalIgnoreCase) && s.Pointers.Any(p => p.Relation == relation));
        Assert.Empty(net.Nouns("nosuchwordatall"));
        Assert.Empty(net.Nouns(""));
    }

    [Fact]
    public void ConceptNet_adds_what_it_relates()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("a.csv"), """
            /a/1	/r/RelatedTo	/c/en/blueprint/n	/c/en/cyanotype	{"weight": 4.0, "license": "cc:by-sa/4.0", "dataset": "/d/x"}
            /a/2	/r/IsA	/c/en/blueprint	/c/en/technical_drawing/n/wn/communication	{"weight": 1.0}
            /a/3	/r/Synonym	/c/fr/bleu	/c/en/blueprint	{"weight": 9.0}
            /a/4	/r/Antonym	/c/en/blueprint	/c/en/photo	{"weight": 1.0}
            broken line
            /a/5	/r/IsA	/c/en/a	/c/en/b	{not json
            """);
        var done = ConceptStore.Import(folder.File("a.csv"), folder.File("c.db"), token: TestContext.Current.CancellationToken);
        Assert.Equal(new ConceptImport(6, 3, 2), done);
        using var store = ConceptStore.Open(folder.File("c.db"));
        var seed = SeedExpansion.Expand(Options with { Synonyms = [] }, null, store);
        Assert.Contains(seed.Terms, t => t is { Text: "cyanotype", Relation: "conceptnet:RelatedTo" });
        Assert.Contains(seed.Terms, t => t is { Text: "technical drawing", Relation: "conceptnet:IsA" });
        Assert.DoesNotContain(seed.Terms, t => t.Text is "photo" or "bleu");
        Assert.Throws<LoraException>(() => ConceptStore.Open(folder.File("none.db")));
    }

    [Fact]
    public void A_url_that_is_none_is_named()
    {
        var error = Assert.Throws<LoraException>(() => SeedExpansion.Expand(Options with { Urls = ["ftp://a.test/"] }, null, null));
        Assert.Contains("ftp://a.test/", error.Message, StringComparison.Ordinal);
    }
}
