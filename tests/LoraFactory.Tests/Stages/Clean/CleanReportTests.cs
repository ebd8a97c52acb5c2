using AngleSharp.Html.Parser;
using LoraFactory.Flow;
using LoraFactory.Stages.Clean;
using LoraFactory.Stages.Clean.Text;
using Xunit;

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
    public void A_run_that_was_not_cleaned_is_named()
    {
        var run = new RunDirectory(TestData.NewFolder());
        var error = Assert.Throws<LoraException>(() => CleanReportPage.Write(run, new CleanOptions(), TestContext.Current.CancellationToken));
        Assert.Contains("run lora clean first", error.Message);
    }
}
