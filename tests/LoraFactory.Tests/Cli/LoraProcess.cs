using System.Diagnostics;
using LoraFactory.Flow;

namespace LoraFactory.Tests.Cli;

/// <summary>The program in a process of its own, for what only a process shows: signals, exit codes, a disk of its own.</summary>
internal sealed class LoraProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly Process process;
    private readonly List<string> lines = [];

    private LoraProcess(Process process) => this.process = process;

    /// <summary>The program's file, as it was built with the tests.</summary>
    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "lora.dll");

    /// <summary>Starts lora with these arguments. SIGINT is as in a terminal, also where the tests were started in the background.</summary>
    public static LoraProcess Start(IReadOnlyList<string> arguments) => StartProgram("env", ["--default-signal=INT", "dotnet", Program, .. arguments]);

    /// <summary>Starts another program, such as a shell that starts lora.</summary>
    public static LoraProcess StartProgram(string program, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["OMP_WAIT_POLICY"] = "PASSIVE";
        start.Environment["LORA_ROOT"] = TestData.Root;
        var lora = new LoraProcess(new Process { StartInfo = start });
        lora.process.OutputDataReceived += (_, e) => lora.Add(e.Data);
        lora.process.ErrorDataReceived += (_, e) => lora.Add(e.Data);
        lora.process.Start();
        lora.process.BeginOutputReadLine();
        lora.process.BeginErrorReadLine();
        return lora;
    }

    /// <summary>What it has printed, on both streams.</summary>
    public string Text
    {
        get
        {
            lock (lines) return string.Join('\n', lines);
        }
    }

    public bool HasExited => process.HasExited;

    /// <summary>Waits until something holds, while it runs.</summary>
    public async Task UntilAsync(Func<bool> holds)
    {
        var watch = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.False(process.HasExited && !holds(), $"it ended too early: {Text}");
            Assert.True(watch.Elapsed < Patience, $"it did not come so far: {Text}");
            await Task.Delay(20);
        }
    }

    /// <summary>Waits until a stage of a run has begun and is at work.</summary>
    public async Task UntilInAsync(string run, StageName stage)
    {
        await UntilAsync(() => File.Exists(Path.Combine(run, $"{(int)stage}-{stage.ToString().ToLowerInvariant()}", ".working.json")));
        await Task.Delay(400);
    }

    /// <summary>Ctrl-C.</summary>
    public void Interrupt()
    {
        using var kill = Process.Start("kill", ["-INT", $"{process.Id}"]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    /// <summary>kill -9: it gets no chance to tidy up.</summary>
    public Task KillAsync()
    {
        process.Kill(entireProcessTree: true);
        return process.WaitForExitAsync();
    }

    /// <summary>Its number.</summary>
    public int Id => process.Id;

    /// <summary>kill -9 of it alone: what it started has to see for itself.</summary>
    public Task KillAloneAsync()
    {
        process.Kill();
        return process.WaitForExitAsync();
    }

    /// <summary>Waits for its end; its exit code (128 and the signal's number where a signal ended it).</summary>
    public async Task<int> EndAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        await process.WaitForExitAsync(patience.Token);
        return process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private void Add(string? line)
    {
        if (line is null) return;
        lock (lines) lines.Add(line);
    }
}
