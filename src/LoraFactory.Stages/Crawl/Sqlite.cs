using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages.Crawl;

/// <summary>The few ways in which this stage talks to SQLite.</summary>
internal static class Sqlite
{
    static Sqlite() => SQLitePCL.Batteries_V2.Init();

    /// <summary>Opens a file without pooling, so that it is closed when the connection is.</summary>
    public static SqliteConnection Open(string path, bool readOnly = false)
    {
        var text = new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, Mode = readOnly ? SqliteOpenMode.ReadOnly : SqliteOpenMode.ReadWriteCreate };
        var db = new SqliteConnection(text.ToString());
        db.Open();
        return db;
    }

    public static int Run(SqliteConnection db, string sql, params (string Name, object? Value)[] parameters)
    {
        using var command = Command(db, sql, parameters);
        return command.ExecuteNonQuery();
    }

    public static T Scalar<T>(SqliteConnection db, string sql, params (string Name, object? Value)[] parameters)
    {
        using var command = Command(db, sql, parameters);
        return (T)command.ExecuteScalar()!;
    }

    public static IEnumerable<T> Rows<T>(SqliteConnection db, string sql, Func<SqliteDataReader, T> read, params (string Name, object? Value)[] parameters)
    {
        using var command = Command(db, sql, parameters);
        using var reader = command.ExecuteReader();
        while (reader.Read()) yield return read(reader);
    }

    private static SqliteCommand Command(SqliteConnection db, string sql, (string Name, object? Value)[] parameters)
    {
        var command = db.CreateCommand();
#pragma warning disable CA2100 // statements are constants of this stage; values go by parameter
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters) command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        return command;
    }
}
