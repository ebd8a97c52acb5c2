using System.Buffers;
using System.IO.Compression;
using System.Text;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>What only the page knows about its text.</summary>
/// <param name="Language">BCP-47, "und" when unknown.</param>
/// <param name="LanguageShare">Share of the text in that language, 0..1; NaN when it was not measured.</param>
/// <param name="LinkDensity">Share of the page's characters that are link text, 0..1.</param>
/// <param name="AdRatio">Share of the page's characters that stand in advertisements, 0..1; NaN when the reader does not say.</param>
internal readonly record struct TextOrigin(string Language, double LanguageShare = double.NaN, double LinkDensity = 0, double AdRatio = double.NaN);

/// <summary>
/// Measures a text by every signal that a <see cref="TextRule"/> may judge, in one go: scored once, judged as often as thresholds change.
/// A share of nothing is NaN, and no rule judges that. Has buffers of its own: one for each thread.
/// </summary>
internal sealed class TextSignals
{
    private const int MostCompressed = 64 * 1024;
    private static readonly SearchValues<string> LoremIpsum = SearchValues.Create(["lorem ipsum"], StringComparison.OrdinalIgnoreCase), JavaScript = SearchValues.Create(["javascript"], StringComparison.OrdinalIgnoreCase);
    private static readonly string[] Tops = [.. Enumerable.Range(0, 5).Select(length => $"text_top_{length}_gram_share")];
    private static readonly string[] Duplicates = [.. Enumerable.Range(0, TextTokens.MostRun + 1).Select(length => $"text_duplicate_{length}_gram_share")];
    private readonly HashTally tally = new();
    private byte[] bytes = [];

    /// <summary>Signals by name, without those of <see cref="TextQuality"/>.</summary>
    public List<KeyValuePair<string, double>> Of(TextTokens text, TextOrigin origin)
    {
        var signals = new List<KeyValuePair<string, double>>(48);
        void Put(string name, double value) => signals.Add(new(name, value));
        Put("text_characters", text.Text.Length);
        Put("text_language_share", origin.LanguageShare);
        Put("text_ad_ratio", origin.AdRatio);
        Words(text, origin.Language, Put);
        Lines(text, Put);
        Repetition(text, Put);
        Put("text_compression_ratio", CompressionRatio(text.Text));
        return signals;
    }

    private void Words(TextTokens text, string language, Action<string, double> put)
    {
        var words = text.Words;
        tally.Clear(words.Length);
        var alphabetic = 0;
        foreach (var word in words)
        {
            tally.Add(word.Hash);
            if (HasLetter(text.Text.AsSpan(word.Start, word.Length))) alphabetic++;
        }
        double n = words.Length, information = 0;
        foreach (var count in tally.Counts) information -= count / n * Math.Log2(count / n);
        put("text_distinct_word_share", n == 0 ? double.NaN : tally.Distinct / n);
        put("text_word_entropy", n < 2 ? double.NaN : information / Math.Log2(n));
        put("text_alphabetic_word_share", n == 0 ? double.NaN : alphabetic / n);
        put("text_function_words", FunctionWords(words, language));
        var (hashes, ellipses, braces) = (0, 0, 0);
        for (var i = 0; i < text.Text.Length; i++)
        {
            var c = text.Text[i];
            if (c == '#') hashes++;
            else if (c == '…') ellipses++;
            else if (c is '{' or '}') braces++;
            else if (c == '.' && i + 2 < text.Text.Length && text.Text[i + 1] == '.' && text.Text[i + 2] == '.') (ellipses, i) = (ellipses + 1, i + 2);
        }
        put("text_hash_ratio", n == 0 ? double.NaN : hashes / n);
        put("text_ellipsis_ratio", n == 0 ? double.NaN : ellipses / n);
        put("text_curly_brackets", braces);
        put("text_lorem_ipsum", text.Text.AsSpan().ContainsAny(LoremIpsum) ? 1 : 0);
    }

    // How many different function words of its language it holds, NaN where none are known.
    private double FunctionWords(TextSpan[] words, string language)
    {
        if (words.Length == 0 || LanguageGuess.FunctionWords(language) is not { Count: > 0 } known) return double.NaN;
        tally.Clear(words.Length);
        foreach (var word in words)
            if (known.Contains(word.Hash)) tally.Add(word.Hash);
        return tally.Distinct;
    }

    private static bool HasLetter(ReadOnlySpan<char> word)
    {
        foreach (var c in word)
            if (char.IsLetter(c)) return true;
        return false;
    }

    private static void Lines(TextTokens text, Action<string, double> put)
    {
        int bullets = 0, trailing = 0, punctuated = 0, brief = 0, sentences = 0, goodCharacters = 0, scripts = 0, all = 0;
        foreach (var line in text.Lines)
        {
            var span = text.Text.AsSpan(line.Start, line.Length);
            all += line.Length;
            var ends = EndsSentence(span);
            if (IsBullet(span)) bullets++;
            if (span[^1] == '…' || span.EndsWith("...", StringComparison.Ordinal)) trailing++;
            if (ends) punctuated++;
            if (line.Length < 30) brief++;
            sentences += Sentences(span);
            var script = span.ContainsAny(JavaScript);
            if (script) scripts++;
            if (ends && !script && HasWords(span, 3)) goodCharacters += line.Length;
        }
        double n = text.Lines.Length;
        put("text_lines", n);
        put("text_sentences", sentences);
        put("text_bullet_line_share", n == 0 ? double.NaN : bullets / n);
        put("text_ellipsis_line_share", n == 0 ? double.NaN : trailing / n);
        put("text_punctuated_line_share", n == 0 ? double.NaN : punctuated / n);
        put("text_short_line_share", n == 0 ? double.NaN : brief / n);
        put("text_newline_ratio", text.Words.Length == 0 ? double.NaN : (n - 1) / text.Words.Length);
        put("text_javascript_line_share", n == 0 ? double.NaN : scripts / n);
        put("text_c4_character_share", all == 0 ? double.NaN : (double)goodCharacters / all);
    }

