using System.Collections.Concurrent;
using System.Text;
using LoraFactory.Cli;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>lora consent check on a crawl of a small web that says other things the second time.</summary>
public sealed class ConsentCheckTests : IDisposable
{
    private static readonly byte[] Dot = Convert.FromBase64String("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==");
    private readonly TemporaryFolder folder = new();
    private readonly ConcurrentDictionary<string, string> changed = new(StringComparer.Ordinal);

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task What_has_opted_out_since_is_named_and_goes_and_what_says_nothing_stays()
    {
        await using var server = new LoopbackServer(AnswerAsync);
        Assert.Equal(0, (await CrawlAsync(server)).Code);
        var (code, output) = await CheckAsync();
        Assert.Equal(0, code);
        Assert.Contains("has opted out since it was fetched", output, StringComparison.Ordinal);

        changed["a.test/1"] = "200 OK\r\nX-Robots-Tag: noai"; // by its header
        changed["a.test/2"] = "200 OK\r\nX-Meta: <meta name=robots content=noimageai>"; // by its markup
        changed["a.test/3.png"] = "200 OK\r\nTDM-Reservation: 1"; // a picture by its own response, its page says nothing
        changed["b.test/robots.txt"] = "200 OK\r\nX-Body: User-agent: *|Disallow: /1$";
        changed["b.test/2"] = "404 Not Found";
        changed["b.test/3"] = "500 Oops";
        var before = server.Heads.Count;
        Assert.Contains("has opted out since it was fetched", (await CheckAsync()).Output, StringComparison.Ordinal); // what was said an hour ago holds
        Assert.Equal(before, server.Heads.Count);

        string[] out_ = ["http://a.test/1", "http://a.test/2", "http://a.test/3.png", "http://b.test/1"];
        (code, output) = await CheckAsync("--max-age", "0", "--json");
        Assert.Equal(0, code);
        string[] theirs = ["http://a.test/1.png", "http://a.test/2.png"]; // pictures of pages that refuse by now
        Assert.Equal(out_.Concat(theirs).Order(StringComparer.Ordinal), output.Split('\n').Where(l => l.StartsWith('{')).Select(l => System.Text.Json.JsonDocument.Parse(l).RootElement.GetProperty("url").GetString()).Order(StringComparer.Ordinal));
        Assert.Equal(8, Pages().Count);
        var answers = RunDirectory.ReadLines<ConsentAnswer>(folder.File("runs/two/consent-check.jsonl")).GroupBy(a => a.Url).ToDictionary(g => g.Key, g => g.Last());
        Assert.Equal(("refused", "x-robots-tag:noai"), (answers[out_[0]].Verdict, answers[out_[0]].Signal));
        Assert.Equal(("refused", "robots-meta:noimageai"), (answers[out_[1]].Verdict, answers[out_[1]].Signal));
        Assert.Equal(("refused", "tdmrep-header:tdm-reservation=1"), (answers[out_[2]].Verdict, answers[out_[2]].Signal));
        Assert.Equal(("refused", "robots-denied"), (answers[out_[3]].Verdict, answers[out_[3]].Signal));
        Assert.Equal("gone", answers["http://b.test/2"].Verdict);
        Assert.Equal("silent", answers["http://b.test/3"].Verdict); // as it said before it left this unanswered
        Assert.Equal("silent", answers["http://a.test/3"].Verdict);

        before = server.Heads.Count;
        (code, output) = await CheckAsync("--purge");
        Assert.Equal(0, code);
        Assert.Equal(before, server.Heads.Count);
        Assert.Equal(["http://a.test/", "http://a.test/3", "http://b.test/", "http://b.test/2", "http://b.test/3"], Pages().Select(p => p.Url).Order(StringComparer.Ordinal));
        Assert.DoesNotContain(Pages().SelectMany(p => p.Pictures), p => p.Url == "http://a.test/3.png");
        Assert.Contains("http://b.test/1", File.ReadAllText(folder.File("runs/two/consent.jsonl")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_s_refusal_takes_the_pictures_of_its_own_site_from_the_pages_that_say_nothing()
    {
        // both show a picture of either host; a page that is left out by robots.txt alone says nothing of its pictures
        changed["a.test/1"] = changed["a.test/2"] = "200 OK\r\nX-Meta: <img src=/shared.png><img src=http://b.test/shared.png>";
        changed["b.test/1"] = changed["b.test/2"] = "200 OK\r\nX-Meta: <img src=/shown.png>";
        await using var server = new LoopbackServer(AnswerAsync);
        Assert.Equal(0, (await CrawlAsync(server)).Code);
        changed["a.test/1"] = "200 OK\r\nX-Robots-Tag: noai";
        changed["a.test/3"] = "200 OK\r\nX-Robots-Tag: noindex";
        changed["b.test/robots.txt"] = "200 OK\r\nX-Body: User-agent: *|Disallow: /1$";
        var (code, output) = await CheckAsync("--max-age", "0", "--purge");
        Assert.Equal(0, code);
        Assert.Contains("http://a.test/shared.png (picture): x-robots-tag:noai, said by http://a.test/1", output, StringComparison.Ordinal);
        Assert.Contains("http://a.test/1.png (picture): x-robots-tag:noai, said by http://a.test/1", output, StringComparison.Ordinal);
        Assert.Equal(["http://a.test/", "http://a.test/2", "http://b.test/", "http://b.test/2", "http://b.test/3"], Pages().Select(p => p.Url).Order(StringComparer.Ordinal));
        string[] Shown(string page) => [.. Pages().Single(p => p.Url == page).Pictures.Select(p => p.Url).Order(StringComparer.Ordinal)];
        Assert.Equal(["http://a.test/2.png", "http://b.test/shared.png"], Shown("http://a.test/2"));
        Assert.Equal(["http://b.test/2.png", "http://b.test/shown.png"], Shown("http://b.test/2"));
    }

    [Fact]
    public async Task A_check_that_was_cut_off_asks_only_what_is_left()
    {
        await using var server = new LoopbackServer(AnswerAsync);
        Assert.Equal(0, (await CrawlAsync(server)).Code);
        Assert.Equal(0, (await CheckAsync()).Code);
        var path = folder.File("runs/two/consent-check.jsonl");
        var lines = File.ReadAllLines(path);
        File.WriteAllText(path, string.Join('\n', lines.Take(5)) + "\n" + lines[5][..(lines[5].Length / 2)]);
        var before = server.Heads.Count;
        Assert.Equal(0, (await CheckAsync()).Code);
        var asked = server.Heads.Skip(before).Count(h => !h.Contains("/robots.txt", StringComparison.Ordinal) && !h.Contains("/.well-known", StringComparison.Ordinal));
        Assert.Equal(lines.Length - 5, asked);
        Assert.Equal(lines.Length, File.ReadAllLines(path).Length);
    }

    [Fact]
    public async Task A_host_that_answers_nothing_is_not_asked_for_all_of_its_pages()
    {
        await using var server = new LoopbackServer(AnswerAsync);
        Assert.Equal(0, (await CrawlAsync(server)).Code);
        for (var i = 1; i < 4; i++) changed[$"b.test/{i}"] = changed[$"b.test/{i}.png"] = "500 Oops";
        changed["b.test/"] = "500 Oops";
        var before = server.Heads.Count;
        var (code, output) = await CheckAsync();
        Assert.Equal(0, code);
        Assert.Contains("unanswered", output, StringComparison.Ordinal);
        Assert.Equal(3, Asked());
        Assert.Contains(Answers(), a => a is { Url: "http://b.test/", Verdict: "unanswered", Signal: "bad-status 500" });
        Assert.Equal(0, (await CheckAsync()).Code);
        Assert.Equal(6, Asked()); // what was left unanswered is asked again

        int Asked() => server.Heads.Skip(before).Count(h => h.Contains("b.test", StringComparison.Ordinal) && !h.Contains("/robots.txt", StringComparison.Ordinal) && !h.Contains("/.well-known", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_front_page_that_opts_out_goes_alone()
    {
        await using var server = new LoopbackServer(AnswerAsync);
        Assert.Equal(0, (await CrawlAsync(server)).Code);
        changed["a.test/"] = "200 OK\r\nX-Robots-Tag: noai";
        Assert.Equal(0, (await CheckAsync("--purge")).Code);
        Assert.Equal(7, Pages().Count);
        Assert.DoesNotContain(Pages(), p => p.Url == "http://a.test/");
    }

    [Fact]
    public async Task A_reservation_that_cannot_be_read_is_no_answer_and_one_in_a_crawl_is_asked_for_again()
    {
        await using var server = new LoopbackServer(AnswerAsync);
        changed["a.test/.well-known/tdmrep.json"] = "503 Busy";
        Assert.Equal(0, (await CrawlAsync(server, () => changed.TryRemove("a.test/.well-known/tdmrep.json", out _))).Code);
        Assert.Equal(8, Pages().Count);
        Assert.DoesNotContain(Pages(), p => p.OptOut is not null);

        changed["a.test/.well-known/tdmrep.json"] = "503 Busy";
        Assert.Equal(0, (await CheckAsync("--purge")).Code);
        Assert.Equal(8, Pages().Count);
        Assert.Contains(Answers(), a => a is { Url: "http://a.test/", Verdict: "unanswered" });
    }

    [Fact]
    public async Task What_was_said_stands_until_something_else_is_said_and_until_it_is_fetched_again()
    {
        await using var server = new LoopbackServer(AnswerAsync);
        Assert.Equal(0, (await CrawlAsync(server)).Code);
        changed["a.test/1"] = "200 OK\r\nX-Robots-Tag: noai";
        Assert.Contains("http://a.test/1 (page): x-robots-tag:noai", (await CheckAsync()).Output, StringComparison.Ordinal);
        changed["a.test/1"] = "500 Oops";
        var stands = (await CheckAsync("--max-age", "0")).Output;
        Assert.Contains("http://a.test/1 (page): x-robots-tag:noai", stands, StringComparison.Ordinal);
        Assert.Contains("1 left unanswered now", stands, StringComparison.Ordinal);
        changed.Clear();
        Assert.Equal(0, (await CrawlAsync(server, again: true)).Code);
        Assert.DoesNotContain("http://a.test/1", (await CheckAsync("--purge")).Output, StringComparison.Ordinal);
        Assert.Equal(8, Pages().Count);
    }

    [Fact]
    public async Task A_run_elsewhere_is_purged_and_one_that_is_damaged_keeps_no_other_from_being_asked()
    {
        await using var server = new LoopbackServer(AnswerAsync);
        Assert.Equal(0, (await CrawlAsync(server)).Code);
        changed["a.test/1"] = "200 OK\r\nX-Robots-Tag: noai";
        AtomicFile.WriteText(folder.File("runs/damaged/recipe.yaml"), "what: is this");
        var (code, output) = await CheckAsync();
        Assert.NotEqual(0, code);
        Assert.Contains("runs/damaged was left out", output, StringComparison.Ordinal);
        Assert.Contains("http://a.test/1 (page)", output, StringComparison.Ordinal);
        using (RunLock.Take(new RunDirectory(folder.File("runs/two")))) Assert.Contains("runs/two was left out", (await CheckAsync()).Output, StringComparison.Ordinal);

        Directory.Move(folder.File("runs/two"), folder.File("elsewhere"));
        Directory.Delete(folder.File("runs/damaged"), recursive: true);
        Assert.Equal(0, (await LoraAsync("consent", "check", folder.File("elsewhere"), "--runs-dir", folder.File("runs"), "--store", folder.File("store"), "--purge")).Code);
        Assert.DoesNotContain(RunDirectory.ReadLines<Page>(folder.File("elsewhere/1-crawl/pages.jsonl")), p => p.Url == "http://a.test/1");
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("10000")]
    [InlineData("soon")]
    public async Task An_age_out_of_range_is_refused(string age) => Assert.Equal(2, (await CheckAsync("--max-age", age)).Code);

    private List<ConsentAnswer> Answers() => [.. RunDirectory.ReadLines<ConsentAnswer>(folder.File("runs/two/consent-check.jsonl"))];

    private async Task<(int Code, string Output)> CrawlAsync(LoopbackServer server, Action? meanwhile = null, bool again = false)
    {
        var recipe = folder.File("two.yaml");
        File.WriteAllText(recipe, $"""
            name: two
            seed:
              topic: drawings
              expand_depth: 0
              urls: ["http://a.test/", "http://b.test/"]
            crawl:
              user_agent: "tester (+https://example.org/bot)"
              delay_seconds: 0
              allow_private_hosts: [a.test, b.test]
              resolve: ["a.test=127.0.0.1:{server.Port}", "b.test=127.0.0.1:{server.Port}"]
            """);
        var crawl = LoraAsync(["crawl", recipe, "--runs-dir", folder.File("runs"), .. again ? (string[])["--again"] : []]);
        if (meanwhile is not null)
        {
            while (!server.Heads.Any(h => h.Contains("/.well-known/tdmrep.json", StringComparison.Ordinal) && h.Contains("a.test", StringComparison.Ordinal)) && !crawl.IsCompleted) await Task.Delay(5, TestContext.Current.CancellationToken);
            meanwhile();
        }
        return await crawl;
    }

    private Task<(int Code, string Output)> CheckAsync(params string[] more) => LoraAsync(["consent", "check", "--runs-dir", folder.File("runs"), "--store", folder.File("store"), .. more]);

    private List<Page> Pages() => [.. RunDirectory.ReadLines<Page>(folder.File("runs/two/1-crawl/pages.jsonl"))];

    private static async Task<(int Code, string Output)> LoraAsync(params string[] arguments)
    {
        using var output = new StringWriter();
        return (await CommandLine.RunAsync(arguments, output, output), output.ToString());
    }

    // Four pages a host, three of them with a picture; what changed says how it begins, and what stands in place of or in its body.
    private async Task AnswerAsync(string head, Stream stream, CancellationToken token)
    {
        var path = head.Split(' ')[1];
        var host = head.Split('\n').First(l => l.StartsWith("Host:", StringComparison.OrdinalIgnoreCase))[5..].Trim();
        var isText = path == "/robots.txt" || path.StartsWith("/.well-known", StringComparison.Ordinal);
        var first = changed.GetValueOrDefault(host + path, isText ? "404 Not Found" : "200 OK");
        var said = first.Split('\n').Select(l => l.Trim()).FirstOrDefault(l => l.StartsWith("X-", StringComparison.Ordinal) && !l.StartsWith("X-Robots", StringComparison.Ordinal))?.Split(": ", 2)[1].Replace('|', '\n') ?? "";
        byte[] body = path.EndsWith(".png", StringComparison.Ordinal) ? [.. Dot, (byte)host[0], (byte)path[1]] : isText ? Encoding.ASCII.GetBytes(said)
            : Encoding.ASCII.GetBytes($"<!doctype html>{said}<title>drawings of {Words(host + path)}</title><h1>drawings of {Words(host + path)}</h1>{string.Concat(Enumerable.Range(1, 3).Select(i => $"<a href=/{i}>drawings {i}</a>"))}{(path == "/" ? "" : $"<figure><img src={path}.png alt='drawing'></figure>")}");
        var type = path.EndsWith(".png", StringComparison.Ordinal) ? "image/png" : isText ? "text/plain" : "text/html";
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {first}\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n"), token);
        await stream.WriteAsync(body, token);
    }

    // near-identical pages are told apart by words
    private static string Words(string address) => new[] { "a house by the lake", "three trees in deep snow", "one red boat at sea", "an old clock tower", "cats under the full moon", "keys of the harbour gate", "lamps on a long bridge", "mills beside the river" }[(address[0] - 'a') * 4 + (address[^1] == '/' ? 0 : address[^1] - '0')];
}
