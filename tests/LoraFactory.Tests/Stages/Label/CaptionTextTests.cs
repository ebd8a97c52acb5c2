using LoraFactory.Stages.Label;

namespace LoraFactory.Tests.Stages.Label;

public sealed class CaptionTextTests
{
    [Theory]
    [InlineData("蓝", 400, 300)] // a language that writes no spaces
    [InlineData("x", 301, 300)]
    [InlineData("xy ", 400, 299)] // after a whole word
    [InlineData("😀", 200, 300)] // two chars each
    [InlineData("x😀", 150, 300)]
    [InlineData("xx😀", 150, 300)]
    [InlineData("x", 300, 300)]
    public void A_long_caption_is_cut_after_a_whole_word_or_character(string part, int times, int length)
    {
        var text = string.Concat(Enumerable.Repeat(part, times));
        var cut = Assert.Single(Texts().Candidates(Of(text))).Text;
        Assert.Equal(text[..length].TrimEnd(), cut);
        Assert.False(char.IsHighSurrogate(cut[^1]));
    }

    [Fact]
    public void A_character_of_two_halves_at_the_border_goes_whole() =>
        Assert.Equal(new string('x', 299), Assert.Single(Texts().Candidates(Of(new string('x', 299) + "😀😀"))).Text);

    private static CaptionText Texts() => new("blueprint", ["{trigger}, {caption}"], null);

    private static LoraFactory.Flow.Record Of(string alt) => new()
    {
        Id = "r", PageId = "p", PageUrl = "http://a.test/", PictureUrl = "http://a.test/x.png", BlobHash = "b", Width = 1, Height = 1, Alt = alt,
    };
}
