using System.Diagnostics;
using System.Text.Json;
using LoraFactory.Cli.Demo;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class FrontierTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_url_is_queued_once_with_its_best_priority_and_least_depth()
    {
        using var frontier = Open();
        frontier.Commit(() =>
        {
            frontier.Add(Item("http://a.test/x", 3, 0.2));
            frontier.Add(Item("http://a.test/x", 2, 0.9));
            frontier.Add(Item("http://a.test/x", 5, 0.1));
        });
        var item = Assert.Single(Next(frontier));
        Assert.Equal((2, 0.9), (item.Depth, item.Priority));
        frontier.Commit(() => frontier.Done(item));
        frontier.Commit(() => frontier.Add(Item("http://a.test/x", 1, 1)));
        Assert.Empty(Next(frontier));
    }

    [Fact]
    public void What_was_deferred_is_taken_up_with_its_priority_and_after_its_hosts_rest()
    {
        using var frontier = Open();
        var (late, gone) = (Item("http://a.test/late", 1, 0.7), Item("http://a.test/gone", 1, 0.6));
        frontier.Commit(() =>
        {
            frontier.Add(late);
            frontier.Add(gone);
            frontier.Drop(late, new("crawl-delay", null, 60, 30));
            frontier.Drop(gone, new("bad-status", "404"));
            frontier.Rest("a.test", 4e9);
        });
        Assert.Empty(Next(frontier));
        Assert.Equal((1, 1), (frontier.Tally.Deferred, frontier.Tally.Dropped["bad-status"]));
        Assert.Equal(1, frontier.TakeUpDeferred());
        Assert.Equal((0, 1), (frontier.Tally.Deferred, frontier.Queued));
        Assert.Equal(late, Assert.Single(Next(frontier)));
        Assert.Equal(("a.test", 4e9), Assert.Single(frontier.Resting(1e9)));
        Assert.Equal(0, frontier.TakeUpDeferred());
    }

    [Fact]
    public void Best_first_within_quota_and_budget_whatever_the_order_of_arrival()
    {
        var items = Enumerable.Range(0, 60).Select(i => Item($"http://h{i % 3}.test/{i}", 1, Math.Round(i % 7 / 7.0, 3))).ToList();
        string[]? first = null;
        for (var turn = 0; turn < 3; turn++)
        {
            var shuffled = items.ToArray();
            new Random(turn).Shuffle(shuffled);
            using var frontier = Frontier.Open(folder.File($"{turn}.db"), "k");
            frontier.Commit(() => Array.ForEach(shuffled, frontier.Add));
            var chosen = frontier.NextRound(10, _ => 5, new(12, 100, 100)).Select(i => i.Url.AbsoluteUri).ToArray();
            Assert.Equal(12, chosen.Length);
            Assert.Equal(first ??= chosen, chosen);
        }
    }

    [Fact]
    public void A_url_without_any_worth_is_known_all_the_same()
    {
        using (var frontier = Open()) frontier.Commit(() => frontier.Add(Item("http://a.test/logo.png", 0, 0)));
        using var again = Open();
        again.Commit(() => again.Add(Item("http://a.test/logo.png", 0, 0.7)));
        Assert.Equal(0.7, Assert.Single(Next(again)).Priority);
    }

    [Fact]
    public void A_page_too_deep_may_come_nearer()
    {
        using var frontier = Open();
        frontier.Commit(() =>
        {
            frontier.AddDropped(Item("http://a.test/x", 5, 0.5), new("depth"));
            frontier.AddDropped(Item("http://a.test/y", 5, 0.5), new("not-html"));
            frontier.Add(Item("http://a.test/x", 4, 0.5));
            frontier.Add(Item("http://a.test/y", 4, 0.5));
        });
        Assert.Equal("http://a.test/x", Assert.Single(Next(frontier)).Url.AbsoluteUri);
    }

    [Fact]
    public void Work_that_fails_leaves_no_trace()
    {
        using var frontier = Open();
        Assert.Throws<InvalidOperationException>(() => frontier.Commit(() =>
        {
            frontier.Add(Item("http://a.test/x", 0, 1));
            throw new InvalidOperationException();
        }));
        Assert.Empty(Next(frontier));
        Assert.Equal(0, frontier.Queued);
    }

    [Fact]
    public void Another_seed_begins_anew_and_the_same_goes_on()
    {
        using (var frontier = Open()) frontier.Commit(() => frontier.Add(Item("http://a.test/x", 0, 1)));
        using (var same = Open()) Assert.Equal(1, same.Queued);
        using var other = Frontier.Open(folder.File("f.db"), "other");
        Assert.Equal(0, other.Queued);
    }

    [Fact]
    public async Task Kill_minus_nine_loses_no_url()
    {
        var stop = TestContext.Current.CancellationToken;
        await using var web = await DemoWeb.StartAsync(DemoCrawl.Folder);
        var recipe = folder.File("recipe.yaml");
        await File.WriteAllTextAsync(recipe, $"""
            name: cut
            seed:
              topic: blueprint drawings
              urls: ["http://drawings.test/", "http://notes.test/"]
            crawl:
              delay_seconds: 0.02
              seed_hosts_only: true
              allow_private_hosts: [{string.Join(", ", web.Hosts)}]
              resolve: [{string.Join(", ", web.Resolve)}]
            """, stop);
        var kills = 0;
        int code;
        while (true)
        {
            using var run = Process.Start(new ProcessStartInfo("dotnet", [typeof(DemoWeb).Assembly.Location, "run", recipe, "--to", "crawl", "--runs-dir", folder.File("runs")]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
            var output = (run.StandardOutput.ReadToEndAsync(stop), run.StandardError.ReadToEndAsync(stop));
            var started = web.Requests.Count;
            var mark = Stopwatch.StartNew();
            while (!run.HasExited && (kills >= 3 || web.Requests.Count < started + 25) && mark.Elapsed < TimeSpan.FromMinutes(2)) await Task.Delay(20, stop);
            if (run.HasExited)
            {
                code = run.ExitCode;
                Assert.True(code == 0, await output.Item1 + await output.Item2);
                break;
            }
            run.Kill();
            await run.WaitForExitAsync(stop);
            kills++;
        }
        Assert.Equal(3, kills);

        var asked = web.Requests.Count;
        var straight = DemoCrawl.Context(web, folder.File("straight"));
        straight = straight with { Recipe = straight.Recipe with { Seed = straight.Recipe.Seed with { Urls = ["http://drawings.test/", "http://notes.test/"] }, Crawl = straight.Recipe.Crawl with { SeedHostsOnly = true } } };
        await new CrawlStage().RunAsync(straight, stop);
        // Nothing is asked for twice but what was on its way when it was killed: one request of each of two hosts, or one that had just been answered.
        var twice = asked - (web.Requests.Count - asked);
        Assert.True(twice <= kills * 2 * 2, $"{twice} requests more than of a crawl that was not killed");
        Assert.Equal(Pages(straight.Run), Pages(new RunDirectory(Path.Combine(folder.File("runs"), "cut"))));
    }

    private static IEnumerable<string> Pages(RunDirectory run) =>
        RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl")).Select(p => JsonSerializer.Serialize(CrawlStageTests.Timeless(p), RunDirectory.Json));

    private Frontier Open() => Frontier.Open(folder.File("f.db"), "k");

    private static IReadOnlyList<FrontierUrl> Next(Frontier frontier) => frontier.NextRound(10, _ => 10, new(100, 100, 100));

    private static FrontierUrl Item(string url, int depth, double priority) => new(new Uri(url), UrlKind.Page, depth, priority);
}
