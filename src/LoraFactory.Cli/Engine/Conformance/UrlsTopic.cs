using System.Globalization;
using System.Text;
using System.Text.Json;
using LoraFactory.Pages;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>URL parsing, domains in ASCII, a page's encoding in queries, resolving, one spelling for each URL, registrable domains.</summary>
internal sealed class UrlsTopic : IConformanceTopic
{
    private const string Contested = "contested: parsers in use disagree, and the corpus does not require them";

    /// <inheritdoc/>
    public string Name => "urls";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => ["wpt-http.jsonl", "wpt-toascii.jsonl", "wpt-percent-encoding.jsonl", "crawler-commons-normalizer.jsonl", "crawler-commons-resolve.jsonl", "psl.jsonl"];

    /// <inheritdoc/>
    public Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        foreach (var test in folder.Lines("wpt-http.jsonl")) Parsing(folder.Of("wpt-http.jsonl"), test);
        foreach (var test in folder.Lines("wpt-toascii.jsonl")) Ascii(folder.Of("wpt-toascii.jsonl"), test);
        foreach (var test in folder.Lines("wpt-percent-encoding.jsonl")) Encodings(folder.Of("wpt-percent-encoding.jsonl"), test);
        foreach (var test in folder.Lines("crawler-commons-resolve.jsonl"))
        {
            var mine = Parse(ConformanceFolder.Text(test, "input")!, ConformanceFolder.Text(test, "base"))?.Href;
            folder.Of("crawler-commons-resolve.jsonl").Require(mine == ConformanceFolder.Text(test, "resolved"), () => $"{test.GetProperty("input")} on {test.GetProperty("base")}: {mine}, expected {test.GetProperty("resolved")}");
        }
        foreach (var test in folder.Lines("crawler-commons-normalizer.jsonl")) Normal(folder.Of("crawler-commons-normalizer.jsonl"), test);
        Suffixes(folder);
        return Task.CompletedTask;
    }

    private static WebUrl? Parse(string input, string? relativeTo) => relativeTo is null ? WebUrl.Parse(input) : WebUrl.Parse(relativeTo) is { } from ? WebUrl.Parse(input, from) : null;

    private static void Parsing(ConformanceTally tally, JsonElement test)
    {
        var url = Parse(Text(test.GetProperty("input"))!, ConformanceFolder.Text(test, "base"));
        var wrong = new List<string>();
        if (test.TryGetProperty("failure", out var failure) && failure.GetBoolean())
        {
            if (url is not null) wrong.Add($"{url.Href} instead of failure");
        }
        else if (url is null) wrong.Add($"failure instead of {test.GetProperty("href")}");
        else
        {
            foreach (var (field, mine) in Parts(url))
                if (Text(test, field) is { } expected && expected != mine) wrong.Add($"{field} {mine} instead of {expected}");
        }
        Judge(tally, test, wrong.Count == 0, () => $"{test.GetProperty("input").GetRawText()} on {test.GetProperty("base").GetRawText()}: {string.Join(", ", wrong)}");
    }

    private static IEnumerable<(string Field, string Value)> Parts(WebUrl url) =>
    [
        ("href", url.Href), ("origin", url.Origin), ("protocol", url.Scheme + ":"), ("username", url.Username), ("password", url.Password), ("host", url.Authority),
        ("hostname", url.Host ?? ""), ("port", url.Port is { } port ? $"{port}" : ""), ("pathname", url.Path),
        ("search", string.IsNullOrEmpty(url.Query) ? "" : "?" + url.Query), ("hash", string.IsNullOrEmpty(url.Fragment) ? "" : "#" + url.Fragment),
    ];

    private static void Ascii(ConformanceTally tally, JsonElement test)
    {
        // as the tests do it: within a URL, so that forbidden characters are refused
        var mine = WebUrl.Parse($"https://{Text(test.GetProperty("input"))}/x")?.Host;
        Judge(tally, test, mine == ConformanceFolder.Text(test, "output"), () => $"{test.GetProperty("input").GetRawText()}: {mine ?? "failure"}, expected {test.GetProperty("output").GetRawText()}");
    }

    private static void Encodings(ConformanceTally tally, JsonElement test)
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        foreach (var expected in test.GetProperty("output").EnumerateObject())
        {
            var mine = PageEncoding.OfLabel(expected.Name) is { } encoding ? PercentEncoding.OfQuery(Text(test.GetProperty("input")), encoding) : null;
            Judge(tally, test, mine == expected.Value.GetString(), () => $"{test.GetProperty("input").GetRawText()} in {expected.Name}: {mine}, expected {expected.Value}");
        }
    }

    private static void Judge(ConformanceTally tally, JsonElement test, bool passes, Func<string> why)
    {
        if (test.TryGetProperty("contested", out var contested) && contested.GetBoolean()) tally.Skip(Contested);
        else tally.Require(passes, why);
    }

    // Choices that differ are judged as choices: both sides are brought to what the two policies share (docs/decisions/urls.md).
    private static void Normal(ConformanceTally tally, JsonElement test)
    {
        var (url, expected) = (Text(test.GetProperty("url"))!, ConformanceFolder.Text(test, "normalized"));
        var mine = CanonicalUrl.Parse(url)?.AbsoluteUri;
        if (mine == expected) tally.Require(true, () => "");
        else if (WebUrl.Parse(url) is { Scheme: not ("http" or "https") }) tally.Skip("chosen otherwise: only http and https URLs have a canonical form");
        else if (mine is null && WebUrl.Parse(url) is null) tally.Skip("chosen otherwise: what has no host is refused instead of being shortened");
        else if (mine is not null && expected is not null && Shared(mine) == Shared(expected)) tally.Skip("chosen otherwise: parameters keep their order, empty values and names, and repeated slashes stay");
        else tally.Require(false, () => $"{test.GetProperty("url").GetRawText()}: {mine ?? "refused"}, expected {expected ?? "refused"}");
    }

    private static string Shared(string text)
    {
        var mark = text.IndexOf('?', StringComparison.Ordinal);
        var (head, query) = mark < 0 ? (text, "") : (text[..mark], text[(mark + 1)..]);
        var path = head.IndexOf("://", StringComparison.Ordinal) + 3;
        while (head.IndexOf("//", path, StringComparison.Ordinal) is >= 0 and var at) head = head.Remove(at, 1);
        var parameters = query.Split('&').Where(p => p.Length > 0 && p[0] != '=').Select(p => p.EndsWith('=') ? p[..^1] : p).Order(StringComparer.Ordinal);
        return head + "?" + string.Join('&', parameters);
    }

    private static void Suffixes(ConformanceFolder folder)
    {
        PublicSuffixes? list = null;
        foreach (var test in folder.Lines("psl.jsonl"))
        {
            var tally = folder.Of("psl.jsonl");
            list ??= PublicSuffixes.Open(folder.File("public_suffix_list.dat")) ?? PublicSuffixes.Open();
            if (list is null) tally.Skip($"there is no list, neither in the folder nor at {PublicSuffixes.DefaultPath} (apt install publicsuffix)");
            else
            {
                var mine = list.Registrable(Text(test, "domain"));
                tally.Require(mine == ConformanceFolder.Text(test, "registrable"), () => $"{test.GetProperty("domain")}: {mine ?? "none"}, expected {ConformanceFolder.Text(test, "registrable") ?? "none"}");
            }
        }
    }

    private static string? Text(JsonElement test, string field) => test.TryGetProperty(field, out var value) ? Text(value) : null;

    // Half surrogate pairs, of which the JSON reader makes no string, are read by hand.
    private static string? Text(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String) return null;
        var raw = value.GetRawText();
        if (!raw.Contains("\\ud", StringComparison.OrdinalIgnoreCase)) return value.GetString();
        var text = new StringBuilder();
        for (var i = 1; i < raw.Length - 1; i++)
        {
            if (raw[i] == '\\' && raw[i + 1] == 'u')
            {
                text.Append((char)ushort.Parse(raw.AsSpan(i + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                i += 5;
            }
            else if (raw[i] == '\\') text.Append(raw[++i] switch { 'n' => '\n', 't' => '\t', 'r' => '\r', 'b' => '\b', 'f' => '\f', var c => c });
            else text.Append(raw[i]);
        }
        return text.ToString();
    }
}
