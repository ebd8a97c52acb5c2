using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>
/// How a browser is shut in: without any network where the kernel grants that (the pipes are all it needs), as nobody instead of root, with its own
/// sandbox, with a cap on the memory of each of its processes, and killed by the kernel when lora dies.
/// </summary>
/// <param name="Prefix">Command in front of it that takes network and rights away.</param>
/// <param name="AsNobody">It runs as nobody.</param>
/// <param name="Sandbox">With Chromium's own sandbox, which root does not have and which some containers forbid.</param>
internal sealed record Confinement(IReadOnlyList<string> Prefix, bool AsNobody, bool Sandbox)
{
    /// <summary>User and group "nobody".</summary>
    public const int Nobody = 65534;

    // Each process of the browser may have so much memory of its own; what asks for more ends by itself.
    private const int MemoryKiB = 1 << 20;

    // Its standard pipes become descriptors 3 and 4, where --remote-debugging-pipe looks; when lora is gone the pipe ends, and it with it.
    private static readonly string Shell =
        string.Create(CultureInfo.InvariantCulture, $"ulimit -c 0 || :; ulimit -d {MemoryKiB} || :; exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null");

    private static readonly string[] ToNobody = ["setpriv", $"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups"];
    private static readonly string[] NoNetwork = ["unshare", "--net"], NoNetworkForUsers = ["unshare", "--map-current-user", "--net"];

    /// <summary>Whether the kernel takes its network away.</summary>
    public bool WithoutNetwork => Prefix.Contains("--net");

    /// <summary>What may be tried on this machine, the strictest first.</summary>
    public static IReadOnlyList<Confinement> Possible()
    {
        if (!Environment.IsPrivilegedProcess) return [new(First([NoNetworkForUsers]) ?? [], false, true)];
        if (First([[.. NoNetwork, .. ToNobody], [.. ToNobody, .. NoNetworkForUsers], ToNobody]) is { } prefix) return [new(prefix, true, true), new(prefix, true, false)];
        return [new(First([NoNetwork]) ?? [], false, false)];
    }

    /// <summary>The whole command that starts a program so.</summary>
    public IReadOnlyList<string> Command(string program, IEnumerable<string> arguments) => [.. Prefix, "setpriv", "--pdeathsig", "KILL", "/bin/sh", "-c", Shell, program, .. arguments];

    private static string[]? First(string[][] prefixes) => Array.Find(prefixes, Works);

    private static bool Works(string[] prefix)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(prefix[0], [.. prefix.Skip(1), "true"]) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardInput = true })!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false; // the program is not there
        }
    }
}
