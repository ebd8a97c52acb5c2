using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Deploy;
using LoraFactory.Tests.Stages.Deploy;

namespace LoraFactory.Tests.Cli;

/// <summary>Ctrl-C in evaluate, deploy and a running server: the exit code and one line; nothing half is left, and the same command goes on.</summary>
[Collection("torch")]
public sealed class InterruptedCommandsTests(FinishedLine line) : FinishedLineTests(line)
{
    [Fact]
    public async Task Evaluate_leaves_no_half_report_and_goes_on_with_the_same_command() => await Interrupted(StageName.Evaluate, "report.html",
        ["--set", "evaluate.sampler_steps=60"], (run, _) => Assert.Equal(["grid.png", "report.html", "report.json", StageRecord.FileName], Files(run, StageName.Evaluate)));

    [Fact]
    public async Task Deploy_leaves_the_store_alone_until_it_is_done() => await Interrupted(StageName.Deploy, "endpoint.json", [], (_, store) =>
    {
        Assert.Equal(["champion"], store.Versions(FinishedLine.Name).Select(v => v.State));
        Certificate.Require(store.Bundle(store.Champion(FinishedLine.Name)!));
    });

    private async Task Interrupted(StageName stage, string result, IReadOnlyList<string> sets, Action<string, AdapterStore> done)
    {
        var place = Line.Copy(Folder.File("copy"));
        var (run, store) = (Path.Combine(place, "runs", FinishedLine.Name), new AdapterStore(Path.Combine(place, "store")));
        for (var gone = stage; gone <= StageName.Deploy; gone++) Directory.Delete(Path.Combine(run, $"{(int)gone}-{gone.ToString().ToLowerInvariant()}"), recursive: true);
        Directory.Delete(store.Folder, recursive: true);
        var trained = ContentId.OfFile(Path.Combine(run, "5-train", "adapter.safetensors"));
        string[] command = [stage.ToString().ToLowerInvariant(), .. Line.Recipe(place), .. sets];

        await using (var first = LoraProcess.Start(command))
        {
            await first.UntilInAsync(run, stage);
            first.Interrupt();
            Assert.Equal((int)ExitCode.Interrupted, await first.EndAsync());
            Assert.Contains("Stopping at the next safe place; Ctrl-C again ends at once.", first.Text);
            Assert.EndsWith("Interrupted. Run the same command again to go on.", first.Text);
            Assert.DoesNotContain("   at ", first.Text);
            Assert.DoesNotContain("xception", first.Text);
        }
        Assert.Equal([], Files(run, stage).Intersect([result, StageRecord.FileName]));
        Assert.Empty(Directory.EnumerateFiles(place, "*.tmp", SearchOption.AllDirectories));
        Assert.Empty(store.Versions(FinishedLine.Name));
        Assert.Equal(trained, ContentId.OfFile(Path.Combine(run, "5-train", "adapter.safetensors")));

        var again = await FinishedLine.LoraAsync(command, TestContext.Current.CancellationToken);
        Assert.True(again.Code == 0, again.Error);
        Assert.Contains($"{command[0]}: going on from where it was interrupted", again.Error);
        Assert.Contains("✔ train ", again.Error);
        Assert.Equal((int)stage - 1, Regex.Count(again.Error, "unchanged, not run again", RegexOptions.None, TimeSpan.FromSeconds(5)));
        Assert.Equal(2, RunDirectory.ReadJson<StageRecord>(Path.Combine(run, $"{(int)stage}-{command[0]}", StageRecord.FileName)).Attempts);
        done(run, store);
    }

    private static IReadOnlyList<string> Files(string run, StageName stage) =>
        [.. Directory.EnumerateFiles(Path.Combine(run, $"{(int)stage}-{stage.ToString().ToLowerInvariant()}")).Select(f => Path.GetFileName(f)).Where(f => f[0] != '.').Order(StringComparer.Ordinal)];

