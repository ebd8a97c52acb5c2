using System.CommandLine;
using LoraFactory.Flow;
using LoraFactory.Stages;

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
        var rescore = new Option<bool>("--rescore") { Description = "Judge by changed thresholds what clean measured before: no page is read again, no picture decoded twice. Takes a run's name too" };
        subject.Description = "The recipe's file; with --rescore also a run's directory, or its name below runs/";
        command.Options.Add(rescore);
        command.SetAction((parsed, token) =>
        {
            var (given, anew) = (parsed.GetValue(subject)!, parsed.GetValue(rescore));
            var run = anew && !File.Exists(given) ? LineageCommand.Open(given) : null;
            var reading = RecipeReader.Read(run is null ? given : Path.Combine(run.Path, "recipe.yaml"), parsed.GetValue(sets));
            run ??= new RunDirectory(Path.Combine(parsed.GetValue(runs)!, reading.OrThrow().Name));
            var request = new LineRequest(parsed.GetValue(again) ? StageName.Clean : null, StageName.Clean) { Rescore = anew };
            return RunAsync(world, ResultLines.Of(world, parsed), run, reading, request, token);
        });
        return command;
    }
}
