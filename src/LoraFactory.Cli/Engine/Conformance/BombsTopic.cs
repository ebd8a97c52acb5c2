using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>Compressed responses: good ones are unpacked to the byte, bombs and broken ones cost an answer and no more.</summary>
internal sealed class BombsTopic : IConformanceTopic
{
    private const long Unlimited = 10_000_000;

    /// <inheritdoc/>
    public string Name => "bombs";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => ["cases.jsonl"];

    /// <inheritdoc/>
    public async Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        var tally = folder.Of("cases.jsonl");
        foreach (var test in folder.Lines("cases.jsonl"))
        {
            var name = test.GetProperty("file").GetString()!;
            var codings = test.GetProperty("content_encoding").EnumerateArray().Select(c => c.GetString()!).ToList();
            var limit = test.TryGetProperty("limit", out var given) ? given.GetInt64() : Unlimited;
            await using var file = File.OpenRead(folder.File(name));
            var (bytes, refusal) = await BoundedBody.ReadAsync(file, codings, limit, token);
            var said = refusal is null ? $"{bytes.Length} bytes" : $"{refusal.Reason} ({refusal.Detail}) after {bytes.Length} bytes";
            switch (ConformanceFolder.Text(test, "expect"))
            {
                case "decode":
                    tally.Require(refusal is null && ContentId.OfBytes(bytes) == ConformanceFolder.Text(test, "sha256"), () => $"{name}: {said}, expected {test.GetProperty("decompressed")} bytes, sha256 {ConformanceFolder.Text(test, "sha256")}");
                    break;
                case { } expect when expect.StartsWith("refuse", StringComparison.Ordinal):
                    tally.Require(refusal is not null && bytes.Length <= limit, () => $"{name}: {said}, limit {limit}");
                    break;
                default:
                    var prefix = test.TryGetProperty("recoverable_prefix_bytes", out var most) ? most.GetInt64() : limit;
                    tally.Require(refusal is not null || bytes.Length <= prefix, () => $"{name}: {said}, of which {prefix} can be recovered");
                    break;
            }
        }
    }
}
