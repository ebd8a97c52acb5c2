using LoraFactory.Flow;
using Microsoft.Data.Sqlite;

namespace LoraFactory.Stages;

/// <summary>Tells a full disk from other failures, whether a file met it or a database.</summary>
public static class FullDisk
{
    private const int SqliteFull = 13;

    /// <summary>Whether this failure itself, not what lies behind it, is a full disk.</summary>
    public static bool Met(Exception failure) => DiskFault.IsDiskFull(failure) || failure is SqliteException { SqliteErrorCode: SqliteFull };
}
