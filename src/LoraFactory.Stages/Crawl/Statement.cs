using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>A statement that is prepared once and run many times; its parameters are $0, $1 … in order.</summary>
internal sealed class Statement : IDisposable
{
    private readonly SqliteCommand command;

    /// <summary>Prepares <paramref name="sql"/>, a constant of this stage.</summary>
    public Statement(SqliteConnection db, string sql)
    {
        command = db.CreateCommand();
#pragma warning disable CA2100 // a constant of this stage; values go by parameter
        command.CommandText = sql;
#pragma warning restore CA2100
        for (var i = 0; sql.Contains($"${i}", StringComparison.Ordinal); i++) command.Parameters.Add(new SqliteParameter($"${i}", null));
    }

    /// <summary>Runs it and returns how many rows it changed.</summary>
    public int Run(SqliteTransaction? within, params ReadOnlySpan<object?> values)
    {
        Bind(within, values);
        return command.ExecuteNonQuery();
    }

    /// <summary>Reads its first row; default where there is none.</summary>
    public T? First<T>(SqliteTransaction? within, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> values)
    {
        Bind(within, values);
        using var reader = command.ExecuteReader();
        return reader.Read() ? read(reader) : default;
    }

    /// <summary>Reads all its rows.</summary>
    public List<T> All<T>(SqliteTransaction? within, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> values)
    {
        Bind(within, values);
        var rows = new List<T>();
        using var reader = command.ExecuteReader();
        while (reader.Read()) rows.Add(read(reader));
        return rows;
    }

    /// <inheritdoc/>
    public void Dispose() => command.Dispose();

    private void Bind(SqliteTransaction? within, ReadOnlySpan<object?> values)
    {
        command.Transaction = within;
        for (var i = 0; i < values.Length; i++) command.Parameters[i].Value = values[i] ?? DBNull.Value;
    }
}
