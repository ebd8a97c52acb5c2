using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Pages;
using LoraFactory.Pages.Html;

namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>
/// Renders pages in headless Chromium. The browser reaches nobody: what pages ask for is fetched by the crawl, under its rules, and handed over a pipe
/// (<see cref="TabRequests"/>). One browser serves the whole crawl; it is replaced after some hundred pages, and when it ends or hangs, and the pages
/// that were open in it are rendered once more, each in a browser of its own.
/// </summary>
public sealed class PageRenderer : IAsyncDisposable
{
    private const int PagesOfABrowser = 300, MostTabs = 4;

    private readonly CrawlOptions options;
    private readonly PageResources resources;
    private readonly RenderLimits limits;
    private readonly string program;
    private readonly SemaphoreSlim tabs = new(Math.Clamp(Environment.ProcessorCount, 1, MostTabs));
    private readonly SemaphoreSlim choosing = new(1, 1);
    private readonly ConcurrentDictionary<Chromium, bool> running = new();
    private Chromium? current;
    private Confinement? confinement;

    /// <summary>A renderer; the browser is started by <see cref="StartAsync"/>, or with the first page. Throws <see cref="LoraException"/> where there is no Chromium.</summary>
    /// <param name="options">Limits, and what the browser calls itself.</param>
    /// <param name="fetcher">Fetches what pages ask for.</param>
    /// <param name="gates">Turns and pauses of hosts.</param>
    /// <param name="robots">What origins allow.</param>
    /// <param name="withdrawn">Why an address may not be asked for any more; null where it may.</param>
    /// <param name="clock">The clock of judgements.</param>
    public PageRenderer(CrawlOptions options, PageFetcher fetcher, HostGates gates, RobotsCache robots, Func<string, Refusal?> withdrawn, TimeProvider clock)
    {
        this.options = options;
        resources = new PageResources(options, fetcher, gates, robots, withdrawn, clock);
        limits = new RenderLimits(TimeSpan.FromSeconds(options.RenderSeconds), options.MaxPageBytes, options.MaxPageBytes * 4, options.MaxPageBytes);
        Budget = new RenderBudget(limits.ScriptTime + TimeSpan.FromSeconds(options.DelaySeconds * RenderLimits.FairPauses), RenderLimits.LongestOfSite);
        program = ChromiumProgram.Find() ?? throw new LoraException($"crawl.render: {ChromiumProgram.Missing}");
    }

    /// <summary>What each domain has taken of the browser's time.</summary>
    internal RenderBudget Budget { get; init; }

    /// <summary>Numbers of the browsers' processes: one, and one more for each page that is rendered alone.</summary>
    public IReadOnlyList<int> ProcessIds => [.. running.Keys.Select(browser => browser.ProcessId)];

    /// <summary>Starts the browser, so that a crawl that cannot render says so at once.</summary>
    /// <returns>What it is and how it is shut in, in words.</returns>
    public async Task<string> StartAsync(CancellationToken token)
    {
        await choosing.WaitAsync(token);
        try
        {
            current ??= await NewAsync(token);
            return $"{current.Product}, {(confinement!.WithoutNetwork ? "without a network of its own" : "its network led nowhere")}{(confinement.Sandbox ? "" : ", without its sandbox")}";
        }
        finally
        {
            choosing.Release();
        }
    }

    /// <summary>Whether the recipe wants this page rendered.</summary>
    public bool Wants(Fetched page) => options.Render == "always" || (options.Render == "auto" && IsShell(page));

    /// <summary>Whether a page is empty without its scripts (<see cref="ScriptShell"/>).</summary>
    public static bool IsShell(Fetched page) => ScriptShell.Is(PageEncoding.Decode(page.Body, page.Charset));

    /// <summary>Rendered markup as it is kept: UTF-8 with a byte-order mark, which goes before whatever charset header and markup name.</summary>
    public static byte[] Bytes(string html) => [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes("<!DOCTYPE html>" + html)];

    /// <summary>Renders a page that was fetched. Throws when cancelled, and <see cref="LoraException"/> where the browser cannot be started any more.</summary>
    public async Task<RenderedPage> RenderAsync(Fetched page, CancellationToken token)
    {
        await tabs.WaitAsync(token);
        var began = Stopwatch.GetTimestamp();
        try
        {
            var left = Budget.LeftOf(page.FinalUrl.Host);
            if (left == TimeSpan.Zero) return new(null, page.FinalUrl, [], Budget.Words(page.FinalUrl.Host));
            return await InTabAsync(page, left < limits.Longest ? limits with { Longest = left } : limits, token);
        }
        finally
        {
            Budget.Count(page.FinalUrl.Host, Stopwatch.GetElapsedTime(began));
            tabs.Release();
        }
    }

    private async Task<RenderedPage> InTabAsync(Fetched page, RenderLimits most, CancellationToken token)
    {
        var browser = await EnterAsync(token);
        try
        {
            return await BrowserTab.RenderAsync(browser.DevTools, page, resources, most, token);
        }
        catch (BrowserGoneException)
        {
            browser.DevTools.Close();
        }
        finally
        {
            await LeaveAsync(browser);
        }
        return await AloneAsync(page, most, token);
    }

    // Whichever page it was that ended the browser: once more in one of its own, where it can harm no other.
    private async Task<RenderedPage> AloneAsync(Fetched page, RenderLimits most, CancellationToken token)
    {
        var browser = await NewAsync(token);
        try
        {
            return await BrowserTab.RenderAsync(browser.DevTools, page, resources, most, token);
        }
        catch (BrowserGoneException e)
        {
            return new(null, page.FinalUrl, [], e.Message);
        }
        finally
        {
            End(browser);
        }
    }

    private void End(Chromium browser)
    {
        running.TryRemove(browser, out _);
        browser.Dispose();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await choosing.WaitAsync();
        if (current is not null) End(current);
        current = null;
        choosing.Release();
    }

    private async Task<Chromium> EnterAsync(CancellationToken token)
    {
        await choosing.WaitAsync(token);
        try
        {
            if (current is { } old && (!old.IsAlive || old.Opened >= PagesOfABrowser))
            {
                current = null;
                if (old.Open == 0) End(old);
            }
            current ??= await NewAsync(token);
            current.Opened++;
            current.Open++;
            return current;
        }
        finally
        {
            choosing.Release();
        }
    }

    private async Task LeaveAsync(Chromium browser)
    {
        await choosing.WaitAsync(CancellationToken.None);
        if (--browser.Open == 0 && browser != current) End(browser);
        choosing.Release();
    }

    // The strictest way that this machine lets it start; the same way ever after.
    private async Task<Chromium> NewAsync(CancellationToken token)
    {
        var said = "";
        foreach (var way in confinement is { } known ? [known] : Confinement.Possible())
        {
            // a page's markup comes as one message, in which each character may take six
            var (browser, words) = await Chromium.StartAsync(program, options.UserAgent, way, (int)Math.Min(int.MaxValue / 2, options.MaxPageBytes * 6 + (16 << 20)), token);
            if (browser is not null)
            {
                confinement = way;
                running[browser] = true;
                return browser;
            }
            said = words;
        }
        throw new LoraException($"The browser {program} does not start: {said}. Where it says that there is no usable sandbox, install chromium-sandbox or allow user namespaces; or set crawl.render to off.");
    }
}
