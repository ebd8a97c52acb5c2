using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// A statement that is prepared once and run many times, straight on SQLite's own calls: what a reader of ADO.NET adds to each is more than the
/// statement itself. Its parameters are $0, $1 … in order; it takes part in whatever transaction its connection is in. For one thread at a time.
/// </summary>
internal sealed class Statement : IDisposable
{
    private readonly sqlite3 db;
    private readonly sqlite3_stmt statement;
    private readonly int[] places; // SQLite numbers parameters as they appear

    /// <summary>Prepares <paramref name="sql"/>, a constant of this stage.</summary>
    public Statement(SqliteConnection connection, string sql)
    {
        db = connection.Handle!;
        Check(raw.sqlite3_prepare_v3(db, sql, raw.SQLITE_PREPARE_PERSISTENT, out statement));
        places = [.. Enumerable.Range(0, raw.sqlite3_bind_parameter_count(statement)).Select(i => raw.sqlite3_bind_parameter_index(statement, $"${i}"))];
    }

    /// <summary>Runs it and returns how many rows it changed.</summary>
    public int Run(params ReadOnlySpan<object?> values)
    {
        Bind(values);
        try
        {
            Step();
            return raw.sqlite3_changes(db);
        }
        finally
        {
            _ = raw.sqlite3_reset(statement);
        }
    }

    /// <summary>Reads its first row; default where there is none.</summary>
    public T? First<T>(Func<StatementRow, T> read, params ReadOnlySpan<object?> values)
    {
        Bind(values);
        try
        {
            return Step() ? read(new(statement)) : default;
        }
        finally
        {
            _ = raw.sqlite3_reset(statement);
        }
    }

    /// <summary>Reads all its rows.</summary>
    public List<T> All<T>(Func<StatementRow, T> read, params ReadOnlySpan<object?> values)
    {
        Bind(values);
        try
        {
            var rows = new List<T>();
            while (Step()) rows.Add(read(new(statement)));
            return rows;
        }
        finally
        {
            _ = raw.sqlite3_reset(statement);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => statement.Dispose();

    private bool Step()
    {
        var code = raw.sqlite3_step(statement);
        if (code is not (raw.SQLITE_ROW or raw.SQLITE_DONE)) Check(code);
        return code == raw.SQLITE_ROW;
    }

    private void Bind(ReadOnlySpan<object?> values)
    {
        Span<byte> small = stackalloc byte[512];
        for (var i = 0; i < values.Length; i++)
        {
            Check(values[i] switch
            {
                null => raw.sqlite3_bind_null(statement, places[i]),
                int number => raw.sqlite3_bind_int(statement, places[i], number),
                long number => raw.sqlite3_bind_int64(statement, places[i], number),
                double number => raw.sqlite3_bind_double(statement, places[i], number),
                byte[] bytes => raw.sqlite3_bind_blob(statement, places[i], bytes),
                string text => BindText(places[i], text, small),
                var other => throw new ArgumentException($"{other.GetType()} is not a value of a statement", nameof(values)),
            });
        }
    }

    private int BindText(int place, string text, Span<byte> small)
    {
        var bytes = text.Length * 3 <= small.Length ? small : new byte[Encoding.UTF8.GetByteCount(text)];
        return raw.sqlite3_bind_text(statement, place, bytes[..Encoding.UTF8.GetBytes(text, bytes)]);
    }

    private void Check(int code)
    {
        if (code == raw.SQLITE_OK) return;
        throw new SqliteException($"SQLite Error {code}: '{raw.sqlite3_errmsg(db).utf8_to_string()}'.", code, raw.sqlite3_extended_errcode(db));
    }
}

/// <summary>A row of a statement while it is read; columns count from 0.</summary>
internal readonly struct StatementRow(sqlite3_stmt statement)
{
    /// <summary>A column's number.</summary>
    public int GetInt32(int column) => raw.sqlite3_column_int(statement, column);

    /// <summary>A column's number.</summary>
    public long GetInt64(int column) => raw.sqlite3_column_int64(statement, column);

    /// <summary>A column's number.</summary>
    public double GetDouble(int column) => raw.sqlite3_column_double(statement, column);

    /// <summary>A column's text, "" where it is null.</summary>
    public string GetString(int column) => raw.sqlite3_column_text(statement, column).utf8_to_string() ?? "";

    /// <summary>A column's octets.</summary>
    public byte[] GetBytes(int column) => raw.sqlite3_column_blob(statement, column).ToArray();

    /// <summary>Whether a column is null.</summary>
    public bool IsDBNull(int column) => raw.sqlite3_column_type(statement, column) == raw.SQLITE_NULL;
}
