using System.Globalization;
using System.Text.Json;
using LoraFactory.Flow;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// Every URL that the crawl knows, with its state, in one SQLite file: what is queued survives a kill, since a URL leaves the queue in the same
/// transaction that records what came of it, and what was fetched but not recorded yet lies in a log of visits. A canonical URL is kept once per
/// kind. Rounds are chosen by priority within each host, so that the choice does not depend on which host answered first. Memory does not grow
/// with the queue: counts are kept, rows are not. Safe for use from several threads.
/// </summary>
public sealed partial class Frontier : IKnownPages, IDisposable
{
    /// <summary>Form of the tables; a frontier of another form is begun anew.</summary>
    public const string Form = "6";

    /// <summary>Why a host is closed for pages, pictures and sitemaps alike: nobody answers there.</summary>
    public const string Unreachable = "host-unreachable";

    // States of a URL: 0 waits, 1 done, 2 dropped, 3 deferred.
    // Hosts and URLs remembered beside the tables, to save asking them; both begin anew when full.
    private const int Deferred = 3;
    private const string VisitSuffix = "-visits";
    private const int MostHosts = 20_000, MostSeen = 200_000, LongestSeen = 256;

    private readonly Lock gate = new();
    private readonly FrontierTables tables;
    private readonly VisitLog visits;
    private readonly Dictionary<string, HostRow> hosts = new(StringComparer.Ordinal);
    private readonly HashSet<HostRow> touched = [];
    private readonly Dictionary<(UrlKind Kind, string Url), Seen> seen = [];
    private FrontierCounts counts;
    private SqliteTransaction? transaction;
    private bool hostClosed; // in this transaction

    private Frontier(FrontierTables tables, VisitLog visits)
    {
        (this.tables, this.visits) = (tables, visits);
        counts = FrontierCounts.Of(tables.Db);
        visits.Keep(Waits); // what a process recorded before it was killed is not needed
    }

    // What is remembered of a URL: a second link to it that changes nothing need not ask the table.
    private readonly record struct Seen(bool Waiting, int Depth, double Priority);

    private sealed record KnownUrl(int State, int Depth, double Priority, string? Reason);

    /// <summary>Opens the frontier of a crawl. One that belongs to another seed or other options (<paramref name="key"/>) is begun anew.</summary>
    public static Frontier Open(string path, string key)
    {
        if (KeyOf(path) is { } known && known != key)
            foreach (var suffix in (string[])["", "-wal", "-shm", VisitSuffix]) File.Delete(path + suffix);
        var tables = new FrontierTables(path);
        Sqlite.Run(tables.Db, "INSERT OR IGNORE INTO meta VALUES ('crawl', $key)", ("$key", key));
        return new(tables, new VisitLog(path + VisitSuffix));
    }

    /// <summary>Pages kept; those with the same bytes count once.</summary>
    public int Pages => counts.Pages;

    /// <summary>Pictures kept.</summary>
    public int Pictures => counts.Pictures;

    /// <summary>URLs waiting.</summary>
    public long Queued => counts.Queued;

    /// <summary>What came of its URLs.</summary>
    public CrawlTally Tally => counts.Tally;

    /// <summary>Pages and pictures that refuse training.</summary>
    public long OptedOut => counts.OptedOut;

    /// <summary>Counts such.</summary>
    public void CountOptedOut(long number) => counts.OptedOut += number;

    /// <summary>URLs of a kind that the crawl heard of.</summary>
    public int Known(UrlKind kind) => counts.Known[(int)kind];

    /// <summary>URLs of a kind that a server was asked for, whatever came of them.</summary>
    public long Asked(UrlKind kind) => counts.Asked[(int)kind];

    /// <summary>Counts a URL that a server was asked for.</summary>
    public void CountAsked(UrlKind kind) => counts.Asked[(int)kind]++;

