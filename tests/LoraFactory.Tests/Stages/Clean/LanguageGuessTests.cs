using System.Text.Json;
using LoraFactory.Stages.Clean;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public class LanguageGuessTests
{
    [Theory]
    [InlineData("en", "The sheet is drawn in white lines on a deep blue ground, the way offices copied their plans for a century.")]
    [InlineData("de", "Das Blatt ist mit weißen Linien auf tiefblauem Grund gezeichnet, wie es die Büros ein Jahrhundert lang taten.")]
    [InlineData("fr", "La feuille est dessinée en lignes blanches sur un fond bleu, comme on le faisait dans les bureaux pendant un siècle.")]
    [InlineData("es", "La hoja está dibujada con líneas blancas sobre un fondo azul, como se hacía en las oficinas durante un siglo.")]
    [InlineData("zh", "蓝图是一种用白线画在蓝色底子上的工程图。")]
    [InlineData("ja", "青写真は青い地に白い線で描かれた図面のことです。")]
    [InlineData("ru", "Лист нарисован белыми линиями на синем фоне, как это делали в бюро целый век.")]
    [InlineData("uk", "Аркуш намальований білими лініями на синьому тлі, як це робили в бюро цілий вік і як його зберегли.")]
    [InlineData("ko", "청사진은 파란 바탕에 흰 선으로 그린 도면이다.")]
    [InlineData("ar", "المخطط هو رسم هندسي بخطوط بيضاء على خلفية زرقاء.")]
    [InlineData("el", "Το σχέδιο είναι με λευκές γραμμές σε μπλε φόντο.")]
    [InlineData("und", "12345 67890 --- !!!")]
    [InlineData("und", "")]
    public void The_language_of_a_sentence_is_told(string language, string text) => Assert.Equal(language, LanguageGuess.Of(text));

    [Fact]
    public void A_declared_language_decides_for_a_few_words_but_not_against_the_text()
    {
        Assert.Equal("de", LanguageGuess.Of("Haus am See", "de-AT"));
        Assert.Equal("und", LanguageGuess.Of("Haus See"));
        Assert.Equal("zh", LanguageGuess.Of("蓝图是一种用白线画在蓝色底子上的工程图。", "en"));
        Assert.Equal("en", LanguageGuess.Of("The sheet is drawn in white lines on a deep blue ground, the way offices copied their plans for a century.", "fr"));
    }

    [Fact]
    public void Sentences_of_forty_languages_are_told_apart_well_enough()
    {
        if (TestData.Shared("conformance/langid/cases.jsonl") is not { } file)
        {
            Assert.Skip("conformance/langid is not there");
            return;
        }
        var right = new Dictionary<string, int>();
        var all = new Dictionary<string, int>();
        var misses = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var line in File.ReadLines(file))
        {
            using var one = JsonDocument.Parse(line);
            var (language, kind) = (one.RootElement.GetProperty("lang").GetString()!, one.RootElement.GetProperty("kind").GetString()!);
            var guess = LanguageGuess.Of(one.RootElement.GetProperty("text").GetString()!);
            all[kind] = all.GetValueOrDefault(kind) + 1;
            if (guess == language) right[kind] = right.GetValueOrDefault(kind) + 1;
            else if (kind == "sentence") misses[$"{language}→{guess}"] = misses.GetValueOrDefault($"{language}→{guess}") + 1;
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"sentences {right["sentence"]}/{all["sentence"]}, word pairs {right["word-pair"]}/{all["word-pair"]}; {string.Join(" ", misses.Select(miss => $"{miss.Key}:{miss.Value}"))}");
        Assert.Equal(400, all["sentence"]);
        Assert.True(right["sentence"] >= 320, $"{right["sentence"]} sentences");
    }
}
