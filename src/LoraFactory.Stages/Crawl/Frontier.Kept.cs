using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

public sealed partial class Frontier
{
    /// <summary>Addresses of pages and pictures that were kept, of the frontier at this path; none where it is of another form or damaged.</summary>
    public static IReadOnlyList<string> KeptAddresses(string path)
    {
        try
        {
            using var db = Sqlite.Open(path, readOnly: true);
            return [.. Sqlite.Rows(db, "SELECT url FROM url WHERE state = 1 AND kind IN (0, 1)", r => r.GetString(0))];
        }
        catch (SqliteException)
        {
            return [];
        }
    }
}
