using System.CommandLine;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora init [FILE]</c>: writes a commented recipe.</summary>
public sealed class InitCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Line;

    /// <inheritdoc/>
    public int Order => 30;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var file = new Argument<string>("FILE") { Description = "File to write", DefaultValueFactory = _ => "recipe.yaml" };
        var force = new Option<bool>("--force") { Description = "Replace a file that exists" };
        var command = new Command("init", "Write a recipe in which every key is explained") { file, force };
        command.SetAction(parsed =>
        {
            var path = parsed.GetValue(file)!;
            if (Path.Exists(path) && !parsed.GetValue(force))
                throw new LoraException($"{path} exists. Name another file, or add --force to replace it.", ExitCode.BadUsage);
            AtomicFile.WriteText(path, RecipeText.Template());
            world.Out.WriteLine($"{path} written. Next: set seed.topic and seed.urls (or label.folder), then lora run {path}");
            return (int)ExitCode.Done;
        });
        return command;
    }
}
