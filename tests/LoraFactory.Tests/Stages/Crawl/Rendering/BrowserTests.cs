using System.Diagnostics;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;
using LoraFactory.Stages.Crawl.Rendering;
using LoraFactory.Tests.Cli;

namespace LoraFactory.Tests.Stages.Crawl.Rendering;

/// <summary>The browser itself: shut in, replaced when it dies, gone when lora is.</summary>
public sealed class BrowserTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_browser_that_is_killed_is_replaced_and_its_page_is_rendered_all_the_same()
    {
        PageRenderer? renderer = null;
        var (kills, profile) = (0, "");
        await using var web = new ScriptedWeb((_, path) =>
        {
            if (path == "/killer.json" || (path == "/once.json" && Interlocked.Increment(ref kills) == 1)) Kill();
            return path.EndsWith(".json", StringComparison.Ordinal) ? "\"drawings\"" : null;
        });
        void Kill()
        {
            foreach (var id in renderer!.ProcessIds)
            {
                try
                {
                    Process.GetProcessById(id).Kill();
                }
                catch (ArgumentException)
                {
                    // the one that was killed before
                }
            }
        }

        var options = web.Options();
        var gates = new HostGates(TimeProvider.System, TimeSpan.Zero);
        using var fetcher = new PageFetcher(options, new AddressGuard(options.AllowPrivateHosts, options.Resolve), gates, TimeProvider.System);
        await using (renderer = new PageRenderer(options, fetcher, gates, new RobotsCache(options, fetcher, gates, TimeProvider.System), _ => null, TimeProvider.System))
        {
            Assert.Contains("Chrome", await renderer.StartAsync(Stop), StringComparison.Ordinal);
            var first = Assert.Single(renderer.ProcessIds);
            Assert.Contains(">\"drawings\"<", (await renderer.RenderAsync(Asking("/once.json"), Stop)).Html, StringComparison.Ordinal);
            Assert.Equal(2, kills);
            Assert.Equal([first], renderer.ProcessIds); // the page had one of its own; the next page gets another
            var lost = await renderer.RenderAsync(Asking("/killer.json"), Stop); // kills each that shows it: given up at the second
            Assert.Null(lost.Html);
            Assert.Contains("the browser", lost.Failure, StringComparison.Ordinal);
            Assert.Equal(2, web.Asked.Count(a => a == "GET a.test/killer.json"));
            Assert.Contains(">\"drawings\"<", (await renderer.RenderAsync(Asking("/again.json"), Stop)).Html, StringComparison.Ordinal);
            var next = Assert.Single(renderer.ProcessIds);
            Assert.NotEqual(first, next);
            profile = File.ReadAllText($"/proc/{next}/cmdline").Split('\0').First(a => a.Contains("lora-browser-", StringComparison.Ordinal)).Split('=')[1];
            Assert.NotEmpty(Naming(profile));
            Assert.True(Directory.Exists(profile));
        }
        await GoneAsync(profile);
    }

    private static Fetched Asking(string path) => new()
    {
        FinalUrl = new Uri("http://a.test/"),
        Status = 200,
        Body = Encoding.UTF8.GetBytes(ScriptedWeb.Shell($"fetch('{path}').then(r => r.text()).then(t => root.append(t))")),
    };

    [Fact]
    public async Task What_is_not_caught_finds_no_way_out_even_where_the_kernel_leaves_it_a_network()
    {
        Assert.SkipWhen(ChromiumProgram.Find() is null, "there is no Chromium here");
        await using var server = LoopbackServer.Saying(_ => "200 OK\nContent-Type: text/html", "<p>reached"u8.ToArray());
        var confined = Confinement.Possible()[^1];
        var ways = confined.AsNobody ? (string[])["setpriv", $"--reuid={Confinement.Nobody}", $"--regid={Confinement.Nobody}", "--clear-groups"] : [];
        var (browser, words) = await Chromium.StartAsync(ChromiumProgram.Find()!, "LoraFactory/0.1 (+https://a.test)", confined with { Prefix = ways }, 1 << 20, Stop);
        Assert.True(browser is not null, words);
        using (browser)
        {
            var target = (await browser.DevTools.CallAsync("Target.createTarget", new { url = "about:blank" }, null, Stop)).GetProperty("targetId").GetString();
            var session = (await browser.DevTools.CallAsync("Target.attachToTarget", new { targetId = target, flatten = true }, null, Stop)).GetProperty("sessionId").GetString();
            foreach (var address in new[] { $"http://127.0.0.1:{server.Port}/", $"http://localhost:{server.Port}/", $"http://[::1]:{server.Port}/", "https://example.org/" })
            {
                var reply = await browser.DevTools.CallAsync("Page.navigate", new { url = address }, session, Stop);
                Assert.StartsWith("net::ERR_", reply.GetProperty("errorText").GetString(), StringComparison.Ordinal);
            }
        }
        Assert.Empty(server.Heads);
    }

    [Fact]
    public async Task Loras_death_leaves_no_browser()
    {
        await using var web = new ScriptedWeb((_, path) => path == "/" ? ScriptedWeb.Shell("fetch('/begun.json').then(() => { for (;;); })") : path == "/begun.json" ? "1" : null);
        var recipe = Path.Combine(web.Folder, "recipe.yaml");
        await File.WriteAllTextAsync(recipe, $"""
            name: killed
            seed: {"{"} topic: drawings, expand_depth: 0, urls: ["http://a.test/"] {"}"}
            crawl: {"{"} render: auto, render_seconds: 600, delay_seconds: 0, allow_private_hosts: [a.test], resolve: ["a.test=127.0.0.1:{web.Port}"] {"}"}
            """, Stop);
        await using var lora = LoraProcess.Start(["run", recipe, "--to", "crawl", "--runs-dir", Path.Combine(web.Folder, "runs")]);
        await lora.UntilAsync(() => web.Asked.Contains("GET a.test/begun.json"));
        Assert.NotEmpty(Naming($"lora-browser-{lora.Id}-"));
        await lora.KillAloneAsync();
        await GoneAsync($"lora-browser-{lora.Id}-");
    }

    private static async Task GoneAsync(string profile)
    {
        for (var watch = Stopwatch.StartNew(); Naming(profile).Count > 0 && watch.Elapsed < TimeSpan.FromMinutes(2);) await Task.Delay(50, Stop);
        Assert.Empty(Naming(profile));
        Assert.False(Directory.Exists(profile));
    }

    // Processes that name a browser's profile; those of its sandbox do too.
    private static List<string> Naming(string profile)
    {
        var found = new List<string>();
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            try
            {
                var line = File.ReadAllText(Path.Combine(process, "cmdline"));
                if (line.Contains(profile, StringComparison.Ordinal)) found.Add(line);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // it has ended
            }
        }
        return found;
    }

    [Fact]
    public async Task A_recipe_that_renders_says_at_once_that_there_is_no_browser()
    {
        using var folder = new TemporaryFolder();
        var recipe = folder.File("recipe.yaml");
        await File.WriteAllTextAsync(recipe, """
            name: rendered
            seed: { topic: drawings, expand_depth: 0, urls: ["http://a.test/"] }
            crawl: { render: always, delay_seconds: 0, allow_private_hosts: [a.test], resolve: ["a.test=127.0.0.1:1"] }
            """, Stop);
        string[] call = ["LORA_CHROMIUM=/nowhere/chromium", "dotnet", LoraProcess.Program];
        await using var check = LoraProcess.StartProgram("env", [.. call, "check", recipe]);
        await check.EndAsync();
        Assert.Contains("crawl.render: pages are to be rendered, and LORA_CHROMIUM names /nowhere/chromium, which is no file", check.Text, StringComparison.Ordinal);
        await using var off = LoraProcess.StartProgram("env", [.. call, "check", recipe, "--set", "crawl.render=off"]);
        await off.EndAsync();
        Assert.DoesNotContain("LORA_CHROMIUM", off.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Chromium_is_what_is_named_or_the_first_in_the_path()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("a"));
        Directory.CreateDirectory(folder.File("b"));
        File.WriteAllText(folder.File("a/google-chrome"), "");
        File.WriteAllText(folder.File("b/chromium"), "");
        var path = $"{folder.File("none")}:{folder.File("a")}:{folder.File("b")}";
        Assert.Equal(folder.File("b/chromium"), ChromiumProgram.Find(null, path)); // Debian's own before another, wherever they lie
        Assert.Equal(folder.File("a/google-chrome"), ChromiumProgram.Find("", folder.File("a")));
        Assert.Equal(folder.File("a/google-chrome"), ChromiumProgram.Find(folder.File("a/google-chrome"), path));
        Assert.Null(ChromiumProgram.Find(folder.File("gone"), path));
        Assert.Null(ChromiumProgram.Find(null, null));
    }

    [Theory]
    [InlineData("{\"id\":1,\"result\":{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}", "more than 100 bytes")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "more than 100 bytes")]
    [InlineData("no json\0", "invalid JSON literal")]
    [InlineData("[1]\0", "")]
    public async Task Nonsense_on_the_pipe_ends_the_connection(string said, string why)
    {
        using var input = new MemoryStream();
        using var output = new MemoryStream(Encoding.UTF8.GetBytes(said + "\0"));
        var devTools = new DevToolsConnection(input, output, 100);
        await devTools.Closed.WaitAsync(Stop);
        Assert.Contains(why, devTools.Why, StringComparison.Ordinal);
        await Assert.ThrowsAsync<BrowserGoneException>(() => devTools.CallAsync("Browser.getVersion", null, null, Stop));
    }
}
