using System.Globalization;
using System.Text.Json;
using LoraFactory.Flow;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>What a URL is fetched as.</summary>
public enum UrlKind
{
    /// <summary>An HTML page.</summary>
    Page = 0,
    /// <summary>A picture of a page.</summary>
    Picture = 1,
    /// <summary>A sitemap or feed.</summary>
    Sitemap = 2,
}

/// <summary>A URL in the frontier.</summary>
/// <param name="Url">Canonical URL.</param>
/// <param name="Kind">What it is fetched as.</param>
/// <param name="Depth">Links away from the seed.</param>
/// <param name="Priority">0..1, higher first.</param>
public sealed record FrontierUrl(Uri Url, UrlKind Kind, int Depth, double Priority);

/// <summary>How a picture fared.</summary>
/// <param name="BlobHash">Hash of its bytes, null when it was refused.</param>
/// <param name="Refused">Why it was refused.</param>
/// <param name="MediaType">Media type of the response.</param>
/// <param name="OptOut">Refusal of training found for it.</param>
public sealed record PictureOutcome(string? BlobHash, string? Refused, string? MediaType, string? OptOut);

/// <summary>A host with work, as <see cref="Frontier.NextRound"/> asks about it.</summary>
/// <param name="Name">Host name.</param>
/// <param name="Pages">Pages kept from it.</param>
public sealed record FrontierHost(string Name, int Pages);

/// <summary>
/// Every URL that the crawl knows, with its state, in one SQLite file: what is queued survives a kill, since a URL leaves the queue in the same
/// transaction that records what came of it. A canonical URL is kept once per kind. Rounds are chosen by priority within each host, so that the
/// choice does not depend on which host answered first.
/// </summary>
public sealed class Frontier : IDisposable
{
    /// <summary>Form of the tables; a frontier of another form is begun anew.</summary>
    public const string Form = "2";

    private const string Schema = """
        CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS url(
          id INTEGER PRIMARY KEY, url TEXT NOT NULL, kind INTEGER NOT NULL, host TEXT NOT NULL, state INTEGER NOT NULL,
          depth INTEGER NOT NULL, priority REAL NOT NULL, reason TEXT, detail TEXT, UNIQUE(url, kind));
        CREATE INDEX IF NOT EXISTS url_queue ON url(host, kind, priority DESC, depth, url) WHERE state = 0;
        CREATE TABLE IF NOT EXISTS host(
          name TEXT PRIMARY KEY, queued INTEGER NOT NULL DEFAULT 0, best REAL NOT NULL DEFAULT 0, pages INTEGER NOT NULL DEFAULT 0,
          misses INTEGER NOT NULL DEFAULT 0, closed TEXT) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS page(url TEXT PRIMARY KEY, content TEXT NOT NULL, json TEXT NOT NULL) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS page_content ON page(content);
        CREATE TABLE IF NOT EXISTS picture(url TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
        """;

    private readonly SqliteConnection db;
    private readonly HashSet<string> touched = new(StringComparer.Ordinal);

    private Frontier(SqliteConnection db) => this.db = db;

    /// <summary>Opens the frontier of a crawl. One that belongs to another seed or other options (<paramref name="key"/>) is begun anew.</summary>
    public static Frontier Open(string path, string key)
    {
        var db = Connect(path);
        var known = Sqlite.Rows(db, "SELECT value FROM meta WHERE key = 'crawl'", r => r.GetString(0)).FirstOrDefault();
        if (known is not null && known != key)
        {
            db.Dispose();
            foreach (var suffix in (string[])["", "-wal", "-shm"]) File.Delete(path + suffix);
            db = Connect(path);
        }
        Sqlite.Run(db, "INSERT OR IGNORE INTO meta VALUES ('crawl', $key)", ("$key", key));
        return new(db);
    }

    /// <summary>Pages kept; those with the same bytes count once.</summary>
    public int Pages => (int)Sqlite.Scalar<long>(db, "SELECT COUNT(DISTINCT content) FROM page");

    /// <summary>Pictures kept.</summary>
    public int Pictures => (int)Sqlite.Scalar<long>(db, "SELECT COUNT(*) FROM url WHERE kind = 1 AND state = 1");

    /// <summary>URLs waiting.</summary>
    public long Queued => Sqlite.Scalar<long>(db, "SELECT COALESCE(SUM(queued), 0) FROM host");

