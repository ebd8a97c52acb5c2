namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// Every rule about texts, declared once: recipes, help, reports and the cleaning itself read this list. The published thresholds were made for
/// pages of running text; pages that show pictures are shorter and broken into more lines, so a run switches sets on by clean.rules.
/// </summary>
public static class TextRules
{
    private const string Gopher = "Rae et al. 2021 (Gopher), table A1";
    private const string C4 = "Raffel et al. 2020 (C4), section 2.2";
    private const string FineWeb = "Penedo et al. 2024 (FineWeb), section 3.6";
    private const string Shorter = "Short pages are judged on too few counts; a gallery's ten words repeat by chance. Shares of an empty text are not judged.";

    /// <summary>Sets that clean.rules takes.</summary>
    public static IReadOnlyList<string> Sets { get; } = ["gopher", "repetition", "c4", "fineweb", "seed", "topic"];

    /// <summary>All rules, set by set.</summary>
    public static IReadOnlyList<TextRule> All { get; } = [.. OfGopher(), .. OfRepetition(), .. OfC4(), .. OfFineWeb(), .. OfSeed(), .. OfTopic()];

    /// <summary>Names of all rules, switched on or not, that these signals break at the rules' own thresholds.</summary>
    public static IReadOnlyList<string> BrokenBy(IReadOnlyDictionary<string, double> signals) =>
        [.. All.Where(rule => signals.TryGetValue(rule.Signal, out var value) && rule.IsBrokenBy(value, rule.Threshold)).Select(rule => rule.Name)];

    private static IEnumerable<TextRule> OfTopic()
    {
        const string Own = "threshold of the project";
        yield return new("topic-embedding", "topic", TextMeaning.Relevance, true, 0.1, "its meaning lies far from the topic and its terms", Own,
            "What is near differs between encoders and topics: look at the histogram of the signal first. Long pages about many things lie far from each.");
        yield return new("topic-zero-shot", "topic", TextMeaning.ZeroShot, true, 0.5, "a classifier says that it is not about the topic", Own,
            "Measured only where clean.zero_shot names a model. Topics that no sentence can name (\"img_2041\") are never entailed.");
    }

    private static IEnumerable<TextRule> OfGopher()
    {
        yield return new("gopher-few-words", "gopher", "text_words", true, 50, "too short to be a document", Gopher,
            "Splitting at white space makes one word of a Chinese page; here two characters of Chinese, Japanese or Korean count as a word. Galleries are short and good.");
        yield return new("gopher-many-words", "gopher", "text_words", false, 100_000, "a dump rather than a document", Gopher, "A whole book in one page goes too.");
        yield return new("gopher-short-words", "gopher", "text_mean_word_length", true, 3, "fragments instead of words", Gopher,
            "Made for English: pairs of Chinese characters have length 2, so the rule says nothing about such languages and is best lowered to 1.5 for them.");
        yield return new("gopher-long-words", "gopher", "text_mean_word_length", false, 10, "words run together, addresses or codes", Gopher, "German, Finnish and Hungarian technical prose comes near it.");
        yield return new("gopher-hashes", "gopher", "text_hash_ratio", false, 0.1, "hash tags and headings of markup", Gopher, "Pages about programming hold hashes that mean something.");
        yield return new("gopher-ellipses", "gopher", "text_ellipsis_ratio", false, 0.1, "teasers that break off", Gopher, "Counting only \"...\" misses the single character …; both count here.");
        yield return new("gopher-bullets", "gopher", "text_bullet_line_share", false, 0.9, "a list and nothing else", Gopher, "A hyphen at the start of a line of speech is no bullet; here one counts only before a space.");
        yield return new("gopher-ellipsis-lines", "gopher", "text_ellipsis_line_share", false, 0.3, "a page of teasers", Gopher, Shorter);
        yield return new("gopher-alphabetic", "gopher", "text_alphabetic_word_share", true, 0.8, "numbers and codes", Gopher, "Tables of dimensions beside drawings are dropped though they are what a technical page is for.");
        yield return new("gopher-function-words", "gopher", "text_function_words", true, 2, "no connected text: keyword lists", Gopher,
            "The paper's eight English words drop every other language; here they are the function words of the text's own language, and a language without a list is not judged.");
    }

