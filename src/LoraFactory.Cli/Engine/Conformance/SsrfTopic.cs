using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using LoraFactory.Pages;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>Server-side request forgery: which addresses, URLs, names and chains of redirects a crawl may follow.</summary>
internal sealed class SsrfTopic : IConformanceTopic
{
    /// <inheritdoc/>
    public string Name => "ssrf";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => ["addresses.jsonl", "urls.jsonl", "redirects-and-dns.jsonl", "cidr.jsonl", "in-domain.jsonl"];

    /// <inheritdoc/>
    public async Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        foreach (var test in folder.Lines("addresses.jsonl"))
        {
            var address = IPAddress.Parse(test.GetProperty("address").GetString()!);
            Judge(folder.Of("addresses.jsonl"), test, AddressGuard.IsGlobal(address), address.ToString());
        }
        foreach (var test in folder.Lines("urls.jsonl"))
        {
            var url = test.GetProperty("url").GetString()!;
            Judge(folder.Of("urls.jsonl"), test, await MayDialAsync(url, [], token), url);
        }
        foreach (var test in folder.Lines("redirects-and-dns.jsonl"))
            Judge(folder.Of("redirects-and-dns.jsonl"), test, await MayFollowAsync(test, token), ConformanceFolder.Text(test, "why") ?? "chain");
        foreach (var test in folder.Lines("cidr.jsonl")) Range(folder.Of("cidr.jsonl"), test);
        foreach (var test in folder.Lines("in-domain.jsonl"))
        {
            var (url, domain) = (test.GetProperty("url").GetString()!, test.GetProperty("domain").GetString()!);
            var within = WebUrl.Parse(url)?.IsWithin(domain) ?? false;
            folder.Of("in-domain.jsonl").Require(within == test.GetProperty("in_domain").GetBoolean(), () => $"{url} in {domain}: {within}");
        }
    }

    private static void Judge(ConformanceTally tally, JsonElement test, bool mine, string what)
    {
        var expected = test.GetProperty("allowed").GetBoolean();
        if (expected && !mine && test.TryGetProperty("stricter_ok", out var stricter) && stricter.GetBoolean()) tally.Require(true, () => "");
        else tally.Require(mine == expected, () => $"{what}: {(mine ? "a hole, it may be dialled" : "refused, though it is public")}");
    }

    // The request as the crawl makes it: by its own reading of the URL, the guard's judgement, and the guard's choice of addresses.
    private static async Task<bool> MayDialAsync(string text, IPAddress[] answers, CancellationToken token)
    {
        if (CanonicalUrl.Parse(text) is not { } url) return false;
        // the corpus judges hosts and schemes; that the crawl asks at 80 and 443 alone is its own, stricter, rule
        var guard = new AddressGuard(resolve: (_, _) => Task.FromResult(answers.Length > 0 ? answers : [IPAddress.Parse("93.184.216.34")]), allowPorts: [$"{url.Port}"]);
        if (guard.Judge(url) is not null) return false;
        try
        {
            return (await guard.EndPointsAsync(url.Host, url.Port, token)).Count > 0;
        }
        catch (Exception e) when (e is AddressRefusedException or SocketException)
        {
            return false;
        }
    }

    // Every hop, and where the last one's redirect leads; where a second lookup differs, the guard makes only one, of which it dials what it judged.
    private static async Task<bool> MayFollowAsync(JsonElement test, CancellationToken token)
    {
        var (chain, next) = (test.GetProperty("chain"), "");
        foreach (var hop in chain.EnumerateArray())
        {
            var request = hop.GetProperty("request").GetString()!;
            var answers = hop.TryGetProperty("connect_resolves_to", out var later) ? later : hop.GetProperty("resolves_to");
            if (!await MayDialAsync(request, [.. answers.EnumerateArray().Select(a => IPAddress.Parse(a.GetString()!))], token)) return false;
            if (ConformanceFolder.Text(hop, "location") is not { } location) continue;
            next = CanonicalUrl.Parse(location, new Uri(request))?.AbsoluteUri ?? "";
            if (!await MayDialAsync(next, [], token)) return false;
        }
        return true;
    }

    private static void Range(ConformanceTally tally, JsonElement test)
    {
        var text = test.GetProperty("cidr").GetString()!;
        var range = AddressRange.Parse(text);
        if (!test.GetProperty("valid").GetBoolean())
        {
            tally.Require(range is null, () => $"{text} is no range and was read as one");
            return;
        }
        if (range is null && Unusual(text))
        {
            tally.Skip("octal, hex and short spellings of a range may be refused");
            return;
        }
        var wrong = Addresses(test, "contains").Where(a => range?.Contains(a) != true).Concat(Addresses(test, "excludes").Where(a => range?.Contains(a) != false)).ToList();
        tally.Require(wrong.Count == 0, () => $"{text}: {string.Join(", ", wrong)} judged wrongly");
    }

    private static bool Unusual(string cidr)
    {
        var parts = cidr.Split('/')[0].Split('.');
        return !cidr.Contains(':', StringComparison.Ordinal) && (parts.Length != 4 || parts.Any(p => p.Length > 1 && p[0] == '0'));
    }

    private static IEnumerable<IPAddress> Addresses(JsonElement test, string field) =>
        test.TryGetProperty(field, out var list) ? list.EnumerateArray().Select(a => IPAddress.Parse(a.GetString()!.Split('%')[0])) : [];
}
