using System.Globalization;
using LoraFactory.Flow;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>An edge of ConceptNet that touches a term.</summary>
/// <param name="Term">The other end, blanks for underscores.</param>
/// <param name="Relation">"/r/RelatedTo", "/r/IsA" ….</param>
/// <param name="Weight">ConceptNet's weight, typically 0.1..10.</param>
/// <param name="Licence">Licence of the edge, e.g. "cc:by-sa/4.0".</param>
public sealed record ConceptEdge(string Term, string Relation, double Weight, string Licence);

/// <summary>A local ConceptNet: its assertions in SQLite, indexed by both ends. Made once from the assertions CSV, which is read as a stream.</summary>
public sealed class ConceptStore : IDisposable
{
    /// <summary>Edges with the hash of their URI and both ends; words of which there are few, once each; how far the import is.</summary>
    internal const string Schema = """
        CREATE TABLE IF NOT EXISTS edge(uri INTEGER, relation INTEGER, a TEXT, b TEXT, weight REAL, dataset INTEGER, licence INTEGER);
        CREATE TABLE IF NOT EXISTS word(id INTEGER PRIMARY KEY, text TEXT UNIQUE);
        CREATE TABLE IF NOT EXISTS import(source TEXT, offset INTEGER, lines INTEGER, edges INTEGER, skipped INTEGER)
        """;

    private readonly SqliteConnection db;

    private ConceptStore(SqliteConnection db) => this.db = db;

    /// <summary>Opens a store that <see cref="Import"/> made.</summary>
    /// <exception cref="LoraException">There is none, or it is something else.</exception>
    public static ConceptStore Open(string path)
    {
        if (!File.Exists(path))
        {
            throw new LoraException(File.Exists(path + ConceptFile.Unfinished)
                ? $"The import into {path} has not come to its end: the same lora concepts import goes on with it."
                : $"There is no ConceptNet store at {path}: make one with lora concepts import FILE --to {UserPath.Quoted(path)}, or leave seed.concept_store empty.", ExitCode.BadUsage);
        }
        SqliteConnection? db = null;
        try
        {
            db = Sqlite.Open(path, readOnly: true);
            if (Sqlite.Scalar<long>(db, "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('edge', 'word')") == 2) return new(db);
        }
        catch (SqliteException e) when (e.SqliteErrorCode is 11 or 14 or 26)
        {
            // damaged, not to be opened, no database: said below
        }
        db?.Dispose();
        throw new LoraException($"{path} is no ConceptNet store of this version, or cannot be read: import it again with lora concepts import FILE --to {UserPath.Quoted(path)}.", ExitCode.BadUsage);
    }

    /// <summary>
    /// Reads an assertions file (five tab-separated columns: edge, relation, start, end, JSON; plain or .gz) into a store, replacing one that is there.
    /// An import that was stopped or killed goes on where its last batch of 100,000 lines ended; until it is whole it lies beside the store as ".importing".
    /// </summary>
    /// <param name="csv">The assertions file.</param>
    /// <param name="path">The store.</param>
    /// <param name="language">Keep only edges with both ends in this language ("en"); null keeps all.</param>
    /// <param name="bar">Shown how far it is, in bytes of the file; null shows nothing.</param>
    /// <param name="token">Stops the import; the same call goes on with it.</param>
    public static ConceptImport Import(string csv, string path, string? language = "en", IProgressTask? bar = null, CancellationToken token = default) =>
        ConceptFile.Read(csv, path, language, bar, token);

    /// <summary>Number of edges.</summary>
    public long Count => Sqlite.Scalar<long>(db, "SELECT COUNT(*) FROM edge");

    /// <summary>Number of edges by relation.</summary>
    public IReadOnlyDictionary<string, long> Relations =>
        Counts("relation");

    /// <summary>Number of ends of edges by language ("en"), "(url)" for those that are no terms.</summary>
    public IReadOnlyDictionary<string, long> Languages
    {
        get
        {
            var counts = new Dictionary<string, long>(StringComparer.Ordinal);
            foreach (var (node, count) in Sqlite.Rows(db, "SELECT a, COUNT(*) FROM (SELECT a FROM edge UNION ALL SELECT b FROM edge) GROUP BY a", r => (r.GetString(0), r.GetInt64(1))))
            {
                var language = Language(node) ?? "(url)";
                counts[language] = counts.GetValueOrDefault(language) + count;
            }
            return counts;
        }
    }

    /// <summary>Number of edges by licence.</summary>
    public IReadOnlyDictionary<string, long> Licences =>
        Counts("licence");

    /// <summary>Number of edges by the collection that they come from.</summary>
    public IReadOnlyDictionary<string, long> Datasets =>
        Counts("dataset");

    /// <summary>Sum of all weights, number of distinct edge URIs.</summary>
    public (double Weights, long Distinct) Totals =>
        Sqlite.Rows(db, "SELECT TOTAL(weight), COUNT(DISTINCT uri) FROM edge", r => (r.GetDouble(0), r.GetInt64(1))).Single();

    /// <summary>Edges at a term, heaviest first.</summary>
    public IReadOnlyList<ConceptEdge> Of(string term, string language = "en", int most = 200)
    {
        var node = Node(term, language);
        const string Sql = """
            SELECT other, relation.text, weight, licence.text FROM
              (SELECT b AS other, relation, weight, licence FROM edge WHERE a = $node UNION ALL SELECT a, relation, weight, licence FROM edge WHERE b = $node) AS near
              JOIN word AS relation ON relation.id = near.relation JOIN word AS licence ON licence.id = near.licence
            ORDER BY 3 DESC, 1, 2 LIMIT $most
            """;
        return [.. Sqlite.Rows(db, Sql, r => new ConceptEdge(Word(r.GetString(0)), r.GetString(1), r.GetDouble(2), r.GetString(3)), ("$node", node), ("$most", most))];
    }

    /// <inheritdoc/>
    public void Dispose() => db.Dispose();

    private Dictionary<string, long> Counts(string column) =>
        Sqlite.Rows(db, $"SELECT text, COUNT(*) FROM edge JOIN word ON word.id = {column} GROUP BY text", r => (r.GetString(0), r.GetInt64(1))).ToDictionary(p => p.Item1, p => p.Item2, StringComparer.Ordinal);

    private static string? Language(string uri) => uri.StartsWith("/c/", StringComparison.Ordinal) && uri.Split('/') is [_, _, var language, _, ..] ? language : null;

    /// <summary>A term's node: "/c/en/dog".</summary>
    internal static string Node(string term, string language = "en") => $"/c/{language}/{term.Trim().ToLowerInvariant().Replace(' ', '_')}";

    /// <summary>The term's node of one that may name a meaning as well: "/c/en/dog/n" → "/c/en/dog".</summary>
    internal static string TermNode(string node) => node.StartsWith("/c/", StringComparison.Ordinal) ? string.Join('/', node.Split('/').Take(4)) : node;

    /// <summary>The words of a node.</summary>
    internal static string Word(string node) => node.Split('/')[^1].Replace('_', ' ').ToString(CultureInfo.InvariantCulture);
}
