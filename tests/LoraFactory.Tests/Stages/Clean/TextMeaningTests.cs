using System.Globalization;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Clean;
using LoraFactory.Stages.Clean.Text;
using LoraFactory.Stages.Label;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

/// <summary>Texts compared by an encoder, in the stage as the line runs it: near copies of texts, relevance by meaning, and that pictures lose nothing by it.</summary>
[Collection("torch")]
public sealed class TextMeaningTests
{
    private static readonly Seed Topic = DemoPages.Seed("blueprint drawings", ("blueprint", 0.9), ("drawings", 0.21), ("plan", 0.25));

    private const string Harbour = """
        The harbour was built by monks in the thirteenth century. It was enlarged twice, the second time for the herring fleet that made the town rich.
        Today its three basins hold sailing boats, a museum ship and the last two trawlers. A drawing of the first basin hangs in the town hall.
        """;

    private static readonly CleanOptions Options = new() { MinSide = 32, MinKept = 1, MinKeptShare = 0, MinTextQuality = 0, DuplicateTextSimilarity = 1, TextEncoder = "pocket" };

    [Fact]
    public async Task A_changed_copy_of_a_text_is_named_with_its_original_and_takes_no_picture_with_it()
    {
        var (with, without) = (Run(), Run());
        var lines = await CleanAsync(with, Options);
        await CleanAsync(without, Options with { TextEncoder = "none" });
        Assert.Contains(lines, line => line.Contains("pocket-text", StringComparison.Ordinal));

        var drops = Drops(with).Where(d => d.Reason == TextMeaning.CopyReason).ToList();
        var copy = Assert.Single(drops, d => d.What.StartsWith("http://harbour.test/", StringComparison.Ordinal));
        Assert.Equal(CleanStage.DocumentKind, copy.Kind);
        Assert.True(copy.Value >= copy.Threshold);
        Assert.Contains("http://harbour.test/", copy.Detail);
        Assert.DoesNotContain(Drops(without), d => d.Reason == TextMeaning.CopyReason);
        Assert.Equal(CleanStageTests.Records(without).Select(r => r.Id), CleanStageTests.Records(with).Select(r => r.Id));

        var documents = RunDirectory.ReadLines<TextDocument>(with.File(StageName.Clean, EarlierScores.DocumentsFile)).ToDictionary(d => d.Id);
        Assert.Equal(TextMeaning.CopyReason, documents[copy.Id].Dropped);
        double Near(string url) => documents.Values.First(d => d.Url == url).Signal(TextMeaning.Relevance);
        Assert.True(Near("http://harbour.test/plan.html") > Near("http://harbour.test/soup.html"));
        Assert.True(documents.Values.Where(d => d.Text.Length > 0 && d.Dropped != CleanStage.OptedOut).All(d => d.Signals.ContainsKey(TextMeaning.Relevance)));
        Assert.DoesNotContain(RunDirectory.ReadLines<TextDocument>(without.File(StageName.Clean, EarlierScores.DocumentsFile)), d => d.Signals.ContainsKey(TextMeaning.Relevance));
    }

    [Fact]
    public async Task Another_encoder_judges_anew_what_was_read_before()
    {
        var (run, fresh) = (Run(), Run());
        await CleanAsync(run, Options);
        var soup = RunDirectory.ReadLines<TextDocument>(run.File(StageName.Clean, EarlierScores.DocumentsFile)).First(d => d.Url.EndsWith("soup.html", StringComparison.Ordinal)).Signal(TextMeaning.Relevance);
        await CleanAsync(run, Options with { TextEncoder = "none" }, rescore: true);
        await CleanAsync(fresh, Options with { TextEncoder = "none" });
        foreach (var name in (string[])["records.jsonl", "dropped.jsonl", EarlierScores.DocumentsFile])
            Assert.Equal(File.ReadAllText(fresh.File(StageName.Clean, name)), File.ReadAllText(run.File(StageName.Clean, name)));
        var above = Math.Round(soup + 0.001, 3);
        await CleanAsync(run, Options with { DuplicateCosine = 1, Thresholds = [string.Create(CultureInfo.InvariantCulture, $"topic-embedding={above}")] }, rescore: true);
        Assert.DoesNotContain(Drops(run), d => d.Reason == TextMeaning.CopyReason && d.Value < 1);
        Assert.Contains(Drops(run), d => d is { Kind: CleanStage.DocumentKind, Reason: "topic-embedding", What: "http://harbour.test/soup.html" } && d.Threshold == above);
    }

