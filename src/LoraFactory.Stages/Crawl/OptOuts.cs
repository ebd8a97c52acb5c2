using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>What a page's meta elements say about its use, as <see cref="PageParser"/> read them.</summary>
/// <param name="Robots">Contents of the robots meta elements that are addressed to all or to this crawler.</param>
/// <param name="TdmReservation">Content of the tdm-reservation meta element, null when there is none.</param>
/// <param name="TdmPolicy">Content of the tdm-policy meta element, null when there is none.</param>
public sealed record PageStatements(IReadOnlyList<string> Robots, string? TdmReservation, string? TdmPolicy = null)
{
    /// <summary>Says nothing.</summary>
    public static PageStatements None { get; } = new([], null);

    /// <summary>What a page says that was read twice: all directives of both, and a reservation where either reserves.</summary>
    public static PageStatements Stricter(PageStatements before, PageStatements after) =>
        new([.. before.Robots.Concat(after.Robots).Distinct(StringComparer.Ordinal)],
            new[] { before.TdmReservation, after.TdmReservation }.FirstOrDefault(r => r?.Trim() == "1") ?? after.TdmReservation ?? before.TdmReservation,
            after.TdmPolicy ?? before.TdmPolicy);
}

/// <summary>
/// Reads machine-readable refusals of AI training: robots meta and X-Robots-Tag (noai, noimageai, noindex, noimageindex), TDMRep (file, header,
/// meta; W3C community report 2024), Content-Signal (contentsignals.org) and Content-Usage (IETF aipref drafts). Any refusal counts;
/// what says nothing allows.
/// </summary>
/// <param name="userAgent">The crawl's user agent; statements addressed to other crawlers are not for it.</param>
public sealed class OptOuts(string userAgent)
{
    private static readonly string[] ForImages = ["noai", "noimageai", "noml", "noindex", "noimageindex", "none"];
    private static readonly string[] ForText = ["noai", "noml", "noindex", "none"];

    // Addressed to search engines, about the page that they stand on: taken as a refusal of what is found there, and of nothing else.
    private static readonly string[] OfSearch = ["noindex", "noimageindex", "none"];

    // Directives with a value; a colon after any other first word names the crawler that is meant.
    private static readonly string[] Valued = ["unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"];

    private readonly string token = RobotsRules.ProductToken(userAgent);

    /// <summary>The refusal for a resource, e.g. "x-robots-tag:noai", or null.</summary>
    /// <param name="url">URL of the resource.</param>
    /// <param name="policy">Policy of its origin.</param>
    /// <param name="headers">Header fields of its response, names in lower case.</param>
    /// <param name="page">Statements of its markup, <see cref="PageStatements.None"/> for a picture.</param>
    /// <param name="image">Whether it would be used as a picture (a page's pictures too) rather than as text.</param>
    public string? Find(Uri url, OriginPolicy policy, IReadOnlyList<KeyValuePair<string, string>> headers, PageStatements page, bool image)
    {
        string? first = null;
        foreach (var refusal in Refusals(url, policy, headers, page, image ? ForImages : ForText))
        {
            if (SpeaksOfTraining(refusal)) return refusal; // of several the one that says most
            first ??= refusal;
        }
        return first;
    }

    /// <summary>Whether a refusal, as <see cref="Find"/> gives it, is about training rather than about being found on this page.</summary>
    public static bool SpeaksOfTraining(string refusal) => refusal.IndexOf(':') is > 0 and var colon && !OfSearch.Contains(refusal[(colon + 1)..]);

    private IEnumerable<string> Refusals(Uri url, OriginPolicy policy, IReadOnlyList<KeyValuePair<string, string>> headers, PageStatements page, string[] refusing)
    {
        foreach (var header in OfHeaders(headers).Where(refusing.Contains)) yield return $"x-robots-tag:{header}";
        foreach (var meta in page.Robots.SelectMany(Split).Where(refusing.Contains)) yield return $"robots-meta:{meta}";
        var signals = Signals(url, policy, headers, page);
        if (signals.TdmReserved == true) yield return $"{signals.TdmSource}:tdm-reservation=1";
        if (signals.ContentSignals.GetValueOrDefault("ai-train") == false) yield return "content-signal:ai-train=no";
        if (signals.ContentUsage.GetValueOrDefault("train-ai") == false) yield return "content-usage:train-ai=n";
    }

