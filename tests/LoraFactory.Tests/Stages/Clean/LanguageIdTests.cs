using LoraFactory.Stages.Clean.Text;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public sealed class LanguageIdTests
{
    [Theory]
    [InlineData("en", "The sheet is drawn in white lines on a deep blue ground, the way drafting offices copied their plans for a century.")]
    [InlineData("de", "Das Blatt ist in weißen Linien auf tiefblauem Grund gezeichnet, wie die Büros ihre Pläne hundert Jahre lang kopierten.")]
    [InlineData("nl", "In dat jaar begon hij met zijn werk als tekenaar en bij de start was er nog geen British Drawing Museum.")]
    [InlineData("fr", "La feuille est dessinée en lignes blanches sur un fond bleu, comme les bureaux copiaient leurs plans autrefois.")]
    [InlineData("hr", "Ploča je nacrtana bijelim crtama na plavoj podlozi, kako su uredi svoje nacrte umnožavali stotinu godina.")]
    [InlineData("ru", "Лист начерчен белыми линиями на тёмно-синем фоне, как чертёжные бюро копировали свои планы целый век.")]
    [InlineData("uk", "Аркуш накреслено білими лініями на темно-синьому тлі, як креслярські бюро копіювали свої плани ціле століття.")]
    [InlineData("zh", "这张图纸用白线画在深蓝色的底子上，一个世纪以来绘图室都这样复制图纸。")]
    [InlineData("ja", "この図面は濃い青の地に白い線で描かれている。")]
    [InlineData("fa", "این نقشه با خط‌های سفید روی زمینهٔ آبی تیره کشیده شده است و گوشه‌ها را باید دید.")]
    [InlineData("ar", "رسمت هذه اللوحة بخطوط بيضاء على خلفية زرقاء داكنة كما كانت المكاتب تنسخ مخططاتها.")]
    public void A_sentence_is_told(string language, string text)
    {
        Assert.SkipUnless(Cld2.IsThere, "liblora_cld2.so is not built");
        var found = LanguageId.Of(text);
        Assert.Equal((language, true), (found.Language, found.IsSure));
        Assert.InRange(found.Share, 0.5, 1);
    }

    [Fact]
    public void Letters_that_a_language_does_not_have_rule_it_out()
    {
        Assert.Equal(0, Alphabets.Foreign("Drawn in white lines", "en"));
        Assert.Equal(2 / 9.0, Alphabets.Foreign("požar piče", "en"), 9);
        Assert.True(Alphabets.Foreign("богиня не могла ты", "sr") > 0.1);
        Assert.Equal(0, Alphabets.Foreign("богиня не могла ты", "ru"));
        Assert.True(Alphabets.Foreign("مطالبة", "fa") < 0.2);
    }

    [Fact]
    public void What_the_page_declares_decides_between_what_is_as_likely_and_never_against_the_text()
    {
        Assert.SkipUnless(Cld2.IsThere, "liblora_cld2.so is not built");
        Assert.Equal("en", LanguageId.Of("The sheet is drawn in white lines on a deep blue ground, the way offices copied their plans.", "de").Language);
        Assert.Equal("und", LanguageId.Of("Michael Medved").Known);
        Assert.Equal("und", LanguageId.Of("12 × 40").Language);
    }

    [Fact]
    public void Paragraphs_have_languages_of_their_own()
    {
        Assert.SkipUnless(Cld2.IsThere, "liblora_cld2.so is not built");
        const string english = "The sheet is drawn in white lines on a deep blue ground, as the drafting offices did.";
        const string german = "Das Blatt ist in weißen Linien auf tiefblauem Grund gezeichnet, wie es die Büros taten.";
        Assert.Equal(["en", "de", "en"], LanguageId.OfParagraphs($"{english}\n{german}\nA short line", "en"));
        Assert.Equal([], LanguageId.OfParagraphs($"{english}\n{english}", "en"));
    }
}