    /// <summary>Forgets every URL where the crawl came to its end without one page, so that the same command tries again; true when it did.</summary>
    public bool ForgetWhenFruitless()
    {
        if (Pages > 0 || Queued > 0 || Known(UrlKind.Page) == 0) return false;
        lock (gate)
        {
            Sqlite.Run(tables.Db, "DELETE FROM url; DELETE FROM host; DELETE FROM picture; DELETE FROM robots; DELETE FROM shape; DELETE FROM meta WHERE key <> 'crawl'");
            visits.Clear();
            Forget();
        }
        return true;
    }

    /// <summary>Does all of <paramref name="work"/> or, when it throws or the process dies, nothing of it.</summary>
    public void Commit(Action work)
    {
        lock (gate)
        {
            transaction = tables.Db.BeginTransaction();
            try
            {
                work();
                foreach (var host in touched) Write(host);
                foreach (var kind in Enum.GetValues<UrlKind>()) tables.SetMeta.Run($"asked-{kind}", counts.Asked[(int)kind].ToString(CultureInfo.InvariantCulture));
                tables.SetMeta.Run("opted-out", counts.OptedOut.ToString(CultureInfo.InvariantCulture));
                transaction.Commit();
                visits.Commit();
                if (hostClosed && !visits.IsEmpty) visits.Keep(Waits);
            }
            catch
            {
                visits.Rollback();
                try
                {
                    transaction.Rollback();
                }
                catch (InvalidOperationException)
                {
                    // a commit that failed has taken itself back; what is thrown on is why
                }
                Forget();
                throw;
            }
            finally
            {
                transaction.Dispose();
                transaction = null;
                hostClosed = false;
                touched.Clear();
                if (hosts.Count > MostHosts) hosts.Clear();
                if (seen.Count > MostSeen) seen.Clear();
            }
        }
    }

    /// <summary>Queues a URL. One that is known keeps its state, with the lower depth and the higher priority while it waits; one that was too deep may come nearer.</summary>
    public void Add(FrontierUrl item) => Insert(item, null);

    /// <summary>Records a URL that is not to be fetched; one that is known keeps its state.</summary>
    public void AddDropped(FrontierUrl item, Refusal refusal) => Insert(item, refusal);

    /// <summary>Was the URL fetched and kept as a page?</summary>
    public bool Holds(Uri url) => tables.FindUrl.First(r => r.GetInt32(0) == 1, FrontierTables.Key(UrlKind.Page, url.AbsoluteUri));

    /// <summary>Records that a URL need not be fetched any more, whether it was known or waits.</summary>
    public void Settle(FrontierUrl item, Refusal refusal)
    {
        if (tables.FindUrl.First(r => r.GetInt32(0) == 0, item.Key)) Drop(item, refusal);
        else AddDropped(item, refusal);
    }

    /// <summary>Takes a URL out of the queue as fetched.</summary>
    public void Done(FrontierUrl item, int status = 200)
    {
        SetState(item, 1, null, status);
        if (item.Kind == UrlKind.Picture) counts.Pictures++;
    }

    /// <summary>Takes a URL out of the queue as dropped.</summary>
    public void Drop(FrontierUrl item, Refusal refusal, int status = 0) => SetState(item, refusal.IsDeferral ? Deferred : 2, refusal, status);

    /// <summary>Queues what was deferred once more; returns how many URLs.</summary>
    public long TakeUpDeferred()
    {
        if (Sqlite.Scalar<long>(tables.Db, "SELECT EXISTS(SELECT 1 FROM url WHERE state = 3)") == 0) return 0;
        lock (gate)
        {
            Sqlite.Run(tables.Db, """
                BEGIN IMMEDIATE;
                UPDATE host SET failures = 0,
                  queued = queued + (SELECT COUNT(*) FROM url WHERE url.host = host.id AND url.state = 3),
                  best = MAX(best, (SELECT MAX(priority) FROM url WHERE url.host = host.id AND url.state = 3))
                  WHERE id IN (SELECT host FROM url WHERE state = 3);
                UPDATE url SET state = 0, tries = 0, reason = NULL, detail = NULL, value = NULL, threshold = NULL WHERE state = 3;
                COMMIT
                """);
            var before = Queued;
            Forget();
            return Queued - before;
        }
    }

