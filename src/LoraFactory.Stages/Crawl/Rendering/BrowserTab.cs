using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>
/// One page in the browser, in a context of its own (no cookies, no storage, nothing of another page): loads it, lets its clock run ahead until its timers
/// and requests are done, and reads its markup from a world of its own that the page's scripts cannot reach.
/// </summary>
internal sealed class BrowserTab
{
    // Dialogs would hold up everything else in the page; a page that is read by nobody has nobody to ask.
    private const string NoDialogs = "alert = print = () => {}; confirm = () => false; prompt = () => null;";

    private readonly DevToolsConnection devTools;
    private readonly RenderLimits limits;
    private readonly CancellationToken token;
    private readonly TaskCompletionSource<string> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string session = "";
    private TabRequests? requests;
    private volatile bool isShown;
    private int pending, dialogs, isRunning;

    private BrowserTab(DevToolsConnection devTools, RenderLimits limits, CancellationToken token) => (this.devTools, this.limits, this.token) = (devTools, limits, token);

    /// <summary>Renders a page. Throws <see cref="BrowserGoneException"/>, and when cancelled.</summary>
    /// <param name="devTools">The browser.</param>
    /// <param name="page">The page as fetched.</param>
    /// <param name="resources">What it may ask for.</param>
    /// <param name="limits">How long and how much.</param>
    /// <param name="token">Ends it.</param>
    public static async Task<RenderedPage> RenderAsync(DevToolsConnection devTools, Fetched page, PageResources resources, RenderLimits limits, CancellationToken token)
    {
        using var whole = CancellationTokenSource.CreateLinkedTokenSource(token);
        whole.CancelAfter(limits.Longest);
        var tab = new BrowserTab(devTools, limits, whole.Token);
        try
        {
            return await tab.OpenAsync(page, resources);
        }
        catch (DevToolsException e)
        {
            return new(null, page.FinalUrl, [], e.Message);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            return new(null, page.FinalUrl, [], string.Create(CultureInfo.InvariantCulture, $"not done after {limits.Longest.TotalMinutes:0.#} min"));
        }
        finally
        {
            await whole.CancelAsync(); // what it still asks for is not fetched to the end
        }
    }

    private async Task<RenderedPage> OpenAsync(Fetched page, PageResources resources)
    {
        var context = (await CallAsync("Target.createBrowserContext", new { disposeOnDetach = true }, null, RenderLimits.Command)).GetProperty("browserContextId").GetString()!;
        try
        {
            await CallAsync("Browser.setDownloadBehavior", new { behavior = "deny", browserContextId = context }, null, RenderLimits.Command);
            var target = (await CallAsync("Target.createTarget", new { url = "about:blank", browserContextId = context }, null, RenderLimits.Command)).GetProperty("targetId").GetString();
            session = (await CallAsync("Target.attachToTarget", new { targetId = target, flatten = true }, null, RenderLimits.Command)).GetProperty("sessionId").GetString()!;
            devTools.Listen(session, Hear);
            var frame = (await CallAsync("Page.getFrameTree", null)).GetProperty("frameTree").GetProperty("frame").GetProperty("id").GetString()!;
            requests = new TabRequests(page, frame, resources, limits);
            await CallAsync("Page.enable", null);
            await CallAsync("Fetch.enable", new { patterns = new[] { new { urlPattern = "*" } } });
            await CallAsync("Target.setAutoAttach", new { autoAttach = true, waitForDebuggerOnStart = true, flatten = true }); // workers wait for ever
            await CallAsync("Page.addScriptToEvaluateOnNewDocument", new { source = NoDialogs });
            _ = NavigateAsync(page.FinalUrl);
            if (await FinishAsync() is { Length: > 0 } failure) return new(null, page.FinalUrl, requests.Targets, failure);
            return await ReadAsync(page, frame);
        }
        finally
        {
            devTools.Forget(session);
            await CloseAsync(context);
        }
    }

    private void Hear(string method, JsonElement parameters)
    {
        switch (method)
        {
            case "Fetch.requestPaused":
                Interlocked.Increment(ref pending);
                _ = Task.Run(() => AnswerAsync(parameters), CancellationToken.None);
                break;
            case "Page.loadEventFired":
                RunAhead();
                break;
            case "Page.javascriptDialogOpening":
                Post("Page.handleJavaScriptDialog", new { accept = false });
                if (Interlocked.Increment(ref dialogs) > RenderLimits.MaxDialogs) done.TrySetResult("it does not stop asking");
                break;
            case "Emulation.virtualTimeBudgetExpired":
                done.TrySetResult("");
                break;
            case "Inspector.targetCrashed":
                done.TrySetResult("its process ended: it asked for too much memory, or the browser failed");
                break;
        }
    }

    // Answered when the browser shows the page, or will not.
    private async Task NavigateAsync(Uri url)
    {
        try
        {
            var reply = await CallAsync("Page.navigate", new { url = url.AbsoluteUri }, session, RenderLimits.Load);
            if (reply.TryGetProperty("errorText", out var error)) done.TrySetResult($"the browser does not show it: {error}");
            else isShown = true;
        }
        catch (Exception e) when (e is DevToolsException or BrowserGoneException or OperationCanceledException)
        {
            done.TrySetResult(e.Message);
        }
    }

