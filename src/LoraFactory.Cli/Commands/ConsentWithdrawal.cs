using System.Data.Common;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Crawl;
using LoraFactory.Stages.Deploy;
using LoraFactory.Stages.Train;

namespace LoraFactory.Cli.Commands;

/// <summary>Carries withdrawals out: in every run, and by the names of the adapters that were trained on what goes.</summary>
/// <param name="entries">What may not be used any more.</param>
/// <param name="what">Its name in sentences: an address, a host, "3 addresses".</param>
/// <param name="results">Where it is said.</param>
/// <param name="dry">Only say what would go.</param>
internal sealed class ConsentWithdrawal(IReadOnlyList<Withdrawal> entries, string what, ResultLines results, bool dry)
{
    private readonly Withdrawals withdrawn = new(entries);
    private readonly List<string> faults = [];
    private int purged, adapters;
    private bool again;

    /// <summary>Carries them out.</summary>
    /// <exception cref="LoraException">A run or version could not be looked through; all others were.</exception>
    public void Carry(IReadOnlyList<RunDirectory> runs, AdapterStore stored)
    {
        foreach (var run in runs)
            Try(run.Path, () =>
            {
                again |= new ConsentLedger(run).Entries.Any(e => entries[0].Target == e.Target);
                if (Of(run) is not { IsEmpty: false } gone) return;
                purged++;
                results.Write(gone, Words(gone));
            });
        var missed = faults.Count;
        foreach (var name in stored.Names)
            Try(Path.Combine(stored.Folder, name), () =>
            {
                foreach (var (version, pictures) in Trained(stored, name))
                {
                    adapters++;
                    results.Write(new { version.Name, version.Version, version.State, Pictures = pictures }, $"{version.Name} v{version.Version} ({version.State}) was trained on {pictures} pictures of {what}");
                }
            });
        results.ForPeople(Sum(runs.Count - missed));
        if (purged + adapters + faults.Count == 0 && !again && entries is [var asked]) results.ForPeople(Known(asked, runs, stored).Words);
        if (faults.Count == 0) return;
        throw new LoraException(string.Join(" ", faults.Select(f => char.ToUpperInvariant(f[0]) + f[1..])) + $" Until then {what} may still be used there; all else was looked at.");
    }

    // One run that is being worked on or damaged does not keep the address in all others.
    private void Try(string place, Action work)
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
            faults.Add($"{place} could not be looked through: {e.Message.TrimEnd('.')}. Mend that, then run the same command again.");
        }
    }

    private PurgedRun Of(RunDirectory run)
    {
        using var held = RunLock.Take(run);
        // noted first: a purge that is cut off has withdrawn the address, and done again removes the rest
        if (!dry) new ConsentLedger(run).Add(entries);
        return ConsentPurge.Apply(run, withdrawn, Frontier.Purge, TrainStage.CacheOf(run), dry);
    }

    // What there is instead of an address that nothing knows.
    private static KnownAddresses Known(Withdrawal asked, IReadOnlyList<RunDirectory> runs, AdapterStore store)
    {
        var known = new KnownAddresses(asked);
        foreach (var run in runs) known.Add(run, Frontier.KeptAddresses);
        foreach (var data in store.Names.SelectMany(name => store.Versions(name).Select(v => Path.Combine(store.Bundle(v), "data.jsonl"))).Where(File.Exists))
            known.Add(data, RunDirectory.ReadLines<DataRow>(data).SelectMany(r => (string?[])[r.Page, r.Picture]));
        return known;
    }

    // What every version's bundle says of its data.
    private IEnumerable<(StoredAdapter Version, int Pictures)> Trained(AdapterStore store, string name)
    {
        foreach (var version in store.Versions(name))
        {
            var data = Path.Combine(store.Bundle(version), "data.jsonl");
            var pictures = File.Exists(data) ? RunDirectory.ReadLines<DataRow>(data).Count(r => withdrawn.Of(r.Picture) is not null || (r.Page is { } page && withdrawn.Of(page) is not null)) : 0;
            if (pictures > 0) yield return (version, pictures);
        }
    }

    private string Words(PurgedRun run)
    {
        var goes = dry ? "would go" : "removed";
        var words = run.HasNone
            ? $"{run.Run}: nothing names {what}; {run.Blobs} files that nothing names {goes}, since what was fetched from there and not kept may be among them"
            : $"{run.Run}: {run.Pages} pages, {run.Pictures} pictures of other pages, {run.Records} records, {run.Samples} samples and {run.Blobs} files {goes}";
        return words + string.Concat(run.UnreadFrontiers.Select(path => $"; {path} is damaged or of an older form and {(dry ? "would be deleted" : "was deleted")}: the next crawl begins anew"))
            + (run.Adapter is { } adapter ? $"; its adapter {adapter} has seen {run.TrainedOn} of the samples" : "");
    }

    private string Sum(int runs)
    {
        if (purged + adapters == 0) return $"nothing of {what} is in {runs} runs or in the store{(dry ? "" : "; it will not be fetched for them again")}";
        if (dry) return "nothing was removed: leave out --dry-run to do it";
        return $"{what} will not be fetched for these runs again" + (adapters > 0 ? "; lora run RECIPE trains a version without it, and lora adapters rollback NAME puts an earlier one into service" : "");
    }
}