    [Fact]
    public async Task A_classifier_says_how_surely_a_text_is_about_the_topic()
    {
        var run = Run(only: "harbour.test");
        var lines = await CleanAsync(run, Options with { ZeroShot = TestData.Golden("language/bart-mnli/model"), MinRelevance = 0 });
        Assert.Contains(lines, line => line.Contains("says what is about the topic", StringComparison.Ordinal));
        var documents = RunDirectory.ReadLines<TextDocument>(run.File(StageName.Clean, EarlierScores.DocumentsFile)).Where(d => d.Text.Length > 0).ToList();
        Assert.All(documents, d => Assert.InRange(d.Signal(TextMeaning.ZeroShot), 0, 1));
        Assert.True(documents.Select(d => d.Signal(TextMeaning.ZeroShot)).Distinct().Count() > 1);
    }

    [Fact]
    public async Task The_best_few_pictures_are_kept_and_CLIP_may_overrule_the_hash()
    {
        var run = Run();
        await CleanAsync(run, Options with { KeepBest = 10 });
        Assert.Equal(10, CleanStageTests.Records(run).Count);
        var left = Drops(run).Where(d => d.Reason == "not-among-best").ToList();
        Assert.True(left.Count > 50);
        Assert.All(left, d => Assert.True(d.Value <= d.Threshold));
        await CleanAsync(run, Options with { DuplicateClipCosine = 1 });
        var strict = Drops(run).Count(d => d.Reason == "near-duplicate");
        await CleanAsync(run, Options);
        Assert.True(strict < Drops(run).Count(d => d.Reason == "near-duplicate"));
    }

    [Fact]
    public void An_encoder_that_is_none_is_found_before_the_run()
    {
        MachineFinding[] Look(CleanOptions clean) => [.. new CleanStage(new Encoders()).Look(new Recipe { Clean = clean }).Where(f => f.Id is "LR221" or "LR222")];
        Assert.Empty(Look(Options));
        Assert.Empty(Look(new CleanOptions()));
        Assert.Equal("clean.text_encoder", Assert.Single(Look(Options with { TextEncoder = TestData.NewFolder() })).Key);
        Assert.Equal("clean.zero_shot", Assert.Single(Look(Options with { ZeroShot = TestData.Golden("language/bert/model") })).Key);
        Assert.Throws<LoraException>(() => new Encoders().OpenText(new Recipe { Clean = Options with { TextEncoder = "no/such-model" } }));
        Assert.Null(new Encoders().OpenText(new Recipe { Clean = Options with { TextEncoder = "none" } }));
    }

    private static RunDirectory Run(string only = "")
    {
        var run = new RunDirectory(TestData.NewFolder());
        DemoPages.Crawl(run, Topic);
        var pages = RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl")).ToList();
        var made = new List<Page>();
        void Add(string name, string text)
        {
            var hash = run.PutBlob(Encoding.UTF8.GetBytes($"<html lang=en><title>{name}</title><body><article><p>{text.ReplaceLineEndings("</p><p>")}</p></article>"));
            made.Add(pages[0] with { Id = ContentId.Of(name), Url = $"http://harbour.test/{name}.html", FinalUrl = $"http://harbour.test/{name}.html", BlobHash = hash, Title = name, OptOut = null, Pictures = [] });
        }
        Add("one", Harbour);
        Add("two", Harbour.Replace("enlarged", "widened", StringComparison.Ordinal).Replace("museum ship", "ship of the museum", StringComparison.Ordinal) + " Share this page.");
        Add("plan", "A blueprint is a plan of a building or machine, a technical drawing with white lines on a blue ground. Architects drew the plan once and copied the blueprint as often as the builders needed it.");
        Add("soup", "Peel the onions and let them turn brown in butter for half an hour. Pour broth on them, add bay leaves and a glass of wine, and serve the soup with toasted bread and cheese on top.");
        RunDirectory.WriteLines(run.File(StageName.Crawl, "pages.jsonl"), only.Length == 0 ? pages.Concat(made) : made.Append(pages.First(p => p.Pictures.Count > 5)));
        return run;
    }

    private static List<Drop> Drops(RunDirectory run) => [.. RunDirectory.ReadLines<Drop>(run.File(StageName.Clean, "dropped.jsonl"))];

    private static async Task<List<string>> CleanAsync(RunDirectory run, CleanOptions options, bool rescore = false)
    {
        var board = new Lines();
        var context = new StageContext { Run = run, Recipe = new Recipe { Clean = options }, Progress = board, Seed = 1, Rescore = rescore };
        await new FactoryLine([new CleanStage(new Encoders())]).RunAsync(context, new LineRequest(), new Dictionary<string, string>(), null, TestContext.Current.CancellationToken);
        return board.Written;
    }

    private sealed class Lines : IProgressBoard
    {
        private readonly SilentProgress silent = new();

        public List<string> Written { get; } = [];

        public IProgressTask Begin(string title, long? total, string unit) => silent.Begin(title, total, unit);

        public void Line(string text) => Written.Add(text);
    }
}