    /// <summary>Leaves a URL in the queue for another try; returns how often it was tried.</summary>
    public int TryAgain(FrontierUrl item, Refusal refusal)
    {
        var id = item.Key;
        tables.TryUrl.Run(id, refusal.Reason, refusal.Detail);
        return tables.Tries.First(r => r.GetInt32(0), id);
    }

    /// <summary>How often a URL was tried without success.</summary>
    public int TriesOf(FrontierUrl item)
    {
        lock (gate) return tables.Tries.First(r => r.GetInt32(0), item.Key);
    }

    /// <summary>Keeps a page, and counts it for its host; <paramref name="miss"/> lengthens the host's row of misses, else the row ends.</summary>
    public void PutPage(Page page, string host, bool miss)
    {
        if (tables.Twins.First(_ => true, page.BlobHash) is false) counts.Pages++;
        tables.AddPage.Run(FrontierTables.Key(UrlKind.Page, page.Url), page.Url, page.BlobHash, JsonSerializer.Serialize(page, CrawlJson.Default.Page));
        var row = Host(host);
        row.Pages++;
        CountMiss(host, miss);
    }

    /// <summary>Keeps how a picture fared.</summary>
    public void PutPicture(string url, PictureOutcome outcome) =>
        tables.AddPicture.Run(FrontierTables.Key(UrlKind.Picture, url), JsonSerializer.Serialize(outcome, CrawlJson.Default.PictureOutcome));

    /// <summary>
    /// Records that a page refuses training on a picture, wherever it stands: one that waits is not asked for, one that was kept counts as dropped.
    /// One that could not be had keeps its reason.
    /// </summary>
    /// <param name="item">The picture.</param>
    /// <param name="refused">What becomes of it.</param>
    /// <param name="by">The page that says so.</param>
    public void RefusePicture(FrontierUrl item, PictureOutcome refused, string by)
    {
        var known = tables.FindUrl.First(r => new KnownUrl(r.GetInt32(0), r.GetInt32(1), r.GetDouble(2), r.IsDBNull(3) ? null : r.GetString(3)), item.Key);
        if (known?.State == 2 && tables.FindPicture.First(_ => true, item.Key)) return;
        PutPicture(item.Url.AbsoluteUri, refused);
        var refusal = new Refusal(refused.Refused!, $"said by {by}");
        switch (known?.State)
        {
            case null:
                AddDropped(item, refusal);
                break;
            case 0:
                Drop(item, refusal);
                break;
            case 1:
            case Deferred:
                Drop(item, refusal);
                if (known.State == 1) counts.Pictures--;
                else counts.Tally.CountDrop(item.Kind, known.Reason!, -1);
                counts.Tally.CountOutcome(item.Url.Host, known.Reason, 0, -1);
                counts.Tally.CountOutcome(item.Url.Host, refusal.Reason, 0);
                break;
        }
    }

    /// <summary>Whether training on a picture was refused, by a page or by its own response.</summary>
    public bool IsOptedOut(FrontierUrl picture) =>
        tables.FindPicture.First(r => r.GetString(0), picture.Key) is { } json && JsonSerializer.Deserialize(json, CrawlJson.Default.PictureOutcome)!.OptOut is not null;

