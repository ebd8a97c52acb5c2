using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// What an earlier clean of the same run measured: documents by page and pictures by their bytes. <c>lora clean --rescore</c> judges these by the
/// changed thresholds; only what was never measured, such as a picture that fell before it was decoded, is measured then.
/// </summary>
internal sealed class EarlierScores
{
    /// <summary>One line a page.</summary>
    public const string DocumentsFile = "documents.jsonl";

    /// <summary>One line a picture that was looked at.</summary>
    public const string PicturesFile = "measured.jsonl";

    private readonly Dictionary<string, TextDocument> documents = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PictureScore> pictures = new(StringComparer.Ordinal);

    private EarlierScores() { }

    /// <summary>Nothing measured before.</summary>
    public static EarlierScores None { get; } = new();

    /// <summary>All pictures known; a later, milder threshold may want those that fall now.</summary>
    public IEnumerable<PictureScore> Pictures => pictures.Values;

    /// <summary>Reads what lies in the stage's directory, and in the one that was set aside for the time of this run.</summary>
    /// <exception cref="LoraException">There is none: clean has not run, or an older version of it left no scores.</exception>
    public static EarlierScores Read(RunDirectory run)
    {
        var scores = new EarlierScores();
        foreach (var folder in new[] { new ResultShelf(run, StageName.Clean).Before, run.PathOf(StageName.Clean) })
        {
            if (Path.Combine(folder, DocumentsFile) is var texts && File.Exists(texts))
                foreach (var document in RunDirectory.ReadLines<TextDocument>(texts)) scores.documents[document.Id] = document;
            if (Path.Combine(folder, PicturesFile) is var measured && File.Exists(measured))
                foreach (var picture in RunDirectory.ReadLines<PictureScore>(measured)) scores.pictures[picture.Blob] = picture;
        }
        if (scores.documents.Count + scores.pictures.Count == 0)
            throw new LoraException($"{run.Path} holds no scores to judge anew: run lora clean without --rescore once.");
        return scores;
    }

    /// <summary>The page as it was read by the same reader; null when it was not.</summary>
    public TextDocument? Document(string pageId, string readBy) => documents.GetValueOrDefault(pageId) is { } known && known.ReadBy == readBy ? known : null;

    /// <summary>What is known of a picture; null when nothing is.</summary>
    public PictureScore? Picture(string blob) => pictures.GetValueOrDefault(blob);
}

/// <summary>What looking at a picture's bytes told, before any threshold.</summary>
/// <param name="Blob">SHA-256 of its bytes.</param>
/// <param name="Width">Columns as its header says, 0 where there is no readable one.</param>
/// <param name="Height">Rows likewise.</param>
/// <param name="Measured">What decoding told; null when it was not decoded.</param>
/// <param name="Fault">Why it cannot be used whatever the thresholds are, null when it can.</param>
/// <param name="Detail">The fault in words.</param>
internal sealed record PictureScore(string Blob, int Width, int Height, MeasuredPicture? Measured = null, string? Fault = null, string? Detail = null);
