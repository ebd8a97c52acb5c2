using System.Text;
using System.Text.Json;
using LoraFactory.Pages;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>robots.txt against the assertions of three parsers and real files; X-Robots-Tag and robots meta directives.</summary>
internal sealed class RobotsTopic : IConformanceTopic
{
    private static readonly string[] Verdicts = ["google.jsonl", "crawler-commons.jsonl", "protego.jsonl"];

    /// <inheritdoc/>
    public string Name => "robots";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => [.. Verdicts, "real.jsonl", "google-facts.jsonl", "extension-facts.jsonl", "x-robots-tag.jsonl"];

    /// <inheritdoc/>
    public Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        foreach (var file in Verdicts.Where(folder.Has)) Judge(folder, file);
        Real(folder);
        Facts(folder);
        Delays(folder, "protego-extensions.jsonl", "crawl_delay_s", TimeSpan.FromSeconds);
        Delays(folder, "extension-facts.jsonl", "crawl_delay_ms", TimeSpan.FromMilliseconds);
        Tags(folder);
        return Task.CompletedTask;
    }

    private static void Judge(ConformanceFolder folder, string file)
    {
        var tally = folder.Of(file);
        foreach (var test in folder.Lines(file))
        {
            var rules = RobotsRules.Parse(ConformanceFolder.Bytes(test, "robots"), Encoding.UTF8.GetString(ConformanceFolder.Bytes(test, "agent")));
            var url = Encoding.UTF8.GetString(ConformanceFolder.Bytes(test, "url"));
            var agrees = rules.Allows(url, out var rule) == test.GetProperty("allowed").GetBoolean();
            if (ConformanceFolder.Text(test, "kind") is "standard" or "rfc9309") tally.Require(agrees, () => $"{test.GetProperty("id")} {ConformanceFolder.Text(test, "agent")} {url}: {(agrees ? "" : $"decided by \"{rule}\"")}");
            else tally.Note(agrees);
        }
    }

    private static void Real(ConformanceFolder folder)
    {
        foreach (var site in folder.Lines("real.jsonl"))
        {
            var tally = folder.Of("real.jsonl");
            var bytes = File.ReadAllBytes(folder.File(site.GetProperty("file").GetString()!));
            foreach (var test in site.GetProperty("cases").EnumerateArray())
            {
                var (agent, url) = (test.GetProperty("agent").GetString()!, test.GetProperty("url").GetString()!);
                var agrees = RobotsRules.Parse(bytes, agent).Allows(url, out var rule) == test.GetProperty("allowed").GetBoolean();
                if (ConformanceFolder.Text(test, "kind") == "agreed") tally.Require(agrees, () => $"{site.GetProperty("file")} {agent} {url}: decided by \"{rule}\"");
                else tally.Note(agrees);
            }
        }
    }

    private static void Facts(ConformanceFolder folder)
    {
        foreach (var test in folder.Lines("google-facts.jsonl"))
        {
            var tally = folder.Of("google-facts.jsonl");
            if (test.TryGetProperty("match_path", out var path))
            {
                var mine = RobotsRules.PathOf(test.GetProperty("url").GetString()!);
                tally.Require(mine == path.GetString(), () => $"{test.GetProperty("url")}: path {mine}, expected {path}");
            }
            else if (test.TryGetProperty("valid", out var valid))
            {
                var agent = test.GetProperty("agent").GetString()!;
                var whole = agent.Length > 0 && RobotsRules.ProductToken(agent).Length == agent.Length;
                tally.Require(whole == valid.GetBoolean(), () => $"product token \"{agent}\": {whole}, expected {valid}");
            }
            else if (test.TryGetProperty("sitemaps", out var sitemaps)) Sitemaps(tally, test, sitemaps);
            else if (test.TryGetProperty("escaped", out var escaped))
            {
                var mine = RobotsPattern.AsWritten(Encoding.Latin1.GetString(ConformanceFolder.Bytes(test, "pattern")), pattern: true);
                tally.Require(mine == escaped.GetString(), () => $"pattern {test.GetProperty("pattern")}: {mine}, expected {escaped}");
            }
            else tally.Skip("how that parser counts lines and directives, which is inside it");
        }
    }

    private static void Sitemaps(ConformanceTally tally, JsonElement test, JsonElement sitemaps)
    {
        // A path alone is resolved by the crawl, against the address of the robots.txt.
        var at = sitemaps.EnumerateArray().Select(s => new Uri(s.GetString()!)).FirstOrDefault();
        var mine = RobotsRules.Parse(ConformanceFolder.Bytes(test, "robots"), ConformanceFolder.Text(test, "agent") ?? "foo").Sitemaps
            .Select(s => s.StartsWith('/') && at is not null ? CanonicalUrl.Parse(s, at)?.AbsoluteUri ?? s : s).ToList();
        tally.Require(mine.SequenceEqual(sitemaps.EnumerateArray().Select(s => s.GetString()!)), () => $"{(test.TryGetProperty("id", out var id) ? id : "sitemaps")}: {string.Join(", ", mine)}, expected {sitemaps}");
    }

    private static void Delays(ConformanceFolder folder, string file, string field, Func<double, TimeSpan> unit)
    {
        foreach (var test in folder.Lines(file))
        {
            var tally = folder.Of(file);
            if (!test.TryGetProperty(field, out var delay))
            {
                if (test.TryGetProperty("sitemaps", out var sitemaps)) Sitemaps(tally, test, sitemaps);
                else tally.Skip("request rate, visit time and clean-param are not heard");
                continue;
            }
            var agent = test.GetProperty("agent").GetString()!;
            if (agent.StartsWith("Mozilla", StringComparison.Ordinal))
            {
                tally.Skip("a product token is searched for inside a longer user agent by that parser alone");
                continue;
            }
            TimeSpan? expected = delay.ValueKind == JsonValueKind.Number ? unit(delay.GetDouble()) : null;
            var mine = RobotsRules.Parse(ConformanceFolder.Bytes(test, "robots"), agent).CrawlDelay;
            tally.Require(mine == expected, () => $"{(test.TryGetProperty("id", out var id) ? id : "delay")} {agent}: {mine}, expected {expected}");
        }
    }

    private static void Tags(ConformanceFolder folder)
    {
        foreach (var test in folder.Lines("x-robots-tag.jsonl"))
        {
            var optOuts = new OptOuts(test.GetProperty("agent").GetString()!);
            var headers = test.GetProperty("headers").EnumerateArray().Select(h => new KeyValuePair<string, string>(h[0].GetString()!, h[1].GetString()!)).ToList();
            var page = ConformanceFolder.Text(test, "html") is { } html
                ? new PageParser(test.GetProperty("agent").GetString()!).Parse(Encoding.UTF8.GetBytes(html), "utf-8", new Uri("https://site.example/")).Page?.Statements ?? PageStatements.None : PageStatements.None;
            var found = optOuts.Directives(headers, page);
            void Compare(string field, params string[] words)
            {
                if (!test.TryGetProperty(field, out var expected)) return;
                var mine = words.Any(found.Contains);
                folder.Of("x-robots-tag.jsonl").Require(mine == expected.GetBoolean(), () => $"{test.GetProperty("headers")} for {test.GetProperty("agent")}: {field} is {mine}, expected {expected}");
            }

            Compare("noindex", "noindex", "none");
            Compare("nofollow", "nofollow", "none");
            Compare("noarchive_or_nocache", "noarchive", "nocache", "none");
            Compare("nosnippet", "nosnippet");
        }
    }
}
