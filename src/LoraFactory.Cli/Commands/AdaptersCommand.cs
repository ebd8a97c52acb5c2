using System.CommandLine;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora adapters</c> and <c>lora adapters rollback</c>: what is in the store, and the way back.</summary>
public sealed class AdaptersCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Service;

    /// <inheritdoc/>
    public int Order => 20;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var store = ServeCommand.StoreOption();
        var json = new Option<bool>("--json") { Description = "One JSON line per version" };
        var command = new Command("adapters", "Versions in the store, and which is champion") { store, json };
        command.SetAction(parsed =>
        {
            var adapters = new AdapterStore(parsed.GetValue(store)!);
            foreach (var version in adapters.Names.SelectMany(adapters.Versions))
            {
                world.Out.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(version, RunDirectory.Json)
                    : $"{version.Name,-20} v{version.Version,-4} {version.State,-10} {version.StoredAt:yyyy-MM-dd HH:mm}  {(version.Parent is { } parent ? $"after v{parent}: " : "")}{version.Why}");
            }
            if (adapters.Names.Count == 0) world.Error.WriteLine($"{adapters.Folder} is empty; lora run RECIPE puts an adapter there.");
            return (int)ExitCode.Done;
        });
        command.Subcommands.Add(Rollback(world, store));
        return command;
    }

    private static Command Rollback(CommandWorld world, Option<string> store)
    {
        var name = new Argument<string>("NAME") { Description = "Name of the adapter" };
        var version = new Option<int?>("--version") { Description = "The version to go back to; the last retired one unless given", HelpName = "N" };
        var command = new Command("rollback", "Make an earlier version champion again") { name, version, store };
        command.SetAction(parsed =>
        {
            var back = new AdapterStore(parsed.GetValue(store)!).Rollback(parsed.GetValue(name)!, parsed.GetValue(version), "rolled back by hand");
            world.Out.WriteLine($"{back.Name} version {back.Version} is champion. A running server takes it with: POST /v1/adapters {{\"name\": \"{back.Name}\"}}");
            return (int)ExitCode.Done;
        });
        return command;
    }
}
