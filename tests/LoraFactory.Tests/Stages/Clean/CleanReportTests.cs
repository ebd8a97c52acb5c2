using AngleSharp.Html.Parser;
using LoraFactory.Flow;
using LoraFactory.Stages.Clean;
using LoraFactory.Stages.Clean.Text;
using Xunit;
using Record = LoraFactory.Flow.Record;

namespace LoraFactory.Tests.Stages.Clean;

public sealed class CleanReportTests
{
    private const string Hostile = "</blockquote><script>alert(1)</script><img src=http://evil.test/x onerror=alert(1)>\u202egnp.exe\ud800 javascript:alert(1)";

    [Fact]
    public async Task The_page_shows_what_was_dropped_and_nothing_of_it_comes_alive()
    {
        var options = new CleanOptions { MinSide = 64, Rules = ["seed"], Thresholds = ["fineweb-short-lines=0.8"] };
        var (run, outcome) = await CleanStageTests.RunAsync(DemoPages.Seed("blueprint drawings", ("blueprint", 0.9), ("drawings", 0.21)), _ => options);
        Spoil(run);
        var html = await File.ReadAllTextAsync(CleanReportPage.Write(run, options, TestContext.Current.CancellationToken), TestContext.Current.CancellationToken);
        using var page = new HtmlParser().ParseDocument(html);
        Assert.Empty(page.QuerySelectorAll("script, iframe, object, embed, link, form, a, base"));
        Assert.DoesNotContain(page.All, e => e.Attributes.Any(a => a.Name.StartsWith("on", StringComparison.OrdinalIgnoreCase)));
        Assert.All(page.QuerySelectorAll("[src]"), e => Assert.StartsWith("data:image/png;base64,", e.GetAttribute("src")));
        Assert.DoesNotContain("url(", html);
        Assert.Contains("alert(1)", page.Body!.TextContent); // as words
        Assert.DoesNotContain('\u202e', html);
        Assert.Contains("near-duplicate", page.Body.TextContent);
        Assert.Contains($"{outcome.Out}", page.QuerySelector(".sum b")!.TextContent);
        Assert.True(page.QuerySelectorAll("figure img").Length > 20);
        var rules = page.QuerySelectorAll("table")[^1].QuerySelectorAll("tr").Skip(1).ToList();
        Assert.Equal(TextRules.All.Count, rules.Count);
        Assert.Equal(TextRules.All.Count(r => r.Set == "seed") + 1, rules.Count(r => r.Children[1].TextContent == "on"));
        Assert.True(page.QuerySelectorAll(".chart line[stroke-dasharray]").Length >= 4);
        Assert.InRange(html.Length, 50_000, 8_000_000);
    }

    // Words of the web as they might be: in an address, a reason and a text.
    private static void Spoil(RunDirectory run)
    {
        var dropped = run.File(StageName.Clean, "dropped.jsonl");
        var drops = RunDirectory.ReadLines<Drop>(dropped).ToList();
        drops.Add(new Drop("x", Hostile, Hostile, Hostile));
        drops.Add(new Drop("hostile", "poor-text", Hostile, Hostile) { Kind = CleanStage.DocumentKind });
        RunDirectory.WriteLines(dropped, drops);
        var file = run.File(StageName.Clean, EarlierScores.DocumentsFile);
        var documents = RunDirectory.ReadLines<TextDocument>(file).ToList();
        documents.Add(documents[0] with { Id = "hostile", Text = Hostile, Dropped = "poor-text" });
        RunDirectory.WriteLines(file, documents);
    }

