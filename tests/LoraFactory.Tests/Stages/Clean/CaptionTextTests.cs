using LoraFactory.Stages.Clean;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public class CaptionTextTests
{
    [Theory]
    [InlineData("  a red\n\tboat  ", "a red boat")]
    [InlineData("Fig. 3: the mill", "the mill")]
    [InlineData("Figure 12a - the mill", "the mill")]
    [InlineData("IMG_2041.JPG", "")]
    [InlineData("DSC-0042", "")]
    [InlineData("image", "")]
    [InlineData("---", "")]
    [InlineData("a\u200bb\u202ec\0d", "abcd")]
    [InlineData("Photo of a mill", "Photo of a mill")]
    [InlineData("蓝图", "蓝图")]
    [InlineData("", "")]
    public void Captions_are_tidied_and_empty_phrases_dropped(string text, string expected) => Assert.Equal(expected, CaptionText.Clean(text));

    [Fact]
    public void Long_captions_are_cut_without_breaking_a_character()
    {
        var text = new string('a', 999) + "😀😀";
        Assert.Equal(new string('a', 999), CaptionText.Clean(text, 1000));
    }
}
