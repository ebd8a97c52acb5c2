namespace LoraFactory.Flow;

/// <summary>What an address said about the use of what it gave, when it was asked: kept with page, picture and record.</summary>
/// <param name="Verdict">"refused", "allowed" (in so many words) or "silent" (nothing was said, which the crawl takes for allowed).</param>
/// <param name="Signal">What said so: "x-robots-tag:noai", "content-signal:ai-train=yes" …; null where nothing did.</param>
/// <param name="At">When, UTC.</param>
/// <param name="Url">The address that said so.</param>
public sealed record Consent(string Verdict, string? Signal, DateTimeOffset At, string Url)
{
    /// <summary>Where it says on which terms it may be used (tdm-policy); null where it names none.</summary>
    public string? Policy { get; init; }
}

/// <summary>A line of 2-clean/consent.jsonl. Apart from the records, so that a new crawl of an unchanged web, which asks at another time, makes the same records.</summary>
/// <param name="Record">Id of the <see cref="Flow.Record"/>.</param>
/// <param name="Consent">What was said about its use: what the picture's own response said, unless that is silent and its page was not.</param>
public sealed record RecordConsent(string Record, Consent Consent);

/// <summary>Something that may not be used any more.</summary>
/// <param name="Target">A URL, a URL ending in "/" for all below it, or a host with its sub-domains.</param>
/// <param name="At">When it was withdrawn, UTC.</param>
public sealed record Withdrawal(string Target, DateTimeOffset At)
{
    /// <summary>Whether the address or host is meant alone, and not what lies below a URL ending in "/" or the sub-domains of a host.</summary>
    public bool Exact { get; init; }
}

/// <summary>Withdrawals, found by address without a look at each: of many, the one of the address itself before one of a folder above it, hosts last.</summary>
public sealed class Withdrawals
{
    private readonly Dictionary<string, Withdrawal> addresses = new(StringComparer.Ordinal), folders = new(StringComparer.Ordinal), hosts = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Holds these; of two of the same target the first.</summary>
    public Withdrawals(IEnumerable<Withdrawal> entries)
    {
        foreach (var entry in entries) Add(entry);
    }

    /// <summary>Adds an entry; false where its target is there.</summary>
    public bool Add(Withdrawal entry)
    {
        if (!entry.Target.Contains("://", StringComparison.Ordinal)) return hosts.TryAdd(entry.Target, entry);
        var plain = WithoutScheme(entry.Target);
        var isNew = addresses.TryAdd(plain, entry);
        return plain.EndsWith('/') && !entry.Exact ? folders.TryAdd(plain, entry) : isNew;
    }

    /// <summary>The entry that covers an address, null where none does; http and https of an address are one.</summary>
    public Withdrawal? Of(string address)
    {
        var end = address.IndexOf('#', StringComparison.Ordinal);
        return (addresses.Count > 0 ? OfAddress(WithoutScheme(end < 0 ? address : address[..end])) : null) ?? (hosts.Count > 0 ? OfHost(address) : null);
    }

    private Withdrawal? OfAddress(string plain)
    {
        if (addresses.TryGetValue(plain, out var found) || folders.Count == 0) return found;
        var above = folders.GetAlternateLookup<ReadOnlySpan<char>>();
        for (var slash = plain.LastIndexOf('/'); slash >= 0; slash = slash == 0 ? -1 : plain.LastIndexOf('/', slash - 1))
            if (above.TryGetValue(plain.AsSpan(0, slash + 1), out found)) return found;
        return null;
    }

    private Withdrawal? OfHost(string address)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var url)) return null;
        for (var name = url.Host; ; name = name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..])
        {
            if (hosts.TryGetValue(name, out var found) && (!found.Exact || name.Length == url.Host.Length)) return found;
            if (!name.Contains('.', StringComparison.Ordinal)) return null;
        }
    }

    private static string WithoutScheme(string address) =>
        address.StartsWith("https://", StringComparison.OrdinalIgnoreCase) ? address[8..] : address.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? address[7..] : address;
}

/// <summary>What was withdrawn from a run (<c>consent.jsonl</c>): it was removed, and is not fetched again.</summary>
public sealed class ConsentLedger
{
    private readonly string path;
    private readonly List<Withdrawal> withdrawals;
    private readonly Withdrawals byAddress;

    /// <summary>The ledger of a run.</summary>
    public ConsentLedger(RunDirectory run)
    {
        path = Path.Combine(run.Path, "consent.jsonl");
        withdrawals = File.Exists(path) ? [.. RunDirectory.ReadLines<Withdrawal>(path)] : [];
        byAddress = new(withdrawals);
    }

    /// <summary>Its entries, oldest first.</summary>
    public IReadOnlyList<Withdrawal> Entries => withdrawals;

    /// <summary>The entry that covers an address, null where none does.</summary>
    public Withdrawal? Of(string address) => byAddress.Of(address);

    /// <summary>Adds entries; one that is there keeps its time.</summary>
    public void Add(IEnumerable<Withdrawal> entries)
    {
        var added = entries.Where(byAddress.Add).ToList();
        if (added.Count == 0) return;
        withdrawals.AddRange(added);
        RunDirectory.WriteLines(path, withdrawals);
    }
}
