using System.Text.Json;
using LoraFactory.Flow;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

public sealed partial class Frontier
{
    /// <summary>
    /// Looks for what was withdrawn in the frontier at this path, where there is one, and unless <paramref name="dry"/> takes it out: it counts as
    /// dropped, and what was kept of it goes. Pictures that no page shows any more are forgotten, so that another page may ask for them again.
    /// </summary>
    /// <returns>False where the file is of another form or damaged: unless <paramref name="dry"/> it is deleted, since the next crawl begins it anew anyway.</returns>
    public static bool Purge(string path, PurgeFinds finds, bool dry)
    {
        if (!File.Exists(path)) return true;
        try
        {
            var own = new PurgeFinds(finds.Withdrawn);
            Look(path, own);
            if (!dry)
            {
                using var frontier = Open(path, KeyOf(path) ?? "");
                frontier.TakeOut(own);
            }
            finds.Add(own);
            return true;
        }
        catch (Exception e) when (e is SqliteException { SqliteErrorCode: 1 or 11 or 26 } or JsonException)
        {
            // no such table or column, damaged, no database
            if (!dry) Delete(path);
            return false;
        }
    }

    private static void Delete(string path)
    {
        foreach (var suffix in (string[])[VisitSuffix, "-shm", "-wal", ""]) File.Delete(path + suffix);
    }

    private static void Look(string path, PurgeFinds finds)
    {
        using var db = Sqlite.Open(path);
        var shown = new HashSet<long>();
        foreach (var json in Sqlite.Rows(db, "SELECT json FROM page", r => r.GetString(0)))
            if (finds.Left(JsonSerializer.Deserialize(json, CrawlJson.Default.Page)!) is { } left) shown.UnionWith(left.Pictures.Select(KeyOf));
        foreach (var (id, json) in Sqlite.Rows(db, "SELECT id, json FROM picture", r => (r.GetInt64(0), r.GetString(1))))
            if (JsonSerializer.Deserialize(json, CrawlJson.Default.PictureOutcome)!.BlobHash is { } blob) (shown.Contains(id) ? finds.Named : finds.Gone).Add(blob);
    }

    private static long KeyOf(PagePicture picture) => FrontierTables.Key(UrlKind.Picture, picture.Url);

    private void TakeOut(PurgeFinds finds)
    {
        var db = tables.Db;
        Refusal Gone(params ReadOnlySpan<string> addresses)
        {
            foreach (var address in addresses)
                if (finds.Withdrawn.Of(address) is { } entry) return new("withdrawn", entry.Target);
            return new("withdrawn");
        }

        Commit(() =>
        {
            var shown = new HashSet<long>();
            foreach (var (id, json) in Sqlite.Rows(db, "SELECT id, json FROM page", r => (r.GetInt64(0), r.GetString(1))).ToList())
            {
                var page = JsonSerializer.Deserialize(json, CrawlJson.Default.Page)!;
                var left = finds.Left(page);
                if (left is not null) shown.UnionWith(left.Pictures.Select(KeyOf));
                if (left is null)
                {
                    SetState(new(new Uri(page.Url), UrlKind.Page, page.Depth, 0), 2, Gone(page.Url, page.FinalUrl));
                    Sqlite.Run(db, "DELETE FROM page WHERE id = $id", ("$id", id));
                }
                else if (!ReferenceEquals(left, page)) Sqlite.Run(db, "UPDATE page SET json = $json WHERE id = $id", ("$id", id), ("$json", JsonSerializer.Serialize(left, CrawlJson.Default.Page)));
            }
            foreach (var (id, url, kind, state) in Sqlite.Rows(db, "SELECT id, url, kind, state FROM url", r => (Id: r.GetInt64(0), Url: r.GetString(1), Kind: (UrlKind)r.GetInt32(2), State: r.GetInt32(3)))
                .Where(u => finds.Covers(u.Url) || (u is { Kind: UrlKind.Picture, State: not 2 } && !shown.Contains(u.Id))).ToList())
            {
                if (state != 2) SetState(new(new Uri(url), kind, 0, 0), 2, Gone(url));
                Sqlite.Run(db, "DELETE FROM picture WHERE id = $id", ("$id", id));
                if (!finds.Covers(url)) Sqlite.Run(db, "DELETE FROM url WHERE id = $id", ("$id", id));
            }
        });
        visits.Clear(); // what a killed crawl fetched and did not record may be of it: that is asked for again
        Sqlite.Run(db, "VACUUM"); // freed rows keep their bytes until then
    }
}
