using System.CommandLine;
using System.Text.Json;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora check FILE…</c>: says everything that is wrong with recipes before anything starts.</summary>
public sealed class CheckCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Line;

    /// <inheritdoc/>
    public int Order => 40;

    /// <inheritdoc/>
    public Command Build(CommandWorld world) => New(world);

    internal static Command New(CommandWorld world)
    {
        var files = new Argument<string[]>("FILE") { Description = "Recipes", Arity = ArgumentArity.OneOrMore };
        var json = new Option<bool>("--json") { Description = "One JSON line per file" };
        var strict = new Option<bool>("--strict") { Description = "Warnings are errors" };
        var sets = RunCommand.SetOption();
        var command = new Command("check", "Say everything that is wrong with a recipe, all at once") { files, json, strict, sets };
        command.SetAction(parsed => Check(parsed.GetValue(files)!, parsed.GetValue(sets) ?? [], parsed.GetValue(json), parsed.GetValue(strict), world));
        return command;
    }

    private static int Check(string[] files, string[] sets, bool json, bool strict, CommandWorld world)
    {
        var bad = 0;
        foreach (var file in files)
        {
            var reading = RecipeReader.Read(file, sets);
            var ok = reading.IsValid && !(strict && reading.Problems.Count > 0);
            if (!ok) bad++;
            if (json) world.Out.WriteLine(JsonSerializer.Serialize(new { file, ok, problems = reading.Problems.Select(Row) }, RunDirectory.Json));
            else foreach (var problem in reading.Problems) world.Out.WriteLine(problem);
            if (!json && ok) world.Out.WriteLine($"{file}: ok");
        }
        return (int)(bad == 0 ? ExitCode.Done : ExitCode.BadUsage);
    }

    private static object Row(RecipeProblem p) =>
        new { id = p.Id, severity = p.Severity, key = p.Key, line = p.Line, message = p.Message, fix = p.Fix ?? (p.Valid is null ? "" : "Valid: " + p.Valid) };
}
