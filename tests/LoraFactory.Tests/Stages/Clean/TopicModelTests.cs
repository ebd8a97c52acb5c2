using LoraFactory.Flow;
using LoraFactory.Stages.Clean;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public class TopicModelTests
{
    private static readonly Seed Seed = DemoPages.Seed("steam locomotives", ("steam", 0.6), ("locomotives", 0.9), ("engine", 0.4), ("train", 0.3));

    private static readonly string[] Fillers = ["morning", "village", "people", "summer", "letter", "market", "evening", "weather"];

    [Fact]
    public void With_nothing_to_compare_only_the_seed_s_terms_count()
    {
        var model = new TopicModel(Seed, []);
        var page = new TopicPage("", "", [""]);
        Assert.InRange(model.Judge("A steam locomotive at the station", "", page).Value, 0.9, 1);
        Assert.InRange(model.Judge("An engine", "", page).Value, 0.35, 0.45);
        Assert.Equal(0, model.Judge("A vase of flowers", "", page).Value);
        Assert.InRange(model.Judge("", "The locomotive waits.", page).Value, 0.3, 0.5);
        Assert.InRange(model.Judge("", "", new TopicPage("Steam locomotives of the north", "", [""])).Value, 0.5, 1);
    }

    [Fact]
    public void Words_that_the_crawl_looks_for_besides_the_topic_judge_no_picture()
    {
        var wider = Seed with { Terms = [.. Seed.Terms, new("vase", 0.3, SeedTerm.Also), new("flowers", 0.3, SeedTerm.Also)] };
        Assert.Equal(0, new TopicModel(wider, []).Judge("A vase of flowers", "", new TopicPage("", "", [""])).Value);
    }

    [Fact]
    public void Words_of_the_topic_that_no_term_names_are_learnt_from_its_pages()
    {
        var model = new TopicModel(Seed, Pages(12, 12));
        Assert.Contains(model.Words, word => word is { Key: "tender", Value: > 0.5 });
        Assert.Contains(model.Words, word => word is { Key: "petal", Value: < -0.5 });
        Assert.DoesNotContain(model.Words, word => word.Key is "morn" or "villag" or "peopl");
        // Neither its own words nor the page's name the topic; the page reads like those that do.
        var unnamed = new TopicPage("Number 4468", "The driving wheels, the boiler and the tender were painted green. The boiler was fired with coal.", ["Number 4468 at the shed"]);
        Assert.InRange(model.Judge("Number 4468 at the shed", "", unnamed).Value, 0.3, 1);
        var flowers = new TopicPage("A garden", "Every petal of the tulips in the garden opens when the sun comes; gardeners cut the stems.", ["Tulips"]);
        Assert.InRange(model.Judge("Tulips", "", flowers).Value, 0, 0.1);
        // One learnt word on a page of another kind proves nothing.
        Assert.InRange(model.Judge("Tulips on a boiler", "", flowers).Value, 0, 0.2);
    }

    [Fact]
    public void What_a_picture_is_called_outweighs_its_surroundings()
    {
        var model = new TopicModel(Seed, Pages(12, 12));
        var mixed = Pages(1, 0)[0];
        var named = model.Judge("A steam locomotive", "", mixed).Value;
        var other = model.Judge("Tulips in the garden, a petal on the stem", "", mixed).Value;
        Assert.InRange(named, 0.95, 1);
        Assert.True(other < 0.25, $"{other}");
    }

    [Fact]
    public void A_seed_term_that_other_topics_use_as_much_loses_its_weight()
    {
        // "train" stands in every garden page: rose trees are trained along wires.
        var pages = Pages(12, 0).Concat(Pages(0, 12).Select(page => page with { Text = page.Text + " The gardener trains the roses along a wire." })).ToList();
        var before = new TopicModel(Seed, []).Judge("Training roses", "", new TopicPage("", "", [])).Own;
        var after = new TopicModel(Seed, pages).Judge("Training roses", "", new TopicPage("", "", [])).Own;
        Assert.Equal(0.3, before, 2);
        Assert.InRange(after, 0, 0.1);
    }

    [Fact]
    public void The_order_of_pages_does_not_matter()
    {
        var pages = Pages(7, 9);
        var forwards = new TopicModel(Seed, pages).Words;
        var backwards = new TopicModel(Seed, [.. pages.Reverse()]).Words;
        Assert.Equal(forwards, backwards);
    }

    [Fact]
    public void A_page_is_compared_with_the_topic_once_and_not_for_each_of_its_pictures()
    {
        var model = new TopicModel(Seed, Pages(12, 12));
        var page = Pages(1, 0)[0];
        page = page with { Text = string.Join(' ', Enumerable.Repeat(page.Text, 1000)) };
        var first = model.Judge("a tender", "", page);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Assert.Equal(first, model.Judge("a tender", "", page));
        var perPicture = (GC.GetAllocatedBytesForCurrentThread() - before) / 100;
        Assert.True(perPicture < 20_000, $"{perPicture} bytes a picture, where the page's words alone are {page.Text.Length}");
        Assert.NotEqual(first, model.Judge("a tender", "", Pages(0, 1)[0])); // another page is another
        Assert.Equal(first, model.Judge("a tender", "", page with { }));
    }

    private static IReadOnlyList<TopicPage> Pages(int on, int off) =>
    [
        .. Enumerable.Range(0, on).Select(i => new TopicPage($"Steam locomotive {i}",
            $"The boiler of this locomotive was fired with coal, and the tender carried water. Its driving wheels ran on rails. {Fillers[i % 8]} {Fillers[(i + 3) % 8]}.", [$"steam locomotive {i}", "the tender"])),
        .. Enumerable.Range(0, off).Select(i => new TopicPage($"Garden {i}",
            $"A petal fell from the tulips in the garden, where gardeners cut the stems and the soil is dark. {Fillers[i % 8]} {Fillers[(i + 3) % 8]}.", [$"tulips {i}", "a petal"])),
    ];
}
