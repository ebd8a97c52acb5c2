using LoraFactory.Stages.Clean.Text;

namespace LoraFactory.Stages.Clean;

/// <summary>
/// How much a page's text reads like something written for people: signals after Gopher (Rae et al. 2021, appendix A1) and C4, each kept by
/// name, and a score 0 (spam) to 1 (prose) that falls with every signal outside its usual range. A short text is judged mildly:
/// galleries have few words.
/// </summary>
/// <param name="Words">Words; for Chinese and Japanese two characters count as one.</param>
/// <param name="MeanWordLength">Mean length of a word in characters.</param>
/// <param name="SymbolRatio">Share of characters that are neither letters, digits, spaces nor common punctuation.</param>
/// <param name="StopWordShare">Share of words that are function words of the text's language, NaN when they are not known.</param>
/// <param name="TopWordShare">Share of the commonest other word.</param>
/// <param name="AdWordShare">Share of words that sell.</param>
/// <param name="DuplicateLineShare">Share of characters in lines that stood there before.</param>
/// <param name="DuplicateFiveGramShare">Share of words in runs of five that stood there before.</param>
/// <param name="LinkDensity">Share of the page's characters that are link text.</param>
/// <param name="Score">0..1.</param>
public sealed record TextQuality(int Words, double MeanWordLength, double SymbolRatio, double StopWordShare, double TopWordShare, double AdWordShare,
    double DuplicateLineShare, double DuplicateFiveGramShare, double LinkDensity, double Score)
{
    /// <summary>Name of the score among a text's signals.</summary>
    public const string Signal = "text_quality";

    /// <summary>Reason of a text whose score is below clean.min_text_quality.</summary>
    public const string Reason = "poor-text";

    private static readonly HashSet<ulong> AdWords =
    [
        .. ("buy price prices cheap cheapest discount discounts sale sales off deal deals order free shipping click subscribe casino bonus offer offers save coupon "
            + "coupons win winner guarantee guaranteed bargain lowest shop checkout cart promo viagra loan loans credit now best bet betting jackpot limited hurry "
            + "exclusive wholesale sponsored advertisement")
            .Split(' ').Select(word => TextTokens.HashOf(word)),
    ];

    /// <summary>Signals by the names under which records keep them.</summary>
    public IEnumerable<KeyValuePair<string, double>> Signals =>
    [
        new(Signal, Score), new("text_words", Words), new("text_mean_word_length", MeanWordLength), new("text_symbol_ratio", SymbolRatio), new("text_stop_word_share", StopWordShare),
        new("text_top_word_share", TopWordShare), new("text_ad_word_share", AdWordShare), new("text_duplicate_line_share", DuplicateLineShare),
        new("text_duplicate_five_gram_share", DuplicateFiveGramShare), new("text_link_density", LinkDensity),
    ];

    /// <summary>The signal that costs this text most, for messages.</summary>
    public string Worst => Factors().MinBy(factor => factor.Value).Key;

    /// <summary>Measures a text.</summary>
    public static TextQuality Of(string text, string language, double linkDensity) => Of(TextTokens.Of(text), language, linkDensity, new HashTally());

    /// <summary>Measures a text that is cut already; <paramref name="tally"/> is for the time of the call.</summary>
    internal static TextQuality Of(TextTokens text, string language, double linkDensity, HashTally tally)
    {
        var words = text.Words;
        var stops = LanguageGuess.StopWordHashes(language);
        var measured = new TextQuality(
            words.Length,
            words.Length == 0 ? 0 : (double)text.WordCharacters / words.Length,
            text.Text.Length == 0 ? 0 : (double)Symbols(text.Text) / text.Text.Length,
            stops is null || words.Length == 0 ? double.NaN : StopShare(text, stops, LanguageGuess.StopCharacters(language)),
            TopShare(words, stops, tally),
            words.Length == 0 ? 0 : (double)words.Count(word => AdWords.Contains(word.Hash)) / words.Length,
            DuplicateLines(text.Lines, tally),
            DuplicateRuns(text, 5, tally),
            linkDensity,
            0);
        return measured with { Score = measured.Factors().Aggregate(1.0, (score, factor) => score * factor.Value) };
    }

    private IEnumerable<KeyValuePair<string, double>> Factors()
    {
        // With few words shares are noise, so each share counts in full only from 60 words on.
        var trust = Math.Clamp((Words - 8) / 52.0, 0, 1);
        double Trusted(double factor) => 1 - trust * (1 - factor);
        yield return new("too few words", Words >= 20 ? 1 : 0.6 + 0.02 * Words);
        yield return new("advertising words", Trusted(Ramp(AdWordShare, 0.05, 0.25)));
        yield return new("one word repeated", Trusted(Ramp(TopWordShare, 0.1, 0.3)));
        yield return new("no function words", double.IsNaN(StopWordShare) ? 1 : Trusted(1 - 0.8 * Ramp(StopWordShare, 0.03, 0.15)));
        yield return new("repeated lines", Ramp(DuplicateLineShare, 0.3, 0.8));
        yield return new("repeated passages", Trusted(Ramp(DuplicateFiveGramShare, 0.2, 0.7)));
        yield return new("symbols", Ramp(SymbolRatio, 0.1, 0.4));
        yield return new("odd word lengths", Words < 20 || MeanWordLength is >= 2 and <= 11 ? 1 : 0.4);
        yield return new("almost only links", 1 - 0.3 * (1 - Ramp(LinkDensity, 0.6, 1)));
    }

    /// <summary>1 up to <paramref name="good"/>, falling to 0 at <paramref name="bad"/>.</summary>
    private static double Ramp(double value, double good, double bad) => 1 - Math.Clamp((value - good) / (bad - good), 0, 1);

    private static int Symbols(string text)
    {
        var count = 0;
        foreach (var c in text)
            if (TextTokens.IsSymbol(c)) count++;
        return count;
    }

    private static double StopShare(TextTokens text, HashSet<ulong> stops, HashSet<char> single) =>
        // Words of Chinese and Japanese are pairs of characters here; their function words are single characters.
        single.Count > 5 ? (double)text.Text.Count(single.Contains) / Math.Max(1, text.Text.Count(char.IsLetter)) * 2 : (double)text.Words.Count(word => stops.Contains(word.Hash)) / text.Words.Length;

    private static double TopShare(TextSpan[] words, HashSet<ulong>? stops, HashTally tally)
    {
        tally.Clear(words.Length);
        var most = 0;
        foreach (var word in words)
            if (stops is null || !stops.Contains(word.Hash)) most = Math.Max(most, tally.Add(word.Hash));
        return words.Length == 0 ? 0 : (double)most / words.Length;
    }

    private static double DuplicateLines(TextSpan[] lines, HashTally tally)
    {
        tally.Clear(lines.Length);
        int total = 0, duplicate = 0;
        foreach (var line in lines)
        {
            total += line.Length;
            if (tally.Add(line.Hash) > 1) duplicate += line.Length;
        }
        return total == 0 ? 0 : (double)duplicate / total;
    }

    private static double DuplicateRuns(TextTokens text, int length, HashTally tally)
    {
        var words = text.Words;
        if (words.Length < length * 2) return 0;
        tally.Clear(words.Length);
        int covered = 0, until = 0;
        for (var i = 0; i + length <= words.Length; i++)
        {
            if (tally.Add(text.RunHash(i, length)) == 1) continue;
            covered += i + length - Math.Max(i, until);
            until = i + length;
        }
        return (double)covered / words.Length;
    }
}
