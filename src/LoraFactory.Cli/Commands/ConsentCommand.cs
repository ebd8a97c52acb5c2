using System.CommandLine;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Crawl;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora consent purge URL|HOST</c>: removes what may not be used any more from every run, and names the adapters that were trained on it.</summary>
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
        command.Subcommands.Add(Purge(world));
        return command;
    }

    private static Command Purge(CommandWorld world)
    {
        var target = new Argument<string>("URL|HOST") { Description = "A page's or picture's address, one ending in / for all below it, or a host with its sub-domains" };
        var runs = new Option<string>("--runs-dir") { Description = "Where the runs are", HelpName = "DIR", DefaultValueFactory = _ => "runs" };
        var store = ServeCommand.StoreOption();
        var dry = new Option<bool>("--dry-run") { Description = "Only say what would go" };
        var json = ResultLines.Option("One JSON line per run and per adapter that has to do with it");
        var command = new Command("purge", "Remove pages, pictures, records, samples and bytes of an address from every run, never to be fetched again, and name the adapters trained on them") { target, runs, store, dry, json };
        command.SetAction(parsed =>
        {
            var withdrawal = new Withdrawal(ConsentPurge.Target(parsed.GetValue(target)!), world.Clock.GetUtcNow());
            var (results, onlyCount) = (ResultLines.Of(world, parsed), parsed.GetValue(dry));
            var folder = parsed.GetValue(runs)!;
            var found = Directory.Exists(folder) ? Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal).Select(d => new RunDirectory(d)).ToList() : [];
            var removed = 0;
            var busy = new List<LoraException>();
            foreach (var run in found)
            {
                if (Of(run, withdrawal, onlyCount, busy) is not { IsEmpty: false } purged) continue;
                removed++;
                results.Write(purged, Words(purged, onlyCount));
            }
            var adapters = Trained(new AdapterStore(parsed.GetValue(store)!), withdrawal).ToList();
            foreach (var (version, pictures) in adapters)
                results.Write(new { version.Name, version.Version, version.State, Pictures = pictures }, $"{version.Name} v{version.Version} ({version.State}) was trained on {pictures} pictures of {withdrawal.Target}");
            results.ForPeople(Sum(withdrawal, found.Count - busy.Count, removed, adapters.Count, onlyCount));
            return busy.Count == 0 ? (int)ExitCode.Done : throw new LoraException(string.Join(" ", busy.Select(b => char.ToUpperInvariant(b.Message[0]) + b.Message[1..])) + $" Until then it may still use {withdrawal.Target}.");
        });
        return command;
    }

    // One run that is being worked on does not keep the address in all others.
    private static PurgedRun? Of(RunDirectory run, Withdrawal withdrawal, bool dry, List<LoraException> busy)
    {
        RunLock held;
        try
        {
            held = RunLock.Take(run);
        }
        catch (LoraException e) when (RunLock.IsHeld(run))
        {
            busy.Add(e);
            return null;
        }
        using (held) return Of(run, withdrawal, dry);
    }

    private static PurgedRun Of(RunDirectory run, Withdrawal withdrawal, bool dry)
    {
        // noted first: a purge that is cut off has withdrawn the address, and done again removes the rest
        if (!dry) new ConsentLedger(run).Add(withdrawal);
        var purged = ConsentPurge.Apply(run, withdrawal, dry);
        if (!dry) Frontier.Purge(run.PathOf(StageName.Crawl, "frontier.db"), withdrawal);
        return purged;
    }

    // What every version's bundle says of its data.
    private static IEnumerable<(StoredAdapter Version, int Pictures)> Trained(AdapterStore store, Withdrawal withdrawal)
    {
        foreach (var version in store.Names.SelectMany(store.Versions))
        {
            var data = Path.Combine(store.Bundle(version), "data.jsonl");
            var pictures = File.Exists(data) ? RunDirectory.ReadLines<DataRow>(data).Count(r => withdrawal.Covers(r.Picture) || (r.Page is { } page && withdrawal.Covers(page))) : 0;
            if (pictures > 0) yield return (version, pictures);
        }
    }

    private static string Words(PurgedRun run, bool dry) =>
        $"{run.Run}: {run.Pages} pages, {run.Pictures} pictures of other pages, {run.Records} records, {run.Samples} samples and {run.Blobs} files {(dry ? "would go" : "removed")}"
        + (run.Adapter is { } adapter ? $"; its adapter {adapter} has seen {run.TrainedOn} of the samples" : "");

    private static string Sum(Withdrawal withdrawal, int runs, int removed, int adapters, bool dry)
    {
        if (removed + adapters == 0) return $"nothing of {withdrawal.Target} is in {runs} runs or in the store{(dry ? "" : "; it will not be fetched for them again")}";
        if (dry) return "nothing was removed: leave out --dry-run to do it";
        return $"{withdrawal.Target} will not be fetched for these runs again" + (adapters > 0 ? "; lora run RECIPE trains a version without it, and lora adapters rollback NAME puts an earlier one into service" : "");
    }
}
