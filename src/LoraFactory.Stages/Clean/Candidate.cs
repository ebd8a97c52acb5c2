using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean;

/// <summary>A picture on its way through the checks.</summary>
internal sealed record Candidate
{
    public required string PageId { get; init; }
    public required string PageUrl { get; init; }
    public required string PictureUrl { get; init; }
    public required string BlobHash { get; init; }
    public required int Depth { get; init; }
    public required int Index { get; init; }
    public string Caption { get; init; } = "";
    public string Alt { get; init; } = "";
    public string Title { get; init; } = "";
    public string Context { get; init; } = "";
    public string PageTitle { get; init; } = "";
    public string Language { get; init; } = "und";
    public string? Licence { get; init; }
    public Consent? Consent { get; init; }
    public IReadOnlyDictionary<string, double> TextSignals { get; init; } = new Dictionary<string, double>();
    public RepeatFolder? Folder { get; init; }
    public MeasuredPicture? Measured { get; init; }

    /// <summary>Content id: what it shows, where.</summary>
    public string Id => ContentId.Of(BlobHash, PageUrl, PictureUrl);

    /// <summary>Its own words: caption, alt and title, each once.</summary>
    public string OwnWords => string.Join('\n', new[] { Caption, Alt, Title }.Where(text => text.Length > 0).Distinct(StringComparer.Ordinal));

    /// <summary>Which of two copies is kept: the bigger, then the better described, then the one with a licence, then the one found nearer to the seed.</summary>
    public static IComparer<Candidate> BestFirst { get; } = Comparer<Candidate>.Create((a, b) =>
    {
        var order = (b.Measured?.PixelCount ?? 0).CompareTo(a.Measured?.PixelCount ?? 0);
        if (order == 0) order = b.Described.CompareTo(a.Described);
        if (order == 0) order = (b.Licence is not null).CompareTo(a.Licence is not null);
        if (order == 0) order = a.Depth.CompareTo(b.Depth);
        if (order == 0) order = string.CompareOrdinal(a.PageUrl, b.PageUrl);
        if (order == 0) order = a.Index.CompareTo(b.Index);
        return order != 0 ? order : string.CompareOrdinal(a.PictureUrl, b.PictureUrl);
    });

    // Number of words that describe it, with diminishing worth, a figcaption first.
    private double Described => Math.Sqrt(WordStem.Words(Caption).Count) * 2 + Math.Sqrt(WordStem.Words(Alt).Count) + (Context.Length > 0 ? 0.5 : 0);

    /// <summary>What it is dropped with.</summary>
    public Drop Drop(string reason, string? detail = null, double value = double.NaN, double threshold = double.NaN) =>
        Numbered(new Drop(Id, reason, PictureUrl, detail) { Page = PageUrl.Length > 0 ? PageUrl : null, Blob = BlobHash }, value, threshold);

    /// <summary>With the value that was judged and its threshold, to six decimals; NaN is none.</summary>
    public static Drop Numbered(Drop drop, double value, double threshold) => drop with { Value = Kept(value), Threshold = Kept(threshold) };

    private static double? Kept(double value) => double.IsNaN(value) ? null : Math.Round(value, 6);

    /// <summary>What it becomes when it is kept.</summary>
    public Record ToRecord()
    {
        var signals = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (var (name, value) in TextSignals) signals[name] = Math.Round(value, 6);
        foreach (var (name, value) in Measured!.Signals) signals[name] = Math.Round(value, 6);
        return new Record
        {
            Id = Id,
            PageId = PageId,
            PageUrl = PageUrl,
            PictureUrl = PictureUrl,
            BlobHash = BlobHash,
            Width = Measured.Width,
            Height = Measured.Height,
            PerceptualHash = Measured.Hash,
            Caption = Caption.Length > 0 ? Caption : Alt.Length > 0 ? Alt : Title,
            Alt = Alt,
            Context = Context,
            PageTitle = PageTitle,
            Language = Language,
            Licence = Licence,
            FolderWords = Folder?.Words ?? "",
            Repeats = Folder?.Repeats ?? 1,
            Signals = signals,
        };
    }
}
