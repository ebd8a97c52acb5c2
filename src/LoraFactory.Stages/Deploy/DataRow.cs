using LoraFactory.Flow;

namespace LoraFactory.Stages.Deploy;

/// <summary>Where one picture of a bundle's data came from: a line of data.jsonl, which goes out with the adapter.</summary>
/// <param name="Picture">URL, or for a picture of the user's own its path within the folder: nobody else's business is where that lies.</param>
/// <param name="Page">URL of its page, null for a picture of the user's own.</param>
/// <param name="Licence">Licence, null when none was stated.</param>
/// <param name="Sha256">SHA-256 (hex) of its bytes.</param>
/// <param name="Caption">Caption that was trained on.</param>
/// <param name="Split">Trained on, or held out.</param>
public sealed record DataRow(string Picture, string? Page, string? Licence, string Sha256, string Caption, Split Split)
{
    /// <summary>The row of a record; <paramref name="folder"/> is label.folder.</summary>
    public static DataRow Of(Record record, Sample sample, string folder) => record.PageUrl.Length > 0
        ? new(record.PictureUrl, record.PageUrl, record.Licence, record.BlobHash, sample.Caption, sample.Split)
        : new(Within(folder, record.PictureUrl), null, record.Licence, record.BlobHash, sample.Caption, sample.Split);

    private static string Within(string folder, string file)
    {
        var path = folder.Length == 0 ? file : Path.GetRelativePath(Path.GetFullPath(folder), Path.GetFullPath(file));
        return Path.IsPathRooted(path) || path.StartsWith("..", StringComparison.Ordinal) ? Path.GetFileName(file) : path;
    }
}
