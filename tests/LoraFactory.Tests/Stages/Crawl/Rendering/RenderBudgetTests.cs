using System.Text;
using LoraFactory.Stages.Crawl;
using LoraFactory.Stages.Crawl.Rendering;

namespace LoraFactory.Tests.Stages.Crawl.Rendering;

/// <summary>What one page, and the pages of one domain, may take of the browser and of the crawl.</summary>
public sealed class RenderBudgetTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void A_domains_pages_share_the_time_that_they_take_beyond_what_is_fair()
    {
        var budget = new RenderBudget(TimeSpan.FromSeconds(20), TimeSpan.FromMinutes(10));
        var whole = TimeSpan.FromSeconds(620);
        for (var i = 0; i < 1000; i++) budget.Count($"fair{i}.drip.test", TimeSpan.FromSeconds(20));
        Assert.Equal(whole, budget.LeftOf("w0.drip.test"));
        budget.Count("w1.drip.test", TimeSpan.FromMinutes(5));
        Assert.Equal(whole - TimeSpan.FromSeconds(280), budget.LeftOf("w2.drip.test"));
        budget.Count("w2.drip.test", TimeSpan.FromMinutes(5));
        Assert.Equal(TimeSpan.FromSeconds(60), budget.LeftOf("drip.test"));
        budget.Count("drip.test", TimeSpan.FromSeconds(60));
        Assert.Equal(TimeSpan.Zero, budget.LeftOf("w4.drip.test"));
        budget.Count("w4.drip.test", TimeSpan.FromMinutes(5)); // one that was open meanwhile
        Assert.Equal(TimeSpan.Zero, budget.LeftOf("w4.drip.test"));
        Assert.Equal(whole, budget.LeftOf("other.test"));
        Assert.Equal("pages of drip.test have held the browser up for 10 min beyond 20 s each: no more of them are rendered", budget.Words("w4.drip.test"));
    }

    [Fact]
    public async Task Pages_of_a_domain_that_holds_the_browser_up_are_rendered_no_more()
    {
        var end = new TaskCompletionSource();
        await using var web = new ScriptedWeb((_, path) =>
        {
            if (path == "/held.json") end.Task.Wait(30_000, Stop);
            return path.EndsWith(".json", StringComparison.Ordinal) ? "\"drawings\"" : null;
        });
        var options = web.Options();
        var gates = new HostGates(TimeProvider.System, TimeSpan.Zero);
        using var fetcher = new PageFetcher(options, new AddressGuard(options.AllowPrivateHosts, options.Resolve), gates, TimeProvider.System);
        await using var renderer = new PageRenderer(options, fetcher, gates, new RobotsCache(options, fetcher, gates, TimeProvider.System), _ => null, TimeProvider.System)
        {
            Budget = new RenderBudget(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2)),
        };
        await renderer.StartAsync(Stop);
        var held = await renderer.RenderAsync(Asking("w1.drip.test", "http://a.test/held.json"), Stop);
        Assert.Null(held.Html);
        Assert.Equal("not done after 0.1 min", held.Failure); // not the five that a page has elsewhere
        var next = await renderer.RenderAsync(Asking("w2.drip.test", "http://api.test/next.json"), Stop);
        Assert.Null(next.Html);
        Assert.StartsWith("pages of drip.test have held the browser up", next.Failure, StringComparison.Ordinal);
        Assert.DoesNotContain("GET api.test/next.json", web.Asked);
        end.SetResult();
    }

    private static Fetched Asking(string host, string url) => new()
    {
        FinalUrl = new Uri($"http://{host}/"),
        Status = 200,
        Body = Encoding.UTF8.GetBytes(ScriptedWeb.Shell($"fetch('{url}', {{ mode: 'no-cors' }}).then(r => r.text()).then(t => root.append(t))")),
    };

    [Fact]
    public async Task Requests_side_by_side_keep_within_the_bytes_of_a_page()
    {
        const string ask = """
            const ask = i => fetch('PATH?' + i).then(r => r.text()).then(t => t.length, () => 0);
            Promise.all([...Array(20).keys()].map(ask)).then(all => root.append(`[${all.filter(n => n > 0).length} answers, ${all.reduce((a, b) => a + b, 0)} bytes]`));
            """;
        var (some, large) = (new string('x', 400 << 10), new string('x', 3 << 19));
        await using var web = new ScriptedWeb((_, path) => path switch
        {
            "/" => "<title>drawings</title><a href=/many>drawings</a><a href=/large>drawings</a>" + new string('x', 600),
            "/many" => ScriptedWeb.Shell(ask.Replace("PATH", "/some.json", StringComparison.Ordinal)),
            "/large" => ScriptedWeb.Shell(ask.Replace("PATH", "/large.json", StringComparison.Ordinal)),
            _ => path.StartsWith("/some.json", StringComparison.Ordinal) ? some : path.StartsWith("/large.json", StringComparison.Ordinal) ? large : null,
        });
        await web.CrawlAsync(o => o with { MaxPageBytes = 1 << 20 });
        string Of(string path) => web.Text(web.Pages.Single(p => p.Url == "http://a.test" + path));
        Assert.Contains($"[10 answers, {10 * some.Length} bytes]", Of("/many"), StringComparison.Ordinal); // of 4 MiB
        Assert.Equal(11, web.Asked.Count(a => a.Contains("/some.json", StringComparison.Ordinal)));
        Assert.Contains("[0 answers, 0 bytes]", Of("/large"), StringComparison.Ordinal);
        Assert.Equal(4, web.Asked.Count(a => a.Contains("/large.json", StringComparison.Ordinal))); // each was read up to a mebibyte
    }

    [Fact]
    public async Task Bytes_that_were_not_used_are_there_for_the_next()
    {
        var budget = new ByteBudget(100, 40);
        Assert.Equal(40, await budget.TakeAsync(Stop));
        Assert.Equal(40, await budget.TakeAsync(Stop));
        var third = budget.TakeAsync(Stop);
        using var gone = new CancellationTokenSource();
        var fourth = budget.TakeAsync(gone.Token);
        Assert.False(third.IsCompleted); // 20 are left, and others may give some back
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fourth);
        budget.GiveBack(40, 10);
        Assert.Equal(40, await third);
        budget.GiveBack(40, 50); // no more counts than was taken
        var last = budget.TakeAsync(Stop);
        budget.GiveBack(40, 40);
        Assert.Equal(10, await last); // nobody can give anything back any more
        var none = budget.TakeAsync(Stop);
        budget.GiveBack(10, 10);
        Assert.Equal(0, await none);
        Assert.Equal(0, await budget.TakeAsync(Stop));
    }

    [Fact]
    public async Task A_tab_that_ends_takes_no_robots_txt_away_from_others_who_wait_for_it()
    {
        var (asked, begun, robotsTxt) = (new TaskCompletionSource(), new TaskCompletionSource(), new TaskCompletionSource());
        await using var web = new ScriptedWeb((host, path) =>
        {
            if ((host, path) == ("api.test", "/robots.txt"))
            {
                asked.TrySetResult();
                robotsTxt.Task.Wait(30_000, Stop);
                return "User-agent: *\nDisallow: /private";
            }
            if (path != "/begun.json") return null;
            begun.Task.Wait(30_000, Stop);
            return "1";
        });
        var options = web.Options(o => o with { TimeoutSeconds = 100 });
        var gates = new HostGates(TimeProvider.System, TimeSpan.Zero);
        using var fetcher = new PageFetcher(options, new AddressGuard(options.AllowPrivateHosts, options.Resolve), gates, TimeProvider.System);
        var robots = new RobotsCache(options, fetcher, gates, TimeProvider.System);
        await using var renderer = new PageRenderer(options, fetcher, gates, robots, _ => null, TimeProvider.System);
        var page = renderer.RenderAsync(new()
        {
            FinalUrl = new Uri("http://a.test/"),
            Status = 200,
            Body = Encoding.UTF8.GetBytes(ScriptedWeb.Shell("const c = new AbortController(); fetch('http://api.test/x.json', { signal: c.signal }).catch(() => 0); fetch('/begun.json').then(() => { c.abort(); root.append('drawings'); });")),
        }, Stop);
        await asked.Task.WaitAsync(Stop);
        var other = robots.JudgeAsync(new("http://api.test/private/page"), Stop).AsTask();
        begun.SetResult();
        Assert.Contains(">drawings<", (await page).Html, StringComparison.Ordinal);
        robotsTxt.SetResult();
        Assert.Equal("robots-denied", (await other)?.Reason);
    }
}
