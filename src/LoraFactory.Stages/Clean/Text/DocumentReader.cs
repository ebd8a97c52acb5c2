using System.Net.Http.Headers;
using LoraFactory.Flow;
using LoraFactory.Pages.Html;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>Reads a page's bytes once and measures its text by every signal. Has buffers of its own: one for each thread.</summary>
internal sealed class DocumentReader(RunDirectory run)
{
    private const int MaxPageBytes = 64 << 20;
    private readonly TextSignals signals = new();
    private readonly HashTally tally = new();

    /// <summary>What readings depend on besides the page's bytes.</summary>
    public string ReadBy { get; } = FactoryLine.Version;

    /// <summary>The page's text with its signals; without text where it is no HTML, too large or gone.</summary>
    public TextDocument Read(Page page)
    {
        var path = run.Blob(page.BlobHash);
        var file = new FileInfo(path);
        var isHtml = page.MediaType is "text/html" or "application/xhtml+xml";
        var document = new TextDocument { Id = page.Id, Url = page.FinalUrl, ReadBy = ReadBy };
        if (!isHtml || !file.Exists || file.Length > MaxPageBytes) return Measured(document, "", new("und"));
        var charset = page.Headers.GetValueOrDefault("content-type") is { } stated && MediaTypeHeaderValue.TryParse(stated, out var type) ? type.CharSet : null;
        var reading = PageReader.Read(File.ReadAllBytes(path), charset, new Uri(page.FinalUrl), PageParts.Text | PageParts.Furniture);
        var language = LanguageGuess.Of(reading.MainText.Length > 0 ? reading.MainText : page.Title, reading.DeclaredLanguage);
        return Measured(document with { DeclaredLanguage = reading.DeclaredLanguage, Furniture = FurnitureOf(page, reading) }, reading.MainText,
            new(language, LinkDensity: reading.LinkDensity, AdRatio: reading.AdRatio));
    }

    /// <summary>The document with this text and what is measured of it.</summary>
    public TextDocument Measured(TextDocument document, string text, TextOrigin origin)
    {
        var tokens = TextTokens.Of(text);
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
            WouldBreak = [.. TextRules.All.Where(rule => measured.TryGetValue(rule.Signal, out var value) && rule.IsBrokenBy(value, rule.Threshold)).Select(rule => rule.Name)],
        };
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
