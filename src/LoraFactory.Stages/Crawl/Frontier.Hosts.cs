namespace LoraFactory.Stages.Crawl;

// What is known of hosts: misses, failures, rests, and when no more is taken from one.
public sealed partial class Frontier
{
    /// <summary>Lengthens a host's row of misses, or ends it.</summary>
    public void CountMiss(string host, bool miss)
    {
        var row = Host(host);
        row.Misses = miss ? row.Misses + 1 : 0;
        row.Dirty = true;
    }

    /// <summary>Lengthens a host's row of failures of the network, or ends it; returns its length.</summary>
    public int CountFailure(string host, bool failed)
    {
        var row = Host(host);
        row.Failures = failed ? row.Failures + 1 : 0;
        row.Dirty = true;
        return row.Failures;
    }

    /// <summary>Takes no more pages from hosts of this transaction that reached a cap: queued ones are dropped, later ones too.</summary>
    public void CloseHosts(int maxPages, int maxMisses)
    {
        foreach (var host in touched.Where(h => h.Closed is null).ToList())
        {
            if (host.Pages >= maxPages) CloseHost(host.Name, new("host-full", $"{host.Pages} pages, at most {maxPages}", host.Pages, maxPages));
            else if (maxMisses > 0 && host.Misses >= maxMisses) CloseHost(host.Name, new("host-off-topic", $"{host.Misses} pages in a row without the topic", host.Misses, maxMisses));
        }
    }

    /// <summary>Takes no more pages from a host, nor anything else where it is <see cref="Unreachable"/>.</summary>
    public void CloseHost(string name, Refusal refusal)
    {
        var host = Host(name);
        host.Closed = refusal.Reason;
        host.Dirty = host.Taken = hostClosed = true;
        foreach (var kind in refusal.Reason == Unreachable ? Enum.GetValues<UrlKind>() : [UrlKind.Page])
        {
            var dropped = tables.CloseQueue.Run(host.Id, (int)kind, refusal.Reason, refusal.Detail, refusal.Value, refusal.Threshold);
            host.Queued -= dropped;
            counts.Queued -= dropped;
            counts.Tally.CountDrop(kind, refusal.Reason, dropped);
        }
    }

    /// <summary>A host may not be asked before this time, in seconds since 1970.</summary>
    public void Rest(string host, double until)
    {
        var row = Host(host);
        row.Ready = Math.Max(row.Ready, until);
        row.Dirty = true;
    }

    /// <summary>Signature of the page that a host shows for what is not there; 0 while none was seen.</summary>
    public long MissingPage(string host) => Host(host).Missing;

    /// <summary>Keeps that signature.</summary>
    public void SetMissingPage(string host, long signature)
    {
        var row = Host(host);
        if (row.Missing == signature) return;
        row.Missing = signature;
        row.Dirty = true;
    }

    private HostRow Host(string name)
    {
        if (!hosts.TryGetValue(name, out var host))
        {
            host = tables.FindHost.First(r => new HostRow(r.GetInt64(0), name)
            {
                Queued = r.GetInt64(1), Best = r.GetDouble(2), Pages = r.GetInt32(3), Misses = r.GetInt32(4), Failures = r.GetInt32(5), Missing = r.GetInt64(6),
                Ready = r.GetDouble(7), Closed = r.IsDBNull(8) ? null : r.GetString(8),
            }, name);
            if (host is null)
            {
                tables.AddHost.Run(name);
                host = new(Sqlite.Scalar<long>(tables.Db, "SELECT last_insert_rowid()"), name);
            }
            hosts[name] = host;
        }
        touched.Add(host);
        return host;
    }

    private void Write(HostRow host)
    {
        if (!host.Dirty) return;
        if (host.Taken)
            host.Best = Enum.GetValues<UrlKind>().Max(kind => tables.Best.First(r => r.GetDouble(0), host.Id, (int)kind));
        tables.SetHost.Run(host.Id, host.Queued, host.Best, host.Pages, host.Misses, host.Failures, host.Missing, host.Ready, host.Closed);
        host.Dirty = host.Taken = false;
    }
}
