using System.Text;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Images.Scenes;
using LoraFactory.Stages.Deploy;
using LoraFactory.Stages.Deploy.Serving;
using LoraFactory.Stages.Feedback;

namespace LoraFactory.Tests.Cli;

/// <summary>A project with its own pictures, base, run and store is moved as a whole: nothing in it points to where it was.</summary>
[Collection("torch")]
public sealed class MovedProjectTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static readonly IReadOnlyList<string> Smaller =
    [
        .. ((string[])
        [
            "base.model=models/base", "clean.min_side=32", "clean.min_kept=4", "label.trigger=blueprint", "train.rank=4", "train.steps=12", "train.batch_size=2", "train.warmup_steps=2", "train.validate_every=6",
            "train.sample_every=0", "train.patience=0", "evaluate.prompts=[\"a {trigger} of a cat\", \"a key at night, {trigger}\"]", "evaluate.seeds_per_prompt=1", "evaluate.sampler_steps=2", "deploy.require_passed=false",
        ]).SelectMany(s => new[] { "--set", s }),
    ];

    [Fact]
    public async Task A_moved_project_goes_on_evaluates_lists_and_serves_in_its_new_place()
    {
        var (old, place) = (folder.File("old/project"), folder.File("new/other-name"));
        Make(old);
        await LoraAsync(old, "init", "own.yaml", "--pictures", Path.Combine(old, "pictures"));
        Assert.DoesNotContain(old, File.ReadAllText(Path.Combine(old, "own.yaml")), StringComparison.Ordinal);
        var made = await LoraAsync(old, ["run", "own.yaml", "--json", .. Smaller]);
        Assert.Equal(7, made.Count(l => l.TryGetProperty("skipped", out var skipped) && !skipped.GetBoolean()));
        Directory.CreateDirectory(folder.File("new"));
        Directory.Move(old, place);
        Assert.Empty(Naming(place, old));

        Assert.All(await LoraAsync(place, ["run", "own.yaml", "--json", .. Smaller]), l => Assert.True(l.GetProperty("skipped").GetBoolean(), l.ToString()));
        await LoraAsync(place, ["evaluate", "own.yaml", "--again", .. Smaller]); // with the base that the plan names
        Assert.Empty(Naming(place, place)); // and what was made here can be moved again

        var run = Path.Combine(place, "runs", "own");
        var store = Path.Combine(place, "runs", "store");
        async Task<IReadOnlyList<JsonElement>> Listed(params string[] arguments) => (await FinishedLine.LoraAsync([.. arguments, "--json"], TestContext.Current.CancellationToken)).Json;
        var version = Assert.Single(await Listed("adapters", "--store", store));
        Assert.Equal((1, "champion", run), (version.GetProperty("version").GetInt32(), version.GetProperty("state").GetString(), version.GetProperty("run").GetString())); // programs get absolute paths
        var endpoint = EndpointFile.Read(new RunDirectory(run));
        Assert.Equal(Path.Combine(store, "own", "v1"), endpoint.Bundle);
        Assert.Equal(Path.Combine(endpoint.Bundle, Certificate.FileName), endpoint.Certificate);
        var records = (await Listed("lineage", run)).Where(n => n.GetProperty("kind").GetString() == "record").ToList();
        Assert.Equal(10, records.Count);
        Assert.All(records, r => Assert.True(File.Exists(r.GetProperty("what").GetString()!.Split("  ")[0]), r.ToString()));
        Assert.Contains("\"picture\":\"5_more/p9.png\"", File.ReadAllText(Path.Combine(endpoint.Bundle, "data.jsonl")));

        var lines = new List<string>();
        await using var server = await ServingStart.OpenAsync(new(Path.Combine(place, "models", "base"), store, System.Net.IPAddress.Loopback, 0), new FeedbackStore(FeedbackStore.PathIn(store)), TimeProvider.System, lines.Add);
        Assert.Equal("live: <lora:own:1>, version 1", Assert.Single(lines));
    }

    private static void Make(string project)
    {
        var scenes = new SceneGenerator();
        for (var i = 0; i < 10; i++)
        {
            var pictures = Directory.CreateDirectory(Path.Combine(project, "pictures", i < 8 ? "" : "5_more")).FullName;
            var scene = scenes.Draw(3, i, new() { Styles = [SceneStyle.Blueprint] });
            File.WriteAllBytes(Path.Combine(pictures, $"p{i}.png"), PictureWriter.Png(new Picture(SceneGenerator.Side, SceneGenerator.Side, scene.Pixels)));
            File.WriteAllText(Path.Combine(pictures, $"p{i}.txt"), scene.Caption);
        }
        File.WriteAllText(Path.Combine(project, "pictures", "broken.png"), "no picture");
        var from = Path.Combine(TestData.Root, "assets", "pocket-sd");
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var to = Path.Combine(project, "models", "base", Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(file, to);
        }
    }

    // Files, of whatever kind, in which a folder's path stands.
    private static IReadOnlyList<string> Naming(string place, string named)
    {
        var bytes = Encoding.UTF8.GetBytes(named);
        return [.. Directory.EnumerateFiles(Path.Combine(place, "runs"), "*", SearchOption.AllDirectories).Where(f => File.ReadAllBytes(f).AsSpan().IndexOf(bytes) >= 0)];
    }

    // In the project's own folder, as a user is; the lines for programs.
    private static async Task<IReadOnlyList<JsonElement>> LoraAsync(string place, params string[] arguments)
    {
        await using var lora = LoraProcess.StartProgram("env", ["-C", place, "dotnet", LoraProcess.Program, .. arguments]);
        Assert.True(await lora.EndAsync() == 0, lora.Text);
        return [.. lora.Text.Split('\n').Where(l => l.StartsWith('{')).Select(l => JsonSerializer.Deserialize<JsonElement>(l))];
    }
}
