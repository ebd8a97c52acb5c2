using System.CommandLine;
using System.Globalization;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora crawl RECIPE</c>; <c>lora crawl status|pause|resume RUN</c> for one that goes on in another terminal.</summary>
public sealed class CrawlCommand() : StageCommand(StageName.Crawl, "1: topic to pages and pictures")
{
    private const int HostsShown = 15;

    /// <inheritdoc/>
    public override Command Build(CommandWorld world)
    {
        var command = base.Build(world);
        command.Subcommands.Add(Status(world));
        command.Subcommands.Add(Hold(world, "pause", true, "Let a crawl that goes on in another terminal ask nothing more until it is resumed; what is on its way is recorded"));
        command.Subcommands.Add(Hold(world, "resume", false, "Let a paused crawl go on"));
        return command;
    }

    private static Argument<string> Run() => new("RUN") { Description = "The run's directory, or its name below runs/" };

    private static Command Status(CommandWorld world)
    {
        var run = Run();
        var runs = LineageCommand.RunsOption();
        var watch = new Option<bool>("--watch") { Description = "Print it anew every two seconds until the crawl ends" };
        var json = ResultLines.Option("One JSON line, with --watch one each time");
        var command = new Command("status", "Say how a crawl stands: pages, time left, outcomes by status and host, what was dropped and why") { run, watch, runs, json };
        command.SetAction(async (parsed, token) =>
        {
            var (directory, results) = (LineageCommand.Open(parsed.GetValue(run)!, parsed.GetValue(runs)!), ResultLines.Of(world, parsed));
            while (true)
            {
                var status = CrawlStatus.Of(directory) ?? throw new LoraException($"{directory.Path} has no crawl that could be looked at: lora crawl RECIPE begins one.", ExitCode.BadUsage);
                var cutOff = !status.IsOver && !RunLock.IsHeld(directory);
                if (cutOff) status = status with { State = "cut off", SecondsLeft = null };
                results.Write(status, Words(status));
                if (!parsed.GetValue(watch) || cutOff || status.IsOver) return (int)ExitCode.Done;
                await Task.Delay(TimeSpan.FromSeconds(2), world.Clock, token);
            }
        });
        return command;
    }

    // lora crawl pause and lora crawl resume
    private static Command Hold(CommandWorld world, string name, bool pause, string effect)
    {
        var run = Run();
        var runs = LineageCommand.RunsOption();
        var json = ResultLines.Option("One JSON line");
        var command = new Command(name, effect) { run, runs, json };
        command.SetAction(parsed =>
        {
            var directory = AtWork(parsed.GetValue(run)!, parsed.GetValue(runs)!);
            var was = CrawlPause.IsOn(directory);
            if (pause) CrawlPause.Begin(directory);
            else CrawlPause.End(directory);
            ResultLines.Of(world, parsed).Write(new { Run = directory.Path, Paused = pause, WasPaused = was },
                pause ? $"{directory.Path} pauses; lora crawl resume {parsed.GetValue(run)} lets it go on" : was ? $"{directory.Path} goes on" : $"{directory.Path} was not paused");
            return (int)ExitCode.Done;
        });
        return command;
    }

    private static RunDirectory AtWork(string name, string runs)
    {
        var run = LineageCommand.Open(name, runs);
        if (RunLock.IsHeld(run) && CrawlStatus.Of(run) is { IsOver: false }) return run;
        throw new LoraException($"no crawl is at work in {run.Path}. One that was stopped goes on when the same lora crawl or lora run is given again.", ExitCode.BadUsage);
    }

    private static string Words(CrawlStatus status)
    {
        var lines = new List<string>
        {
            $"{status.State}: {status.Pages}/{status.MaxPages} pages, {status.Pictures} pictures, {status.Waiting} URLs waiting, {status.Deferred} deferred"
                + (status.State == "crawling" ? string.Create(CultureInfo.InvariantCulture, $", {status.PagesPerSecond:0.##} pages/s") : "")
                + (status.SecondsLeft is { } left ? $", about {TimeSpan.FromSeconds(left):d\\.hh\\:mm\\:ss} left".Replace("about 0.", "about ", StringComparison.Ordinal) : ""),
            $"{status.RobotsDenied} denied by robots.txt, {status.OptedOut} opted out" + (status.SlowHosts > 0 ? $", {status.SlowHosts} hosts slow to answer" : "") + (status.WaitsFor is { } waits ? $", {waits}" : ""),
            "outcomes: " + Counts(status.Outcomes),
            "dropped: " + Counts(status.Dropped),
        };
        lines.AddRange(status.Hosts.Take(HostsShown).Select(h => string.Create(CultureInfo.InvariantCulture, $"  {h.Host,-32} {h.Urls,7} URLs, pause {h.PauseSeconds:0.##} s: {Counts(h.Outcomes)}")));
        if (status.HostCount > HostsShown) lines.Add($"  and {status.HostCount - HostsShown} hosts more");
        return string.Join(Environment.NewLine, lines);
    }

    private static string Counts(IReadOnlyDictionary<string, long> counts) =>
        counts.Count == 0 ? "none" : string.Join(", ", counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal).Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Value} {c.Key}")));
}
