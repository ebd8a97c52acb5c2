using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>The addresses that runs and stored versions hold, for who named one that none of them knows: which were probably meant.</summary>
/// <param name="asked">What was named.</param>
public sealed class KnownAddresses(Withdrawal asked)
{
    private const int Shown = 3;
    private readonly Dictionary<string, Known> hosts = new(StringComparer.OrdinalIgnoreCase);
    private readonly string askedHost = Uri.TryCreate(asked.Target, UriKind.Absolute, out var url) ? url.Host : asked.Target;

    private readonly HashSet<string> likest = new(StringComparer.Ordinal);

    // A host: where it is found, and its addresses, by hash, since a run may have a million.
    private sealed class Known
    {
        public HashSet<string> Places { get; } = new(StringComparer.Ordinal);
        public HashSet<ulong> Addresses { get; } = [];
    }

    /// <summary>Adds what a run has kept: what its crawls wrote down, and what the frontier of one that was cut off holds.</summary>
    /// <param name="run">The run.</param>
    /// <param name="frontier">Addresses that were kept, of the frontier at a path.</param>
    public void Add(RunDirectory run, Func<string, IEnumerable<string>> frontier)
    {
        foreach (var folder in Directory.EnumerateDirectories(run.Path, $"{Path.GetFileName(run.PathOf(StageName.Crawl))}*"))
        {
            var pages = Path.Combine(folder, "pages.jsonl");
            if (File.Exists(pages)) Add(run.Path, RunDirectory.ReadLines<Page>(pages).SelectMany(p => p.Pictures.Where(i => i.BlobHash is not null).Select(i => i.Url).Append(p.Url).Append(p.FinalUrl)));
            else if (Path.Combine(folder, "frontier.db") is var path && File.Exists(path)) Add(run.Path, frontier(path));
        }
    }

    /// <summary>Adds addresses found in one place; what is none is left out.</summary>
    public void Add(string place, IEnumerable<string?> addresses)
    {
        foreach (var address in addresses)
        {
            if (!Uri.TryCreate(address, UriKind.Absolute, out var found) || found.Host.Length == 0) continue;
            if (!hosts.TryGetValue(found.Host, out var known)) hosts[found.Host] = known = new();
            known.Places.Add(place);
            known.Addresses.Add(TextHash.Of(found.AbsoluteUri));
            if (!found.Host.Equals(askedHost, StringComparison.OrdinalIgnoreCase) || !likest.Add(found.AbsoluteUri) || likest.Count <= Shown) continue;
            likest.Remove(Likest().Last());
        }
    }

    /// <summary>One sentence: the addresses or hosts nearest to what was asked for, else how many there are and the ones with most.</summary>
    public string Words
    {
        get
        {
            if (hosts.Count == 0) return "no run and no version holds an address of any host";
            if (hosts.TryGetValue(askedHost, out var own))
                return $"of its host {askedHost} there {Count(own.Addresses.Count, "is", "are")}, the likest {string.Join(", ", Likest())}";
            var near = hosts.Keys.Where(h => Under(h, askedHost) || Under(askedHost, h) || NearestKey.Among(askedHost, [h]) is not null).OrderBy(h => NearestKey.Edits(askedHost, h)).ThenBy(h => h, StringComparer.Ordinal).Take(Shown).ToList();
            if (near.Count > 0) return $"did you mean {string.Join(" or ", near.Select(Of))}?";
            var most = hosts.OrderByDescending(h => h.Value.Addresses.Count).ThenBy(h => h.Key, StringComparer.Ordinal).Take(Shown).Select(h => Of(h.Key));
            return $"there {Count(hosts.Count, "is", "are", "host")}: {string.Join(", ", most)}{(hosts.Count > Shown ? ", …" : "")}";
        }
    }

    private string Of(string host) => $"{host} ({hosts[host].Addresses.Count} pages and pictures in {string.Join(", ", hosts[host].Places.Order(StringComparer.Ordinal).Take(Shown))}{(hosts[host].Places.Count > Shown ? ", …" : "")})";

    private static string Count(int number, string one, string many, string what = "address") =>
        number == 1 ? $"{one} 1 {what}" : $"{many} {number} {what}{(what.EndsWith('s') ? "es" : "s")}";

    private static bool Under(string host, string domain) => host.EndsWith("." + domain, StringComparison.OrdinalIgnoreCase);

    private IEnumerable<string> Likest() => likest.OrderByDescending(Likeness).ThenBy(a => a, StringComparer.Ordinal);

    // How far two addresses are the same from their beginning.
    private int Likeness(string address)
    {
        var asking = asked.Target.AsSpan(asked.Target.IndexOf("://", StringComparison.Ordinal) + 1);
        return address.AsSpan(address.IndexOf("://", StringComparison.Ordinal) + 1).CommonPrefixLength(asking);
    }
}