    /// <summary>URLs of a kind that the crawl heard of.</summary>
    public int Known(UrlKind kind) => (int)Sqlite.Scalar<long>(db, "SELECT COUNT(*) FROM url WHERE kind = $kind", ("$kind", (int)kind));

    /// <summary>URLs of a kind that a server was asked for, whatever came of them.</summary>
    public long Asked(UrlKind kind) => Sqlite.Rows(db, "SELECT value FROM meta WHERE key = $key", r => long.Parse(r.GetString(0), CultureInfo.InvariantCulture), ("$key", $"asked-{kind}")).FirstOrDefault();

    /// <summary>Counts a URL that a server was asked for.</summary>
    public void CountAsked(UrlKind kind) =>
        Sqlite.Run(db, "INSERT INTO meta VALUES ($key, '1') ON CONFLICT(key) DO UPDATE SET value = CAST(value AS INTEGER) + 1", ("$key", $"asked-{kind}"));

    /// <summary>Forgets every URL where the crawl came to its end without one page, so that the same command tries again; true when it did.</summary>
    public bool ForgetWhenFruitless()
    {
        if (Pages > 0 || Queued > 0 || Known(UrlKind.Page) == 0) return false;
        Commit(() => Sqlite.Run(db, "DELETE FROM url; DELETE FROM host; DELETE FROM picture; DELETE FROM meta WHERE key LIKE 'asked-%'"));
        return true;
    }

    /// <summary>Does all of <paramref name="work"/> or, when it throws or the process dies, nothing of it.</summary>
    public void Commit(Action work)
    {
        using var transaction = db.BeginTransaction();
        touched.Clear();
        work();
        foreach (var host in touched)
        {
            Sqlite.Run(db, """
                UPDATE host SET queued = (SELECT COUNT(*) FROM url WHERE host = $host AND state = 0),
                  best = (SELECT COALESCE(MAX(priority), 0) FROM url WHERE host = $host AND state = 0) WHERE name = $host
                """, ("$host", host));
        }
        transaction.Commit();
    }

    /// <summary>Queues a URL. One that is known keeps its state, with the lower depth and the higher priority while it waits; one that was too deep may come nearer.</summary>
    public void Add(FrontierUrl item) => Insert(item, 0, null);

    /// <summary>Records a URL that is not to be fetched; one that is known keeps its state.</summary>
    public void AddDropped(FrontierUrl item, Refusal refusal) => Insert(item, 2, refusal);

    /// <summary>Is the URL known as a page, in whatever state?</summary>
    public bool Knows(Uri url) => Sqlite.Scalar<long>(db, "SELECT COUNT(*) FROM url WHERE url = $url AND kind = 0", ("$url", url.AbsoluteUri)) > 0;

    /// <summary>Takes a URL out of the queue as fetched.</summary>
    public void Done(FrontierUrl item) => SetState(item, 1, null);

    /// <summary>Takes a URL out of the queue as dropped.</summary>
    public void Drop(FrontierUrl item, Refusal refusal) => SetState(item, 2, refusal);

    /// <summary>
    /// A page that is kept and makes this one needless: it has the same bytes, and its pictures are fetched or are the same ones. Null when there
    /// is none: the bytes of a copy on another host name pictures that may be only there, or only where it was copied from.
    /// </summary>
    public string? CoveredBy(Page page)
    {
        var pictures = page.Pictures.Select(p => p.Url).ToHashSet(StringComparer.Ordinal);
        return WithBytes(page.BlobHash).FirstOrDefault(twin => twin.Pictures.All(p => pictures.Contains(p.Url)) || Fetched(twin) == twin.Pictures.Count)?.Url;
    }

    /// <summary>Of pages with the same bytes keeps the one whose pictures came, else the one nearest to the seed; the others are dropped as its copies.</summary>
    public void SettleTwins() => Commit(() =>
    {
        foreach (var content in Sqlite.Rows(db, "SELECT content FROM page GROUP BY content HAVING COUNT(*) > 1", r => r.GetString(0)).ToList())
        {
            var twins = WithBytes(content).OrderByDescending(Fetched).ThenBy(p => p.Depth).ThenBy(p => p.Url, StringComparer.Ordinal).ToList();
            foreach (var copy in twins.Skip(1))
            {
                Sqlite.Run(db, "DELETE FROM page WHERE url = $url", ("$url", copy.Url));
                Drop(new(new Uri(copy.Url), UrlKind.Page, copy.Depth, copy.Relevance), new("duplicate-content", twins[0].Url));
            }
        }
    });

