using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LoraFactory.Flow;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>What an import read.</summary>
/// <param name="Lines">Lines of the file.</param>
/// <param name="Edges">Edges kept.</param>
/// <param name="Skipped">Lines that are no edge: too few columns, too long, or unreadable JSON.</param>
public sealed record ConceptImport(long Lines, long Edges, long Skipped)
{
    /// <summary>Lines that an earlier import had read, which this one did not read again.</summary>
    public long Before { get; init; }
}

/// <summary>
/// Fills a store from ConceptNet's assertions (five tab-separated columns: edge, relation, start, end, JSON), as a stream. Edges are committed in
/// batches together with the place in the file, so an import that was stopped or killed goes on where its last batch ended.
/// </summary>
internal sealed class ConceptFile : IDisposable
{
    private const int Batch = 100_000, MaxLine = 1 << 20;

    /// <summary>What is behind a store's name until its import has come to its end.</summary>
    internal const string Unfinished = ".importing";

    private readonly SqliteConnection db;
    private readonly string? language;
    private readonly byte[]? prefix;
    private readonly SqliteCommand insert;
    private readonly SqliteParameter[] slots;
    private readonly Dictionary<string, long> words = new(StringComparer.Ordinal);
    private long offset, lines, edges, skipped;

    private ConceptFile(SqliteConnection db, string? language)
    {
        (this.db, this.language) = (db, language);
        prefix = language is null ? null : Encoding.UTF8.GetBytes($"/c/{language}/");
        insert = db.CreateCommand();
        insert.CommandText = "INSERT INTO edge(uri, relation, a, b, weight, dataset, licence) VALUES ($0, $1, $2, $3, $4, $5, $6)";
        slots = [.. Enumerable.Range(0, 7).Select(i => insert.Parameters.Add(new SqliteParameter($"${i}", null)))];
    }

    /// <summary>Reads what is left of <paramref name="csv"/> into <paramref name="path"/>.</summary>
    public static ConceptImport Read(string csv, string path, string? language, IProgressTask? bar, CancellationToken token)
    {
        var aside = path + Unfinished;
        var source = Identity(csv, language);
        if (File.Exists(aside) && !IsOf(aside, source)) Remove(aside);
        ConceptImport done;
        using (var db = Sqlite.Open(aside))
        {
            Sqlite.Run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
            Sqlite.Run(db, ConceptStore.Schema);
            using var import = new ConceptFile(db, language);
            import.Resume(source);
            var before = import.lines;
            import.Fill(csv, bar, token);
            bar?.Note("indexing");
            Sqlite.Run(db, "CREATE INDEX IF NOT EXISTS edge_a ON edge(a); CREATE INDEX IF NOT EXISTS edge_b ON edge(b)");
            Sqlite.Run(db, "PRAGMA journal_mode = DELETE");
            done = new(import.lines, import.edges, import.skipped) { Before = before };
        }
        if (done.Edges > 0) File.Move(aside, path, overwrite: true);
        else Remove(aside); // a store that was there stays
        return done;
    }

    public void Dispose() => insert.Dispose();

    // The same file and the same choice of language: its size, its beginning, and when it was written.
    private static string Identity(string csv, string? language)
    {
        using var file = File.OpenRead(csv);
        var head = new byte[64 * 1024];
        var n = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        return string.Create(CultureInfo.InvariantCulture, $"{Convert.ToHexStringLower(SHA256.HashData(head.AsSpan(0, n)))} {file.Length} {File.GetLastWriteTimeUtc(csv):O} {language}");
    }

    private static bool IsOf(string aside, string source)
    {
        try
        {
            using var db = Sqlite.Open(aside);
            return Sqlite.Rows(db, "SELECT source FROM import", r => r.GetString(0)).FirstOrDefault() == source;
        }
        catch (SqliteException)
        {
            return false; // not even begun
        }
    }

    private static void Remove(string aside)
    {
        foreach (var file in (string[])[aside, aside + "-journal", aside + "-wal", aside + "-shm"]) File.Delete(file);
    }

