using LoraFactory.Flow;
using LoraFactory.Stages.Clean;
using LoraFactory.Stages.Clean.Text;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public sealed class SpellingTests
{
    private static Spelling Open(params string[] keep)
    {
        Assert.SkipUnless(Hunspell.IsThere("en_US"), "no hunspell with en_US here");
        return Spelling.Of("en_US", keep)!;
    }

    [Fact]
    public void A_slip_is_corrected_recorded_and_can_be_undone()
    {
        using var spelling = Open();
        const string text = "The draftsman recieved the plan, and (at first) kept it seperate; a bulding may be balding or building.\nThat occured twice.";
        var (corrected, changes) = spelling.Correct(text);
        Assert.Equal([("recieved", "received"), ("seperate", "separate"), ("occured", "occurred")], changes.Select(change => (change.Was, change.Now)));
        Assert.Contains("a bulding may", corrected); // two words are as near
        Assert.All(changes, change => Assert.Equal(change.Now, corrected.Substring(change.At, change.Now.Length)));
        Assert.Equal(text, Spelling.Undo(corrected, changes));
        Assert.Equal(corrected, spelling.Correct(corrected).Text);
    }

    [Theory]
    [InlineData("Names such as Kowalczyk and Seperate stay, and kowalczyk and seperate with them.")]
    [InlineData("Code: getSeperate(), seperate_id, seperate/plan, var seperate2 = x; `seperate`")]
    [InlineData("See https://seperate.example/recieved?x=occured or mail@seperate.example")]
    [InlineData("A skwoodstyl picture, and a cyanotipe of it")]
    [InlineData("colour and grey, the centre of the theatre")]
    [InlineData("seperate, seperate, seperate: said three times, it is meant")]
    public void What_may_be_meant_is_never_touched(string text)
    {
        using var spelling = Open("skwoodstyl", "cyanotipe prints", "colour grey centre theatre");
        Assert.Equal((text, 0), (spelling.Correct(text).Text, spelling.Correct(text).Changes.Count));
    }

    [Fact]
    public void A_corrected_text_loses_its_host_s_lines_too_and_can_still_be_undone()
    {
        using var spelling = Open();
        var run = new RunDirectory(TestData.NewFolder());
        var reader = new DocumentReader(run, new TextCleaning(new()), spelling);
        const string furniture = "Our museum is opend daily", first = "The draftsman recieved the plan, and kept it until the house was sold; he showed it to nobody but his wife and the builder.", last = "It was thought to be seperate from the others, which he had drawn for the city and for the church in the same year.";
        var document = reader.OfText(new TextDocument { Id = "d", Url = "http://a.test/", ReadBy = "", DeclaredLanguage = "en" }, $"{first}\n{furniture}\n{last}", "Plan", 0, 0);
        Assert.Contains(document.Spelling, s => s.Was == "recieved");
        var without = reader.Without(document, [TextTokens.HashOfLine(furniture)]);
        Assert.DoesNotContain("museum", without.Text, StringComparison.Ordinal);
        Assert.Equal(["recieved", "seperate"], without.Spelling.Select(s => s.Was));
        Assert.Equal($"{first}\n{last}", Spelling.Undo(without.Text, without.Spelling));
        Assert.Equal((2, 1), (without.Changes["spelling"], without.Changes["common_lines"]));
        Assert.Same(without, reader.Without(without, [TextTokens.HashOfLine(furniture)]));
    }

    [Fact]
    public void A_dictionary_that_is_not_there_is_said_before_anything_runs()
    {
        Assert.Null(Spelling.Of("", []));
        foreach (var name in (string[])["xx_XX", "../../etc/passwd"])
        {
            Assert.Contains(new CleanStage().Look(new Recipe { Clean = new CleanOptions { Spelling = name } }), f => f.Id == "LR229" && f.Message.Contains("no hunspell dictionary", StringComparison.Ordinal));
            Assert.Throws<LoraException>(() => Spelling.Of(name, []));
        }
    }
}
