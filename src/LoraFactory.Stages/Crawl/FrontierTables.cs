using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>The frontier's tables and prepared statements. A URL is known by a key of 64 bits, the beginning of the SHA-256 of its kind and text.</summary>
internal sealed class FrontierTables : IDisposable
{
    private const string Schema = """
        CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS url(
          id INTEGER PRIMARY KEY, url TEXT NOT NULL, kind INTEGER NOT NULL, host INTEGER NOT NULL, state INTEGER NOT NULL,
          depth INTEGER NOT NULL, priority REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, reason TEXT, detail TEXT, value REAL, threshold REAL, status INTEGER);
        CREATE INDEX IF NOT EXISTS url_queue ON url(host, kind, priority DESC, depth, url) WHERE state = 0;
        CREATE INDEX IF NOT EXISTS url_deferred ON url(host, priority DESC) WHERE state = 3;
        CREATE TABLE IF NOT EXISTS host(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, queued INTEGER NOT NULL DEFAULT 0, best REAL NOT NULL DEFAULT 0, pages INTEGER NOT NULL DEFAULT 0,
          misses INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, missing INTEGER NOT NULL DEFAULT 0, ready REAL NOT NULL DEFAULT 0, closed TEXT);
        CREATE INDEX IF NOT EXISTS host_queue ON host(best DESC, name) WHERE queued > 0;
        CREATE TABLE IF NOT EXISTS page(id INTEGER PRIMARY KEY, url TEXT NOT NULL, content TEXT NOT NULL, json TEXT NOT NULL);
        CREATE INDEX IF NOT EXISTS page_content ON page(content);
        CREATE TABLE IF NOT EXISTS picture(id INTEGER PRIMARY KEY, json TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS shape(host INTEGER NOT NULL, key INTEGER NOT NULL, seen INTEGER NOT NULL, novel INTEGER NOT NULL, signatures BLOB NOT NULL, PRIMARY KEY(host, key)) WITHOUT ROWID;
        DROP TABLE IF EXISTS visit;
        CREATE TABLE IF NOT EXISTS robots(origin TEXT PRIMARY KEY, fetched REAL NOT NULL, body BLOB, tdm BLOB) WITHOUT ROWID;
        """;

    public FrontierTables(string path)
    {
        Db = Sqlite.Open(path);
        Sqlite.Run(Db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000; PRAGMA cache_size = -16384; PRAGMA temp_store = FILE");
        Sqlite.Run(Db, Schema);
        FindUrl = new(Db, "SELECT state, depth, priority, reason FROM url WHERE id = $0");
        AddUrl = new(Db, "INSERT INTO url(id, url, kind, host, state, depth, priority, reason, detail, value, threshold) VALUES ($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
        RaiseUrl = new(Db, "UPDATE url SET depth = $1, priority = $2, state = 0, reason = NULL, detail = NULL, value = NULL, threshold = NULL WHERE id = $0");
        EndUrl = new(Db, "UPDATE url SET state = $1, reason = $2, detail = $3, value = $4, threshold = $5, status = $6 WHERE id = $0");
        TryUrl = new(Db, "UPDATE url SET tries = tries + 1, reason = $1, detail = $2 WHERE id = $0");
        Tries = new(Db, "SELECT tries FROM url WHERE id = $0");
        FindHost = new(Db, "SELECT id, queued, best, pages, misses, failures, missing, ready, closed FROM host WHERE name = $0");
        AddHost = new(Db, "INSERT INTO host(name) VALUES ($0)");
        SetHost = new(Db, "UPDATE host SET queued = $1, best = $2, pages = $3, misses = $4, failures = $5, missing = $6, ready = $7, closed = $8 WHERE id = $0");
        Queue = new(Db, "SELECT url, depth, priority, id FROM url WHERE host = $0 AND kind = $1 AND state = 0 ORDER BY priority DESC, depth, url LIMIT $2");
        Best = new(Db, "SELECT priority FROM url WHERE host = $0 AND kind = $1 AND state = 0 ORDER BY priority DESC LIMIT 1");
        CloseQueue = new(Db, "UPDATE url SET state = 2, reason = $2, detail = $3, value = $4, threshold = $5 WHERE host = $0 AND kind = $1 AND state = 0");
        AddPage = new(Db, "INSERT OR REPLACE INTO page VALUES ($0, $1, $2, $3)");
        Twins = new(Db, "SELECT json FROM page WHERE content = $0 ORDER BY url");
        AddPicture = new(Db, "INSERT OR REPLACE INTO picture VALUES ($0, $1)");
        FindPicture = new(Db, "SELECT json FROM picture WHERE id = $0");
        FindShape = new(Db, "SELECT seen, novel, signatures FROM shape WHERE host = $0 AND key = $1");
        SetShape = new(Db, "INSERT OR REPLACE INTO shape VALUES ($0, $1, $2, $3, $4)");
        SetMeta = new(Db, "INSERT INTO meta VALUES ($0, $1) ON CONFLICT(key) DO UPDATE SET value = excluded.value");
        SetRobots = new(Db, "INSERT OR REPLACE INTO robots VALUES ($0, $1, $2, $3)");
        FindRobots = new(Db, "SELECT fetched, body, tdm FROM robots WHERE origin = $0");
    }

    public SqliteConnection Db { get; }
    public Statement FindUrl { get; }
    public Statement AddUrl { get; }
    public Statement RaiseUrl { get; }
    public Statement EndUrl { get; }
    public Statement TryUrl { get; }
    public Statement Tries { get; }
    public Statement FindHost { get; }
    public Statement AddHost { get; }
    public Statement SetHost { get; }
    public Statement Queue { get; }
    public Statement Best { get; }
    public Statement CloseQueue { get; }
    public Statement AddPage { get; }
    public Statement Twins { get; }
    public Statement AddPicture { get; }
    public Statement FindPicture { get; }
    public Statement FindShape { get; }
    public Statement SetShape { get; }
    public Statement SetRobots { get; }
    public Statement SetMeta { get; }
    public Statement FindRobots { get; }

    /// <summary>Key of a URL as a kind.</summary>
    public static long Key(UrlKind kind, string url)
    {
        Span<byte> text = stackalloc byte[1 + 3 * 256];
        var most = 1 + Encoding.UTF8.GetMaxByteCount(url.Length);
        if (most > text.Length) text = new byte[most];
        text[0] = (byte)kind;
        var length = 1 + Encoding.UTF8.GetBytes(url, text[1..]);
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(text[..length], hash);
        return BinaryPrimitives.ReadInt64LittleEndian(hash);
    }

    public void Dispose()
    {
        foreach (var statement in (Statement[])[FindUrl, AddUrl, RaiseUrl, EndUrl, TryUrl, Tries, FindHost, AddHost, SetHost, Queue, Best, CloseQueue, AddPage, Twins, AddPicture, FindPicture, FindShape, SetShape, SetRobots, FindRobots, SetMeta])
            statement.Dispose();
        Db.Dispose();
    }
}
