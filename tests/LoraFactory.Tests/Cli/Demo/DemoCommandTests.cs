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
        string[] arguments = ["demo", .. Line.Recipe(place).Skip(1), "--set", "deploy.require_passed=true", "--json"];
        var named = Array.FindIndex(arguments, a => a.StartsWith("deploy.store=", StringComparison.Ordinal));
        await using var demo = LoraProcess.Start([.. arguments[..(named - 1)], .. arguments[(named + 1)..]]);
        Assert.True(await demo.EndAsync() == (int)ExitCode.Refused, demo.Text);
        var store = new AdapterStore(Path.Combine(place, "runs", "store")); // among the runs, since none is named
        Assert.Equal("candidate", Assert.Single(store.Versions(FinishedLine.Name)).State);
        Assert.Contains($"lora: tiny version 1 is not in service: it is a candidate whose gates do not all hold", demo.Text);
        Assert.Contains($"lora adapters promote tiny --version 1 --store {store.Folder} --force puts it in service anyway.", demo.Text);

        var objects = demo.Text.Split('\n').Where(l => l.StartsWith('{')).Select(l => JsonSerializer.Deserialize<JsonElement>(l)).ToList();
        Assert.Equal(["crawl", "clean", "label", "configure", "train", "evaluate", "deploy"], objects.Take(7).Select(o => o.GetProperty("stage").GetString()));
        Assert.Equal([true, true, true, true, true, true, false], objects.Take(7).Select(o => o.GetProperty("skipped").GetBoolean()));
        Assert.All(objects[7..9], o => Assert.True(File.Exists(o.GetProperty("picture").GetString())));
        Assert.StartsWith("http://127.0.0.1:", objects[9].GetProperty("serving").GetString());
        Assert.True(objects[9].GetProperty("ended").GetBoolean());
        Assert.StartsWith($"lora serve --store {store.Folder}", objects[9].GetProperty("again").GetString());
        Assert.Equal(10, objects.Count);
    }

    [Fact]
    public async Task Its_last_lines_say_where_everything_is_and_that_and_how_the_endpoint_is_started_again()
    {
        var place = Line.Copy(Folder.File("copy"));
        await using var demo = LoraProcess.Start(["demo", .. Line.Recipe(place).Skip(1), "--set", "deploy.port=0"]);
        Assert.True(await demo.EndAsync() == 0, demo.Text);
        var last = demo.Text.Split('\n').SkipWhile(l => !l.StartsWith("adapter ", StringComparison.Ordinal)).ToArray();
        Assert.Equal(["adapter", "report", "endpoint", "run", "picture", "picture", "stopped"], last.Select(l => l.Split(' ')[0]));
        var run = Path.Combine(place, "runs", FinishedLine.Name);
        foreach (var (line, file) in last.Zip((string[])["5-train/adapter.safetensors", "6-evaluate/report.html", "7-deploy/endpoint.json", "", "demo-base.png", "demo-adapter.png"]))
            Assert.StartsWith(Path.Combine(run, file).TrimEnd('/'), line[10..], StringComparison.Ordinal);
        var address = new Uri(last[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[4].TrimEnd(';'));
        string[] call = ["serve", "--store", Path.Combine(place, "store"), "--port", $"{address.Port}"];
        Assert.Equal($"stopped   the endpoint on http://127.0.0.1:{address.Port}/; start it again with: lora {string.Join(' ', call)}  (lora demo --keep-serving leaves it up)", last[^1]);
        using var http = new HttpClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(new Uri(address, "healthz"), TestContext.Current.CancellationToken));

        await using var again = LoraProcess.Start(call);
        await again.UntilAsync(() => again.Text.Contains($"on {address.GetLeftPart(UriPartial.Authority)}", StringComparison.Ordinal));
        Assert.Contains("live: <lora:tiny:1>", again.Text);
    }
}