    /// <summary>Keeps a page, and counts it for its host; <paramref name="offTopic"/> lengthens the host's row of misses, else the row ends.</summary>
    public void PutPage(Page page, string host, bool offTopic)
    {
        Sqlite.Run(db, "INSERT INTO page VALUES ($url, $hash, $json)", ("$url", page.Url), ("$hash", page.BlobHash), ("$json", JsonSerializer.Serialize(page, RunDirectory.Json)));
        Sqlite.Run(db, "UPDATE host SET pages = pages + 1, misses = CASE WHEN $miss THEN misses + 1 ELSE 0 END WHERE name = $host", ("$host", host), ("$miss", offTopic));
    }

    /// <summary>Keeps how a picture fared.</summary>
    public void PutPicture(string url, PictureOutcome outcome) =>
        Sqlite.Run(db, "INSERT OR REPLACE INTO picture VALUES ($url, $json)", ("$url", url), ("$json", JsonSerializer.Serialize(outcome, RunDirectory.Json)));

    /// <summary>Takes no more pages from hosts that reached a cap: queued ones are dropped, later ones too.</summary>
    public void CloseHosts(int maxPages, int maxMisses)
    {
        var full = Sqlite.Rows(db, "SELECT name, pages >= $most FROM host WHERE closed IS NULL AND (pages >= $most OR ($misses > 0 AND misses >= $misses))",
            r => (r.GetString(0), r.GetBoolean(1) ? "host-full" : "host-off-topic"), ("$most", maxPages), ("$misses", maxMisses)).ToList();
        foreach (var (host, reason) in full)
        {
            touched.Add(host);
            Sqlite.Run(db, "UPDATE host SET closed = $reason WHERE name = $host", ("$host", host), ("$reason", reason));
            Sqlite.Run(db, "UPDATE url SET state = 2, reason = $reason WHERE host = $host AND kind = 0 AND state = 0", ("$host", host), ("$reason", reason));
        }
    }

    /// <summary>
    /// The next URLs to fetch, best first: of each host with work at most its quota, of all at most what is left of the budgets.
    /// </summary>
    /// <param name="hosts">Hosts asked at most.</param>
    /// <param name="quota">URLs of one host at most.</param>
    /// <param name="pages">Pages left in the whole budget.</param>
    /// <param name="pagesPerHost">Pages kept from one host at most.</param>
    /// <param name="pictures">Pictures left in the whole budget.</param>
    /// <param name="sitemaps">Sitemaps left in the whole budget; none is read when there is no room for its pages.</param>
    public IReadOnlyList<FrontierUrl> NextRound(int hosts, Func<FrontierHost, int> quota, int pages, int pagesPerHost, int pictures, int sitemaps = int.MaxValue)
    {
        var chosen = new List<FrontierUrl>();
        var names = Sqlite.Rows(db, "SELECT name, pages FROM host WHERE queued > 0 ORDER BY best DESC, name", r => new FrontierHost(r.GetString(0), r.GetInt32(1))).ToList();
        foreach (var host in names)
        {
            if (hosts == 0) break;
            var most = quota(host);
            var mine = Queue(host.Name, UrlKind.Sitemap, pages > 0 ? Math.Min(most, sitemaps) : 0)
                .Concat(Queue(host.Name, UrlKind.Page, Math.Min(most, Math.Min(pages, pagesPerHost - host.Pages))))
                .Concat(Queue(host.Name, UrlKind.Picture, Math.Min(most, pictures)));
            var taken = Order(mine).Take(most).ToList();
            if (taken.Count > 0) hosts--;
            chosen.AddRange(taken);
        }
        return [.. Order(Order(chosen.Where(c => c.Kind == UrlKind.Sitemap)).Take(sitemaps)
            .Concat(Order(chosen.Where(c => c.Kind == UrlKind.Page)).Take(pages))
            .Concat(Order(chosen.Where(c => c.Kind == UrlKind.Picture)).Take(pictures)))];
    }

    /// <summary>All pages by URL, pictures with what came of them.</summary>
    public IEnumerable<Page> AllPages()
    {
        foreach (var json in Sqlite.Rows(db, "SELECT json FROM page ORDER BY url", r => r.GetString(0)))
        {
            var page = JsonSerializer.Deserialize<Page>(json, RunDirectory.Json)!;
            yield return page with { Pictures = [.. page.Pictures.Select(WithOutcome)] };
        }
    }

