using System.CommandLine;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora run RECIPE</c>: the whole line, from where it stopped.</summary>
public sealed class RunCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Line;

    /// <inheritdoc/>
    public int Order => 10;

    /// <summary>The repeatable <c>--set KEY=VALUE</c>.</summary>
    internal static Option<string[]> SetOption() =>
        new("--set") { Description = "Override a key, e.g. --set train.rank=8; may be repeated", HelpName = "KEY=VALUE", AllowMultipleArgumentsPerToken = false };

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var recipe = new Argument<string>("RECIPE") { Description = "The recipe's file" };
        var sets = SetOption();
        var command = new Command("run", "Run a recipe: crawl to deploy, from where it stopped") { recipe, sets };
        command.SetAction(parsed =>
        {
            RecipeReader.Read(parsed.GetValue(recipe)!, parsed.GetValue(sets)).OrThrow();
            return (int)ExitCode.Done;
        });
        return command;
    }
}
