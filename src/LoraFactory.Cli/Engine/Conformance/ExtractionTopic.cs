using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using System.Text.RegularExpressions;
using LoraFactory.Pages.Html;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>
/// Main text of web pages by the measures of three benchmarks: sentences that must be in it and must not (Barbaresi's trafilatura), and shingles
/// of four words against a text made by people (scrapinghub's article-extraction-benchmark) or by Mozilla's Readability.js.
/// </summary>
internal sealed partial class ExtractionTopic : IConformanceTopic
{
    private const string Cases = "cases.jsonl";

    // F1 of the best peer on the public half, rounded as the project's bar
    private const double SentencesBar = 0.916, ArticlesBar = 0.967, ReadabilityBar = 0.987;

    /// <inheritdoc/>
    public string Name => "extraction";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => ["trafilatura/" + Cases, "article-benchmark/" + Cases, "readability/" + Cases];

    /// <inheritdoc/>
    public Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        Sentences(folder, "trafilatura/", token);
        Shingles(folder, "article-benchmark/", "file", "text", ArticlesBar, token);
        Shingles(folder, "readability/", "source", "expected_text", ReadabilityBar, token);
        Metadata(folder, "readability/");
        return Task.CompletedTask;
    }

    private static void Sentences(ConformanceFolder folder, string set, CancellationToken token)
    {
        int found = 0, missed = 0, wrong = 0, avoided = 0;
        foreach (var test in folder.Lines(set + Cases))
        {
            token.ThrowIfCancellationRequested();
            var text = OneLine(Read(folder, set, test, "file").Prose);
            int Count(string field) => test.GetProperty(field).EnumerateArray().Count(s => text.Contains(OneLine(s.GetString()!).Trim(), StringComparison.Ordinal));
            var (with, without) = (Count("with"), Count("without"));
            found += with;
            missed += test.GetProperty("with").GetArrayLength() - with;
            wrong += without;
            avoided += test.GetProperty("without").GetArrayLength() - without;
        }
        if (found + missed + wrong + avoided == 0) return;
        var tally = folder.Of(set + Cases);
        tally.Measure("accuracy", (double)(found + avoided) / (found + missed + wrong + avoided));
        Judge(tally, (double)found / Math.Max(1, found + wrong), (double)found / Math.Max(1, found + missed), SentencesBar);
    }

    private static void Shingles(ConformanceFolder folder, string set, string page, string expectation, double bar, CancellationToken token)
    {
        List<double> precisions = [], recalls = [];
        foreach (var test in folder.Lines(set + Cases))
        {
            token.ThrowIfCancellationRequested();
            var (expected, mine) = (Grams(test.GetProperty(expectation).GetString()!), Grams(Read(folder, set, test, page).Prose));
            var both = expected.Sum(gram => Math.Min(gram.Value, mine.GetValueOrDefault(gram.Key)));
            int all = expected.Values.Sum(), taken = mine.Values.Sum();
            precisions.Add(taken > 0 ? (double)both / taken : all == 0 ? 1 : 0);
            recalls.Add(all > 0 ? (double)both / all : taken == 0 ? 1 : 0);
        }
        if (precisions.Count > 0) Judge(folder.Of(set + Cases), precisions.Average(), recalls.Average(), bar);
    }

    // What another reader makes of titles, bylines and summaries is its own choice; language, direction and dates are stated by the page.
    private static void Metadata(ConformanceFolder folder, string set)
    {
        var shares = new SortedDictionary<string, (int Agree, int All)>(StringComparer.Ordinal);
        foreach (var test in folder.Lines(set + Cases))
        {
            if (!test.TryGetProperty("metadata", out var expected)) continue;
            var mine = Read(folder, set, test, "source");
            var fields = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["title"] = mine.Headline,
                ["byline"] = string.Join(", ", mine.Authors),
                ["dir"] = mine.Direction ?? "",
                ["lang"] = mine.DeclaredLanguage,
                ["excerpt"] = mine.Description.Length > 0 ? mine.Description : mine.Prose.Split('\n')[0],
                ["siteName"] = mine.SiteName ?? "",
                ["publishedTime"] = mine.Published ?? "",
            };
            foreach (var (field, value) in fields)
            {
                if (!expected.TryGetProperty(field, out _)) continue;
                var agrees = string.Equals(OneLine(ConformanceFolder.Text(expected, field) ?? "").Trim(), OneLine(value).Trim(), StringComparison.OrdinalIgnoreCase);
                folder.Of(set + "metadata").Note(agrees);
                var (agree, all) = shares.GetValueOrDefault(field);
                shares[field] = (agree + (agrees ? 1 : 0), all + 1);
            }
        }
        foreach (var (field, (agree, all)) in shares) folder.Of(set + "metadata").Measure(field, (double)agree / all);
    }

    private static void Judge(ConformanceTally tally, double precision, double recall, double bar)
    {
        var f1 = precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
        tally.Measure("precision", precision);
        tally.Measure("recall", recall);
        tally.Measure("F1", f1);
        tally.Require(f1 >= bar, () => string.Create(CultureInfo.InvariantCulture, $"F1 {f1:0.0000}, expected at least {bar}"));
    }

    private static PageReading Read(ConformanceFolder folder, string set, JsonElement test, string field)
    {
        using var packed = new GZipStream(File.OpenRead(folder.File(set + test.GetProperty(field).GetString())), CompressionMode.Decompress);
        using var html = new MemoryStream();
        packed.CopyTo(html);
        var url = new Uri((ConformanceFolder.Text(test, "url") ?? "http://page.example/").Trim());
        return PageReader.Read(html.GetBuffer().AsSpan(0, (int)html.Length), null, url, PageParts.Text);
    }

    private static string OneLine(string text) => Blanks().Replace(text, " ");

    // Runs of four words, or of all words of a shorter text, with their numbers.
    private static Dictionary<string, int> Grams(string text)
    {
        var words = Words().Matches(text).Select(match => match.Value).ToList();
        var grams = new Dictionary<string, int>(StringComparer.Ordinal);
        var length = Math.Min(4, words.Count);
        for (var i = 0; length > 0 && i + length <= words.Count; i++)
        {
            var gram = string.Join(' ', words.GetRange(i, length));
            grams[gram] = grams.GetValueOrDefault(gram) + 1;
        }
        return grams;
    }

    [GeneratedRegex(@"\s+", RegexOptions.NonBacktracking)]
    private static partial Regex Blanks();

    [GeneratedRegex(@"\w+", RegexOptions.NonBacktracking)]
    private static partial Regex Words();
}