    [Fact]
    public async Task A_server_finishes_the_picture_and_a_second_ctrl_c_ends_it_at_once()
    {
        foreach (var twice in new[] { false, true })
        {
            await using var server = LoraProcess.Start(["serve", "--store", Line.StorePath, "--port", "0", .. twice ? new[] { "--json" } : []]);
            await server.UntilAsync(() => server.Text.Contains(twice ? "\"adapters\":[{\"name\":\"tiny\",\"version\":1}]" : "Ctrl-C ends it", StringComparison.Ordinal));
            using var http = new HttpClient { BaseAddress = new Uri(Regex.Match(server.Text, @"http://127\.0\.0\.1:\d+", RegexOptions.None, TimeSpan.FromSeconds(5)).Value) };
            var asked = http.PostAsJsonAsync("/sdapi/v1/txt2img", new { prompt = "a cat <lora:tiny>", steps = twice ? 150 : 40, batch_size = twice ? 8 : 1 }, TestContext.Current.CancellationToken);
            while (!(await http.GetStringAsync("/metrics", TestContext.Current.CancellationToken)).Contains("\nlora_drawing 1\n", StringComparison.Ordinal)) await Task.Delay(20, TestContext.Current.CancellationToken);
            server.Interrupt();
            await server.UntilAsync(() => server.Text.Contains("Stopping at the next safe place", StringComparison.Ordinal));
            if (twice)
            {
                server.Interrupt();
                Assert.Equal(130, await server.EndAsync());
                await Assert.ThrowsAnyAsync<HttpRequestException>(() => asked);
            }
            else
            {
                using var answer = await asked;
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                Assert.Equal(0, await server.EndAsync());
                Assert.EndsWith("ended", server.Text);
            }
            Assert.DoesNotContain("   at ", server.Text);
        }
    }

    [Fact]
    public async Task What_serve_and_adapters_cannot_do_is_one_sentence()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var none = Folder.File("none");
        foreach (var (arguments, code, named) in new (string[], ExitCode, string)[]
        {
            (["serve", "--store", Line.StorePath, "--port", $"{port}"], ExitCode.Failed, $"Port {port} on 127.0.0.1 cannot be listened on"),
            (["serve", "--store", Line.StorePath, "--port", "70000"], ExitCode.BadUsage, "--port is 70000; valid: 1 to 65535"),
            (["serve", "--store", Line.StorePath, "--address", "nowhere"], ExitCode.BadUsage, "--address nowhere is not an IP address"),
            (["serve", "--store", Line.StorePath, "--base", "nobody/nothing"], ExitCode.BadUsage, "--base: "),
            (["serve", "--store", none], ExitCode.BadUsage, $"there is no version store at {none}"),
            (["adapters", "rollback", "nobody", "--store", none], ExitCode.BadUsage, "has no adapter nobody"),
            (["adapters", "rollback", "../x", "--store", none], ExitCode.BadUsage, "cannot name an adapter"),
            (["adapters", "rollback", FinishedLine.Name, "--version", "9", "--store", Line.StorePath], ExitCode.BadUsage, "has no version 9"),
            (["lineage", none], ExitCode.BadUsage, "there is no run"),
        })
        {
            var answer = await FinishedLine.LoraAsync(arguments, TestContext.Current.CancellationToken);
            Assert.True((int)code == answer.Code, $"{string.Join(' ', arguments)} gave {answer.Code}: {answer.Error}");
            Assert.Contains(named, Assert.Single(answer.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
            Assert.Equal("", answer.Out);
        }
        Assert.False(Path.Exists(none));
        var empty = await FinishedLine.LoraAsync(["adapters", "--store", none], TestContext.Current.CancellationToken);
        Assert.Equal((0, ""), (empty.Code, empty.Out));
        Assert.Contains("is empty; lora run RECIPE puts an adapter there", empty.Error);
    }
}
