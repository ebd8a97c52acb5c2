using System.CommandLine;
using LoraFactory.Flow;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora adapters</c>, <c>lora adapters promote</c> and <c>lora adapters rollback</c>: what is in the store, the way into service and the way back.</summary>
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
        var json = ResultLines.Option("One JSON line per version");
        var command = new Command("adapters", "Versions in the store, and which is champion") { store, json };
        command.SetAction(parsed =>
        {
            var (adapters, results) = (new AdapterStore(parsed.GetValue(store)!), ResultLines.Of(world, parsed));
            foreach (var version in adapters.Names.SelectMany(adapters.Versions))
            {
                results.Write(version,
                    $"{version.Name,-20} v{version.Version,-4} {version.State,-10} {version.StoredAt:yyyy-MM-dd HH:mm}  {(version.Parent is { } parent ? $"after v{parent}: " : "")}{version.Why}");
            }
            if (adapters.Names.Count == 0) world.Error.WriteLine($"{adapters.Folder} is empty; lora run RECIPE puts an adapter there.");
            return (int)ExitCode.Done;
        });
        command.Subcommands.Add(Promote(world, store));
        command.Subcommands.Add(Rollback(world, store));
        return command;
    }

    private static Command Promote(CommandWorld world, Option<string> store)
    {
        var name = new Argument<string>("NAME") { Description = "Name of the adapter" };
        var version = new Option<int>("--version") { Description = "The candidate to put into service", HelpName = "N", Required = true };
        var force = new Option<bool>("--force") { Description = "Needed, since a candidate is one whose gates do not all hold; the certificate it needs in any case" };
        var command = new Command("promote", "Make a candidate champion") { name, version, force, store, ChangeJson() };
        command.SetAction(parsed => Changed(world, parsed, new AdapterStore(parsed.GetValue(store)!).Promote(parsed.GetValue(name)!, parsed.GetValue(version), parsed.GetValue(force))));
        return command;
    }

    private static Command Rollback(CommandWorld world, Option<string> store)
    {
        var name = new Argument<string>("NAME") { Description = "Name of the adapter" };
        var version = new Option<int?>("--version") { Description = "The former champion to go back to; unless given the one that the champion replaced, or none where it was forced and replaced none", HelpName = "N" };
        var command = new Command("rollback", "Make a former champion champion again") { name, version, store, ChangeJson() };
        command.SetAction(parsed => Changed(world, parsed, new AdapterStore(parsed.GetValue(store)!).Rollback(parsed.GetValue(name)!, parsed.GetValue(version), "rolled back by hand")));
        return command;
    }

    private static Option<bool> ChangeJson() => ResultLines.Option("The version that the change put into its state as one JSON line");

    private static int Changed(CommandWorld world, ParseResult parsed, StoredAdapter changed)
    {
        ResultLines.Of(world, parsed).Write(changed, changed.State == "champion"
            ? $"{changed.Name} version {changed.Version} is champion. A running server takes it with: POST /v1/adapters {{\"name\": \"{changed.Name}\"}}"
            : $"{changed.Name} version {changed.Version} is a candidate again, as it was before it was forced into service; no version is champion now. A running server lets go of it with: DELETE /v1/adapters/{changed.Name}");
        return (int)ExitCode.Done;
    }
}
