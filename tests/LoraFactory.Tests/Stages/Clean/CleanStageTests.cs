using LoraFactory.Flow;
using LoraFactory.Stages.Clean;
using LoraFactory.Stages.Crawl;
using Xunit;
using Record = LoraFactory.Flow.Record;

namespace LoraFactory.Tests.Stages.Clean;

public class CleanStageTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static readonly Seed Blueprints = DemoPages.Seed("blueprint drawings",
        ("blueprint", 0.9), ("drawings", 0.21), ("design", 0.36), ("pattern", 0.36), ("photograph", 0.25), ("plan", 0.25), ("picture", 0.25), ("print", 0.15), ("technical", 0.15), ("artwork", 0.1));

    private static readonly Seed InkWash = DemoPages.Seed("ink wash paintings",
        ("ink", 0.9), ("wash", 0.7), ("paintings", 0.5), ("picture", 0.2), ("drawing", 0.2), ("liquid", 0.2), ("painter", 0.2), ("water", 0.2), ("art", 0.1), ("print", 0.15));

    private static readonly Seed Woodcuts = DemoPages.Seed("woodcut prints",
        ("woodcut", 0.9), ("prints", 0.35), ("wood engraving", 0.7), ("wood block", 0.6), ("engraving", 0.3), ("impression", 0.2), ("picture", 0.2), ("ink", 0.15), ("paper", 0.1));

    // Topic, style in the truth, and whether WordNet expands the topic as the crawl does it or the terms above stand for it.
    public static TheoryData<string, string, bool> Worlds => new()
    {
        { "blueprint drawings", "blueprint", false }, { "ink wash paintings", "ink wash painting", false }, { "woodcut prints", "woodcut print", false },
        { "blueprint drawings", "blueprint", true }, { "ink wash paintings", "ink wash painting", true }, { "woodcut prints", "woodcut print", true },
        { "blueprints", "blueprint", true }, { "ink paintings", "ink wash painting", true }, { "woodcuts", "woodcut print", true },
    };

    [Theory]
    [MemberData(nameof(Worlds))]
    public async Task Exactly_the_true_pictures_of_a_topic_are_kept(string topic, string style, bool expand)
    {
        var (run, outcome) = await RunAsync(expand ? Expanded(topic) : style switch { "blueprint" => Blueprints, "ink wash painting" => InkWash, _ => Woodcuts });
        var truth = DemoPages.ReadTruth();
        // Prints of other topics are dropped as off topic in the truth's own words; on their own topic they are right.
        var right = truth.Where(one => one.Style == style && (style == "blueprint" ? one.Keep : one.Why is null)).Select(one => one.Url).ToHashSet();
        var kept = Records(run).Select(record => record.PictureUrl).ToHashSet();
        var precision = kept.Count == 0 ? 0 : (double)kept.Count(right.Contains) / kept.Count;
        var recall = (double)right.Count(kept.Contains) / right.Count;
        TestContext.Current.TestOutputHelper?.WriteLine($"{topic}: precision {precision:0.###}, recall {recall:0.###}, kept {kept.Count} of {right.Count}; {outcome.Summary}");
        Assert.Equal(style == "blueprint" ? 94 : 15, right.Count);
        Assert.Equal([], kept.Except(right).Order());
        Assert.Equal([], right.Except(kept).Order());
        Assert.Equal((1.0, 1.0), (precision, recall));
    }

    [Fact]
    public async Task Every_picture_that_goes_is_written_down_with_its_reason()
    {
        var (run, outcome) = await RunAsync(Blueprints);
        var drops = RunDirectory.ReadLines<Drop>(run.File(StageName.Clean, "dropped.jsonl")).Where(drop => drop.Kind is null).ToDictionary(drop => drop.Id);
        string Reason(string url) => string.Join(",", drops.Values.Where(drop => drop.What == url).Select(drop => drop.Reason).Distinct());
        Assert.Equal("damaged", Reason("http://notes.test/bad/cut.png"));
        Assert.Equal("damaged", Reason("http://notes.test/bad/text.png"));
        Assert.Equal("too-small", Reason("http://notes.test/bad/dot.png"));
        Assert.Equal("blank", Reason("http://notes.test/bad/plain.png"));
        Assert.Equal("not-fetched", Reason("http://notes.test/bad/missing.png"));
        Assert.Equal("near-duplicate", Reason("http://notes.test/mirror/0b.png"));
        Assert.Equal("near-duplicate", Reason("http://notes.test/mirror/3s.jpg"));
        Assert.Equal("opted-out", Reason("http://optout.test/img/blueprint-01-0.png"));
        Assert.Equal("off-topic", Reason("http://printroom.test/img/ink-01-0.png"));
        Assert.Equal("off-topic", Reason("http://printroom.test/img/woodcut-06-1.png"));
        Assert.Equal(outcome.In, outcome.Out + outcome.Dropped.Values.Sum());
        Assert.Equal(drops.Count, outcome.Dropped.Values.Sum());
        Assert.Equal(12, outcome.Dropped["near-duplicate"]);
    }

    [Fact]
    public async Task Records_carry_their_lineage_texts_and_signals()
    {
        var (run, _) = await RunAsync(Blueprints);
        var record = Records(run).Single(one => one.PictureUrl.EndsWith("/blueprint-12-1.png", StringComparison.Ordinal));
        Assert.Equal("Schematic: three brown fish at sunset.", record.Caption);
        Assert.Equal("blueprint of three brown fish at sunset", record.Alt);
        Assert.Contains("white lines on a deep blue ground", string.Join(' ', Records(run).Select(one => one.Context)));
        Assert.Equal("Technical drawing no. 12: two green stars in the snow", record.PageTitle);
        Assert.Equal("en", record.Language);
        Assert.Equal("https://creativecommons.org/publicdomain/zero/1.0/", record.Licence);
        Assert.Equal((192, 192), (record.Width, record.Height));
        Assert.Equal(16, record.PerceptualHash.Length);
        Assert.Equal("http://drawings.test/plans/12.html", record.PageUrl);
        Assert.True(File.Exists(run.Blob(record.BlobHash)));
        foreach (var signal in (string[])["relevance", "relevance_own", "text_quality", "text_words", "text_stop_word_share", "picture_contrast", "picture_sharpness", "picture_brightness"])
            Assert.True(record.Signals.ContainsKey(signal), signal);
        Assert.InRange(record.Signals["relevance"], 0.9, 1);
    }

    [Fact]
    public async Task The_same_pages_in_another_order_give_the_same_bytes()
    {
        var (first, _) = await RunAsync(Blueprints);
        var (second, _) = await RunAsync(Blueprints, shuffle: true);
        foreach (var name in (string[])["records.jsonl", "dropped.jsonl"])
            Assert.Equal(File.ReadAllBytes(first.File(StageName.Clean, name)), File.ReadAllBytes(second.File(StageName.Clean, name)));
    }

    [Fact]
    public async Task A_filter_that_leaves_next_to_nothing_stops_the_run_with_its_commonest_reasons()
    {
        var error = await Assert.ThrowsAsync<LoraException>(() => RunAsync(Blueprints, options => options with { MinSide = 500 }));
        Assert.Contains("kept 0 of", error.Message);
        Assert.Contains("too-small", error.Message);
        Assert.Contains("off-topic 30", error.Message);
        Assert.Contains("lower clean.min_side below 500", error.Message);
        Assert.Equal(ExitCode.Failed, error.Code);
    }

    private static Seed Expanded(string topic)
    {
        using var wordNet = WordNet.Open();
        return SeedExpansion.Expand(new SeedOptions { Topic = topic, Urls = ["http://drawings.test/"] }, wordNet, null);
    }

    internal static async Task<(RunDirectory Run, StageOutcome Outcome)> RunAsync(Seed seed, Func<CleanOptions, CleanOptions>? change = null, bool shuffle = false)
    {
        var run = new RunDirectory(TestData.NewFolder());
        DemoPages.Crawl(run, seed);
        var pages = run.File(StageName.Crawl, "pages.jsonl");
        if (shuffle) RunDirectory.WriteLines(pages, RunDirectory.ReadLines<Page>(pages).Reverse().ToList());
        var options = new CleanOptions { MinSide = 64 };
        var recipe = new Recipe { Clean = change is null ? options : change(options) };
        var outcome = await new CleanStage().RunAsync(new StageContext { Run = run, Recipe = recipe, Progress = new SilentProgress(), Seed = 1 }, Token);
        return (run, outcome);
    }

    internal static List<Record> Records(RunDirectory run) => [.. RunDirectory.ReadLines<Record>(run.File(StageName.Clean, "records.jsonl"))];
}