    /// <summary>Needs what a visit brought no more.</summary>
    public void EndVisit(FrontierUrl item) => visits.End(item.Key, waits: false);

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            visits.Dispose();
            tables.Dispose();
        }
    }

    private static string? KeyOf(string path)
    {
        if (!File.Exists(path)) return null;
        using var db = Sqlite.Open(path);
        Sqlite.Run(db, "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
        return Sqlite.Rows(db, "SELECT value FROM meta WHERE key = 'crawl'", r => r.GetString(0)).FirstOrDefault();
    }

    // Long addresses are rare, and would make what is remembered large.
    private void Remember(FrontierUrl item, Seen what)
    {
        if (item.Url.AbsoluteUri is { Length: <= LongestSeen } url) seen[(item.Kind, url)] = what;
    }

    private bool Waits(long key) => tables.FindUrl.First(r => r.GetInt32(0) == 0, key);

    private void Forget()
    {
        hosts.Clear();
        seen.Clear();
        counts = FrontierCounts.Of(tables.Db);
    }

    private void Insert(FrontierUrl item, Refusal? refusal)
    {
        var url = item.Url.AbsoluteUri;
        if (seen.TryGetValue((item.Kind, url), out var before) && !(refusal is null && before.Waiting && (item.Depth < before.Depth || item.Priority > before.Priority))) return;
        var id = item.Key;
        var known = tables.FindUrl.First(r => new KnownUrl(r.GetInt32(0), r.GetInt32(1), r.GetDouble(2), r.IsDBNull(3) ? null : r.GetString(3)), id);
        if (known is not null)
        {
            if (refusal is null) Raise(item, id, known.State, known.Depth, known.Priority, known.Reason);
            else Remember(item, new(known.State == 0 || known.Reason == "depth", known.Depth, known.Priority));
            return;
        }
        var host = Host(item.Url.Host);
        if (refusal is null && host.Closed is { } closed && (item.Kind == UrlKind.Page || closed == Unreachable)) refusal = new(closed);
        tables.AddUrl.Run(id, url, (int)item.Kind, host.Id, refusal is null ? 0 : 2, item.Depth, item.Priority, refusal?.Reason, refusal?.Detail, refusal?.Value, refusal?.Threshold);
        counts.Known[(int)item.Kind]++;
        Remember(item, new(refusal is null || refusal.Reason == "depth", item.Depth, item.Priority));
        if (refusal is null) Queued1(host, item.Priority);
        else counts.Tally.CountDrop(item.Kind, refusal.Reason, 1);
    }

    private void Raise(FrontierUrl item, long id, int state, int depth, double priority, string? reason)
    {
        var waits = state == 0 || (state == 2 && reason == "depth");
        if (waits)
        {
            var host = Host(item.Url.Host);
            var nearer = (Depth: Math.Min(depth, item.Depth), Priority: Math.Max(priority, item.Priority));
            if (state != 0 && item.Kind == UrlKind.Page && host.Closed is not null) waits = false;
            else if (state != 0 || nearer != (depth, priority))
            {
                tables.RaiseUrl.Run(id, nearer.Depth, nearer.Priority);
                if (state != 0)
                {
                    Queued1(host, nearer.Priority);
                    counts.Tally.CountDrop(item.Kind, reason!, -1);
                }
                else (host.Best, host.Dirty) = (Math.Max(host.Best, nearer.Priority), true);
                (depth, priority) = nearer;
            }
        }
        Remember(item, new(waits, depth, priority));
    }

    private void Queued1(HostRow host, double priority)
    {
        host.Queued++;
        host.Best = Math.Max(host.Best, priority);
        host.Dirty = true;
        counts.Queued++;
    }

    private void SetState(FrontierUrl item, int state, Refusal? refusal, int status = 0)
    {
        var id = item.Key;
        var waited = tables.FindUrl.First(r => r.GetInt32(0) == 0, id);
        tables.EndUrl.Run(id, state, refusal?.Reason, refusal?.Detail, refusal?.Value, refusal?.Threshold, status);
        visits.End(id, waits: false);
        Remember(item, new(refusal?.Reason == "depth", item.Depth, item.Priority));
        if (refusal is not null) counts.Tally.CountDrop(item.Kind, refusal.Reason, 1);
        if (!waited) return;
        counts.Tally.CountOutcome(item.Url.Host, refusal?.Reason, status);
        var host = Host(item.Url.Host);
        host.Queued--;
        host.Dirty = host.Taken = true;
        counts.Queued--;
    }
}
