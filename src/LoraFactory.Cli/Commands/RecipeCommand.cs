using System.CommandLine;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora recipe schema</c>: what editors need to complete and check recipes.</summary>
public sealed class RecipeCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Recipe;

    /// <inheritdoc/>
    public int Order => 10;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var schema = new Command("schema", "Print the JSON Schema of recipes, for editors");
        schema.SetAction(_ =>
        {
            world.Out.Write(RecipeText.Schema());
            return (int)ExitCode.Done;
        });
        return new Command("recipe", "The recipe's JSON Schema, and checking recipes") { schema, CheckCommand.New(world) };
    }
}
