using System.Text;
using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>Keeps two processes from working on one run: an operating-system lock, so that a killed process leaves none behind.</summary>
public sealed class RunLock : IDisposable
{
    private readonly FileStream file;

    private RunLock(FileStream file) => this.file = file;

    /// <summary>Takes the run, or says which process has it.</summary>
    /// <exception cref="LoraException">Another process works on the run, or its directory cannot be written.</exception>
    public static RunLock Take(RunDirectory run)
    {
        var path = Path.Combine(run.Path, ".lock");
        var owner = Path.Combine(run.Path, ".owner");
        FileStream stream;
        try
        {
            stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (DiskFault.Of(e) is { } fault)
        {
            throw new LoraException($"{run.Path} cannot be written: {fault}. Make room or make it writable, or choose another place with --runs-dir.", inner: e);
        }
        catch (IOException e)
        {
            var who = File.Exists(owner) ? $"process {File.ReadAllText(owner).Trim()}" : "another process";
            throw new LoraException($"the run {run.Path} is being worked on by {who}. Wait for it or stop it, then run the same command again.", inner: e);
        }
        File.WriteAllText(owner, Environment.ProcessId.ToString(), new UTF8Encoding(false));
        return new RunLock(stream);
    }

    /// <summary>Whether a process works on the run at this moment.</summary>
    public static bool IsHeld(RunDirectory run)
    {
        var path = Path.Combine(run.Path, ".lock");
        if (!File.Exists(path)) return false;
        try
        {
            using var free = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.None);
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    /// <summary>Gives the run back.</summary>
    public void Dispose() => file.Dispose();
}
