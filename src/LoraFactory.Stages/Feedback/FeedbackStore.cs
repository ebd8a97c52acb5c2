using System.Globalization;
using Dapper;
using LoraFactory.Flow;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Feedback;

/// <summary>One rating of a generated picture.</summary>
/// <param name="Generation">Id that the endpoint gave with the picture.</param>
/// <param name="Value">0 (bad) to 1 (good).</param>
/// <param name="Comment">Free words, may be empty.</param>
/// <param name="Adapter">Adapter that drew it, "" for the base.</param>
/// <param name="Version">Its version.</param>
/// <param name="Prompt">What was asked for.</param>
/// <param name="At">When it was rated.</param>
public sealed record Rating(string Generation, double Value, string Comment, string Adapter, int Version, string Prompt, DateTimeOffset At);

/// <summary>Generations and their ratings in SQLite, so that a rating can be traced to adapter and prompt. Safe for several processes.</summary>
public sealed class FeedbackStore : IRatings
{
    private const int KeptGenerations = 100_000;
    private const int SweepEvery = 1000;
    private const int ReadOnly = 8; // SQLITE_READONLY
    private const int CannotOpen = 14; // SQLITE_CANTOPEN
    private readonly SqliteConnection connection;
    private readonly Lock gate = new();
    private long added;

    /// <summary>The database beside the adapters of a version store.</summary>
    public static string PathIn(string store) => Path.Combine(Path.GetFullPath(store), "feedback.db");

    /// <summary>Opens or creates the database.</summary>
    public FeedbackStore(string path)
    {
        SQLitePCL.Batteries_V2.Init();
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        }
        catch (Exception e) when (DiskFault.Of(e) is { } fault)
        {
            throw new LoraException($"{path} cannot be made: {fault}. Choose another store with deploy.store or --store.", inner: e);
        }
        connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, DefaultTimeout = 10 }.ToString());
        try
        {
            Open();
        }
        catch (SqliteException e)
        {
            connection.Dispose();
            if (e.SqliteErrorCode is ReadOnly or CannotOpen)
                throw new LoraException($"{path} cannot be written ({e.Message}): its file system is read-only, or there is no permission to write there. Make it writable, or choose another store with deploy.store or --store.", inner: e);
            throw new LoraException($"{path} cannot be opened as the database of ratings ({e.Message}). Move it away to begin anew, or choose another store.", inner: e);
        }
    }

    private void Open()
    {
        connection.Open();
        connection.Execute("""
            PRAGMA journal_mode = WAL;
            CREATE TABLE IF NOT EXISTS generation (id TEXT PRIMARY KEY, adapter TEXT NOT NULL, version INTEGER NOT NULL, prompt TEXT NOT NULL, at TEXT NOT NULL);
            CREATE TABLE IF NOT EXISTS rating (n INTEGER PRIMARY KEY, generation TEXT NOT NULL UNIQUE, rating REAL NOT NULL, comment TEXT NOT NULL, at TEXT NOT NULL);
            """);
    }

    /// <summary>Notes that a picture was drawn; the oldest unrated ones go when there are too many.</summary>
    public void AddGeneration(string id, string adapter, int version, string prompt, DateTimeOffset at)
    {
        lock (gate)
        {
            connection.Execute("INSERT OR REPLACE INTO generation VALUES (@id, @adapter, @version, @prompt, @at)", new { id, adapter, version, prompt, at = at.ToString("O") });
            if (++added % SweepEvery != 0) return;
            connection.Execute("DELETE FROM generation WHERE rowid IN (SELECT g.rowid FROM generation g LEFT JOIN rating r ON r.generation = g.id WHERE r.n IS NULL ORDER BY g.at DESC LIMIT -1 OFFSET @kept)", new { kept = KeptGenerations });
        }
    }

    /// <summary>Keeps a rating; rating the same picture again replaces it. False when no such picture was drawn here.</summary>
    public bool Rate(string generation, double rating, string comment, DateTimeOffset at)
    {
        if (!(rating >= 0 && rating <= 1)) throw new LoraException($"rating is {rating}; valid: 0 to 1.", ExitCode.BadUsage);
        lock (gate)
        {
            if (connection.ExecuteScalar<long>("SELECT count(*) FROM generation WHERE id = @generation", new { generation }) == 0) return false;
            connection.Execute("INSERT OR REPLACE INTO rating (generation, rating, comment, at) VALUES (@generation, @rating, @comment, @at)",
                new { generation, rating, comment = comment.Length > 2000 ? comment[..2000] : comment, at = at.ToString("O") });
            return true;
        }
    }

    /// <summary>The newest ratings of an adapter (all adapters when null), of one version or of all, newest first.</summary>
    public IReadOnlyList<Rating> Latest(string? adapter, int count, int? version = null)
    {
        lock (gate)
        {
            return [.. connection.Query<(string Generation, double Rating, string Comment, string Adapter, long Version, string Prompt, string At)>(
                "SELECT r.generation, r.rating, r.comment, g.adapter, g.version, g.prompt, r.at FROM rating r JOIN generation g ON g.id = r.generation WHERE (@adapter IS NULL OR g.adapter = @adapter) AND (@version IS NULL OR g.version = @version) ORDER BY r.n DESC LIMIT @count",
                new { adapter, count, version }).Select(r => new Rating(r.Generation, r.Rating, r.Comment, r.Adapter, (int)r.Version, r.Prompt, DateTimeOffset.Parse(r.At, CultureInfo.InvariantCulture)))];
        }
    }

    /// <inheritdoc/>
    public void Dispose() => connection.Dispose();
}
