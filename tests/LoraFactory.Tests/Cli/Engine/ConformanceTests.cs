using LoraFactory.Cli.Engine.Conformance;

namespace LoraFactory.Tests.Cli.Engine;

/// <summary>Public corpora, kept beside the repository (conformance/ in LORA_SHARED or ../shared): what <c>lora verify</c> judges of them, with no miss.</summary>
public sealed class ConformanceTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("robots", 2200)]
    [InlineData("urls", 470)]
    [InlineData("ssrf", 270)]
    [InlineData("bombs", 12)]
    [InlineData("optout", 56)]
    [InlineData("conceptnet", 90)]
    [InlineData("images", 13)]
    [InlineData("imagedups", 7)]
    [InlineData("html", 290)]
    [InlineData("sitemaps", 58)]
    public async Task Every_case_that_must_pass_does(string topic, int least)
    {
        var path = TestData.Shared("conformance/" + topic);
        Assert.SkipWhen(path is null, "The public corpora are not kept in this repository; set LORA_SHARED to a folder with conformance/.");
        var (folder, judge) = Assert.Single(ConformanceTopics.Find(path!));
        Assert.Equal(topic, judge?.Name);
        var judged = new ConformanceFolder(folder);
        await judge!.JudgeAsync(judged, TestContext.Current.CancellationToken);
        foreach (var tally in judged.Tallies)
            output.WriteLine($"{tally.File}: {tally.Passed} of {tally.Cases}; {string.Join("; ", tally.Skipped.Select(s => $"{s.Value} skipped: {s.Key}"))}");
        Assert.Empty(judged.Tallies.SelectMany(t => t.Misses.Select(m => $"{t.File}: {m}")));
        var cases = judged.Tallies.Sum(t => t.Cases);
        Assert.True(cases >= least, $"only {cases} cases found");
    }
}
