using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages.Clean.Text;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public sealed class TextCleaningTests
{
    private static readonly TextCleaning Cleaning = new(new CleanOptions());

    private static string Clean(string text) => Cleaning.Page(text, new TextChanges());

    private static string Broken(string text) => string.Concat(Encoding.UTF8.GetBytes(text).Select(b => b is >= 0x80 and <= 0x9f ? Mojibake.OfControl((char)b) : (char)b));

    [Theory]
    [InlineData("Der Grundriß zeigt Küche, Flur und drei Türen.")]
    [InlineData("Où est passée la forêt ? Là-bas, près du château.")]
    [InlineData("A café on the corner, drawn in 1920.")]
    [InlineData("The temperature was 20 °C and the plan 3 × 4 m.")]
    [InlineData("Чертёж сделан белыми линиями.")]
    [InlineData("図面は濃い青の地に描かれている。")]
    [InlineData("It was the draughtsman…s habit – so they said – to cross the lines.")]
    public void Text_that_was_read_in_the_wrong_encoding_once_or_twice_is_put_right(string text)
    {
        var once = Broken(text);
        Assert.NotEqual(text, once);
        Assert.Equal(Clean(text), Clean(once));
        Assert.Equal(Clean(text), Clean(Broken(once)));
    }

    [Theory]
    [InlineData("SÃO PAULO, a cidade, e a IRMÃ»")]
    [InlineData("le CAFÉ» et l'ÉTÉ")]
    [InlineData("Ångström, Ærø, Østerbro, naïve, Zürich, garçon, mañana, Ñandú")]
    [InlineData("Ð is a letter of Icelandic, and so is Þ.")]
    [InlineData("Đà Nẵng là thành phố lớn nhất miền Trung.")]
    [InlineData("Crème brûlée für zwölf Gäste à la carte.")]
    public void Text_that_is_right_stays(string text) => Assert.Equal(text.Replace('’', '\''), Clean(text));

    [Theory]
    [InlineData("zero\u200bwidth\ufeff and soft\u00adhyphen", "zerowidth and softhyphen")]
    [InlineData("tabs\tand\u00a0odd\u2003spaces   here", "tabs and odd spaces here")]
    [InlineData("one\r\ntwo\rthree\u2028four\n\n\n\nfive", "one\ntwo\nthree\nfour\n\nfive")]
    [InlineData("bell\a and null\0 and \u202eevil", "bell and null and evil")]
    [InlineData("“quoted” and ‘single’ and it’s", "\"quoted\" and 'single' and it's")]
    [InlineData("o\ufb03ce \ufb02oor", "office floor")]
    [InlineData("cafe\u0301 and A\u030angstro\u0308m", "café and Ångström")]
    [InlineData("c\u0153ur and le c\u009cur", "cœur and le cœur")]
    [InlineData("می\u200cخواهم", "می\u200cخواهم")]
    [InlineData("क्\u200dष", "क्\u200dष")]
    [InlineData("family \U0001F468\u200d\U0001F469\u200d\U0001F467 and heart ❤\ufe0f", "family \U0001F468\u200d\U0001F469\u200d\U0001F467 and heart ❤\ufe0f")]
    [InlineData("no\u200djoiner\u200chere", "nojoinerhere")]
    public void Unicode_is_repaired_and_joiners_stay_where_they_are_needed(string text, string expected) => Assert.Equal(expected, Clean(text));

    [Fact]
    public void Half_a_character_is_shown_as_damage() => Assert.Equal("lone \ufffd surrogate\ufffd", Clean("lone \ud800 surrogate\udc00"));

    [Fact]
    public void Lines_of_the_site_go_and_sentences_about_the_same_stay()
    {
        const string page = "The corner is meant.\nWe use cookies to give you the best experience on our website.\nShare this\nRead more\n© 2024 Museum. All rights reserved.\n"
            + "An article about how a browser keeps what a site asked it to keep: when we use cookies, the server hands out a small text that comes back with each request.\n"
            + "Skip to main content\nSubscribe to our newsletter\nPrints were washed in water.";
        var changes = new TextChanges();
        var cleaned = Cleaning.Page(page, changes);
        Assert.Equal(["The corner is meant.", page.Split('\n')[5], "Prints were washed in water."], cleaned.Split('\n'));
        Assert.Equal(6, changes.Counts["boilerplate_lines"]);
    }

    [Fact]
    public void Lines_that_most_pages_of_a_host_have_are_its_furniture()
    {
        var pages = Enumerable.Range(0, 10).Select(i => $"Museum of drawings, open daily\nSheet number {i} shows a house.\n{(i < 5 ? "Gift of the city" : "Bought at a sale")}").ToList();
        var common = BoilerplateLines.CommonTo([.. pages.Select(TextTokens.Of)]);
        Assert.Equal("Sheet number 3 shows a house.\nGift of the city", BoilerplateLines.Remove(pages[3], common, new TextChanges()));
        Assert.Empty(BoilerplateLines.CommonTo([.. pages.Take(5).Select(TextTokens.Of)]));
    }

    [Fact]
    public void Any_text_at_all_is_cleaned_without_a_fault_and_the_second_time_nothing_changes()
    {
        var random = new Random(20);
        string[] pieces =
        [
            "Ã©", "â€™", "Â ", "Ã", "\u0301", "\u200d", "\u200b", "\ufeff", "\ud83d", "\udc68", "\U0001F468", "\r\n", "\n", "\n\n\n", " ", "\t", "Read more", "we use cookies", "a@b.co", "@", "+49 30 1234567", "4111 1111 1111 1111",
            "192.168.0.1", "8.8.8.8", "2001:db8::1", ":", "::", "-", "12", "3.", "DE89370400440532013000", "X1234567L", "“", "’", "\ufb01", "漢字", "עברית", "क्ष", "é", "\u009c", "\u0085", "\0", "[EMAIL]", "\udb40\udc41", "Ａ１", "\u1100\u1161",
        ];
        for (var round = 0; round < 4000; round++)
        {
            var text = new StringBuilder();
            var n = random.Next(1, 40);
            for (var i = 0; i < n; i++) text.Append(random.Next(4) == 0 ? ((char)random.Next(0x10000)).ToString() : pieces[random.Next(pieces.Length)]);
            var once = Clean(text.ToString());
            Assert.Equal(once, Clean(once));
            Assert.True(once.Length <= text.Length * 8);
            var tokens = TextTokens.Of(once);
            Assert.All(new TextSignals().Of(tokens, new("en")), s => Assert.False(double.IsInfinity(s.Value), s.Key));
            LanguageId.Of(once);
        }
    }

    [Theory]
    [InlineData("@")]
    [InlineData("a@")]
    [InlineData("1-")]
    [InlineData("9")]
    [InlineData(":")]
    [InlineData("1:")]
    [InlineData("\u0301\u0327")]
    [InlineData("Ã©")]
    [InlineData("ÃƒÂ©")]
    [InlineData("we use cookies ")]
    [InlineData("a.b@c.")]
    [InlineData("+1 (")]
    public void A_megabyte_of_anything_is_done_in_one_go(string piece)
    {
        var once = Clean(string.Concat(Enumerable.Repeat(piece, 1_000_000 / piece.Length)));
        Assert.Equal(once, Clean(once));
    }
}
