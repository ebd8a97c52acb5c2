using LoraFactory.Cli.Demo;
using LoraFactory.Flow;
using LoraFactory.Stages.Clean;
using LoraFactory.Stages.Crawl;
using LoraFactory.Tests.Stages.Crawl;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

/// <summary>Crawl and clean together, on the demo web played on loopback.</summary>
[Collection("demo crawl")]
public sealed class CrawledDemoTests(DemoCrawl crawl)
{
    [Fact]
    public async Task What_the_crawl_found_is_cleaned_to_exactly_the_true_pictures_by_the_demos_own_recipe()
    {
        await CleanAsync(crawl.Run);
        var records = CleanStageTests.Records(crawl.Run);
        AssertTrue(records);
        // What was said about each picture's use, when, and where.
        var consent = RunDirectory.ReadLines<RecordConsent>(crawl.Run.File(StageName.Clean, "consent.jsonl")).ToDictionary(c => c.Record, c => c.Consent);
        Assert.All(records, record => Assert.Equal((record.PictureUrl, "silent"), (consent[record.Id].Url, consent[record.Id].Verdict)));
        Assert.All(consent.Values, c => Assert.NotEqual(default, c.At));
        // Lineage: every record names a page of the crawl, and that page shows the picture.
        var pages = crawl.Pages.ToDictionary(page => page.Id);
        Assert.All(records, record => Assert.Contains(pages[record.PageId].Pictures, picture => picture.BlobHash == record.BlobHash));
    }

    [Fact]
    public async Task A_copy_of_a_page_that_comes_before_it_costs_none_of_its_pictures()
    {
        using var folder = new TemporaryFolder();
        await using var web = await DemoWeb.StartAsync(DemoCrawl.Folder);
        var context = DemoCrawl.Context(web, folder.Path);
        await new CrawlStage().RunAsync(context with { Recipe = context.Recipe with { Seed = context.Recipe.Seed with { Urls = ["http://notes.test/copy.html", "http://drawings.test/"] } } }, TestContext.Current.CancellationToken);
        var pages = RunDirectory.ReadLines<Page>(context.Run.File(StageName.Crawl, "pages.jsonl")).Select(p => p.Url).ToList();
        Assert.Contains("http://drawings.test/plans/01.html", pages);
        Assert.DoesNotContain("http://notes.test/copy.html", pages);
        Assert.Contains(RunDirectory.ReadLines<Drop>(context.Run.File(StageName.Crawl, "dropped.jsonl")), d => d is { Reason: "duplicate-content", What: "http://notes.test/copy.html", Detail: "http://drawings.test/plans/01.html" });
        await CleanAsync(context.Run);
        AssertTrue(CleanStageTests.Records(context.Run));
    }

    private static async Task CleanAsync(RunDirectory run)
    {
        var reading = RecipeReader.Read(Path.Combine(TestData.Root, "recipes", "demo.yaml"), environment: new Dictionary<string, string>());
        await new CleanStage().RunAsync(new StageContext { Run = run, Recipe = reading.OrThrow(), Progress = new SilentProgress(), Seed = 1 }, TestContext.Current.CancellationToken);
    }

    private static void AssertTrue(IReadOnlyList<LoraFactory.Flow.Record> records)
    {
        var kept = records.Select(record => record.PictureUrl).ToHashSet();
        var truth = DemoPages.ReadTruth().Where(one => one.Keep).Select(one => one.Url).ToHashSet();
        Assert.Equal(94, truth.Count);
        Assert.Equal([], kept.Except(truth).Order());
        Assert.Equal([], truth.Except(kept).Order());
    }
}

/// <summary>One crawl of the demo web for all classes that look at it.</summary>
[CollectionDefinition("demo crawl")]
public sealed class DemoCrawlCollection : ICollectionFixture<DemoCrawl>;
