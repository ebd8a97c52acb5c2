namespace LoraFactory.Flow;

/// <summary>Why a place cannot be written, told from what the operating system answered (errno 28 ENOSPC, 122 EDQUOT, 30 EROFS, 13 EACCES, 1 EPERM).</summary>
public static class DiskFault
{
    /// <summary>Whether the disk, or the user's share of it, is full.</summary>
    public static bool IsDiskFull(Exception failure) => failure is IOException && Number(failure) is 28 or 122;

    /// <summary>A few words, null where the failure is something else; only for a failure to write, since reading without permission fails alike.</summary>
    public static string? Of(Exception failure) => failure switch
    {
        UnauthorizedAccessException => "there is no permission to write there",
        _ when IsDiskFull(failure) => "the disk is full",
        IOException when Number(failure) == 30 => "its file system is read-only",
        _ => null,
    };

    private static int Number(Exception failure) => failure.HResult & 0xFFFF;
}
