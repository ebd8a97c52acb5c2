using LoraFactory.Cli;
using LoraFactory.Cli.Demo;
using LoraFactory.Flow;

namespace LoraFactory.Tests.Stages.Clean;

/// <summary>A rescore starts from the recipe's own values, says which it changed, and leaves a way back.</summary>
public sealed class RescoreStartTests : IDisposable
{
    private const string Few = "clean.thresholds=gopher-few-words=50";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string Kept => File.ReadAllText(folder.File("runs/plans/recipe.yaml"));

    private bool IsBeside => File.Exists(folder.File("runs/plans/recipe.before-rescore.yaml"));

    private int Records => File.ReadLines(folder.File("runs/plans/2-clean/records.jsonl")).Count();

    [Fact]
    public async Task Each_rescore_starts_from_the_recipe_and_one_without_changes_is_the_way_back()
    {
        await using var web = await WebAsync();
        var (recipe, run) = (folder.File("plans.yaml"), folder.File("runs/plans"));
        Assert.Equal(0, (await LoraAsync("clean", recipe, "--runs-dir", folder.File("runs"))).Code);
        var own = Kept;
        Assert.Equal(2, Records);

        var first = await LoraAsync("clean", run, "--rescore", "--set", Few);
        Assert.Equal((0, 1, true), (first.Code, Records, IsBeside));
        Assert.Contains("judged by the recipe's own values but for clean.thresholds=[\"gopher-few-words=50\"] (recipe: [])", first.Said, StringComparison.Ordinal);
        Assert.Contains($"lora clean {run} --rescore --runs-dir {folder.File("runs")} goes back to the recipe's own values", first.Said, StringComparison.Ordinal);

        var second = await LoraAsync("clean", run, "--rescore", "--set", "clean.max_aspect=5");
        Assert.Equal((0, 2), (second.Code, Records));
        Assert.Contains("but for clean.max_aspect=5 (recipe: 3)\n", second.Said, StringComparison.Ordinal);
        Assert.Contains("no longer in force is what the rescore before had changed: clean.thresholds=[\"gopher-few-words=50\"]; ", second.Said, StringComparison.Ordinal);

        var failed = await LoraAsync("clean", run, "--rescore", "--set", "clean.min_side=4096");
        Assert.Equal((1, true), (failed.Code, IsBeside));
        Assert.Contains("max_aspect: 5", Kept, StringComparison.Ordinal); // the recipe of the result that stays

        var back = await LoraAsync("clean", run, "--rescore");
        Assert.Equal((0, 2, false, own), (back.Code, Records, IsBeside, Kept));
        Assert.Contains("judged by the recipe's own values\n", back.Said, StringComparison.Ordinal);
        Assert.Contains("clean.max_aspect=5; each rescore starts", back.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_by_its_recipe_makes_that_the_start_again()
    {
        await using var web = await WebAsync();
        var (recipe, runs, run) = (folder.File("plans.yaml"), folder.File("runs"), folder.File("runs/plans"));
        Assert.Equal(0, (await LoraAsync("clean", recipe, "--runs-dir", runs)).Code);
        Assert.Equal((0, true), ((await LoraAsync("clean", recipe, "--runs-dir", runs, "--rescore", "--set", Few)).Code, IsBeside));
        Assert.Equal((0, true), ((await LoraAsync("clean", folder.File("runs/plans/recipe.yaml"), "--runs-dir", runs)).Code, IsBeside)); // goes on with what the rescore made
        Assert.Equal((0, false), ((await LoraAsync("clean", recipe, "--runs-dir", runs, "--set", Few, "--set", "clean.max_aspect=5")).Code, IsBeside)); // now these are the recipe's
        var again = await LoraAsync("clean", run, "--rescore");
        Assert.Equal((0, 1), (again.Code, Records));
        Assert.Contains("judged by the recipe's own values\n", again.Said, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Said)> LoraAsync(params string[] arguments)
    {
        using var said = new StringWriter { NewLine = "\n" };
        var code = await CommandLine.RunAsync(arguments, said, said, TestContext.Current.CancellationToken);
        return (code, said.ToString());
    }

    // Two pages with a picture each, one of many words and one of few, and the recipe of a run on them.
    private async Task<DemoWeb> WebAsync()
    {
        void Put(string path, string text) => AtomicFile.WriteText(folder.File(Path.Combine("web", "plans.example", path)), text);
        Put("index.html", $"<!doctype html><html lang=en><title>Plans</title><body><article><p>{string.Join(' ', Enumerable.Range(0, 80).Select(i => $"The plan of house {i} is drawn in white lines."))}</p><img src=1.png alt=plan></article><a href=few.html>plans</a>");
        Put("few.html", "<!doctype html><html lang=en><title>Few</title><body><p>The plan of the other house is drawn in white lines.</p><img src=2.png alt=plan>");
        foreach (var n in (int[])[1, 2])
            AtomicFile.Write(folder.File($"web/plans.example/{n}.png"), s => s.Write(File.ReadAllBytes(Path.Combine(DemoPages.Folder, "drawings.test", "img", $"blueprint-0{n}-0.png"))));
        var web = await DemoWeb.StartAsync(folder.File("web"));
        AtomicFile.WriteText(folder.File("plans.yaml"), RecipeText.Effective(new Recipe
        {
            Name = "plans",
            Seed = new() { Topic = "plans", Urls = ["http://plans.example/"], ExpandDepth = 0 },
            Crawl = new() { DelaySeconds = 0, UserAgent = "plans-test (+https://plans.example/)", AllowPrivateHosts = web.Hosts, Resolve = web.Resolve },
            Clean = new() { MinSide = 16, MinRelevance = 0, MinTextQuality = 0, MinKept = 1, MinKeptShare = 0, TextEncoder = "none" },
            Base = new() { Model = "models/pocket" },
        }, new Dictionary<string, string>()));
        return web;
    }
}