    private static IEnumerable<TextRule> OfRepetition()
    {
        yield return new("repeated-lines", "repetition", "text_repeated_line_share", false, 0.3, "lines that stand there again", Gopher, Shorter);
        yield return new("repeated-paragraphs", "repetition", "text_repeated_paragraph_share", false, 0.3, "paragraphs that stand there again", Gopher, Shorter);
        yield return new("repeated-line-characters", "repetition", "text_repeated_line_character_share", false, 0.2, "long lines that stand there again", Gopher, "A refrain is repetition too.");
        yield return new("repeated-paragraph-characters", "repetition", "text_repeated_paragraph_character_share", false, 0.2, "long paragraphs that stand there again", Gopher, "A refrain is repetition too.");
        double[] top = [0.20, 0.18, 0.16];
        for (var n = 2; n <= 4; n++)
            yield return new($"top-{n}-gram", "repetition", $"text_top_{n}_gram_share", false, top[n - 2], $"one run of {n} words makes up much of the text", Gopher, Shorter);
        double[] again = [0.15, 0.14, 0.13, 0.12, 0.11, 0.10];
        for (var n = 5; n <= 10; n++)
            yield return new($"repeated-{n}-grams", "repetition", $"text_duplicate_{n}_gram_share", false, again[n - 5], $"runs of {n} words that stand there again",
                Gopher, "Adding up every run counts overlapping words more than once; here each word counts once.");
    }

    private static IEnumerable<TextRule> OfC4()
    {
        yield return new("c4-lines", "c4", "text_c4_character_share", true, 0.5, "too few lines that end as sentences do and hold three words", C4,
            "C4 drops each such line and keeps the rest, which also takes headings, captions and verse away; as a share of the page it only names pages that hold little else. Full stops of other scripts count.");
        yield return new("c4-sentences", "c4", "text_sentences", true, 3, "fewer than three sentences", C4, "A caption under one picture is one good sentence.");
        yield return new("c4-lorem-ipsum", "c4", "text_lorem_ipsum", false, 0, "placeholder text", C4, "A page about typesetting quotes it.");
        yield return new("c4-braces", "c4", "text_curly_brackets", false, 0, "program code", C4, "One brace of a template or a set in mathematics drops the page; raise it where pages are about code.");
        yield return new("c4-javascript", "c4", "text_javascript_line_share", false, 0.05, "notices that JavaScript is needed", C4,
            "C4 drops each line with the word; a page about JavaScript then loses its text. As a share of lines one notice is let pass.");
    }

    private static IEnumerable<TextRule> OfFineWeb()
    {
        yield return new("fineweb-punctuation", "fineweb", "text_punctuated_line_share", true, 0.12, "lines that do not end as sentences do: menus and lists", FineWeb, "Verse, captions and tables end without a stop.");
        yield return new("fineweb-short-lines", "fineweb", "text_short_line_share", false, 0.67, "mostly lines under 30 characters", FineWeb, "Thirty characters of Chinese are a long sentence; raise it there.");
        yield return new("fineweb-repeated-characters", "fineweb", "text_repeated_line_character_share", false, 0.01, "characters in repeated lines", FineWeb, "Two equal short headings in a short page reach it.");
        yield return new("fineweb-new-lines", "fineweb", "text_newline_ratio", false, 0.3, "more than three line ends in ten words", FineWeb, "Captions of a gallery are a line each.");
    }

    private static IEnumerable<TextRule> OfSeed()
    {
        const string Own = "seed threshold of the project";
        yield return new("seed-entropy", "seed", "text_word_entropy", true, 0.6, "few different words for its length", Own,
            "Entropy over characters is the same for prose and for spam of the same letters. Over words, not divided by the logarithm of their number, it grows with length, so one bound fits one length; divided, a short text still comes near 1, so short spam passes: use it with a rule about length. A list of random words has the most of all.");
        yield return new("seed-compression", "seed", "text_compression_ratio", true, 0.2, "compresses as only repetition does", Own,
            "The ratio falls with length because the window fills, and a text of a hundred bytes never falls below 0.6: only repetition in longer texts is found.");
        yield return new("seed-ads", "seed", "text_ad_ratio", false, 0.3, "most of what is read is advertising", Own,
            "Looking for \"ad\" anywhere in class names takes header, shadow, download, gradient and loading for advertisements; names are cut into words here, and article, main and body are never advertisements whatever they are called.");
        yield return new("seed-links", "seed", "text_link_density", false, 0.8, "nearly all text is link text", Own,
            "Measured over the whole page, menus of a short page make it look like a link list; indexes and galleries are link lists and good. High by intention.");
        yield return new("seed-length", "seed", "text_characters", true, 200, "too short to judge anything else by", Own, "Characters of Chinese carry two to three times as much as letters of English; a caption page is short and good.");
        yield return new("seed-language", "seed", "text_language_share", true, 0.65, "no one language makes up two thirds of it", Own + ", FineWeb's 0.65",
            "A share over the whole page drops bilingual pages, whose paragraphs are each of one language; paragraphs have languages of their own in documents.jsonl. Names and numbers pull short texts to any language.");
        yield return new("seed-symbols", "seed", "text_symbol_ratio", false, 0.1, "symbols instead of words", Own, "Formulas and emoji are symbols too.");
    }
}
