using LoraFactory.Flow;

namespace LoraFactory.Tests.Flow.Text;

public sealed class WordRangesTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("  Blueprint   drawings, 1902.", "blueprint|drawings|1902")]
    [InlineData("naïve-Ärger x", "naïve|ärger|x")]
    [InlineData("青写真", "青写|写真")]
    [InlineData("the青写 真x", "the|青写|x")] // one sign alone is no word
    [InlineData("a\ud83d\ude00b", "a|b")]
    [InlineData("ひらがなカ drawing", "ひら|らが|がな|なカ|drawing")]
    public void Words_are_runs_of_letters_and_digits_and_pairs_of_characters(string text, string words) => Assert.Equal(words, string.Join('|', WordStem.Words(text)));

    [Fact]
    public void Every_letter_or_digit_outside_cjk_stands_in_one_word()
    {
        var random = new Random(3);
        const string signs = "abzZ09 .,-'\u00e9\u0416\u05d0\u0301\u3042\u6f22\uac00\ud83d\ude00\n";
        for (var i = 0; i < 500; i++)
        {
            var text = new string([.. Enumerable.Range(0, random.Next(40)).Select(_ => signs[random.Next(signs.Length)])]);
            var covered = new int[text.Length];
            foreach (var range in WordStem.Ranges(text))
            {
                var (start, length) = range.GetOffsetAndLength(text.Length);
                Assert.True(length > 0);
                for (var at = start; at < start + length; at++) covered[at]++;
            }
            for (var at = 0; at < text.Length; at++)
            {
                var cjk = text[at] is '\u3042' or '\u6f22' or '\uac00';
                Assert.True(cjk ? covered[at] <= 2 : covered[at] == (char.IsLetterOrDigit(text[at]) ? 1 : 0), $"{text} at {at}");
            }
        }
    }
}
