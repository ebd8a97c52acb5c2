using System.CommandLine;
using System.Data.Common;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Crawl;
using LoraFactory.Stages.Deploy;
using LoraFactory.Stages.Train;

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
        var runs = new Option<string>("--runs-dir") { Description = "Where the runs are", HelpName = "DIR", DefaultValueFactory = _ => RunDirectory.Usual };
        var store = new Option<string?>("--store") { Description = "Folder of the version store [default: the folder store among the runs]", HelpName = "DIR" };
        var dry = new Option<bool>("--dry-run") { Description = "Only say what would go" };
        var json = ResultLines.Option("One JSON line per run and per adapter that has to do with it");
        var command = new Command("purge", "Remove pages, pictures, records, samples and bytes of an address from every run, never to be fetched again, and name the adapters trained on them") { target, runs, store, dry, json };
        command.SetAction(parsed =>
        {
            var withdrawal = new Withdrawal(ConsentPurge.Target(parsed.GetValue(target)!), world.Clock.GetUtcNow());
            var (results, onlyCount) = (ResultLines.Of(world, parsed), parsed.GetValue(dry));
            var folder = parsed.GetValue(runs)!;
            if (!Directory.Exists(folder) && parsed.GetResult(runs) is { Implicit: false }) throw new LoraException($"there is no folder {folder}; --runs-dir takes the one that holds the runs.", ExitCode.BadUsage);
            var found = Directory.Exists(folder) ? Directory.EnumerateDirectories(folder).Where(RunDirectory.IsAt).Order(StringComparer.Ordinal).ToList() : [];
            var (purged, adapters, faults, before) = (0, 0, new List<string>(), false);
            foreach (var path in found)
                Try(faults, path, () =>
                {
                    before |= new ConsentLedger(new RunDirectory(path)).Entries.Any(e => e.Target == withdrawal.Target);
                    if (Of(new RunDirectory(path), withdrawal, onlyCount) is not { IsEmpty: false } run) return;
                    purged++;
                    results.Write(run, Words(run, withdrawal, onlyCount));
                });
            var missed = faults.Count;
            var stored = new AdapterStore(parsed.GetValue(store) ?? DeployOptions.StoreAmong(folder));
            foreach (var name in stored.Names)
                Try(faults, Path.Combine(stored.Folder, name), () =>
                {
                    foreach (var (version, pictures) in Trained(stored, name, withdrawal))
                    {
                        adapters++;
                        results.Write(new { version.Name, version.Version, version.State, Pictures = pictures }, $"{version.Name} v{version.Version} ({version.State}) was trained on {pictures} pictures of {withdrawal.Target}");
                    }
                });
            results.ForPeople(Sum(withdrawal, found.Count - missed, purged, adapters, onlyCount));
            if (purged + adapters + faults.Count == 0 && !before) results.ForPeople(Known(withdrawal, found, stored).Words);
            if (faults.Count == 0) return (int)ExitCode.Done;
            throw new LoraException(string.Join(" ", faults.Select(f => char.ToUpperInvariant(f[0]) + f[1..])) + $" Until then {withdrawal.Target} may still be used there; all else was looked at.");
        });
        return command;
    }

    // One run that is being worked on or damaged does not keep the address in all others.
    private static void Try(List<string> faults, string what, Action work)
    {
        try
        {
            work();
        }
        catch (LoraException e)
        {
            faults.Add(e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DbException or JsonException or FormatException or InvalidOperationException)
        {
            faults.Add($"{what} could not be looked through: {e.Message.TrimEnd('.')}. Mend that, then run the same command again.");
        }
    }

    private static PurgedRun Of(RunDirectory run, Withdrawal withdrawal, bool dry)
    {
        using var held = RunLock.Take(run);
        // noted first: a purge that is cut off has withdrawn the address, and done again removes the rest
        if (!dry) new ConsentLedger(run).Add(withdrawal);
        return ConsentPurge.Apply(run, withdrawal, Frontier.Purge, TrainStage.CacheOf(run), dry);
    }

    // What there is instead of an address that nothing knows.
    private static KnownAddresses Known(Withdrawal withdrawal, IReadOnlyList<string> runs, AdapterStore store)
    {
        var known = new KnownAddresses(withdrawal);
        foreach (var path in runs) known.Add(new RunDirectory(path), Frontier.KeptAddresses);
        foreach (var data in store.Names.SelectMany(name => store.Versions(name).Select(v => Path.Combine(store.Bundle(v), "data.jsonl"))).Where(File.Exists))
            known.Add(data, RunDirectory.ReadLines<DataRow>(data).SelectMany(r => (string?[])[r.Page, r.Picture]));
        return known;
    }

    // What every version's bundle says of its data.
    private static IEnumerable<(StoredAdapter Version, int Pictures)> Trained(AdapterStore store, string name, Withdrawal withdrawal)
    {
        foreach (var version in store.Versions(name))
        {
            var data = Path.Combine(store.Bundle(version), "data.jsonl");
            var pictures = File.Exists(data) ? RunDirectory.ReadLines<DataRow>(data).Count(r => withdrawal.Covers(r.Picture) || (r.Page is { } page && withdrawal.Covers(page))) : 0;
            if (pictures > 0) yield return (version, pictures);
        }
    }

    private static string Words(PurgedRun run, Withdrawal withdrawal, bool dry)
    {
        var goes = dry ? "would go" : "removed";
        var words = run.HasNone
            ? $"{run.Run}: nothing names {withdrawal.Target}; {run.Blobs} files that nothing names {goes}, since what was fetched from there and not kept may be among them"
            : $"{run.Run}: {run.Pages} pages, {run.Pictures} pictures of other pages, {run.Records} records, {run.Samples} samples and {run.Blobs} files {goes}";
        return words + string.Concat(run.UnreadFrontiers.Select(path => $"; {path} is damaged or of an older form and {(dry ? "would be deleted" : "was deleted")}: the next crawl begins anew"))
            + (run.Adapter is { } adapter ? $"; its adapter {adapter} has seen {run.TrainedOn} of the samples" : "");
    }

    private static string Sum(Withdrawal withdrawal, int runs, int removed, int adapters, bool dry)
    {
        if (removed + adapters == 0) return $"nothing of {withdrawal.Target} is in {runs} runs or in the store{(dry ? "" : "; it will not be fetched for them again")}";
        if (dry) return "nothing was removed: leave out --dry-run to do it";
        return $"{withdrawal.Target} will not be fetched for these runs again" + (adapters > 0 ? "; lora run RECIPE trains a version without it, and lora adapters rollback NAME puts an earlier one into service" : "");
    }
}
