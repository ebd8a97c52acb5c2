namespace LoraFactory.Tests.Cli;

/// <summary>How a program gets mounts of its own here, for disks that are small or read-only.</summary>
internal static class PrivateMount
{
    /// <summary>As root, or in a user namespace; null where neither is allowed, with a warning that <paramref name="untried"/> was not tried.</summary>
    public static async Task<IReadOnlyList<string>?> FindAsync(string disk, string untried)
    {
        foreach (var how in new string[][] { ["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"] })
        {
            await using var tried = LoraProcess.StartProgram(how[0], [.. how[1..], "mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk]);
            if (await tried.EndAsync() == 0) return how;
        }
        TestContext.Current.AddWarning($"nothing can be mounted here, neither as root nor in a user namespace: {untried} was not tried");
        return null;
    }
}