    [Fact]
    public void A_clean_that_kept_too_little_to_go_on_is_shown()
    {
        var run = new RunDirectory(TestData.NewFolder());
        RunDirectory.WriteLines(run.File(StageName.Clean, "dropped.jsonl"), new[] { new Drop("p1", "too-small", "http://a.test/1.png", "12 pixels") { Value = 12, Threshold = 64 } });
        var page = File.ReadAllText(CleanReportPage.Write(run, new CleanOptions(), TestContext.Current.CancellationToken));
        Assert.Contains("http://a.test/1.png", page, StringComparison.Ordinal);
        Assert.DoesNotContain("for comparison", page, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_was_not_cleaned_is_named()
    {
        var run = new RunDirectory(TestData.NewFolder());
        var error = Assert.Throws<LoraException>(() => CleanReportPage.Write(run, new CleanOptions(), TestContext.Current.CancellationToken));
        Assert.Contains("run lora clean first", error.Message);
    }

    [Fact]
    public async Task Texts_stand_with_their_addresses_beside_the_kept_ones_that_came_nearest_to_the_same_threshold()
    {
        using var page = await MadeAsync(new CleanOptions { Rules = ["gopher", "seed"] });
        var reasons = page.QuerySelectorAll("h3").Where(h => h.TextContent.Contains(" page", StringComparison.Ordinal)).ToDictionary(h => h.FirstChild!.TextContent.Trim(), h => h.NextElementSibling!);
        string[] From(string reason, string of) => [.. reasons[reason].QuerySelectorAll(of + " .from").Select(p => p.FirstChild!.TextContent)];
        Assert.Equal("1 page", reasons["poor-text"].PreviousElementSibling!.QuerySelector("span")!.TextContent);
        Assert.Equal(["http://a.test/few-1", "http://a.test/few-2"], From("gopher-few-words", "div:not(.keep) >"));
        Assert.Equal(["http://a.test/kept-1", "http://a.test/kept-2", "http://a.test/kept-3"], From("gopher-few-words", ".keep >"));
        Assert.Equal(["text_words 60", "text_words 70", "text_words 80"], reasons["gopher-few-words"].QuerySelectorAll(".keep > .from .dim").Select(p => p.TextContent));
        Assert.Equal(["http://a.test/kept-5", "http://a.test/kept-4", "http://a.test/kept-3"], From("poor-text", ".keep >"));
        Assert.Equal(["http://a.test/kept-4"], From("duplicate-text", ".keep >"));
        Assert.Empty(From("opted-out", ".keep >")); // nothing about the text decided it
        Assert.Equal(["http://a.test/closed"], From("opted-out", ""));
        Assert.Contains("robots-meta:noai 2, x-robots-tag:noai 1", page.QuerySelectorAll("td").Select(t => t.TextContent).First(t => t.StartsWith("opted-out", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("bad-status 1", page.QuerySelectorAll("td").Select(t => t.TextContent).First(t => t.StartsWith("not-fetched", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Signals_of_one_value_are_said_not_drawn_and_thresholds_that_drop_nothing_are_no_thresholds()
    {
        using (var page = await MadeAsync(new CleanOptions { Rules = ["gopher"], Thresholds = ["seed-entropy=0"] }))
        {
            string[] charts = [.. page.QuerySelectorAll(".chart > b").Select(b => b.TextContent)];
            Assert.Equal(["text_quality", "text_words", "picture_aspect", "text_word_entropy", "picture_light"], charts);
            var alike = page.QuerySelectorAll("h3").Single(h => h.TextContent == "Signals of one value").NextElementSibling!.QuerySelectorAll("tr").Skip(1).Select(r => string.Join('|', r.Children.Select(c => c.TextContent)));
            Assert.Equal(["text_hash_ratio|0|9 of 9||gopher-hashes: 0.1", "picture_shorter_side|300|200 of 201|12|clean.min_side: 256", "picture_dark|0|201 of 201||"], alike);
            var text = page.Body!.TextContent;
            foreach (var off in (string[])["seed-entropy: 0", "clean.max_dark", "clean.max_light"]) Assert.DoesNotContain(off, text, StringComparison.Ordinal);
            Assert.Contains("clean.max_aspect: 3", text, StringComparison.Ordinal);
        }
        using var on = await MadeAsync(new CleanOptions { MaxDark = 0.9, MaxLight = 0.8, MinTextQuality = 0 });
        Assert.Contains("clean.max_dark: 0.9", on.Body!.TextContent, StringComparison.Ordinal);
        Assert.Contains("clean.max_light: 0.8", on.Body!.TextContent, StringComparison.Ordinal);
        Assert.DoesNotContain("clean.min_text_quality", on.Body!.TextContent, StringComparison.Ordinal);
    }

    // A finished clean with five kept texts and four dropped ones, pictures that were not fetched, and 201 measured ones.
    private static async Task<AngleSharp.Html.Dom.IHtmlDocument> MadeAsync(CleanOptions options)
    {
        var run = new RunDirectory(TestData.NewFolder());
        static TextDocument Document(string name, int words, double quality, string? dropped = null) => new()
        {
            Id = name,
            Url = $"http://a.test/{name}",
            ReadBy = "test",
            Text = $"text of {name}",
            Dropped = dropped,
            Signals = new Dictionary<string, double> { ["text_quality"] = quality, ["text_words"] = words, ["text_hash_ratio"] = 0, ["text_word_entropy"] = words / 1000.0 },
        };
        static Drop Gone(string name, string reason, string detail, double? value = null, double? threshold = null) => new(name, reason, $"http://a.test/{name}", detail) { Kind = CleanStage.DocumentKind, Value = value, Threshold = threshold };
        static Drop NoPicture(int n, string reason, string detail) => new($"p{n}", reason, $"http://a.test/{n}.png", detail) { Page = "http://a.test/" };
        RunDirectory.WriteLines(run.File(StageName.Clean, EarlierScores.DocumentsFile), (TextDocument[])
        [
            .. Enumerable.Range(1, 5).Select(i => Document($"kept-{i}", 50 + 10 * i, 1 - 0.1 * i)), Document("few-1", 10, 0.9, "gopher-few-words"), Document("few-2", 12, 0.9, "gopher-few-words"),
            Document("poor", 90, 0.1, "poor-text"), Document("closed", 90, 0.8, CleanStage.OptedOut) with { Text = "" },
        ]);
        RunDirectory.WriteLines(run.File(StageName.Clean, "dropped.jsonl"), (Drop[])
        [
            Gone("few-1", "gopher-few-words", "text_words 10, at least 50", 10, 50), Gone("few-2", "gopher-few-words", "text_words 12, at least 50", 12, 50), Gone("poor", "poor-text", "quality 0.1", 0.1, 0.3),
            Gone("closed", CleanStage.OptedOut, "robots-meta:noai"), Gone("few-1", "duplicate-text", "the words of http://a.test/kept-4", 1, 0.8),
            NoPicture(1, CleanStage.OptedOut, "robots-meta:noai"), NoPicture(2, CleanStage.OptedOut, "robots-meta:noai, said by http://a.test/closed"), NoPicture(3, CleanStage.OptedOut, "x-robots-tag:noai"), NoPicture(4, CleanStage.NotFetched, "bad-status"),
        ]);
        RunDirectory.WriteLines(run.File(StageName.Clean, "records.jsonl"), Array.Empty<Record>());
        RunDirectory.WriteLines(run.File(StageName.Clean, EarlierScores.PicturesFile), Enumerable.Range(0, 201).Select(i => new PictureScore($"{i:x64}", 300 + 3 * i, i == 0 ? 12 : 300,
            new MeasuredPicture(300 + 3 * i, 300, "", "", [], new Dictionary<string, double> { ["picture_dark"] = 0, ["picture_light"] = i / 200.0 }))));
        var html = await File.ReadAllTextAsync(CleanReportPage.Write(run, options, TestContext.Current.CancellationToken), TestContext.Current.CancellationToken);
        return new HtmlParser().ParseDocument(html);
    }
}
