using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class PageShapeTests
{
    private const string Text = "Blueprint drawings of small houses in white lines on a blue ground, with a garden behind each of them and a path that leads down to the lake.";

    [Theory]
    [InlineData("http://a.test/calendar/2026/1/31.html", "http://a.test/calendar/2031/12/1.html", true)]
    [InlineData("http://a.test/view?id=7&sort=up", "http://a.test/view?id=1234&sort=down", true)]
    [InlineData("http://a.test/view?id=7", "http://a.test/view?page=7", false)]
    [InlineData("http://a.test/plans/1.html", "http://a.test/notes/1.html", false)]
    public void Addresses_that_differ_in_numbers_and_values_alone_have_one_shape(string a, string b, bool alike) => Assert.Equal(alike, PageShape.Of(new(a)) == PageShape.Of(new(b)));

    [Fact]
    public void Pages_that_differ_in_dates_are_near_and_pages_with_other_words_or_pictures_are_not()
    {
        var page = PageSignature.Of(Text + " Day 1 of 2026.", ["http://a.test/1.png"]);
        Assert.Equal(page, PageSignature.Of(Text + " Day 31 of 2031.", ["http://a.test/1.png"]));
        Assert.False(PageSignature.AreNear(page.Words, PageSignature.Of("How to bake bread from rye and wheat, with a crust that cracks when it is broken, in an oven or over a fire.", []).Words));
        var other = PageSignature.Of(Text + " Day 1 of 2026.", ["http://a.test/2.png"]);
        Assert.True(PageSignature.AreNear(page.Words, other.Words));
        ShapeHistory.None.With(page, out _).With(other, out var novel);
        Assert.True(novel);
    }

    [Fact]
    public void A_bit_is_set_where_more_than_half_of_the_pairs_of_words_have_it()
    {
        var random = new Random(7);
        foreach (var length in (int[])[0, 1, 2, 3, 17, 200, 511])
        {
            var words = Enumerable.Range(0, length).Select(_ => new string([.. Enumerable.Range(0, random.Next(1, 9)).Select(_ => (char)random.Next('a', 'z' + 1))])).ToList();
            var hashes = words.Select((word, i) => TextHash.Of(word, i == 0 ? 0 : TextHash.Of(words[i - 1]))).ToList();
            var expected = Enumerable.Range(0, 64).Where(bit => hashes.Count(h => (h >> bit & 1) == 1) * 2 > hashes.Count).Aggregate(0L, (bits, bit) => bits | 1L << bit);
            Assert.Equal(expected, PageSignature.Of(string.Join(' ', words), []).Words);
        }
    }

    [Fact]
    public void A_shape_that_brings_nothing_new_is_a_trap_and_one_that_does_is_not()
    {
        var (same, varied) = (ShapeHistory.None, ShapeHistory.None);
        for (var i = 0; i < 40; i++)
        {
            Assert.Equal(i >= 8, same.IsTrap);
            same = same.With(PageSignature.Of(Text, []), out _);
            varied = varied.With(PageSignature.Of(Text, [$"http://a.test/{i}.png"]), out var novel);
            Assert.True(novel);
            Assert.False(varied.IsTrap);
        }
        Assert.Equal((40, 1), (same.Seen, same.Novel));
    }

    [Theory]
    [InlineData("/a/b/a/b/a/b/", true)]
    [InlineData("/shop/shop/shop/index.html", true)]
    [InlineData("/a/x/a/y/a/z/a/w/a/", true)]
    [InlineData("/2026/2026/2026/", true)]
    [InlineData("/en/docs/en/guide/", false)]
    [InlineData("/2026/10/10/a-day-in-the-garden.html", false)]
    [InlineData("/", false)]
    public void Paths_that_repeat_are_traps(string path, bool trap) => Assert.Equal(trap, LinkPolicy.PathTrap(path) is not null);

    [Theory]
    [InlineData("404 Not Found", "Sorry.", true)]
    [InlineData("Page not found – Archive", "We could not find it.", true)]
    [InlineData("页面未找到", "", true)]
    [InlineData("Route 4041 through the hills", "A walk.", false)]
    [InlineData("404 houses drawn in a year", "A diary.", true)] // so few words under such a title say nothing else
    [InlineData("Blueprint drawings", "The page not found here is elsewhere.", false)]
    public void A_short_page_whose_title_says_not_found_is_missing(string title, string text, bool missing) => Assert.Equal(missing, MissingPage.Judge(title, text) is not null);

    [Fact]
    public void A_long_page_about_what_was_not_found_is_a_page() => Assert.Null(MissingPage.Judge("The grave that was not found", string.Concat(Enumerable.Repeat(Text + " ", 8))));
}
