using LoraFactory.Cli;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Clean;
using LoraFactory.Stages.Clean.Text;
using LoraFactory.Stages.Crawl;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

/// <summary>Scored once, judged as often as thresholds change: the result is that of a clean from the pages.</summary>
public sealed class RescoreTests
{
    private static readonly Seed Topic = DemoPages.Seed("blueprint drawings", ("blueprint", 0.9), ("drawings", 0.21), ("plan", 0.25));

    private static readonly CleanOptions Strict = new() { MinSide = 200, MinRelevance = 0.4 };
    private static readonly CleanOptions Mild = new() { MinSide = 32, MinRelevance = 0.1, Rules = ["c4"], Thresholds = ["c4-sentences=1", "fineweb-short-lines=0.95"], MinKeptShare = 0, MinKept = 1 };

    private static async Task CleanAsync(RunDirectory run, CleanOptions options, bool rescore = false)
    {
        var line = new FactoryLine([new CleanStage()]);
        var context = new StageContext { Run = run, Recipe = new Recipe { Clean = options }, Progress = new SilentProgress(), Seed = 1, Rescore = rescore };
        await line.RunAsync(context, new LineRequest(), new Dictionary<string, string>(), null, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Changed_thresholds_give_the_bytes_of_a_clean_from_the_pages_though_no_page_is_there()
    {
        var (fresh, run) = (new RunDirectory(TestData.NewFolder()), new RunDirectory(TestData.NewFolder()));
        DemoPages.Crawl(fresh, Topic);
        DemoPages.Crawl(run, Topic);
        await CleanAsync(fresh, Mild);
        await CleanAsync(run, new CleanOptions { MinSide = 16, MinRelevance = 0, MinTextQuality = 0 });
        var pages = RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl")).ToList();
        Assert.True(pages.Count > 30);
        foreach (var page in pages) File.Delete(run.Blob(page.BlobHash)); // what cannot be read again is not
        await CleanAsync(run, Mild, rescore: true);
        foreach (var name in (string[])["records.jsonl", "dropped.jsonl", EarlierScores.DocumentsFile])
            Assert.Equal(File.ReadAllText(fresh.File(StageName.Clean, name)), File.ReadAllText(run.File(StageName.Clean, name)));
        var drops = RunDirectory.ReadLines<Drop>(run.File(StageName.Clean, "dropped.jsonl")).ToList();
        Assert.Contains(drops, d => d is { Kind: CleanStage.DocumentKind, Reason: "c4-lines" or "c4-sentences" or "fineweb-short-lines", Value: not null, Threshold: not null });
        Assert.Contains(drops, d => d is { Kind: null, Reason: "off-topic", Threshold: 0.1, Value: < 0.1, Page.Length: > 0 });
        Assert.All(drops.Where(d => d.Reason == "too-small"), d => Assert.True(d.Value < d.Threshold && d.Threshold == 32));
    }

    [Fact]
    public async Task Pages_that_were_added_bring_their_host_s_lines_with_them()
    {
        var (fresh, run) = (new RunDirectory(TestData.NewFolder()), new RunDirectory(TestData.NewFolder()));
        foreach (var one in new[] { fresh, run }) Site(one, 12);
        await CleanAsync(fresh, Mild);
        Site(run, 9);
        await CleanAsync(run, Mild);
        Assert.DoesNotContain("Opening hours of the museum", File.ReadAllText(run.File(StageName.Clean, EarlierScores.DocumentsFile)), StringComparison.Ordinal);
        Site(run, 12); // three more of the same host
        await CleanAsync(run, Mild, rescore: true);
        Assert.Equal(File.ReadAllText(fresh.File(StageName.Clean, EarlierScores.DocumentsFile)), File.ReadAllText(run.File(StageName.Clean, EarlierScores.DocumentsFile)));
    }

    [Fact]
    public async Task The_text_of_a_page_that_refuses_training_is_dropped_and_a_page_without_text_keeps_none()
    {
        var run = new RunDirectory(TestData.NewFolder());
        DemoPages.Crawl(run, Topic);
        var path = run.File(StageName.Crawl, "pages.jsonl");
        var pages = RunDirectory.ReadLines<Page>(path).ToList();
        var refusing = pages.First(p => p.OptOut is null && p.Pictures.Any(i => i.BlobHash is not null));
        var empty = run.PutBlob("<!doctype html><title>Plans</title><body><div id=app></div>"u8);
        var hollow = refusing with { Id = "hollow", Url = "http://app.test/", FinalUrl = "http://app.test/", BlobHash = empty, Pictures = [] };
        RunDirectory.WriteLines(path, pages.Select(p => p.Id == refusing.Id ? p with { OptOut = "robots-meta:noai" } : p).Append(hollow).ToList());
        foreach (var respected in (bool[])[true, false])
        {
            await CleanAsync(run, Mild with { RespectOptOut = respected, Rules = [], Thresholds = [] });
            var documents = RunDirectory.ReadLines<TextDocument>(run.File(StageName.Clean, EarlierScores.DocumentsFile)).ToDictionary(d => d.Id);
            var drops = RunDirectory.ReadLines<Drop>(run.File(StageName.Clean, "dropped.jsonl")).Where(d => d.Kind == CleanStage.DocumentKind).ToList();
            Assert.Equal(respected, documents[refusing.Id].Dropped == CleanStage.OptedOut);
            Assert.Equal(respected, drops.Exists(d => d.Id == refusing.Id && d is { Reason: CleanStage.OptedOut, Detail: "robots-meta:noai" }));
            Assert.Equal("no-text", documents["hollow"].Dropped);
            Assert.Contains(drops, d => d is { Id: "hollow", Reason: "no-text" });
        }
    }

    [Fact]
    public async Task What_was_not_crawled_or_would_be_crawled_anew_is_not_rescored()
    {
        var line = new FactoryLine([new CrawlStage(), new CleanStage()]);
        var context = new StageContext { Run = new RunDirectory(TestData.NewFolder()), Recipe = new Recipe { Seed = new() { Topic = "plans", Urls = ["http://plans.example/"] } }, Progress = new SilentProgress(), Seed = 1, Rescore = true };
        var refused = await Assert.ThrowsAsync<LoraException>(() => line.RunAsync(context, new LineRequest { Rescore = true }, new Dictionary<string, string>(), null, TestContext.Current.CancellationToken));
        Assert.Equal(ExitCode.BadUsage, refused.Code);
        Assert.Contains("leave out --rescore", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("clean.min_syde=9")]
    [InlineData("clean.min_side=99999999")]
    [InlineData("clean.min_side=abc")]
    public async Task A_mistake_in_what_is_set_is_said(string set)
    {
        var run = TestData.NewFolder();
        File.WriteAllText(Path.Combine(run, "recipe.yaml"), "name: plans\nseed:\n  topic: plans\n  urls: [http://plans.test/]\ncrawl:\n  user_agent: plans-test (+https://plans.test/)\nbase:\n  model: models/pocket\n");
        using var said = new StringWriter();
        Assert.Equal(2, await CommandLine.RunAsync(["clean", run, "--rescore", "--set", set], said, said, TestContext.Current.CancellationToken));
        Assert.Contains(set.Split('=')[0].Split('.')[1][..7], said.ToString(), StringComparison.Ordinal);
    }

    // One host whose every page has the same short line in its text, and pictures of its own.
    private static void Site(RunDirectory run, int count)
    {
        DemoPages.Crawl(run, Topic);
        var path = run.File(StageName.Crawl, "pages.jsonl");
        var model = RunDirectory.ReadLines<Page>(path).First(p => p.Pictures.Any(i => i.BlobHash is not null));
        RunDirectory.WriteLines(path, RunDirectory.ReadLines<Page>(path).ToList().Concat(Enumerable.Range(0, count).Select(i =>
        {
            var url = $"http://museum.test/{i:00}.html";
            var words = string.Join(' ', Enumerable.Range(0, 60).Select(k => $"thing{i * 60 + k}"));
            var html = $"<!doctype html><html lang=en><title>Blueprint {i}</title><body><article><h1>Blueprint {i}</h1><p>The blueprint drawing of this house shows {words} and the plan of its walls, as they were built.</p><p>Opening hours of the museum</p><p>It was drawn for the owner, who kept it in the cellar with {i} others until the house was sold again.</p></article>";
            var hash = run.PutBlob(System.Text.Encoding.UTF8.GetBytes(html));
            return model with { Id = ContentId.Of(url, hash), Url = url, FinalUrl = url, BlobHash = hash, Title = $"Blueprint {i}", Pictures = [] };
        })).ToList());
    }

    [Theory]
    [InlineData("unreadable")]
    [InlineData("decode-crash")]
    [InlineData("decode-timeout")]
    [InlineData("damaged")]
    public async Task A_fault_that_may_pass_is_looked_at_again(string fault)
    {
        var run = new RunDirectory(TestData.NewFolder());
        DemoPages.Crawl(run, Topic);
        await CleanAsync(run, Mild);
        var blob = CleanStageTests.Records(run)[0].BlobHash;
        var path = run.File(StageName.Clean, EarlierScores.PicturesFile);
        RunDirectory.WriteLines(path, RunDirectory.ReadLines<PictureScore>(path).ToList().Select(p => p.Blob == blob ? p with { Measured = null, Fault = fault, Detail = "as it was then" } : p).ToList());
        await CleanAsync(run, Mild with { MinRelevance = 0.11 }, rescore: true);
        Assert.Equal(fault != "damaged", CleanStageTests.Records(run).Any(r => r.BlobHash == blob));
    }

    [Fact]
    public async Task Pictures_that_fell_by_their_header_are_decoded_when_they_are_wanted_and_the_line_takes_the_stage_for_done()
    {
        var run = new RunDirectory(TestData.NewFolder());
        DemoPages.Crawl(run, Topic);
        await CleanAsync(run, Strict with { MinKeptShare = 0, MinKept = 1, MinSide = 100 });
        var before = CleanStageTests.Records(run).Count;
        await CleanAsync(run, Strict with { MinSide = 500, MinKeptShare = 0, MinKept = 1, MaxAspect = 50 }, rescore: true).ContinueWith(done => Assert.IsType<LoraException>(done.Exception?.InnerException), TestContext.Current.CancellationToken);
        Assert.Equal(before, CleanStageTests.Records(run).Count); // what failed gave way
        await CleanAsync(run, Strict with { MinSide = 64, MinRelevance = 0.25 }, rescore: true);
        Assert.True(CleanStageTests.Records(run).Count > 90);
        var written = File.GetLastWriteTimeUtc(run.File(StageName.Clean, "records.jsonl"));
        await CleanAsync(run, Strict with { MinSide = 64, MinRelevance = 0.25 });
        Assert.Equal(written, File.GetLastWriteTimeUtc(run.File(StageName.Clean, "records.jsonl")));
    }

    [Fact]
    public async Task Without_scores_there_is_one_sentence_that_says_what_to_do()
    {
        var run = new RunDirectory(TestData.NewFolder());
        DemoPages.Crawl(run, Topic);
        var error = await Assert.ThrowsAsync<LoraException>(() => CleanAsync(run, Mild, rescore: true));
        Assert.Contains("run lora clean without --rescore once", error.Message);
    }

    [Theory]
    [InlineData("gopher-few-word=3", "there is no rule gopher-few-word. Did you mean gopher-few-words?")]
    [InlineData("seed_lenght=3", "Did you mean seed-length?")]
    [InlineData("entropy-of-everything=3", "Rules are gopher-few-words, ")]
    [InlineData("gopher-few-words", "is not RULE=NUMBER")]
    [InlineData("gopher-few-words=many", "is not RULE=NUMBER")]
    public void A_threshold_that_cannot_be_meant_is_said_before_anything_runs(string written, string said)
    {
        var recipe = new Recipe { Clean = new CleanOptions { Thresholds = [written] } };
        Assert.Contains(new CleanStage().Look(recipe), f => f.Id == "LR220" && f.Message.Contains(said, StringComparison.Ordinal));
        Assert.Empty(new CleanStage().Look(new Recipe { Clean = Mild }));
    }
}