    /// <summary>All that was dropped, by URL; what still waits was not reached.</summary>
    public IEnumerable<(UrlKind Kind, Drop Drop)> AllDrops() =>
        Sqlite.Rows(db, "SELECT url, kind, COALESCE(reason, 'not-reached'), detail FROM url WHERE state <> 1 ORDER BY url, kind", r =>
            ((UrlKind)r.GetInt32(1), new Drop(ContentId.Of(r.GetString(0)), r.GetString(2), r.GetString(0), r.IsDBNull(3) ? null : r.GetString(3))));

    /// <inheritdoc/>
    public void Dispose() => db.Dispose();

    private static SqliteConnection Connect(string path)
    {
        var db = Sqlite.Open(path);
        Sqlite.Run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000");
        Sqlite.Run(db, Schema);
        return db;
    }

    private static IOrderedEnumerable<FrontierUrl> Order(IEnumerable<FrontierUrl> items) =>
        items.OrderByDescending(i => i.Kind == UrlKind.Sitemap).ThenByDescending(i => i.Priority).ThenBy(i => i.Depth).ThenBy(i => i.Url.AbsoluteUri, StringComparer.Ordinal);

    private IEnumerable<FrontierUrl> Queue(string host, UrlKind kind, int most) => most < 1 ? [] : Sqlite.Rows(
        db, "SELECT url, depth, priority FROM url WHERE host = $host AND kind = $kind AND state = 0 ORDER BY priority DESC, depth, url LIMIT $most",
        r => new FrontierUrl(new Uri(r.GetString(0)), kind, r.GetInt32(1), r.GetDouble(2)), ("$host", host), ("$kind", (int)kind), ("$most", most));

    private void Insert(FrontierUrl item, int state, Refusal? refusal)
    {
        var host = item.Url.Host;
        touched.Add(host);
        Sqlite.Run(db, "INSERT OR IGNORE INTO host(name) VALUES ($host)", ("$host", host));
        if (state == 0 && item.Kind == UrlKind.Page
            && Sqlite.Rows(db, "SELECT closed FROM host WHERE name = $host AND closed IS NOT NULL", r => r.GetString(0), ("$host", host)).FirstOrDefault() is { } closed)
            (state, refusal) = (2, new(closed));
        Sqlite.Run(db, """
            INSERT INTO url(url, kind, host, state, depth, priority, reason, detail) VALUES ($url, $kind, $host, $state, $depth, $priority, $reason, $detail)
            ON CONFLICT(url, kind) DO UPDATE SET
              depth = MIN(depth, excluded.depth), priority = MAX(priority, excluded.priority), state = excluded.state, reason = excluded.reason, detail = excluded.detail
            WHERE excluded.state = 0 AND (state = 0 OR reason = 'depth')
            """, ("$url", item.Url.AbsoluteUri), ("$kind", (int)item.Kind), ("$host", host), ("$state", state), ("$depth", item.Depth),
            ("$priority", item.Priority), ("$reason", refusal?.Reason), ("$detail", refusal?.Detail));
    }

    private void SetState(FrontierUrl item, int state, Refusal? refusal)
    {
        touched.Add(item.Url.Host);
        Sqlite.Run(db, "UPDATE url SET state = $state, reason = $reason, detail = $detail WHERE url = $url AND kind = $kind", ("$state", state),
            ("$reason", refusal?.Reason), ("$detail", refusal?.Detail), ("$url", item.Url.AbsoluteUri), ("$kind", (int)item.Kind));
    }

    private List<Page> WithBytes(string hash) =>
        [.. Sqlite.Rows(db, "SELECT json FROM page WHERE content = $hash ORDER BY url", r => JsonSerializer.Deserialize<Page>(r.GetString(0), RunDirectory.Json)!, ("$hash", hash))];

    private int Fetched(Page page) => page.Pictures.Count(p => WithOutcome(p).BlobHash is not null);

    private PagePicture WithOutcome(PagePicture picture)
    {
        if (picture.Refused is not null) return picture;
        var json = Sqlite.Rows(db, "SELECT json FROM picture WHERE url = $url", r => r.GetString(0), ("$url", picture.Url)).FirstOrDefault();
        if (json is null) return picture with { Refused = "not-reached" };
        var outcome = JsonSerializer.Deserialize<PictureOutcome>(json, RunDirectory.Json)!;
        return picture with { BlobHash = outcome.BlobHash, Refused = outcome.Refused, MediaType = outcome.MediaType, OptOut = outcome.OptOut ?? picture.OptOut };
    }
}
