using LoraFactory.Images.Scenes;
using LoraFactory.Stages.Label.Augmentation;

namespace LoraFactory.Tests.Stages.Label.Augmentation;

public sealed class ParaphrasesTests
{
    [Theory]
    [InlineData("a red house in the snow", "in the snow, a red house")]
    [InlineData("Two keys on a table", "on a table, two keys")]
    [InlineData("a blue bird on the right in a green field", "in a green field, a blue bird on the right")]
    [InlineData("a photo of a cat", "a cat, a photo")]
    [InlineData("a photo of a cat", "a cat, photographed")]
    [InlineData("An old photograph of the harbour", "the harbour, an old photograph")]
    [InlineData("a cat, a drawing", "a drawing of a cat")]
    [InlineData("three rockets by the sea", "by the sea, three rockets")]
    [InlineData("a house", "shown here: a house")]
    public void A_caption_is_said_otherwise(string caption, string other) => Assert.Contains(other, All(caption, 8));

    [Theory]
    [InlineData("a man in a hat holding a cup")] // holding is the man's
    [InlineData("a cat on a mat and a dog")]
    [InlineData("a lamp made in Japan")]
    [InlineData("a photo of a house in the snow")] // the snow is not the photo's place
    [InlineData("a person interested in boats")]
    [InlineData("Paris in the rain")]
    [InlineData("a drawing of a cat by the artist")]
    public void A_place_that_may_belong_elsewhere_stays(string caption) =>
        Assert.DoesNotContain(All(caption, 8), c => c.StartsWith("in ", StringComparison.Ordinal) && !c.StartsWith("in view", StringComparison.Ordinal) && !c.StartsWith("in this", StringComparison.Ordinal) || c.StartsWith("on ", StringComparison.Ordinal) || c.StartsWith("by ", StringComparison.Ordinal));

    [Theory]
    [InlineData("Paris")]
    [InlineData("")]
    [InlineData("Look at the sea")]
    [InlineData("She said: no. He left!")]
    public void What_fits_no_template_has_no_other_words(string caption) => Assert.Empty(All(caption, 8));

    [Fact]
    public void Nothing_is_lost_or_made_up_but_the_frame()
    {
        string[] things = ["a red house", "three old keys", "the cat", "a pile of books", "1girl", "long hair", "a drawing of a ship", "Anna", "a very long row of trees behind a wall"];
        string[] places = ["in the snow", "on a table", "at night", ", smiling, outdoors", ", a photo", "by Monet", "", "and a dog in a box"];
        string[] framing = ["shown", "here:", "in", "view:", "this", "picture:", "drawn", "photographed"];
        var said = 0;
        for (var i = 0; i < 500; i++)
        {
            var random = new SceneRandom(5, i);
            var caption = $"{random.Pick(things)} {random.Pick(places)}".Replace(" ,", ",", StringComparison.Ordinal).Trim();
            var (one, two) = (random, random);
            var found = Paraphrases.Of(caption, 3, ref one);
            Assert.Equal(found, Paraphrases.Of(caption, 3, ref two));
            Assert.True(found.Count <= 3);
            foreach (var other in found)
            {
                Assert.NotEqual(caption, other.Caption, StringComparer.OrdinalIgnoreCase);
                var (before, after) = (Bag(caption), Bag(other.Caption));
                Assert.Empty(before.Except(after).Except(["a", "an", "of", "drawing", "photo"]));
                Assert.Empty(after.Except(before).Except(framing.Select(f => f.TrimEnd(':'))).Except(["of"]));
                said++;
            }
        }
        Assert.True(said > 400, $"{said} paraphrases");
    }

    private static IEnumerable<string> Bag(string text) => text.ToLowerInvariant().Split([' ', ',', ':'], StringSplitOptions.RemoveEmptyEntries);

    private static IEnumerable<string> All(string caption, int count)
    {
        var random = new SceneRandom(1);
        return [.. Paraphrases.Of(caption, count, ref random).Select(o => o.Caption)];
    }
}
