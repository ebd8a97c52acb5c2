using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>One page as text: what was read, what was changed, every signal, and what became of it. A line of <c>2-clean/documents.jsonl</c>.</summary>
internal sealed record TextDocument
{
    /// <summary>Id of the <see cref="Page"/>.</summary>
    public required string Id { get; init; }
    /// <summary>URL after redirects.</summary>
    public required string Url { get; init; }
    /// <summary>What it was read by: version and the options that a reading depends on. Another reading is another value.</summary>
    public required string ReadBy { get; init; }
    /// <summary>BCP-47 language of the whole text, "und" when unknown.</summary>
    public string Language { get; init; } = "und";
    /// <summary>Language that the page declares, empty when it declares none.</summary>
    public string DeclaredLanguage { get; init; } = "";
    /// <summary>Languages of the paragraphs in order; empty where all are the text's own.</summary>
    public IReadOnlyList<string> ParagraphLanguages { get; init; } = [];
    /// <summary>Every signal by name, to six decimals.</summary>
    public IReadOnlyDictionary<string, double> Signals { get; init; } = new Dictionary<string, double>();
    /// <summary>The signal that costs the text most in its quality, in words.</summary>
    public string Worst { get; init; } = "";
    /// <summary>Pictures of the page that stand in its furniture, by address, with which.</summary>
    public IReadOnlyDictionary<string, string> Furniture { get; init; } = new Dictionary<string, string>();
    /// <summary>How often the text was changed in which way: "mojibake", "hidden_marks", "boilerplate_lines", "email" ….</summary>
    public IReadOnlyDictionary<string, int> Changes { get; init; } = new Dictionary<string, int>();
    /// <summary>Words that were spelt anew, in order; <see cref="Spelling.Undo"/> brings back the text before.</summary>
    public IReadOnlyList<SpellingChange> Spelling { get; init; } = [];
    /// <summary>SHA-256 (hex) of the cleaned text in UTF-8; empty for an empty text.</summary>
    public string TextHash { get; init; } = "";
    /// <summary>Cleaned main text, a line per block.</summary>
    public string Text { get; init; } = "";
    /// <summary>What it was dropped for; null when it was kept.</summary>
    public string? Dropped { get; init; }
    /// <summary>Rules of any set, switched on or not, that it would break at their own thresholds.</summary>
    public IReadOnlyList<string> WouldBreak { get; init; } = [];

    /// <summary>Value of a signal, NaN where it was not measured.</summary>
    public double Signal(string name) => Signals.GetValueOrDefault(name, double.NaN);
}