    /// <summary>What a resource says about its use, to be kept with it; parameters as of <see cref="Find"/>.</summary>
    public Consent Judge(Uri url, OriginPolicy policy, IReadOnlyList<KeyValuePair<string, string>> headers, PageStatements page, bool image, DateTimeOffset at)
    {
        var signals = Signals(url, policy, headers, page);
        var said = Find(url, policy, headers, page, image) is { } refusal ? new Consent("refused", refusal, at, url.AbsoluteUri)
            : Permission(signals) is { } permission ? new("allowed", permission, at, url.AbsoluteUri) : new("silent", null, at, url.AbsoluteUri);
        return said with { Policy = signals.TdmPolicy };
    }

    // A file that reserves nothing for a path says nothing in so many words about the resource itself.
    private static string? Permission(UseSignals signals)
    {
        if (signals.ContentSignals.GetValueOrDefault("ai-train") == true) return "content-signal:ai-train=yes";
        if (signals.ContentUsage.GetValueOrDefault("train-ai") == true) return "content-usage:train-ai=y";
        return signals is { TdmReserved: false, TdmSource: not "tdmrep-file" } ? $"{signals.TdmSource}:tdm-reservation=0" : null;
    }

    /// <summary>What TDMRep, Content-Signal and Content-Usage say about a resource, parsed; parameters as of <see cref="Find"/>.</summary>
    public static UseSignals Signals(Uri url, OriginPolicy policy, IReadOnlyList<KeyValuePair<string, string>> headers, PageStatements page)
    {
        var (signals, usage) = (new Dictionary<string, bool?>(StringComparer.Ordinal), new Dictionary<string, bool?>(StringComparer.Ordinal));
        foreach (var value in policy.Rules.ContentSignals.Concat(Values(headers, "content-signal"))) Merge(signals, UseSignals.OfContentSignal(value));
        foreach (var value in policy.Rules.ContentUsage(url.AbsoluteUri).Concat(Values(headers, "content-usage"))) Merge(usage, UseSignals.OfContentUsage(value));
        return Tdm(url, policy, headers, page) with { ContentSignals = signals, ContentUsage = usage };
    }

    // Of what is said in several places a no counts.
    private static void Merge(Dictionary<string, bool?> all, IReadOnlyDictionary<string, bool?> more)
    {
        foreach (var (word, says) in more)
            if (all.GetValueOrDefault(word) != false && says is not null) all[word] = says;
    }

    /// <summary>Does the page ask that its links not be followed?</summary>
    public bool NoFollow(IReadOnlyList<KeyValuePair<string, string>> headers, PageStatements page) => Directives(headers, page).Overlaps(["nofollow", "none"]);

    /// <summary>Robots directives of headers and markup that are addressed to this crawler, in lower case: "noindex", "max-snippet:20" ….</summary>
    public IReadOnlySet<string> Directives(IReadOnlyList<KeyValuePair<string, string>> headers, PageStatements page) =>
        OfHeaders(headers).Concat(page.Robots.SelectMany(Split)).Where(d => d.Length > 0).ToHashSet(StringComparer.Ordinal);

