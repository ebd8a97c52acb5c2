using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using LoraFactory.Cli.Commands;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;
using LoraFactory.Stages.Train;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary><c>lora bench frontier</c>: queues URLs without fetching any, and takes rounds, to see whether memory and time stay flat.</summary>
internal static class FrontierBench
{
    private const int PerCommit = 2000, Hosts = 5000, Rounds = 50;

    /// <summary>The command.</summary>
    public static Command Command(CommandWorld world)
    {
        var urls = NumberOption.Of("--urls", "URLs to queue", 1_000_000, 1000, 100_000_000);
        var command = new Command("frontier", "Queue URLs and take rounds of them: memory, size on disk, URLs a second") { urls };
        command.SetAction((parsed, token) => Task.Run(() =>
        {
            world.Out.WriteLine(Measure(parsed.GetValue(urls), world, token).ToJsonString(RunDirectory.Json));
            return (int)ExitCode.Done;
        }, token));
        return command;
    }

    private static JsonObject Measure(int urls, CommandWorld world, CancellationToken token)
    {
        var folder = Directory.CreateTempSubdirectory("lora-bench-frontier-");
        try
        {
            var file = Path.Combine(folder.FullName, "frontier.db");
            using var frontier = Frontier.Open(file, "bench");
            var line = new JsonObject { ["bench"] = "frontier", ["urls"] = urls };
            using (var board = world.NewBoard())
            using (var bar = board.Begin("queue", urls, "URLs"))
            {
                var cpu = Environment.CpuUsage.TotalTime;
                var memory = new JsonArray();
                for (var at = 0; at < urls; at += PerCommit)
                {
                    token.ThrowIfCancellationRequested();
                    var from = at;
                    frontier.Commit(() =>
                    {
                        for (var i = from; i < Math.Min(from + PerCommit, urls); i++) frontier.Add(Item(i));
                    });
                    bar.Set(at);
                    if ((at / PerCommit + 1) % Math.Max(1, urls / PerCommit / 4) == 0) memory.Add(Math.Round(Environment.WorkingSet / 1048576.0));
                }
                line["urls_per_cpu_s"] = Math.Round(urls / (Environment.CpuUsage.TotalTime - cpu).TotalSeconds);
                line["rss_mb_by_quarter"] = memory;
            }
            var started = Stopwatch.GetTimestamp();
            for (var round = 0; round < Rounds; round++)
            {
                var chosen = frontier.NextRound(128, _ => 8, new(1_000_000, 1_000_000, 0));
                frontier.Commit(() =>
                {
                    foreach (var item in chosen) frontier.Done(item);
                });
            }
            line["ms_per_round_of_1024"] = Measurement.Rounded(Stopwatch.GetElapsedTime(started).TotalMilliseconds / Rounds);
            line["waiting"] = frontier.Queued;
            line["disk_mb"] = Math.Round(folder.EnumerateFiles().Sum(f => f.Length) / 1048576.0);
            line["peak_rss_mb"] = Math.Round(ProcessMemory.PeakMiB);
            return line;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static FrontierUrl Item(int i) =>
        new(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://h{i % Hosts}.bench.test/articles/{i / Hosts % 97}/page-{i}.html")), UrlKind.Page, 1 + i % 5, Math.Round(i % 1009 / 1009.0, 4));
}
