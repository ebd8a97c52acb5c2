using LoraFactory.Flow;
using LoraFactory.Stages.Clean;
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
        var reading = RecipeReader.Read(Path.Combine(TestData.Root, "recipes", "demo.yaml"), environment: new Dictionary<string, string>());
        var context = new StageContext
        {
            Run = crawl.Run,
            Recipe = reading.OrThrow(),
            Progress = new SilentProgress(),
            Seed = 1,
        };
        await new CleanStage().RunAsync(context, TestContext.Current.CancellationToken);
        var records = CleanStageTests.Records(crawl.Run);
        var kept = records.Select(record => record.PictureUrl).ToHashSet();
        var truth = DemoPages.ReadTruth().Where(one => one.Keep).Select(one => one.Url).ToHashSet();
        Assert.Equal(94, truth.Count);
        Assert.Equal([], kept.Except(truth).Order());
        Assert.Equal([], truth.Except(kept).Order());
        // Lineage: every record names a page of the crawl, and that page shows the picture.
        var pages = crawl.Pages.ToDictionary(page => page.Id);
        Assert.All(records, record => Assert.Contains(pages[record.PageId].Pictures, picture => picture.BlobHash == record.BlobHash));
    }
}

/// <summary>One crawl of the demo web for all classes that look at it.</summary>
[CollectionDefinition("demo crawl")]
public sealed class DemoCrawlCollection : ICollectionFixture<DemoCrawl>;
