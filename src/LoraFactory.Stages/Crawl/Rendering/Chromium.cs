using System.Text.Json;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>A browser at work: its process, the connection to it, and how many pages it has had.</summary>
internal sealed class Chromium : IDisposable
{
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(60);

    private readonly ChromiumProcess process;

    private Chromium(ChromiumProcess process, DevToolsConnection devTools, string product)
    {
        (this.process, DevTools, Product) = (process, devTools, product);
        _ = devTools.Closed.ContinueWith(_ => process.Kill(), TaskScheduler.Default); // what does not speak with us any more is not let run
    }

    /// <summary>The connection.</summary>
    public DevToolsConnection DevTools { get; }

    /// <summary>Name and version, e.g. "Chrome/131.0.6778.85".</summary>
    public string Product { get; }

    /// <summary>Number of its process.</summary>
    public int ProcessId => process.Id;

    /// <summary>Pages opened in it so far, and those that are open.</summary>
    public int Opened { get; set; }

    /// <inheritdoc cref="Opened"/>
    public int Open { get; set; }

    /// <summary>Whether it can take a page.</summary>
    public bool IsAlive => !DevTools.Closed.IsCompleted;

    /// <summary>Starts one and waits until it answers; null, with its last words, where it ends before.</summary>
    public static async Task<(Chromium? Browser, string LastWords)> StartAsync(string program, string userAgent, Confinement confinement, int mostBytes, CancellationToken token)
    {
        var process = await ChromiumProcess.StartAsync(program, userAgent, confinement);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(StartTime);
        try
        {
            var devTools = new DevToolsConnection(process.Input, process.Output, mostBytes);
            var version = await devTools.CallAsync("Browser.getVersion", null, null, limit.Token);
            return (new(process, devTools, version.GetProperty("product").GetString() ?? ""), "");
        }
        catch (Exception e) when (e is BrowserGoneException or DevToolsException or OperationCanceledException)
        {
            process.Dispose();
            token.ThrowIfCancellationRequested();
            return (null, process.LastWords is { Length: > 0 } words ? words : e.Message);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => process.Dispose();
}
