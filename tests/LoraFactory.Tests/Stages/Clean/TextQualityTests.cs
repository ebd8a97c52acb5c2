using LoraFactory.Pages.Html;
using LoraFactory.Stages.Clean;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public class TextQualityTests
{
    private const string Prose = """
        The sheet is drawn in white lines on a deep blue ground, the way drafting offices copied their plans for a century.
        Look at the corners, where two lines cross a little: the draughtsman's habit shows that the corner is meant.
        Prints like this were made by laying the tracing on sensitised paper in the sun and washing it in water afterwards.
        A faint grid runs under the drawing, so that every length can be read off against it without any further tool.
        """;

    [Fact]
    public void Prose_scores_one_and_its_signals_are_right()
    {
        var quality = TextQuality.Of(Prose, "en", 0.1);
        Assert.Equal(1, quality.Score);
        Assert.Equal(84, quality.Words);
        Assert.InRange(quality.StopWordShare, 0.3, 0.6);
        Assert.InRange(quality.MeanWordLength, 4, 5);
        // "off", in "read off against".
        Assert.Equal(1.0 / 84, quality.AdWordShare, 9);
        Assert.Equal(0, quality.DuplicateLineShare + quality.DuplicateFiveGramShare + quality.SymbolRatio);
        Assert.Equal(10, quality.Signals.Count());
    }

    [Theory]
    [InlineData("advertising words", "Buy cheap ink now at the best price, free shipping, discount sale, order today and save, limited offer, click and buy the best deal now. ")]
    [InlineData("one word repeated", "blueprint house blueprint river blueprint and blueprint of blueprint the blueprint is blueprint in blueprint mountain blueprint with blueprint ")]
    [InlineData("repeated passages", "The same long sentence stands here again and again without any change in it at all. ")]
    [InlineData("no function words", "house river mountain forest bridge tower garden street window lamp chair table carpet mirror candle ")]
    [InlineData("symbols", "the of @@@@ #### |||| **** and to ____ in {{{{ }}}} is that #### @@@@ ")]
    public void Spam_is_told_by_its_worst_signal(string worst, string text)
    {
        // Words are varied so that only the signal in question stands out.
        var filler = worst is "repeated passages" or "symbols" ? "" : string.Join(' ', Enumerable.Range(0, 40).Select(i => $"{(worst == "no function words" ? "" : "the ")}w{(char)('a' + i % 26)}{(char)('a' + i / 26)}rd"));
        var repeats = worst == "repeated passages" ? 12 : worst == "no function words" ? 2 : worst == "symbols" ? 6 : 5;
        var varied = string.Concat(Enumerable.Repeat(text, worst == "no function words" ? 1 : repeats));
        var quality = TextQuality.Of(worst == "no function words" ? $"{varied} {filler}" : varied, "en", 0);
        Assert.Equal(worst, quality.Worst);
        Assert.True(quality.Score < 0.3, $"{quality}");
    }

    [Fact]
    public void The_demo_s_spam_is_refused_and_its_articles_and_short_pages_are_not()
    {
        double Score(string path)
        {
            var reading = PageReader.Read(File.ReadAllBytes(Path.Combine(DemoPages.Folder, path)), null, new Uri("http://x.test/"));
            return TextQuality.Of(reading.MainText, LanguageGuess.Of(reading.MainText, reading.DeclaredLanguage), reading.LinkDensity).Score;
        }
        Assert.InRange(Score("spam.test/index.html"), 0, 0.05);
        Assert.Equal(1, Score("drawings.test/plans/12.html"));
        Assert.Equal(1, Score("printroom.test/p/6.html"));
        Assert.InRange(Score("notes.test/zh.html"), 0.8, 1);
        Assert.InRange(Score("notes.test/calendar/3.html"), 0.5, 0.8);
    }
}