    private void Resume(string source)
    {
        Sqlite.Run(db, "INSERT INTO import SELECT $source, 0, 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM import)", ("$source", source));
        (offset, lines, edges, skipped) = Sqlite.Rows(db, "SELECT offset, lines, edges, skipped FROM import", r => (r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3))).Single();
        foreach (var (id, text) in Sqlite.Rows(db, "SELECT id, text FROM word", r => (r.GetInt64(0), r.GetString(1)))) words[text] = id;
    }

    private void Fill(string csv, IProgressTask? bar, CancellationToken token)
    {
        using var file = File.OpenRead(csv);
        using Stream plain = csv.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file;
        Skip(plain, token);
        var reader = new LineReader(plain);
        for (var more = true; more;)
        {
            token.ThrowIfCancellationRequested();
            using var transaction = db.BeginTransaction();
            insert.Transaction = transaction;
            for (var i = 0; i < Batch && more; i++)
            {
                more = reader.Next(out var line, out var length);
                if (!more) break;
                offset += length;
                lines++;
                Take(line);
            }
            Sqlite.Run(db, "UPDATE import SET offset = $offset, lines = $lines, edges = $edges, skipped = $skipped", ("$offset", offset), ("$lines", lines), ("$edges", edges), ("$skipped", skipped));
            transaction.Commit();
            bar?.Set(Math.Min(file.Position, file.Length), file.Length);
            bar?.Note(string.Create(CultureInfo.InvariantCulture, $"{edges:N0} edges of {lines:N0} lines"));
        }
    }

    // A compressed file is unpacked up to the place; a plain one is entered there.
    private void Skip(Stream plain, CancellationToken token)
    {
        if (plain.CanSeek)
        {
            plain.Seek(offset, SeekOrigin.Begin);
            return;
        }
        var buffer = new byte[1 << 16];
        for (var left = offset; left > 0;)
        {
            token.ThrowIfCancellationRequested();
            var n = plain.Read(buffer, 0, (int)Math.Min(left, buffer.Length));
            if (n == 0) return;
            left -= n;
        }
    }

    private void Take(ReadOnlySpan<byte> line)
    {
        if (line.EndsWith("\r"u8)) line = line[..^1];
        Span<Range> columns = stackalloc Range[6];
        if (line.Length > MaxLine || Columns(line, columns) < 5)
        {
            skipped++;
            return;
        }
        var start = line[columns[2]];
        var end = line[columns[3]];
        if (prefix is not null && !(start.StartsWith(prefix) && end.StartsWith(prefix))) return;
        if (!ReadAbout(line[columns[4]], out var weight, out var dataset, out var licence))
        {
            skipped++;
            return;
        }
        slots[0].Value = BitConverter.ToInt64(SHA256.HashData(line[columns[0]]));
        slots[1].Value = Word(Encoding.UTF8.GetString(line[columns[1]]));
        slots[2].Value = Node(start);
        slots[3].Value = Node(end);
        slots[4].Value = weight;
        slots[5].Value = Word(dataset);
        slots[6].Value = Word(licence);
        insert.ExecuteNonQuery();
        edges++;
    }

    private static int Columns(ReadOnlySpan<byte> line, Span<Range> columns)
    {
        var (count, from) = (0, 0);
        while (count < 5)
        {
            var tab = line[from..].IndexOf((byte)'\t');
            columns[count++] = tab < 0 ? from..line.Length : from..(from + tab);
            if (tab < 0) break;
            from += tab + 1;
        }
        return count;
    }

    // Relations, collections and licences are few: each is kept once.
    private long Word(string text)
    {
        if (words.TryGetValue(text, out var known)) return known;
        Sqlite.Run(db, "INSERT INTO word(text) VALUES ($text)", ("$text", text));
        return words[text] = Sqlite.Scalar<long>(db, "SELECT id FROM word WHERE text = $text", ("$text", text));
    }

    // "/c/en/dog/n/wn/animal" and "/c/en/dog" are one term here.
    private static string Node(ReadOnlySpan<byte> uri)
    {
        if (!uri.StartsWith("/c/"u8)) return Encoding.UTF8.GetString(uri);
        var end = 0;
        for (var slashes = 0; end < uri.Length; end++)
            if (uri[end] == '/' && ++slashes == 4) break;
        return Encoding.UTF8.GetString(uri[..end]);
    }

    private static bool ReadAbout(ReadOnlySpan<byte> json, out double weight, out string dataset, out string licence)
    {
        (weight, dataset, licence) = (1, "", "");
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 16 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var (isWeight, isDataset, isLicence) = (reader.ValueTextEquals("weight"u8), reader.ValueTextEquals("dataset"u8), reader.ValueTextEquals("license"u8));
                reader.Read();
                if (isWeight && reader.TokenType == JsonTokenType.Number) weight = reader.GetDouble();
                else if (isDataset && reader.TokenType == JsonTokenType.String) dataset = reader.GetString()!;
                else if (isLicence && reader.TokenType == JsonTokenType.String) licence = reader.GetString()!;
                else reader.Skip();
            }
            return reader.TokenType == JsonTokenType.EndObject && !reader.Read();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }

    // Lines as octets, with the number of octets that they take; longer ones than the most are given shortened beyond it, to be skipped.
    private sealed class LineReader(Stream stream)
    {
        private byte[] buffer = new byte[1 << 16];
        private int from, to;

        public bool Next(out ReadOnlySpan<byte> line, out long length)
        {
            length = 0;
            for (var seen = 0; ;)
            {
                var end = buffer.AsSpan(from + seen, to - from - seen).IndexOf((byte)'\n');
                if (end >= 0)
                {
                    line = buffer.AsSpan(from, seen + end);
                    length += line.Length + 1;
                    from += line.Length + 1;
                    return true;
                }
                if (to - from > MaxLine)
                {
                    // only its length counts any more
                    length += to - from - MaxLine - 1;
                    to = from + MaxLine + 1;
                }
                seen = to - from;
                if (More()) continue;
                line = buffer.AsSpan(from, seen);
                length += seen;
                from = to;
                return seen > 0;
            }
        }

        private bool More()
        {
            buffer.AsSpan(from, to - from).CopyTo(buffer);
            (to, from) = (to - from, 0);
            if (to == buffer.Length) Array.Resize(ref buffer, buffer.Length * 2);
            var n = stream.Read(buffer, to, buffer.Length - to);
            to += n;
            return n > 0;
        }
    }
}
