using System.Text.Json;
using LoraFactory.Cli;
using LoraFactory.Cli.Demo;
using LoraFactory.Flow;

namespace LoraFactory.Tests.Cli;

/// <summary>
/// The whole line once, crawl to deploy, as a user runs it: <c>lora run recipes/demo.yaml</c> on the demo web played on loopback, with few
/// steps, few prompts and a store of its own. Made when the first test asks for it, and shared by all.
/// </summary>
public sealed class FinishedLine : IAsyncDisposable
{
    private readonly TemporaryFolder folder = new();
    private DemoWeb? web;

    public const string Name = "tiny";

    public string Folder => folder.Path;

    public string StorePath => folder.File("store");

    public RunDirectory Run => new(folder.File($"runs/{Name}"));

    /// <summary>What the run printed.</summary>
    public Answer Printed { get; private set; } = new(-1, "", "");

    /// <summary>Runs the line, the first time. Only tests of one collection may share it.</summary>
    public async ValueTask MakeAsync()
    {
        if (web is not null) return;
        web = await DemoWeb.StartAsync(Path.Combine(TestData.Root, "demo", "web"));
        Printed = await LoraAsync("run", Folder, []);
    }

    public async ValueTask DisposeAsync()
    {
        if (web is not null) await web.DisposeAsync();
        folder.Dispose();
    }

    /// <summary>lora COMMAND on the recipe, with runs and store in a folder; what comes after is for this call.</summary>
    public Task<Answer> LoraAsync(string command, string place, IReadOnlyList<string> more, CancellationToken token = default) => LoraAsync([command, .. Recipe(place), .. more], token);

    /// <summary>Any command, in this process.</summary>
    public static async Task<Answer> LoraAsync(IReadOnlyList<string> arguments, CancellationToken token = default)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync([.. arguments], TextWriter.Synchronized(output), TextWriter.Synchronized(error), token);
        return new(code, output.ToString(), error.ToString());
    }

    /// <summary>The demo's recipe and what is smaller here, as arguments.</summary>
    public IReadOnlyList<string> Recipe(string place)
    {
        string[] sets =
        [
            $"name={Name}", List("crawl.resolve", web!.Resolve), List("crawl.allow_private_hosts", web.Hosts), List("seed.urls", ["http://drawings.test/"]), "crawl.seed_hosts_only=true", "crawl.max_pictures=40",
            "train.rank=4", "train.steps=12", "train.batch_size=2", "train.warmup_steps=2", "train.validate_every=6", "train.sample_every=0", "train.patience=0",
            List("evaluate.prompts", ["a {trigger} of a pink cat in the snow", "{trigger}, a yellow balloon at night", "a blue key at sunset, {trigger}"]), "evaluate.seeds_per_prompt=1", "evaluate.sampler_steps=4",
            $"deploy.store={Path.Combine(place, "store")}", "deploy.require_passed=false", "feedback.min_count=3",
        ];
        return [Path.Combine(TestData.Root, "recipes", "demo.yaml"), "--runs-dir", Path.Combine(place, "runs"), .. sets.SelectMany(s => new[] { "--set", s })];
    }

    /// <summary>A copy of runs and store, for a test that changes them.</summary>
    public string Copy(string target)
    {
        foreach (var directory in Directory.EnumerateDirectories(Folder, "*", SearchOption.AllDirectories)) Directory.CreateDirectory(Path.Combine(target, Path.GetRelativePath(Folder, directory)));
        foreach (var file in Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories)) File.Copy(file, Path.Combine(target, Path.GetRelativePath(Folder, file)));
        return target;
    }

    private static string List(string key, IEnumerable<string> items) => $"{key}=[{string.Join(", ", items.Select(i => JsonSerializer.Serialize(i)))}]";
}

/// <summary>What a command printed and its exit code.</summary>
public sealed record Answer(int Code, string Out, string Error)
{
    /// <summary>Lines of the standard output as JSON.</summary>
    public IReadOnlyList<JsonElement> Json => [.. Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonSerializer.Deserialize<JsonElement>(l))];
}

/// <summary>Tests on the finished line: it is made before the first of them, and each has a folder of its own.</summary>
public abstract class FinishedLineTests(FinishedLine line) : IAsyncLifetime
{
    /// <summary>The line.</summary>
    protected FinishedLine Line { get; } = line;

    /// <summary>Gone after the test.</summary>
    private protected TemporaryFolder Folder { get; } = new();

    public ValueTask InitializeAsync() => Line.MakeAsync();

    public ValueTask DisposeAsync()
    {
        Folder.Dispose();
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}
