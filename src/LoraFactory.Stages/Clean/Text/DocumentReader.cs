using LoraFactory.Flow;
using LoraFactory.Pages;
using LoraFactory.Pages.Html;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>Reads a page's bytes once and measures its text by every signal. Has buffers of its own: one for each thread.</summary>
internal sealed class DocumentReader(RunDirectory run, TextCleaning cleaning, Spelling? spelling = null)
{
    private const string Corrected = "spelling";
    private const int MaxPageBytes = 64 << 20;
    private readonly TextSignals signals = new();
    private readonly HashTally tally = new();

    /// <summary>What readings depend on besides the page's bytes.</summary>
    public string ReadBy { get; } = $"{FactoryLine.Version}{(Cld2.IsThere ? " cld2" : "")}{cleaning.Key}{(spelling is null ? "" : $" {spelling.Key}")}";

    /// <summary>The page's text with its signals; without text where it is no HTML, too large or gone.</summary>
    public TextDocument Read(Page page)
    {
        var path = run.Blob(page.BlobHash);
        var file = new FileInfo(path);
        var isHtml = page.MediaType is "text/html" or "application/xhtml+xml";
        var document = new TextDocument { Id = page.Id, Url = page.FinalUrl, ReadBy = ReadBy };
        if (!isHtml || !file.Exists || file.Length > MaxPageBytes) return Measured(document, TextTokens.Of(""), new("und"));
        var charset = page.Headers.GetValueOrDefault("content-type") is { } stated ? MediaType.Parse(stated)?.Charset : null; // as the crawl reads it
        var reading = PageReader.Read(File.ReadAllBytes(path), charset, new Uri(page.FinalUrl), PageParts.Text | PageParts.Furniture);
        document = document with { DeclaredLanguage = reading.DeclaredLanguage, Furniture = FurnitureOf(page, reading) };
        return OfText(document, reading.MainText, page.Title, reading.LinkDensity, reading.AdRatio);
    }

    /// <summary>The document with a main text as it was read, cleaned and measured.</summary>
    public TextDocument OfText(TextDocument document, string raw, string title, double linkDensity, double adRatio)
    {
        var changes = new TextChanges();
        var tokens = cleaning.Cut(raw, changes);
        var language = tokens.Text.Length > 0 ? LanguageId.Of(tokens, document.DeclaredLanguage) : LanguageId.Of(title, document.DeclaredLanguage);
        (tokens, var slips) = Spelt(tokens, language.Known, changes);
        return Measured(document with { Spelling = slips, ParagraphLanguages = LanguageId.OfParagraphs(tokens, language.Known), Changes = changes.Counts }, tokens,
            new(language.Known, language.Share, linkDensity, adRatio));
    }

    // In the dictionary's language alone.
    private (TextTokens Tokens, IReadOnlyList<SpellingChange> Slips) Spelt(TextTokens tokens, string language, TextChanges changes)
    {
        if (spelling is null || language != spelling.Language) return (tokens, []);
        var (corrected, slips) = spelling.Correct(tokens.Text);
        changes.Add(Corrected, slips.Count);
        return (slips.Count > 0 ? TextTokens.Of(corrected) : tokens, slips);
    }

    /// <summary>The document with this text and what is measured of it.</summary>
    public TextDocument Measured(TextDocument document, TextTokens tokens, TextOrigin origin)
    {
        var text = tokens.Text;
        var quality = TextQuality.Of(tokens, origin.Language, origin.LinkDensity, tally);
        var measured = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (var (name, value) in quality.Signals)
            if (!double.IsNaN(value)) measured[name] = Math.Round(value, 6);
        foreach (var (name, value) in signals.Of(tokens, origin))
            if (!double.IsNaN(value)) measured[name] = Math.Round(value, 6); // what was not measured is not there
        return document with
        {
            Language = origin.Language,
            Text = text,
            TextHash = text.Length == 0 ? "" : ContentId.OfBytes(System.Text.Encoding.UTF8.GetBytes(text)),
            Signals = measured,
            Worst = quality.Worst,
            WouldBreak = TextRules.BrokenBy(measured),
        };
    }

    /// <summary>The document without lines that its host has on most pages; the same where it has none of them.</summary>
    public TextDocument Without(TextDocument document, HashSet<ulong> lines)
    {
        var changes = new TextChanges();
        foreach (var (name, count) in document.Changes)
            if (name != Corrected) changes.Add(name, count);
        var before = document.Spelling.Count == 0 ? document.Text : Spelling.Undo(document.Text, document.Spelling);
        var text = BoilerplateLines.Remove(before, lines, changes);
        if (ReferenceEquals(text, before)) return document;
        var (tokens, slips) = Spelt(TextTokens.Of(text), document.Language, changes);
        var origin = new TextOrigin(document.Language, document.Signal("text_language_share"), document.Signal("text_link_density"), document.Signal("text_ad_ratio"));
        return Measured(document with { Changes = changes.Counts, Spelling = slips, ParagraphLanguages = LanguageId.OfParagraphs(tokens, document.Language) }, tokens, origin);
    }

    // Of a page's furniture only what concerns its own pictures is kept.
    private static Dictionary<string, string> FurnitureOf(Page page, PageReading reading)
    {
        var kinds = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var picture in page.Pictures)
            if (reading.Furniture.GetValueOrDefault(picture.Url) is { } kind) kinds[picture.Url] = kind;
        return kinds;
    }
}
