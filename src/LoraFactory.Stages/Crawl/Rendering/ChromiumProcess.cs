using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>A running Chromium, with a profile of its own that is deleted with it.</summary>
internal sealed partial class ChromiumProcess : IDisposable
{
    private const string ProfilePrefix = "lora-browser-";

    private static readonly string[] Arguments =
    [
        "--headless=new", "--remote-debugging-pipe", "--window-size=1280,3000", // tall, so that what waits for being scrolled to is there
        // Every request is answered through the pipe; one that is not finds no way out.
        "--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>", "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-quic", "--dns-over-https-mode=off",
        "--webrtc-ip-handling-policy=disable_non_proxied_udp", "--force-webrtc-ip-handling-policy",
        "--disable-background-networking", "--disable-component-update", "--disable-domain-reliability", "--disable-sync", "--disable-extensions", "--disable-default-apps",
        "--disable-client-side-phishing-detection", "--no-pings", "--no-first-run", "--no-default-browser-check", "--metrics-recording-only", "--disable-breakpad",
        "--disable-features=IsolateOrigins,site-per-process,Translate,MediaRouter,OptimizationHints,AutofillServerCommunication,CertificateTransparencyComponentUpdater,Prerender2,NoStatePrefetch,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
        "--disable-site-isolation-trials", // frames of other sites are in the page's own session, where requests are caught
        "--block-new-web-contents", "--deny-permission-prompts", "--disable-notifications", "--disable-file-system", "--disable-speech-api",
        "--blink-settings=imagesEnabled=false", // neither loaded nor failed: scripts that replace broken pictures stay quiet
        "--mute-audio", "--hide-scrollbars", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en-US",
        "--js-flags=--max-old-space-size=512",
    ];

    private readonly Process process;
    private readonly string profile;
    private readonly StringBuilder said;

    private ChromiumProcess(Process process, string profile, StringBuilder said) => (this.process, this.profile, this.said) = (process, profile, said);

    /// <summary>Where commands are written.</summary>
    public Stream Input => process.StandardInput.BaseStream;

    /// <summary>Where answers are read.</summary>
    public Stream Output => process.StandardOutput.BaseStream;

    /// <summary>Its number.</summary>
    public int Id => process.Id;

    /// <summary>The last that it said on standard error.</summary>
    public string LastWords
    {
        get
        {
            lock (said) return said.ToString().Trim().Split('\n')[^1];
        }
    }

    /// <summary>Starts one. Throws <see cref="LoraException"/> where the program cannot be started at all.</summary>
    /// <param name="program">Chromium.</param>
    /// <param name="userAgent">What scripts are told that the browser is called.</param>
    /// <param name="confinement">How it is shut in.</param>
    public static async Task<ChromiumProcess> StartAsync(string program, string userAgent, Confinement confinement)
    {
        DeleteProfilesOfTheDead();
        var profile = Directory.CreateTempSubdirectory($"{ProfilePrefix}{Environment.ProcessId}-").FullName;
        if (confinement.AsNobody && ChangeOwner(profile, Confinement.Nobody, Confinement.Nobody) != 0) throw new LoraException($"{profile} could not be given to nobody, as whom the browser is to run.");
        string[] own = [$"--user-data-dir={profile}", $"--user-agent={userAgent}", .. confinement.Sandbox ? (IEnumerable<string>)[] : ["--no-sandbox"]];
        var command = confinement.Command(program, [.. Arguments, .. own]);
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Clear(); // keys and tokens of lora's surroundings are no page's business
        foreach (var (name, value) in new[] { ("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", profile), ("TMPDIR", profile), ("LANG", "C.UTF-8"), ("TZ", "UTC") }) start.Environment[name] = value;
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        // The kernel kills it when the thread that started it ends, so that thread stays for as long as the browser.
        new Thread(() => Stay(start, started)) { IsBackground = true, Name = "browser" }.Start();
        try
        {
            var process = await started.Task;
            var said = new StringBuilder();
            _ = Task.Run(() => ListenAsync(process.StandardError, said));
            return new(process, profile, said);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            Delete(profile);
            throw new LoraException($"The browser {program} could not be started: {e.Message}. Rendering needs Chromium, and setpriv of util-linux.", inner: e);
        }
    }

    /// <summary>Kills it with all that it started.</summary>
    public void Kill()
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or AggregateException or System.ComponentModel.Win32Exception)
        {
            // It has ended by itself.
        }
    }

    /// <summary>Kills it, and deletes its profile.</summary>
    public void Dispose()
    {
        Kill();
        process.WaitForExit(5000);
        Delete(profile);
    }

    private static void Stay(ProcessStartInfo start, TaskCompletionSource<Process> started)
    {
        try
        {
            var process = Process.Start(start)!;
            started.SetResult(process);
            process.WaitForExit();
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            started.SetException(e);
        }
    }

    private static async Task ListenAsync(StreamReader reader, StringBuilder said)
    {
        var buffer = new char[1024];
        try
        {
            for (int n; (n = await reader.ReadAsync(buffer)) > 0;)
            {
                lock (said)
                {
                    said.Append(buffer, 0, n);
                    if (said.Length > 4096) said.Remove(0, said.Length - 2048);
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // it is gone
        }
    }

    // A lora that was killed could not delete its browser's profile.
    private static void DeleteProfilesOfTheDead()
    {
        foreach (var folder in Directory.EnumerateDirectories(Path.GetTempPath(), ProfilePrefix + "*"))
            if (int.TryParse(Path.GetFileName(folder)[ProfilePrefix.Length..].Split('-')[0], out var id) && !Directory.Exists($"/proc/{id}")) Delete(folder);
    }

    private static void Delete(string folder)
    {
        for (var i = 0; i < 5; i++) // what it started may still be writing
        {
            try
            {
                Directory.Delete(folder, recursive: true);
                return;
            }
            catch (DirectoryNotFoundException)
            {
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Thread.Sleep(50);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "lchown", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, int user, int group);
}
