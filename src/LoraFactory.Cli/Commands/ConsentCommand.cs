using System.CommandLine;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora consent purge URL|HOST</c>: removes what may not be used any more from every run; <c>lora consent check</c>: asks what does (<see cref="ConsentCheck"/>).</summary>
public sealed class ConsentCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Service;

    /// <inheritdoc/>
    public int Order => 50;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var command = new Command("consent", "Withdraw what may not be used any more");
        command.Subcommands.Add(ConsentCheck.Build(world));
        command.Subcommands.Add(Purge(world));
        return command;
    }

    /// <summary>Where the versions are.</summary>
    internal static Option<string?> StoreOption() => new("--store") { Description = "Folder of the version store [default: the folder store among the runs]", HelpName = "DIR" };

    /// <summary>The version store of these options.</summary>
    internal static AdapterStore Store(ParseResult parsed, Option<string> runs, Option<string?> store) => new(parsed.GetValue(store) ?? DeployOptions.StoreAmong(parsed.GetValue(runs)!));

    /// <summary>All runs of a folder, by name.</summary>
    /// <exception cref="LoraException">The folder was named and is not there.</exception>
    internal static IReadOnlyList<RunDirectory> Runs(ParseResult parsed, Option<string> option)
    {
        var folder = parsed.GetValue(option)!;
        if (!Directory.Exists(folder) && parsed.GetResult(option) is { Implicit: false }) throw new LoraException($"there is no folder {folder}; --runs-dir takes the one that holds the runs.", ExitCode.BadUsage);
        return Directory.Exists(folder) ? [.. Directory.EnumerateDirectories(folder).Where(RunDirectory.IsAt).Order(StringComparer.Ordinal).Select(path => new RunDirectory(path))] : [];
    }

    private static Command Purge(CommandWorld world)
    {
        var target = new Argument<string>("URL|HOST") { Description = "A page's or picture's address, one ending in / for all below it, or a host with its sub-domains" };
        var runs = LineageCommand.RunsOption();
        var store = StoreOption();
        var dry = new Option<bool>("--dry-run") { Description = "Only say what would go" };
        var json = ResultLines.Option("One JSON line per run and per adapter that has to do with it");
        var command = new Command("purge", "Remove pages, pictures, records, samples and bytes of an address from every run, never to be fetched again, and name the adapters trained on them") { target, runs, store, dry, json };
        command.SetAction(parsed =>
        {
            var named = ConsentPurge.Target(parsed.GetValue(target)!);
            var withdrawal = new Withdrawal(named, world.Clock.GetUtcNow()) { Exact = ConsentPurge.IsOfAll(named) };
            if (withdrawal.Exact) world.Error.WriteLine($"{named} is a name below which anybody may have their own, so the host {named} alone is meant; name each domain below it that should go.");
            new ConsentWithdrawal([withdrawal], withdrawal.Target, ResultLines.Of(world, parsed), parsed.GetValue(dry)).Carry(Runs(parsed, runs), Store(parsed, runs, store));
            return (int)ExitCode.Done;
        });
        return command;
    }
}
