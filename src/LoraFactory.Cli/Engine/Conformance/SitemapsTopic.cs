using System.Globalization;
using System.Text.Json;
using LoraFactory.Pages;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>Sitemaps and feeds, good, broken and hostile; their dates; and of which URLs a sitemap may speak.</summary>
internal sealed class SitemapsTopic : IConformanceTopic
{
    /// <inheritdoc/>
    public string Name => "sitemaps";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => ["cases.jsonl", "dates.jsonl", "location.jsonl"];

    /// <inheritdoc/>
    public async Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        foreach (var test in folder.Lines("cases.jsonl"))
        {
            var body = ConformanceFolder.Text(test, "file") is { } file ? File.ReadAllBytes(folder.File(file)) : ConformanceFolder.Bytes(test, "body");
            var url = new Uri(test.GetProperty("url").GetString()!);
            var charset = ConformanceFolder.Text(test, "content_type") is { } type ? MediaType.Parse(type)?.Charset : null;
            var document = await SitemapReader.ReadAsync(body, url, token, charset);
            var faults = Faults(test, document, url).ToList();
            folder.Of("cases.jsonl").Require(faults.Count == 0, () => $"{test.GetProperty("name")}: {string.Join("; ", faults)}{(document.Fault is null ? "" : $" ({document.Fault})")}");
        }
        foreach (var test in folder.Lines("dates.jsonl"))
        {
            var text = test.GetProperty("text").GetString()!;
            var mine = ConformanceFolder.Text(test, "format") switch { "w3c" => FeedDate.W3c(text), "rss" => FeedDate.Rfc822(text), _ => FeedDate.Parse(text) };
            folder.Of("dates.jsonl").Require(mine == Instant(ConformanceFolder.Text(test, "utc")), () => $"{test.GetProperty("format")} \"{text}\": {mine:O}, expected {test.GetProperty("utc")}");
        }
        foreach (var test in folder.Lines("location.jsonl"))
        {
            var mine = CanonicalUrl.Parse(test.GetProperty("url").GetString()!) is { } url && SitemapDocument.IsInScope(new Uri(test.GetProperty("sitemap").GetString()!), url);
            folder.Of("location.jsonl").Require(mine == test.GetProperty("in_scope").GetBoolean(), () => $"{test.GetProperty("url")} of {test.GetProperty("sitemap")}: {mine}");
        }
    }

    private static IEnumerable<string> Faults(JsonElement test, SitemapDocument document, Uri at)
    {
        var expect = test.GetProperty("expect");
        // In strict mode the crawl asks the location rule about each entry.
        var strict = ConformanceFolder.Text(expect, "mode")?.Contains("strict location", StringComparison.Ordinal) == true;
        var entries = document.Entries.Where(e => !strict || SitemapDocument.IsInScope(at, e.Url)).ToList();
        var accepted = expect.TryGetProperty("accept", out var accept) || test.TryGetProperty("accept", out accept) ? accept.EnumerateArray().Select(a => a.GetString()!).ToList() : [];
        var kind = ConformanceFolder.Text(expect, "kind");
        var listed = expect.TryGetProperty("urls", out var list) || expect.TryGetProperty("sitemaps", out list) ? list.EnumerateArray().ToList() : null;
        if (kind == "error-or-urls")
        {
            var wrong = entries.Where(e => listed?.Any(l => Same(e.Url, Location(l), accepted)) != true).ToList();
            if (wrong.Count > 0) yield return $"lists {string.Join(", ", wrong.Take(3).Select(e => e.Url))}";
            if (document.Fault is null && listed is { Count: > 0 } && entries.Count != listed.Count) yield return $"{entries.Count} entries without an error, expected {listed.Count}";
            yield break;
        }
        var named = document.Kind switch { SitemapKind.UrlSet => "urlset", SitemapKind.Index => "index", SitemapKind.Feed => "feed", _ => "error" };
        if (kind is not null && kind != named) yield return $"read as {named}, expected {kind}";
        if (expect.TryGetProperty("count", out var count) && count.GetInt32() != entries.Count) yield return $"{entries.Count} entries, expected {count}";
        if (listed is not null && listed.Count != entries.Count) yield return $"{entries.Count} entries, expected {listed.Count}";
        foreach (var (entry, wanted) in entries.Zip(listed ?? []))
            foreach (var fault in EntryFaults(entry, wanted, accepted)) yield return fault;
        foreach (var url in Strings(expect, "contains").Where(u => !entries.Any(e => Same(e.Url, u, accepted)))) yield return $"{url} is missing";
        foreach (var url in Strings(expect, "alternates").Where(u => !entries.Any(e => e.Alternates.Any(a => Same(a, u, accepted))))) yield return $"alternate {url} is missing";
        if (ConformanceFolder.Text(expect, "first_changefreq") is { } first && entries.FirstOrDefault()?.ChangeFrequency != first) yield return $"the first changes {entries.FirstOrDefault()?.ChangeFrequency}, expected {first}";
    }

    private static IEnumerable<string> EntryFaults(SitemapEntry entry, JsonElement wanted, List<string> accepted)
    {
        if (!Same(entry.Url, Location(wanted), accepted)) yield return $"{entry.Url}, expected {Location(wanted)}";
        if (wanted.ValueKind != JsonValueKind.Object) yield break;
        if (ConformanceFolder.Text(wanted, "lastmod") is { } modified && entry.Modified != Instant(modified)) yield return $"{entry.Url} modified {entry.Modified:O}, expected {modified}";
        if (ConformanceFolder.Text(wanted, "changefreq") is { } frequency && !frequency.Equals(entry.ChangeFrequency, StringComparison.OrdinalIgnoreCase)) yield return $"{entry.Url} changes {entry.ChangeFrequency}, expected {frequency}";
        if (wanted.TryGetProperty("priority", out var priority) && priority.ValueKind == JsonValueKind.Number && (entry.Priority is not { } mine || Math.Abs(mine - priority.GetDouble()) > 1e-9)) yield return $"{entry.Url} priority {entry.Priority}, expected {priority}";
    }

    private static IEnumerable<string> Strings(JsonElement expect, string field) => expect.TryGetProperty(field, out var list) ? list.EnumerateArray().Select(e => e.GetString()!) : [];

    private static string Location(JsonElement entry) => (entry.ValueKind == JsonValueKind.String ? entry.GetString() : entry.GetProperty("loc").GetString())!;

    // URLs are kept in their canonical spelling, so both sides are compared in it.
    private static bool Same(Uri mine, string theirs, List<string> accepted) =>
        mine.AbsoluteUri == theirs || mine.AbsoluteUri == CanonicalUrl.Parse(theirs)?.AbsoluteUri || accepted.Contains(mine.AbsoluteUri);

    private static DateTimeOffset? Instant(string? text) =>
        text is null ? null : DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal).ToUniversalTime();
}