    private static IEnumerable<string> Values(IReadOnlyList<KeyValuePair<string, string>> headers, string name) =>
        headers.Where(h => h.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(h => h.Value);

    private static IEnumerable<string> Split(string content) => content.Split(',').Select(d => d.Trim().ToLowerInvariant());

    // "otherbot: noindex, noai": everything after an addressee is for it, until another is named.
    private IEnumerable<string> OfHeaders(IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        foreach (var value in Values(headers, "x-robots-tag"))
        {
            var mine = true;
            foreach (var part in Split(value))
            {
                var directive = part;
                var colon = part.IndexOf(':');
                var name = colon > 0 ? part[..colon].Trim() : "";
                // a date after "unavailable_after" has colons too, but is no crawler's name
                if (name.Length > 0 && !Valued.Contains(name) && (name == "*" || RobotsRules.ProductToken(name).Length == name.Length))
                {
                    mine = name == "*" || name.Equals(token, StringComparison.OrdinalIgnoreCase);
                    directive = part[(colon + 1)..].Trim();
                }
                if (mine) yield return directive;
            }
        }
    }

    // File, then header, then markup: a later statement supersedes an earlier one, silence does not.
    private static UseSignals Tdm(Uri url, OriginPolicy policy, IReadOnlyList<KeyValuePair<string, string>> headers, PageStatements page)
    {
        var found = UseSignals.None;
        if (policy.Tdm.Count > 0)
        {
            var path = RobotsPattern.Octets(RobotsRules.PathOf(url.AbsoluteUri), pattern: false);
            if (policy.Tdm.FirstOrDefault(r => r.Location.Matches(path)) is { } entry) found = Said("tdmrep-file", entry.Reserved ? "1" : "0", entry.Policy);
        }
        if (Values(headers, "tdm-reservation").LastOrDefault(v => v.Trim() is "0" or "1") is { } header) found = Said("tdmrep-header", header, Values(headers, "tdm-policy").LastOrDefault());
        return page.TdmReservation?.Trim() is "0" or "1" ? Said("tdmrep-meta", page.TdmReservation, page.TdmPolicy) : found;

        UseSignals Said(string source, string reservation, string? terms) =>
            UseSignals.None with { TdmSource = source, TdmReserved = reservation.Trim() == "1", TdmPolicy = terms is null ? null : CanonicalUrl.Parse(terms, url)?.AbsoluteUri };
    }
}

/// <summary>One entry of /.well-known/tdmrep.json.</summary>
/// <param name="Location">Paths it is about.</param>
/// <param name="Reserved">Whether rights of text and data mining are reserved there.</param>
/// <param name="Policy">Where the terms of a licence stand, as written; null where nothing names them.</param>
public sealed record TdmReservation(RobotsPattern Location, bool Reserved, string? Policy = null)
{
    private const int MaxEntries = 10_000;

    /// <summary>Reserves all: the file may be there and could not be read.</summary>
    public static IReadOnlyList<TdmReservation> Everything { get; } = [new(new RobotsPattern("/"), true)];

    /// <summary>Reads the file; what is not an array of entries says nothing.</summary>
    public static IReadOnlyList<TdmReservation> Parse(ReadOnlyMemory<byte> json)
    {
        var entries = new List<TdmReservation>();
        try
        {
            using var document = JsonDocument.Parse(json, new() { MaxDepth = 16 });
            if (document.RootElement.ValueKind != JsonValueKind.Array) return [];
            foreach (var item in document.RootElement.EnumerateArray().Take(MaxEntries))
                if (Read(item) is { } entry) entries.Add(entry);
        }
        catch (JsonException)
        {
            return [];
        }
        return entries;
    }

    private static TdmReservation? Read(JsonElement item)
    {
        try
        {
            if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty("location", out var location) || location.ValueKind != JsonValueKind.String) return null;
            if (!item.TryGetProperty("tdm-reservation", out var reservation) || reservation.ValueKind is not (JsonValueKind.Number or JsonValueKind.String)) return null;
            var octets = System.Text.Encoding.Latin1.GetString(System.Text.Encoding.UTF8.GetBytes(location.GetString()!));
            var terms = item.TryGetProperty("tdm-policy", out var policy) && policy.ValueKind == JsonValueKind.String ? policy.GetString() : null;
            return new(new RobotsPattern(octets), reservation.ToString() == "1", terms);
        }
        catch (InvalidOperationException)
        {
            return null; // half a surrogate pair is no text: the entry says nothing, the others still do
        }
    }
}
