using System.Text;
using System.Text.Json;
using LoraFactory.Pages;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>What stands before a page's markup: its encoding, its media type, what its first bytes say of it; and data: URLs.</summary>
internal sealed class HtmlTopic : IConformanceTopic
{
    private static readonly string[] MediaTypes = ["mime-parse.jsonl", "mime-parse-generated.jsonl"];

    /// <inheritdoc/>
    public string Name => "html";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => ["encoding.jsonl", .. MediaTypes, "data-urls.jsonl", "mime-sniff.jsonl"];

    /// <inheritdoc/>
    public Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        foreach (var test in folder.Lines("encoding.jsonl")) Encodings(folder.Of("encoding.jsonl"), test);
        foreach (var file in MediaTypes)
            foreach (var test in folder.Lines(file)) Types(folder.Of(file), test);
        foreach (var test in folder.Lines("data-urls.jsonl"))
        {
            var url = test.GetProperty("url").GetString()!;
            var mine = DataUrl.Parse(url);
            var said = mine is null ? "failure" : $"{mine.Type} {Convert.ToHexStringLower(mine.Body)}";
            var expected = ConformanceFolder.Text(test, "mime") is { } mime ? $"{mime} {ConformanceFolder.Text(test, "body")}" : "failure";
            folder.Of("data-urls.jsonl").Require(said == expected, () => $"{url}: {said}, expected {expected}");
        }
        foreach (var test in folder.Lines("mime-sniff.jsonl"))
        {
            var mine = MediaSniffing.Compute(test.GetProperty("bytes_base64").GetBytesFromBase64(), ConformanceFolder.Text(test, "content_type"));
            folder.Of("mime-sniff.jsonl").Require(mine == ConformanceFolder.Text(test, "expected"), () => $"{test.GetProperty("bytes_base64")} as {test.GetProperty("content_type")}: {mine}, expected {test.GetProperty("expected")} ({ConformanceFolder.Text(test, "rule")})");
        }
        return Task.CompletedTask;
    }

    private static void Encodings(ConformanceTally tally, JsonElement test)
    {
        if (test.TryGetProperty("needs_script", out var script) && script.GetBoolean())
        {
            tally.Skip("needs a script engine");
            return;
        }
        // Where nothing is said the tests expect windows-1252; the crawl looks whether the bytes are UTF-8 first.
        var bytes = test.GetProperty("bytes_base64").GetBytesFromBase64();
        var mine = PageEncoding.Stated(bytes, null) ?? "windows-1252";
        tally.Require(mine.Equals(ConformanceFolder.Text(test, "whatwg"), StringComparison.OrdinalIgnoreCase), () => $"{Encoding.Latin1.GetString(bytes.AsSpan(0, Math.Min(bytes.Length, 90))).ReplaceLineEndings(" ")}: {mine}, expected {test.GetProperty("whatwg")}");
    }

    private static void Types(ConformanceTally tally, JsonElement test)
    {
        var input = test.GetProperty("input").GetString()!;
        var mine = MediaType.Parse(input);
        tally.Require(mine?.ToString() == ConformanceFolder.Text(test, "output"), () => $"{test.GetProperty("input").GetRawText()}: {mine?.ToString() ?? "failure"}, expected {test.GetProperty("output").GetRawText()}");
        if (!test.TryGetProperty("encoding", out var encoding)) return;
        var name = PageEncoding.NameOf(mine?.Charset);
        tally.Require(string.Equals(name, encoding.GetString(), StringComparison.OrdinalIgnoreCase), () => $"{test.GetProperty("input").GetRawText()}: encoding {name ?? "none"}, expected {encoding.GetRawText()}");
    }
}
