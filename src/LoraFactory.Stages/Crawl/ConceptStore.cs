using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using LoraFactory.Flow;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>What an import read.</summary>
/// <param name="Lines">Lines of the file.</param>
/// <param name="Edges">Edges kept.</param>
/// <param name="Skipped">Lines that are no edge: too few columns or unreadable JSON.</param>
public sealed record ConceptImport(long Lines, long Edges, long Skipped);

/// <summary>An edge of ConceptNet that touches a term.</summary>
/// <param name="Term">The other end, blanks for underscores.</param>
/// <param name="Relation">"/r/RelatedTo", "/r/IsA" ….</param>
/// <param name="Weight">ConceptNet's weight, typically 0.1..10.</param>
/// <param name="Licence">Licence of the edge, e.g. "cc:by-sa/4.0".</param>
public sealed record ConceptEdge(string Term, string Relation, double Weight, string Licence);

/// <summary>A local ConceptNet: its assertions in SQLite, indexed by both ends. Made once from the assertions CSV, which is read as a stream.</summary>
public sealed class ConceptStore : IDisposable
{
    private readonly SqliteConnection db;

    private ConceptStore(SqliteConnection db) => this.db = db;

    /// <summary>Opens a store that <see cref="Import"/> made.</summary>
    public static ConceptStore Open(string path)
    {
        if (!File.Exists(path)) throw new LoraException($"There is no ConceptNet store at {path}: import one from the assertions CSV, or leave seed.concept_store empty.", ExitCode.BadUsage);
        return new(Sqlite.Open(path, readOnly: true));
    }

    /// <summary>
    /// Reads an assertions file (five tab-separated columns: edge, relation, start, end, JSON; plain or .gz) into a store, replacing one that is there.
    /// </summary>
    /// <param name="csv">The assertions file.</param>
    /// <param name="path">The store.</param>
    /// <param name="language">Keep only edges with both ends in this language ("en"); null keeps all.</param>
    /// <param name="token">Ends the import; nothing is left behind.</param>
    public static ConceptImport Import(string csv, string path, string? language = "en", CancellationToken token = default)
    {
        var aside = path + ".importing";
        foreach (var old in (string[])[aside, aside + "-journal", aside + "-wal"]) File.Delete(old);
        try
        {
            ConceptImport done;
            using (var db = Sqlite.Open(aside)) done = Fill(db, csv, language, token);
            File.Move(aside, path, overwrite: true);
            return done;
        }
        finally
        {
            File.Delete(aside);
        }
    }

    /// <summary>Number of edges.</summary>
    public long Count => Sqlite.Scalar<long>(db, "SELECT COUNT(*) FROM edge");

    /// <summary>Number of edges by relation.</summary>
    public IReadOnlyDictionary<string, long> Relations =>
        Sqlite.Rows(db, "SELECT relation, COUNT(*) FROM edge GROUP BY relation", r => (r.GetString(0), r.GetInt64(1))).ToDictionary(p => p.Item1, p => p.Item2);

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
        Sqlite.Rows(db, "SELECT licence, COUNT(*) FROM edge GROUP BY licence", r => (r.GetString(0), r.GetInt64(1))).ToDictionary(p => p.Item1, p => p.Item2);

    /// <summary>Number of edges by the collection that they come from.</summary>
    public IReadOnlyDictionary<string, long> Datasets =>
        Sqlite.Rows(db, "SELECT dataset, COUNT(*) FROM edge GROUP BY dataset", r => (r.GetString(0), r.GetInt64(1))).ToDictionary(p => p.Item1, p => p.Item2);

    /// <summary>Sum of all weights, number of distinct edge URIs.</summary>
    public (double Weights, long Distinct) Totals =>
        Sqlite.Rows(db, "SELECT TOTAL(weight), COUNT(DISTINCT uri) FROM edge", r => (r.GetDouble(0), r.GetInt64(1))).Single();

    /// <summary>Edges at a term, heaviest first.</summary>
    public IReadOnlyList<ConceptEdge> Of(string term, string language = "en", int most = 200)
    {
        var node = $"/c/{language}/{term.Trim().ToLowerInvariant().Replace(' ', '_')}";
        const string Sql = """
            SELECT b, relation, weight, licence FROM edge WHERE a = $node
            UNION ALL SELECT a, relation, weight, licence FROM edge WHERE b = $node
            ORDER BY 3 DESC, 1, 2 LIMIT $most
            """;
        return [.. Sqlite.Rows(db, Sql, r => new ConceptEdge(Word(r.GetString(0)), r.GetString(1), r.GetDouble(2), r.GetString(3)), ("$node", node), ("$most", most))];
    }

    /// <inheritdoc/>
    public void Dispose() => db.Dispose();

    private static ConceptImport Fill(SqliteConnection db, string csv, string? language, CancellationToken token)
    {
        Sqlite.Run(db, "PRAGMA synchronous = OFF; CREATE TABLE edge(uri TEXT, relation TEXT, a TEXT, b TEXT, weight REAL, dataset TEXT, licence TEXT)");
        long lines = 0, edges = 0, skipped = 0;
        using var transaction = db.BeginTransaction();
        using var insert = db.CreateCommand();
        insert.CommandText = "INSERT INTO edge VALUES ($0, $1, $2, $3, $4, $5, $6)";
        var slots = Enumerable.Range(0, 7).Select(i => insert.Parameters.Add(new SqliteParameter($"${i}", null))).ToArray();
        using var file = File.OpenRead(csv);
        using Stream plain = csv.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var reader = new StreamReader(plain, Encoding.UTF8);
        while (reader.ReadLine() is { } line)
        {
            token.ThrowIfCancellationRequested();
            lines++;
            var columns = line.Split('\t');
            if (columns.Length < 5 || Read(columns[4]) is not { } about)
            {
                skipped++;
                continue;
            }
            if (language is not null && !(Language(columns[2]) == language && Language(columns[3]) == language)) continue;
            object[] values = [columns[0], columns[1], Node(columns[2]), Node(columns[3]), about.Weight, about.Dataset, about.Licence];
            for (var i = 0; i < values.Length; i++) slots[i].Value = values[i];
            insert.ExecuteNonQuery();
            edges++;
        }
        transaction.Commit();
        Sqlite.Run(db, "CREATE INDEX edge_a ON edge(a); CREATE INDEX edge_b ON edge(b)");
        return new(lines, edges, skipped);
    }

    private static (double Weight, string Dataset, string Licence)? Read(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            var weight = root.TryGetProperty("weight", out var w) && w.ValueKind == JsonValueKind.Number ? w.GetDouble() : 1;
            return (weight, Text(root, "dataset"), Text(root, "license"));
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Text(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    // "/c/en/dog/n/wn/animal" and "/c/en/dog" are one term here; the language is the second part.
    private static string Node(string uri) => uri.StartsWith("/c/", StringComparison.Ordinal) ? string.Join('/', uri.Split('/').Take(4)) : uri;

    private static string? Language(string uri) => uri.StartsWith("/c/", StringComparison.Ordinal) && uri.Split('/') is [_, _, var language, _, ..] ? language : null;

    private static string Word(string node) => node.Split('/')[^1].Replace('_', ' ').ToString(CultureInfo.InvariantCulture);
}
