using LoraFactory.Stages.Label.Augmentation;

namespace LoraFactory.Tests.Stages.Label.Augmentation;

public sealed class CaptionClaimsTests
{
    [Theory]
    [InlineData("a blue bird on the right in a green field")]
    [InlineData("a woman facing left")]
    [InlineData("LEFT profile of a king")]
    [InlineData("a left-handed guitar")]
    [InlineData("a wheel turning counter-clockwise")]
    [InlineData("the west front of a church")]
    [InlineData("ein Boot, links daneben ein Haus")]
    [InlineData("un chat à droite")]
    [InlineData("左边的房子")]
    [InlineData("дом слева")]
    [InlineData("в левом углу")]
    [InlineData("в правом верхнем углу дом")]
    [InlineData("с левого берега")]
    [InlineData("am östlichen Ufer")]
    [InlineData("ein Vogel, ostwärts gewandt")]
    [InlineData("linksseitig ein Turm")]
    [InlineData("de westelijke oever")]
    [InlineData("aan de linkerhand een molen")]
    [InlineData("una guitarra zurda")]
    [InlineData("dos casas izquierdas")]
    [InlineData("el lado este de la plaza")]
    [InlineData("une tour à l\u2019est")]
    public void A_side_is_seen(string words) => Assert.True(CaptionClaims.NameSide(words));

    [Theory]
    [InlineData("a bright red house in the snow")]
    [InlineData("the cleft of a rock")]
    [InlineData("an upright piano")]
    [InlineData("este gato duerme")]
    [InlineData("a western-less northern feast")]
    public void No_side_is_seen_within_other_words(string words) => Assert.Equal(words.Contains("western", StringComparison.Ordinal), CaptionClaims.NameSide(words));

    [Theory]
    [InlineData("a shop sign in the street", true)]
    [InlineData("a cup that says “hello”", true)]
    [InlineData("a map of an island", true)]
    [InlineData("ein Schild an der Tür", true)]
    [InlineData("a cup on a table", false)]
    public void Writing_is_seen(string words, bool named) => Assert.Equal(named, CaptionClaims.NameWriting(words));

    [Theory]
    [InlineData("a red house", true)]
    [InlineData("a reddish house", true)]
    [InlineData("ein blauer Vogel", true)]
    [InlineData("a dark forest", true)]
    [InlineData("一只红色的鸟", true)]
    [InlineData("a redoubt by the sea", false)]
    [InlineData("three cups", false)]
    public void A_colour_or_tone_is_seen(string words, bool named) => Assert.Equal(named, CaptionClaims.NameColour(words));

    [Theory]
    [InlineData("a close-up of a leaf", true)]
    [InlineData("a vase in the middle of a table", true)]
    [InlineData("a vase on a table", false)]
    public void The_frame_is_seen(string words, bool named) => Assert.Equal(named, CaptionClaims.NameFrame(words));

    [Theory]
    [InlineData("a house", "en", true)]
    [InlineData("a house", "en-GB", true)]
    [InlineData("a house", "und", true)]
    [InlineData("talo", "fi", false)]
    [InlineData("σπίτι δεξιά", "und", false)]
    [InlineData("بيت على اليمين", "und", false)]
    public void Languages_that_the_lists_do_not_know_are_not_judged(string words, string language, bool can) => Assert.Equal(can, CaptionClaims.CanJudge(words, language));
}
