using LoraFactory.Flow;
using LoraFactory.Stages.Clean.Text;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public sealed class TextSignalsTests
{
    private static Dictionary<string, double> Of(string text, string language = "en") => new TextSignals().Of(TextTokens.Of(text), new(language)).ToDictionary(s => s.Key, s => s.Value);

    [Fact]
    public void Words_are_those_that_the_rest_of_the_product_knows()
    {
        const string text = "Ein Haus, 3 Häuser: drawing-no. 12a\n蓝图很好 and カタカナ ÀÉ’s 한국어";
        var tokens = TextTokens.Of(text);
        Assert.Equal(WordStem.Words(text).Select(w => TextTokens.HashOf(w)), tokens.Words.Select(w => w.Hash));
        Assert.Equal(WordStem.Words(text).Sum(w => w.Length), tokens.WordCharacters);
        Assert.True(tokens.Words.Length > 15);
    }

    [Fact]
    public void Lines_are_measured_as_the_papers_count_them()
    {
        var s = Of("A first sentence of several words stands here.\nmenu\nhome\n• one point\n• two points…\nHe asked: \"Is this the end of it all?\"\nmenu\nPlease enable JavaScript in your browser to read on.");
        Assert.Equal(8, s["text_lines"]);
        Assert.Equal(2 / 8.0, s["text_bullet_line_share"]);
        Assert.Equal(1 / 8.0, s["text_ellipsis_line_share"]);
        Assert.Equal(4 / 8.0, s["text_punctuated_line_share"]); // the one with … counts as ended
        Assert.Equal(5 / 8.0, s["text_short_line_share"]);
        Assert.Equal(1 / 8.0, s["text_repeated_line_share"]);
        Assert.Equal(1 / 8.0, s["text_javascript_line_share"]);
        Assert.Equal(3, s["text_sentences"]);
        Assert.True(s["text_function_words"] >= 2);
    }

    [Fact]
    public void Repetition_is_measured_in_characters_of_words()
    {
        var s = Of("one two three four five six one two three four five six seven");
        // 6 words of 22 characters stand there twice; 49 characters in all.
        Assert.Equal(22 / 49.0, s["text_duplicate_5_gram_share"], 6);
        Assert.Equal(22 / 49.0, s["text_duplicate_6_gram_share"], 6);
        Assert.Equal(0, s["text_duplicate_7_gram_share"]);
        Assert.Equal(2 * 9 / 49.0, s["text_top_2_gram_share"], 6); // "three four"
        Assert.Equal(0, Of("every word here stands alone once")["text_top_2_gram_share"]);
    }

    [Fact]
    public void Entropy_is_one_for_words_that_all_differ_and_falls_with_repetition()
    {
        Assert.Equal(1, Of("alpha beta gamma delta")["text_word_entropy"], 9);
        Assert.Equal(0, Of("same same same same")["text_word_entropy"], 9);
        Assert.Equal(0.5, Of("left left right right")["text_word_entropy"], 9);
        Assert.True(Of(string.Concat(Enumerable.Repeat("buy now cheap ", 200)))["text_compression_ratio"] < 0.1);
    }

    [Fact]
    public void Nothing_of_an_empty_text_is_judged_but_its_length()
    {
        var signals = Of("");
        var judgement = new TextJudgement(new CleanOptions { Rules = TextRules.Sets });
        Assert.Equal(["c4-sentences", "seed-length"], judgement.Broken(signals).Select(b => b.Rule));
    }

    [Fact]
    public void Every_rule_has_a_signal_that_is_measured_a_source_and_a_known_failure()
    {
        var measured = Of("Some words of a text.").Keys.Concat(LoraFactory.Stages.Clean.TextQuality.Of("Some words.", "en", 0).Signals.Select(s => s.Key))
            .Concat([TextMeaning.Relevance, TextMeaning.ZeroShot]).ToHashSet(); // of the last two an encoder knows: TextMeaningTests
        Assert.True(TextRules.All.Count >= 30);
        Assert.Equal(TextRules.All.Count, TextRules.All.Select(r => r.Name).Distinct().Count());
        Assert.All(TextRules.All, r =>
        {
            Assert.Contains(r.Signal, measured);
            Assert.Contains(r.Set, TextRules.Sets);
            Assert.True(r.Source.Length > 10 && r.KnownFailure.Length > 20 && r.Meaning.Length > 5, r.Name);
        });
        Assert.Equal(TextRules.Sets, OptionCatalog.Find("clean.rules")!.Declared.OneOf);
    }

    [Fact]
    public void A_threshold_of_the_recipe_goes_before_the_rule_s_own_and_switches_it_on()
    {
        var signals = Of("Four words and more.");
        Assert.Empty(new TextJudgement(new CleanOptions()).Broken(signals));
        Assert.Equal(new BrokenRule("seed-length", 20, 200), new TextJudgement(new CleanOptions { Thresholds = ["seed-length=200"] }).Broken(signals).Single());
        Assert.Empty(new TextJudgement(new CleanOptions { Thresholds = ["seed-length=20"] }).Broken(signals));
    }
}
