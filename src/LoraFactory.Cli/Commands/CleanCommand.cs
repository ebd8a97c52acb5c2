using System.CommandLine;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Clean;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora clean RECIPE</c>, and <c>lora clean RECIPE|RUN --rescore</c>: other thresholds on what was measured before.</summary>
public sealed class CleanCommand() : StageCommand(StageName.Clean, "2: pages to records, each drop with its rule, value and threshold")
{
    /// <inheritdoc/>
    public override Command Build(CommandWorld world)
    {
        var command = base.Build(world);
        var subject = (Argument<string>)command.Arguments[0];
        var again = command.Options.OfType<Option<bool>>().First(o => o.Name == "--again");
        var sets = command.Options.OfType<Option<string[]>>().Single();
        var runs = command.Options.OfType<Option<string>>().Single();
        var rescore = new Option<bool>("--rescore") { Description = "Judge what clean measured before by the recipe's values, changed by --set: no page is read again, no picture decoded twice. Takes a run's name too. Each rescore starts from the recipe's own values, so one without --set goes back to them" };
        subject.Description = "The recipe's file; with --rescore also a run's directory, or its name below runs/";
        command.Options.Add(rescore);
        command.Subcommands.Add(Report(world));
        command.SetAction(async (parsed, token) =>
        {
            var (given, anew) = (parsed.GetValue(subject)!, parsed.GetValue(rescore));
            var run = anew && !File.Exists(given) ? LineageCommand.Open(given, parsed.GetValue(runs)!) : null;
            var place = run is null ? parsed.GetValue(runs)! : Path.GetDirectoryName(run.Path)!;
            var start = anew ? run is null ? RescoreStart.Of(given, place) : RescoreStart.Of(run) : null;
            var reading = RecipeReader.Read(start?.Path ?? given, parsed.GetValue(sets)).Among(place);
            var recipe = reading.OrThrow();
            run ??= new RunDirectory(Path.Combine(place, recipe.Name));
            var request = new LineRequest(parsed.GetValue(again) ? StageName.Clean : null, StageName.Clean) { Rescore = anew, Start = start };
            var results = ResultLines.Of(world, parsed);
            foreach (var line in start?.Told(recipe, $"lora clean {UserPath.Quoted(given)} --rescore{InFolder(run)}") ?? []) results.ForPeople(line);
            return await RunAsync(world, results, run, reading, request, anew ? UserPath.Quoted(Path.Combine(run.Path, "recipe.yaml")) : AsGiven(given, parsed.GetValue(sets)), token);
        });
        return command;
    }

    /// <inheritdoc/>
    internal override async Task ShowAsync(ResultLines results, RunDirectory run, Recipe recipe, CancellationToken token)
    {
        var report = await Task.Run(() => CleanReportPage.Write(run, recipe.Clean, token), token);
        results.ForPeople($"{report} shows what was dropped");
    }

    private static Command Report(CommandWorld world)
    {
        var run = new Argument<string>("RUN") { Description = "The run's directory, or its name below runs/" };
        var runs = LineageCommand.RunsOption();
        var json = ResultLines.Option("One JSON line on the standard output");
        var command = new Command("report", "Write a page of what clean dropped: counts, examples and pictures by rule, every signal with its threshold") { run, runs, json };
        command.SetAction((parsed, token) => Task.Run(() =>
        {
            var directory = LineageCommand.Open(parsed.GetValue(run)!, parsed.GetValue(runs)!);
            var options = RecipeReader.Read(Path.Combine(directory.Path, "recipe.yaml")).OrThrow().Clean;
            var path = CleanReportPage.Write(directory, options, token);
            ResultLines.Of(world, parsed).Write(new { Report = path }, path);
            return (int)ExitCode.Done;
        }, token));
        return command;
    }
}
