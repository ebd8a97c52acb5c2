using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Tests.Cli.Demo;

/// <summary>The demo's end, over a run that is finished up to deploy: what it prints, and what a script sees when the adapter is not in service.</summary>
[Collection("torch")]
public sealed class DemoCommandTests(FinishedLine line) : FinishedLineTests(line)
{
    [Fact]
    public async Task An_adapter_that_misses_its_gates_is_drawn_and_the_exit_code_says_refused()
    {
        var place = Line.Copy(Folder.File("copy"));
        Assert.False(RunDirectory.ReadJson<Report>(Path.Combine(place, "runs", FinishedLine.Name, "6-evaluate", "report.json")).Passed); // twelve steps
        await using var demo = LoraProcess.Start(["demo", .. Line.Recipe(place).Skip(1), "--set", "deploy.require_passed=true", "--json"]);
        Assert.True(await demo.EndAsync() == (int)ExitCode.Refused, demo.Text);
        var store = new AdapterStore(Path.Combine(place, "store"));
        Assert.Equal("candidate", Assert.Single(store.Versions(FinishedLine.Name)).State);
        Assert.Contains($"lora: tiny version 1 is not in service: it is a candidate whose gates do not all hold", demo.Text);
        Assert.Contains($"lora adapters promote tiny --version 1 --store {store.Folder} --force puts it in service anyway.", demo.Text);

        var objects = demo.Text.Split('\n').Where(l => l.StartsWith('{')).Select(l => JsonSerializer.Deserialize<JsonElement>(l)).ToList();
        Assert.Equal(["crawl", "clean", "label", "configure", "train", "evaluate", "deploy"], objects.Take(7).Select(o => o.GetProperty("stage").GetString()));
        Assert.Equal([true, true, true, true, true, true, false], objects.Take(7).Select(o => o.GetProperty("skipped").GetBoolean()));
        Assert.All(objects[7..9], o => Assert.True(File.Exists(o.GetProperty("picture").GetString())));
        Assert.StartsWith("http://127.0.0.1:", objects[9].GetProperty("serving").GetString());
        Assert.Equal(10, objects.Count);
    }
}