    private static bool IsBullet(ReadOnlySpan<char> line) =>
        line[0] is '•' or '‣' or '◦' or '▪' or '●' or '■' or '·' or '▶' or '➤' || (line.Length > 1 && line[0] is '-' or '*' or '–' && line[1] == ' ');

    /// <summary>Whether a line ends as a sentence does, closing quotes and brackets left aside.</summary>
    private static bool EndsSentence(ReadOnlySpan<char> line)
    {
        var last = line.TrimEnd("\"'”’»)]}」』）");
        return last.Length > 0 && (last[^1] is '.' or '!' or '?' or '。' or '！' or '？' or '…' or '؟' or '۔' or '।' or '॥' or '։' or '።' or '។' or '။');
    }

    private static int Sentences(ReadOnlySpan<char> line)
    {
        var (count, inside) = (0, false);
        for (var i = 0; i < line.Length; i++)
        {
            var c = line[i];
            if (char.IsLetterOrDigit(c)) inside = true;
            else if (inside && (c is '。' or '！' or '？' or '؟' or '۔' or '।' or '።' or '።' || (c is '.' or '!' or '?' && (i + 1 == line.Length || !char.IsLetterOrDigit(line[i + 1])))))
                (count, inside) = (count + 1, false);
        }
        return count;
    }

    private static bool HasWords(ReadOnlySpan<char> line, int least)
    {
        var (count, inside) = (0, false);
        foreach (var c in line)
        {
            // A character of a script without spaces is a word in this count.
            if (c is >= '\u2e80' and <= '\ud7ff' or (>= '\u0e00' and <= '\u0eff')) count++;
            var now = char.IsLetterOrDigit(c);
            if (now && !inside) count++;
            inside = now;
            if (count >= least) return true;
        }
        return false;
    }

    private void Repetition(TextTokens text, Action<string, double> put)
    {
        Twice(text.Lines, "line", put);
        Twice(text.Paragraphs, "paragraph", put);
        var words = text.Words;
        double characters = text.WordCharacters;
        for (var length = 2; length <= 4; length++)
            put(Tops[length], words.Length < length ? double.NaN : TopRun(text, length) / characters);
        var repeated = 1.0; // where no run of a length stands twice, no longer one does
        for (var length = 5; length <= 10; length++)
        {
            if (repeated > 0) repeated = words.Length < length ? 0 : RepeatedRuns(text, length);
            put(Duplicates[length], words.Length < length ? double.NaN : repeated / characters);
        }
    }

    private void Twice(TextSpan[] parts, string name, Action<string, double> put)
    {
        tally.Clear(parts.Length);
        int again = 0, characters = 0, all = 0;
        foreach (var part in parts)
        {
            all += part.Length;
            if (tally.Add(part.Hash) == 1) continue;
            again++;
            characters += part.Length;
        }
        put($"text_repeated_{name}_share", parts.Length == 0 ? double.NaN : (double)again / parts.Length);
        put($"text_repeated_{name}_character_share", all == 0 ? double.NaN : (double)characters / all);
    }

    // Characters of the run of words that covers most of the text; a run that stands there once covers nothing.
    private double TopRun(TextTokens text, int length)
    {
        var words = text.Words;
        tally.Clear(words.Length);
        var most = 0;
        for (var i = 0; i + length <= words.Length; i++)
        {
            var count = tally.Add(text.RunHash(i, length));
            if (count < 2) continue;
            var size = 0;
            foreach (var word in words.AsSpan(i, length)) size += word.Length;
            most = Math.Max(most, count * size);
        }
        return most;
    }

    private double RepeatedRuns(TextTokens text, int length)
    {
        var words = text.Words;
        tally.Clear(words.Length);
        int characters = 0, until = 0;
        for (var i = 0; i + length <= words.Length; i++)
        {
            if (tally.Add(text.RunHash(i, length)) == 1) continue;
            for (var word = Math.Max(i, until); word < i + length; word++) characters += words[word].Length;
            until = i + length;
        }
        return characters;
    }

    /// <summary>Bytes after DEFLATE at its fastest by bytes of UTF-8 before, of the first 64 KiB; NaN for an empty text.</summary>
    internal double CompressionRatio(string text)
    {
        if (text.Length == 0) return double.NaN;
        if (bytes.Length < MostCompressed + 8) bytes = new byte[MostCompressed + 8];
        var part = text.AsSpan(0, Math.Min(text.Length, MostCompressed / 3));
        var n = Encoding.UTF8.GetBytes(part, bytes);
        using var packed = new MemoryStream(n + 64);
        using (var deflate = new DeflateStream(packed, CompressionLevel.Fastest, leaveOpen: true)) deflate.Write(bytes, 0, n);
        return (double)packed.Length / n;
    }
}
