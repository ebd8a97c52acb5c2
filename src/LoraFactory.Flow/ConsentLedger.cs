namespace LoraFactory.Flow;

/// <summary>What an address said about the use of what it gave, when it was asked: kept with page, picture and record.</summary>
/// <param name="Verdict">"refused", "allowed" (in so many words) or "silent" (nothing was said, which the crawl takes for allowed).</param>
/// <param name="Signal">What said so: "x-robots-tag:noai", "content-signal:ai-train=yes" …; null where nothing did.</param>
/// <param name="At">When, UTC.</param>
/// <param name="Url">The address that said so.</param>
public sealed record Consent(string Verdict, string? Signal, DateTimeOffset At, string Url);

/// <summary>A line of 2-clean/consent.jsonl. Apart from the records, so that a new crawl of an unchanged web, which asks at another time, makes the same records.</summary>
/// <param name="Record">Id of the <see cref="Flow.Record"/>.</param>
/// <param name="Consent">What was said about its use: what the picture's own response said, unless that is silent and its page was not.</param>
public sealed record RecordConsent(string Record, Consent Consent);

/// <summary>Something that may not be used any more.</summary>
/// <param name="Target">A URL, a URL ending in "/" for all below it, or a host with its sub-domains.</param>
/// <param name="At">When it was withdrawn, UTC.</param>
public sealed record Withdrawal(string Target, DateTimeOffset At)
{
    /// <summary>Does it cover this address? http and https of an address are one.</summary>
    public bool Covers(string address)
    {
        if (Target.Contains("://", StringComparison.Ordinal))
        {
            var (plain, target) = (WithoutScheme(address.Split('#')[0]), WithoutScheme(Target));
            return plain == target || (target.EndsWith('/') && plain.StartsWith(target, StringComparison.Ordinal));
        }
        return Uri.TryCreate(address, UriKind.Absolute, out var url) && (url.Host.Equals(Target, StringComparison.OrdinalIgnoreCase) || url.Host.EndsWith("." + Target, StringComparison.OrdinalIgnoreCase));
    }

    private static string WithoutScheme(string address) =>
        address.StartsWith("https://", StringComparison.OrdinalIgnoreCase) ? address[8..] : address.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? address[7..] : address;
}

/// <summary>What was withdrawn from a run (<c>consent.jsonl</c>): it was removed, and is not fetched again.</summary>
public sealed class ConsentLedger
{
    private readonly string path;
    private readonly List<Withdrawal> withdrawals;

    /// <summary>The ledger of a run.</summary>
    public ConsentLedger(RunDirectory run)
    {
        path = Path.Combine(run.Path, "consent.jsonl");
        withdrawals = File.Exists(path) ? [.. RunDirectory.ReadLines<Withdrawal>(path)] : [];
    }

    /// <summary>Its entries, oldest first.</summary>
    public IReadOnlyList<Withdrawal> Entries => withdrawals;

    /// <summary>The entry that covers an address, null where none does.</summary>
    public Withdrawal? Of(string address) => withdrawals.Find(w => w.Covers(address));

    /// <summary>Adds an entry; one that is there keeps its time.</summary>
    public void Add(Withdrawal entry)
    {
        if (withdrawals.Exists(w => w.Target == entry.Target)) return;
        withdrawals.Add(entry);
        RunDirectory.WriteLines(path, withdrawals);
    }
}
