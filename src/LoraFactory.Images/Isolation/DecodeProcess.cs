using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace LoraFactory.Images;

/// <summary>One running decoding process and the pipes to it. Used by one thread at a time.</summary>
internal sealed class DecodeProcess : IDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);
    private static readonly string[] Kept = ["PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "LORA_ROOT"];
    private readonly Process _process;
    private readonly Stream _input;
    private readonly Stream _output;
    private readonly PictureLimits _limits;
    private volatile string _lastError = "";

    private DecodeProcess(Process process, PictureLimits limits)
    {
        _process = process;
        _limits = limits;
        _input = new BufferedStream(process.StandardInput.BaseStream, 1 << 16);
        _output = new BufferedStream(process.StandardOutput.BaseStream, 1 << 16);
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is { Length: > 0 and < 1000 } text) _lastError = text;
        };
        process.BeginErrorReadLine();
    }

    /// <summary>False once it died, was killed, or answered nonsense.</summary>
    public bool Alive { get; private set; } = true;

    /// <summary>Starts one and waits until it says that it is ready.</summary>
    public static DecodeProcess Start(DecodeCommand command, PictureLimits limits)
    {
        var start = new ProcessStartInfo(command.Program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var argument in command.Arguments) start.ArgumentList.Add(argument);
        Confine(start.Environment);
        start.Environment[DecodeWorker.MemoryVariable] = limits.MemoryMiB.ToString(CultureInfo.InvariantCulture);
        // One thread that does one thing: neither a collector beside it nor a second look at what is hot pays. A picture's pixels live as long as it; they are collected with what is young.
        start.Environment["DOTNET_gcConcurrent"] = "0";
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_TieredCompilation"] = "0";
        start.Environment["DOTNET_GCLOHThreshold"] = "1000000";
        start.Environment["DOTNET_GCgen0size"] = (Math.Min(32L, limits.MemoryMiB / 8) << 20).ToString("X", CultureInfo.InvariantCulture);
        start.Environment[DecodeWorker.SecondsVariable] = Math.Ceiling(limits.Timeout.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        start.Environment["DOTNET_gcServer"] = "0";
        start.Environment["DOTNET_GCHeapHardLimit"] = ((long)limits.MemoryMiB << 20).ToString("X", CultureInfo.InvariantCulture);
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new PictureException(PictureFault.LibraryMissing, $"The decoding process {command.Program} could not be started: {e.Message}.", e);
        }
        var started = new DecodeProcess(process, limits);
        try
        {
            started.Guarded(StartTimeout, () =>
            {
                DecodeFrames.ReadStatus(started._output);
                return true;
            }, CancellationToken.None);
        }
        catch (PictureException e)
        {
            started.Dispose();
            throw new PictureException(PictureFault.LibraryMissing, $"The decoding process {command.Program} did not start: {e.Message}", e);
        }
        return started;
    }

    /// <summary>Takes away what a decoder does not need to start: keys and tokens of lora's surroundings are no picture's business.</summary>
    internal static void Confine(IDictionary<string, string?> environment)
    {
        foreach (var name in environment.Keys.Where(name => !Kept.Contains(name) && !name.StartsWith("DOTNET_", StringComparison.Ordinal)).ToList()) environment.Remove(name);
    }

    /// <summary>One picture there and what was asked of it back.</summary>
    public DecodeReply Ask(ReadOnlyMemory<byte> file, DecodeRequest request, CancellationToken token) => Guarded(_limits.Timeout, () =>
    {
        DecodeFrames.WriteInt(_input, file.Length);
        DecodeFrames.WriteLong(_input, _limits.MaxPixels);
        DecodeFrames.WriteRequest(_input, request);
        _input.Write(file.Span);
        _input.Flush();
        return DecodeReply.Read(_output, request, _limits);
    }, token);

    /// <summary>Runs an exchange; when time is up the process is killed, which ends every read and write on its pipes.</summary>
    private T Guarded<T>(TimeSpan timeout, Func<T> exchange, CancellationToken token)
    {
        using var late = new CancellationTokenSource(timeout);
        using var killsLate = late.Token.Register(Kill);
        using var killsCancelled = token.Register(Kill);
        try
        {
            return exchange();
        }
        catch (Exception e) when (e is IOException or InvalidDataException or ObjectDisposedException)
        {
            Kill();
            token.ThrowIfCancellationRequested();
            if (late.IsCancellationRequested)
                throw new PictureException(PictureFault.TimedOut, $"Decoding took longer than {timeout.TotalSeconds:0.#} s and was stopped.", e);
            throw new PictureException(PictureFault.Crashed, Died(), e);
        }
    }

    private string Died()
    {
        var code = _process.WaitForExit(2000) ? $"exit code {_process.ExitCode}" : "it does not end";
        return $"The decoding process died on it ({code}{(_lastError.Length == 0 ? "" : $": {_lastError}")}).";
    }

    private void Kill()
    {
        Alive = false;
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    public void Dispose()
    {
        Kill();
        _process.WaitForExit(2000);
        _process.Dispose();
    }
}
