using System.Globalization;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>Counts of a frontier, read from its tables once and kept up to date beside them.</summary>
internal sealed class FrontierCounts
{
    public int Pages { get; set; }
    public int Pictures { get; set; }
    public long Queued { get; set; }
    public int[] Known { get; } = new int[3];
    public long[] Asked { get; } = new long[3];
    public long OptedOut { get; set; }
    public CrawlTally Tally { get; private init; } = new();

    public static FrontierCounts Of(SqliteConnection db)
    {
        var counts = new FrontierCounts
        {
            Pages = (int)Sqlite.Scalar<long>(db, "SELECT COUNT(DISTINCT content) FROM page"),
            Pictures = (int)Sqlite.Scalar<long>(db, "SELECT COUNT(*) FROM url WHERE kind = 1 AND state = 1"),
            Tally = CrawlTally.Of(db),
            Queued = Sqlite.Scalar<long>(db, "SELECT COALESCE(SUM(queued), 0) FROM host"),
        };
        foreach (var (kind, number) in Sqlite.Rows(db, "SELECT kind, COUNT(*) FROM url GROUP BY kind", r => (r.GetInt32(0), r.GetInt32(1)))) counts.Known[kind] = number;
        foreach (var (key, value) in Sqlite.Rows(db, "SELECT key, value FROM meta WHERE key LIKE 'asked-%'", r => (r.GetString(0), r.GetString(1))))
            if (Enum.TryParse<UrlKind>(key["asked-".Length..], out var kind)) counts.Asked[(int)kind] = long.Parse(value, CultureInfo.InvariantCulture);
        foreach (var value in Sqlite.Rows(db, "SELECT value FROM meta WHERE key = 'opted-out'", r => r.GetString(0))) counts.OptedOut = long.Parse(value, CultureInfo.InvariantCulture);
        return counts;
    }
}
