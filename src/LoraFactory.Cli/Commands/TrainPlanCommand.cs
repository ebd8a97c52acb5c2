using System.CommandLine;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Train;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora train-plan RUN</c>: the training stage alone, on a run that has its samples and its plan; earlier stages are not looked at, so the plan may come from elsewhere.</summary>
public sealed class TrainPlanCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Stages;

    /// <inheritdoc/>
    public int Order => 10 * (int)StageName.Train + 1;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var directory = new Argument<string>("RUN") { Description = "A run's directory, with recipe.yaml, 3-label and 4-configure/plan.yaml" };
        var again = new Option<bool>("--again") { Description = "Train from the beginning even when nothing changed" };
        var json = RunCommand.JsonOption();
        var command = new Command("train-plan", "Train from a run's plan.yaml as it is, earlier stages left alone") { directory, again, json };
        command.SetAction(async (parsed, token) =>
        {
            var path = parsed.GetValue(directory)!;
            var recipe = Path.Combine(path, "recipe.yaml");
            if (!File.Exists(recipe)) throw new LoraException($"{path} is no run: it has no recipe.yaml. Give a directory that lora run made, such as runs/NAME.", ExitCode.BadUsage);
            var reading = RecipeReader.Read(recipe, []).Among(Path.GetDirectoryName(new RunDirectory(path).Path)!);
            reading.OrThrow();
            var run = new RunDirectory(path);
            var results = ResultLines.Of(world, parsed);
            var finished = await RunCommand.RunLine(world, new FactoryLine([new TrainStage()]), run, reading, new LineRequest(From: parsed.GetValue(again) ? StageName.Train : null), results, token);
            RunCommand.WriteResults(results, run, finished);
            return (int)ExitCode.Done;
        });
        return command;
    }
}
