using LoraFactory.Cli;
using LoraFactory.Cli.Demo;
using LoraFactory.Flow;
using Xunit;

namespace LoraFactory.Tests.Cli;

/// <summary>The demo's recipe fits its own web, and another web with another topic.</summary>
public sealed class DemoPlanTests
{
    private static readonly string Recipe = Path.Combine(TestData.Root, "recipes", "demo.yaml");
    private static readonly Dictionary<string, string> NoEnvironment = [];

    [Fact]
    public async Task Its_own_web_only_gets_addresses()
    {
        var site = Path.Combine(TestData.Root, "demo", "web");
        await using var web = await DemoWeb.StartAsync(site);
        var reading = RecipeReader.Read(Recipe, DemoPlan.Overrides(web, site, ownSite: false, topic: null), NoEnvironment);
        Assert.Empty(reading.Problems);
        Assert.Equal(web.Resolve, reading.Recipe.Crawl.Resolve);
        Assert.Equal("blueprint drawings", reading.Recipe.Seed.Topic);
        var known = web.Hosts.ToHashSet();
        Assert.All(reading.Recipe.Seed.Urls, u => Assert.Contains(new Uri(u).Host, known));
        Assert.Equal(known.Order(), reading.Recipe.Crawl.AllowPrivateHosts.Order());
    }

    [Fact]
    public async Task Another_web_and_topic_bring_hosts_trigger_prompts_and_a_run_of_their_own()
    {
        var site = TestData.NewFolder();
        Directory.CreateDirectory(Path.Combine(site, "ink.test"));
        Directory.CreateDirectory(Path.Combine(site, "pictures.test"));
        await File.WriteAllTextAsync(Path.Combine(site, "ink.test", "index.html"), "<p>ink", TestContext.Current.CancellationToken);
        string[] prompts = ["an ink wash painting of a cat", .. new[] { "key", "boat", "tree", "house", "fish", "cup", "bird" }.Select(what => $"a red {what}, ink wash painting")];
        await File.WriteAllTextAsync(Path.Combine(site, "world.json"), System.Text.Json.JsonSerializer.Serialize(new { prompts }), TestContext.Current.CancellationToken);
        await using var web = await DemoWeb.StartAsync(site);
        var reading = RecipeReader.Read(Recipe, DemoPlan.Overrides(web, site, ownSite: true, "Ink wash paintings"), NoEnvironment);
        Assert.Empty(reading.Problems);
        var recipe = reading.Recipe;
        Assert.Equal(("demo-ink-wash-paintings", "Ink wash paintings", "ink wash painting"), (recipe.Name, recipe.Seed.Topic, recipe.Label.Trigger));
        Assert.Equal(["http://ink.test/"], recipe.Seed.Urls);
        Assert.Equal(prompts, recipe.Evaluate.Prompts);
        Assert.Equal(["ink.test", "pictures.test"], recipe.Crawl.AllowPrivateHosts);
        Directory.Delete(site, recursive: true);
    }

    [Theory]
    [InlineData("blueprint drawings", "a blueprint of a cat|a key, blueprint", "blueprint")]
    [InlineData("woodcut prints", "a woodcut print of a cat", "woodcut print")]
    [InlineData("woodcut prints", "", "woodcut print")]
    [InlineData("glass", "", "glass")]
    public void The_trigger_is_the_phrase_that_captions_use(string topic, string prompts, string trigger) =>
        Assert.Equal(trigger, DemoPlan.Trigger(topic, prompts.Split('|', StringSplitOptions.RemoveEmptyEntries)));

    [Theory]
    [InlineData("Ink wash", "demo-ink-wash")]
    [InlineData("../../etc", "demo-etc")]
    public void The_run_is_named_by_the_topic(string topic, string name) => Assert.Equal(name, DemoPlan.RunName(topic));

    [Fact]
    public void A_topic_in_another_script_has_a_name_too() => Assert.Matches("^demo-[0-9a-f]{8}$", DemoPlan.RunName("水墨山水"));

    [Fact]
    public async Task An_interrupted_run_ends_with_130_and_says_how_to_go_on()
    {
        var runs = TestData.NewFolder();
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(["demo", "--runs-dir", runs], TextWriter.Null, error, stop.Token);
        Assert.Equal((int)ExitCode.Interrupted, code);
        Assert.Contains("Run the same command again to go on", error.ToString());
        Directory.Delete(runs, recursive: true);
    }
}
