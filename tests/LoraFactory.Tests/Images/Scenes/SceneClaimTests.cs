using LoraFactory.Images.Scenes;
using Xunit;

namespace LoraFactory.Tests.Images.Scenes;

public sealed class SceneClaimTests
{
    private static readonly SceneFacts OrangeFish = new(SceneObject.Fish, SceneColour.Orange, ScenePlace.Sea, 1, SceneSide.Left, SceneStyle.InkWashPainting);

    [Theory]
    [InlineData(CaptionForm.StyleOf, "an ink wash painting of an orange fish on the left by the sea")]
    [InlineData(CaptionForm.StyleLast, "an orange fish on the left by the sea, ink wash painting")]
    [InlineData(CaptionForm.StyleFirst, "ink wash painting, an orange fish on the left by the sea")]
    public void A_caption_says_everything(CaptionForm form, string expected) => Assert.Equal(expected, OrangeFish.Caption(form));

    [Fact]
    public void Several_are_in_the_plural()
    {
        var facts = new SceneFacts(SceneObject.House, SceneColour.Grey, ScenePlace.GreenField, 3, SceneSide.Middle, SceneStyle.Blueprint);
        Assert.Equal("three grey houses in a green field, blueprint", facts.Caption(CaptionForm.StyleLast));
        Assert.Equal("two fish", new SceneClaim { Object = SceneObject.Fish, Count = 2 }.Text());
    }

    [Fact]
    public void What_a_caption_says_is_read_back_as_the_same_facts()
    {
        var generator = new SceneGenerator();
        for (var i = 0; i < 1500; i++)
        {
            var scene = generator.Draw(5, i);
            Assert.Equal(SceneClaim.Of(scene.Facts), SceneClaim.Parse(scene.Caption));
        }
    }

    [Fact]
    public void Other_names_of_a_style_are_understood()
    {
        foreach (var style in Enum.GetValues<SceneStyle>())
        {
            for (var i = 0; i < SceneWords.Names(style).Count; i++)
                Assert.Equal(style, SceneClaim.Parse(new SceneClaim { Object = SceneObject.Cup, Style = style }.Text(CaptionForm.StyleFirst, i)).Style);
        }
        Assert.Equal(SceneStyle.Blueprint, SceneClaim.Parse("Drafting: two green stars in the snow.").Style);
        Assert.Null(SceneClaim.Parse("two green stars in the snow").Style);
    }

    [Fact]
    public void A_claim_holds_unless_something_visible_speaks_against_it()
    {
        Assert.True(SceneClaim.Of(OrangeFish).Holds(OrangeFish));
        Assert.True(new SceneClaim().Holds(OrangeFish));
        Assert.True(new SceneClaim { Object = SceneObject.Fish }.Holds(OrangeFish));
        Assert.False(new SceneClaim { Object = SceneObject.Cat }.Holds(OrangeFish));
        Assert.False(new SceneClaim { Count = 2 }.Holds(OrangeFish));
        Assert.False(new SceneClaim { Side = SceneSide.Right }.Holds(OrangeFish));
        // An ink wash shows no colour; a flat illustration does.
        Assert.True(new SceneClaim { Colour = SceneColour.Blue }.Holds(OrangeFish));
        Assert.False(new SceneClaim { Colour = SceneColour.Blue }.Holds(OrangeFish with { Style = SceneStyle.FlatIllustration }));
        // Nor does a blueprint tell sand from grass.
        var field = OrangeFish with { Place = ScenePlace.GreenField };
        Assert.True(new SceneClaim { Place = ScenePlace.Desert }.Holds(field with { Style = SceneStyle.Blueprint }));
        Assert.False(new SceneClaim { Place = ScenePlace.Desert }.Holds(field));
        Assert.False(new SceneClaim { Place = ScenePlace.Sea }.Holds(field with { Style = SceneStyle.Blueprint }));
    }

    [Fact]
    public void Text_that_speaks_of_something_else_claims_nothing() => Assert.Equal(new SceneClaim(), SceneClaim.Parse("buy ink now, half price"));
}