    private void RunAhead()
    {
        if (Interlocked.Exchange(ref isRunning, 1) == 1) return;
        Post("Emulation.setVirtualTimePolicy", new { policy = "pauseIfNetworkFetchesPending", budget = RenderLimits.PageTime.TotalMilliseconds, maxVirtualTimeTaskStarvationCount = 10_000 });
    }

    private async Task AnswerAsync(JsonElement paused)
    {
        try
        {
            var answer = await requests!.AnswerAsync(paused, token);
            var id = paused.GetProperty("requestId").GetString();
            if (answer.Status == 0 || !await GivenAsync(id, answer)) await CallAsync("Fetch.failRequest", new { requestId = id, errorReason = "Aborted" });
            if (requests.WasLedAway) RunAhead(); // the load that it broke off never ends
        }
        catch (Exception e) when (e is DevToolsException or BrowserGoneException or OperationCanceledException)
        {
            // the page is no longer there to be answered
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            done.TrySetResult($"a request of it could not be read: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
        }
        finally
        {
            Interlocked.Decrement(ref pending);
        }
    }

    // False where the browser does not take the answer: a field of it may be malformed.
    private async Task<bool> GivenAsync(string? id, ResourceAnswer answer)
    {
        try
        {
            await CallAsync("Fetch.fulfillRequest", new { requestId = id, responseCode = answer.Status, responseHeaders = answer.Headers.Select(h => new { name = h.Key, value = h.Value }).ToArray(), body = answer.Body });
            return true;
        }
        catch (DevToolsException)
        {
            return false;
        }
    }

    // Until its clock has run out, or its scripts have had their time; "" where it can be read.
    private async Task<string> FinishAsync()
    {
        var (spent, last) = (TimeSpan.Zero, Stopwatch.GetTimestamp());
        while (!done.Task.IsCompleted && !requests!.IsEndless && spent < limits.ScriptTime)
        {
            await Task.WhenAny(done.Task, devTools.Closed, Task.Delay(50, token));
            token.ThrowIfCancellationRequested();
            if (devTools.Closed.IsCompleted) throw new BrowserGoneException("the browser ended");
            if (isShown && Volatile.Read(ref pending) == 0) spent += Stopwatch.GetElapsedTime(last); // the wait for answers is the servers'
            last = Stopwatch.GetTimestamp();
        }
        return done.Task.IsCompleted ? await done.Task : "";
    }

    private async Task<RenderedPage> ReadAsync(Fetched page, string frame)
    {
        Post("Runtime.terminateExecution", null); // a script that runs for ever would let nobody else in
        var world = (await CallAsync("Page.createIsolatedWorld", new { frameId = frame, worldName = "crawl" })).GetProperty("executionContextId").GetInt32();
        var reply = await CallAsync("Runtime.evaluate", new { expression = PageMarkup.Expression(limits.MaxCharacters), contextId = world, returnByValue = true, timeout = RenderLimits.Command.TotalMilliseconds / 2 });
        var read = reply.GetProperty("result");
        if (!read.TryGetProperty("value", out var value) || value.ValueKind != JsonValueKind.Object) return Failed("its markup could not be read");
        if (!value.TryGetProperty("h", out var html)) return Failed($"its markup has grown to {value.GetProperty("n")} characters, at most {limits.MaxCharacters}");
        var url = Uri.TryCreate(value.GetProperty("u").GetString(), UriKind.Absolute, out var shown) && shown.Authority == page.FinalUrl.Authority && shown.Scheme == page.FinalUrl.Scheme ? shown : page.FinalUrl;
        return new(html.GetString(), url, requests!.Targets, "");

        RenderedPage Failed(string why) => new(null, page.FinalUrl, requests!.Targets, why);
    }

    // A browser that cannot even close a page is of no use.
    private async Task CloseAsync(string context)
    {
        using var limit = new CancellationTokenSource(RenderLimits.Command);
        try
        {
            await devTools.CallAsync("Target.disposeBrowserContext", new { browserContextId = context }, null, limit.Token);
        }
        catch (DevToolsException)
        {
            // it is closed
        }
        catch (OperationCanceledException)
        {
            throw new BrowserGoneException("the browser does not close pages any more");
        }
    }

    private Task<JsonElement> CallAsync(string method, object? parameters) => CallAsync(method, parameters, session, RenderLimits.Command);

    private async Task<JsonElement> CallAsync(string method, object? parameters, string? to, TimeSpan most)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(most);
        try
        {
            return await devTools.CallAsync(method, parameters, to, limit.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            var words = $"no answer within {most.TotalSeconds} s";
            throw to is null ? new BrowserGoneException($"{method}: {words}") : new DevToolsException(method, words);
        }
    }

    // Sends at once, in order, without waiting: the answer says nothing that matters.
    private void Post(string method, object? parameters) => _ = PostAsync(method, parameters);

    private async Task PostAsync(string method, object? parameters)
    {
        try
        {
            await CallAsync(method, parameters);
        }
        catch (Exception e) when (e is DevToolsException or BrowserGoneException or OperationCanceledException or ObjectDisposedException)
        {
            // the page is gone, or busy
        }
    }
}
