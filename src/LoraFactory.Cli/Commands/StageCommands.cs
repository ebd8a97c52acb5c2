using System.CommandLine;
using LoraFactory.Flow;
using LoraFactory.Stages;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora STAGE RECIPE</c>: one stage again; earlier ones run first where they are not up to date.</summary>
public abstract class StageCommand(StageName stage, string effect) : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Stages;

    /// <inheritdoc/>
    public int Order => 10 * (int)stage;

    /// <inheritdoc/>
    public virtual Command Build(CommandWorld world)
    {
        var recipe = new Argument<string>("RECIPE") { Description = "The recipe's file" };
        var again = new Option<bool>("--again") { Description = "Run it even when nothing has changed" };
        var sets = RunCommand.SetOption();
        var runs = RunCommand.RunsOption();
        var json = RunCommand.JsonOption();
        var command = new Command(stage.ToString().ToLowerInvariant(), effect) { recipe, again, sets, runs, json };
        command.SetAction((parsed, token) =>
        {
            var reading = RecipeReader.Read(parsed.GetValue(recipe)!, parsed.GetValue(sets)).Among(parsed.GetValue(runs)!);
            var run = new RunDirectory(Path.Combine(parsed.GetValue(runs)!, reading.OrThrow().Name));
            return RunAsync(world, ResultLines.Of(world, parsed), run, reading, new LineRequest(parsed.GetValue(again) ? stage : null, stage), AsGiven(parsed.GetValue(recipe)!, parsed.GetValue(sets)), token);
        });
        return command;
    }

    /// <summary>Runs the line as far as the stage and says where its results lie.</summary>
    internal async Task<int> RunAsync(CommandWorld world, ResultLines results, RunDirectory run, RecipeReading reading, LineRequest request, string given, CancellationToken token)
    {
        var line = FactoryLine.Standard();
        if (!line.Names.Contains(stage)) throw new LoraException($"this build has no {stage.ToString().ToLowerInvariant()} stage.");
        await RunCommand.RunLine(world, line, run, reading, request, results, token);
        results.ForPeople(run.Of(stage));
        await ShowAsync(results, run, reading.Recipe, token);
        if (Next(run, given) is { } next) results.ForPeople(next);
        return (int)RunCommand.Outcome(world, run, reading.Recipe, stage);
    }

    /// <summary>What there is to look at beside the results.</summary>
    internal virtual Task ShowAsync(ResultLines results, RunDirectory run, Recipe recipe, CancellationToken token) => Task.CompletedTask;

    /// <summary>" --runs-dir DIR" where the run does not lie where runs usually do; else nothing.</summary>
    internal static string InFolder(RunDirectory run)
    {
        var folder = Path.GetDirectoryName(run.Path)!;
        return folder == Path.GetFullPath(RunDirectory.Usual) || folder == RunDirectory.Usual ? "" : $" --runs-dir {UserPath.Quoted(folder)}";
    }

    /// <summary>A recipe with what overrides it, as they are typed.</summary>
    internal static string AsGiven(string recipe, IReadOnlyList<string>? sets) => UserPath.Quoted(recipe) + string.Concat((sets ?? []).Select(set => $" --set {UserPath.Quoted(set)}"));

    private string? Next(RunDirectory run, string given)
    {
        if (stage == StageName.Deploy) return null;
        given += InFolder(run);
        return $"next: lora {(stage + 1).ToString().ToLowerInvariant()} {given}, or lora run {given} for all that is left";
    }
}

/// <summary><c>lora label</c>.</summary>
public sealed class LabelCommand() : StageCommand(StageName.Label, "3: records to captioned samples, split by cluster");

/// <summary><c>lora configure</c>.</summary>
public sealed class ConfigureCommand() : StageCommand(StageName.Configure, "4: samples to a plan, each value with its why");

/// <summary><c>lora train</c>.</summary>
public sealed class TrainCommand() : StageCommand(StageName.Train, "5: plan to adapter");

/// <summary><c>lora evaluate</c>.</summary>
public sealed class EvaluateCommand() : StageCommand(StageName.Evaluate, "6: adapter against base, with a report");

/// <summary><c>lora deploy</c>.</summary>
public sealed class DeployCommand() : StageCommand(StageName.Deploy, "7: report to bundle and version store");
