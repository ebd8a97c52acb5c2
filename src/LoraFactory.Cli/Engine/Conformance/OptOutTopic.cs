using System.Text;
using System.Text.Json;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>Opt-out signals: robots directives, TDMRep, Content-Signal, Content-Usage, and what comes of them together.</summary>
internal sealed class OptOutTopic : IConformanceTopic
{
    /// <inheritdoc/>
    public string Name => "optout";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => ["cases.jsonl"];

    /// <inheritdoc/>
    public Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        foreach (var test in folder.Lines("cases.jsonl")) Judge(folder.Of("cases.jsonl"), test);
        return Task.CompletedTask;
    }

    private static void Judge(ConformanceTally tally, JsonElement test)
    {
        var agent = test.GetProperty("agent").GetString()!;
        var url = new Uri(test.GetProperty("url").GetString()!);
        var rules = ConformanceFolder.Text(test, "robots") is { } robots ? RobotsRules.Parse(Encoding.UTF8.GetBytes(robots), agent) : RobotsRules.Empty;
        var policy = new OriginPolicy { Rules = rules, Tdm = test.TryGetProperty("tdmrep_json", out var tdm) ? TdmReservation.Parse(Encoding.UTF8.GetBytes(tdm.ValueKind == JsonValueKind.String ? tdm.GetString()! : tdm.GetRawText())) : [] };
        var headers = test.TryGetProperty("response_headers", out var fields)
            ? fields.EnumerateArray().Select(f => new KeyValuePair<string, string>(f[0].GetString()!, f[1].GetString()!)).ToList() : [];
        var page = ConformanceFolder.Text(test, "html") is { } html
            ? new PageParser(agent).Parse(Encoding.UTF8.GetBytes(html), "utf-8", url).Page?.Statements ?? PageStatements.None : PageStatements.None;
        var (expect, id) = (test.GetProperty("expect"), ConformanceFolder.Text(test, "id"));
        var mayCrawl = rules.Allows(url.AbsoluteUri, out var rule);
        if (expect.TryGetProperty("may_crawl", out var crawl)) tally.Require(mayCrawl == crawl.GetBoolean(), () => $"{id}: may crawl {mayCrawl} by \"{rule}\"");
        var signal = new OptOuts(agent).Find(url, policy, headers, page, ConformanceFolder.Text(test, "content") == "image");
        var mayTrain = mayCrawl && signal is null;
        var expected = expect.GetProperty("may_train").GetBoolean();
        var stricter = expected && !mayTrain && test.TryGetProperty("stricter_ok", out var ok) && ok.GetBoolean();
        tally.Require(mayTrain == expected || stricter, () => $"{id}: {(mayTrain ? "allowed" : $"refused by {signal ?? "robots.txt"}")}");
        if (mayCrawl && !stricter) Parsed(tally, id, expect, OptOuts.Signals(url, policy, headers, page)); // of what may not be fetched nothing is asked further
    }

    // The statement itself, as far as the case names it.
    private static void Parsed(ConformanceTally tally, string? id, JsonElement expect, UseSignals mine)
    {
        void Compare(string field, string? said)
        {
            if (!expect.TryGetProperty(field, out var value)) return;
            var expected = value.ValueKind == JsonValueKind.Null ? null : value.ToString();
            tally.Require(said == expected, () => $"{id}: {field} is {said ?? "not said"}, expected {expected ?? "nothing"}");
        }

        Compare("tdm_reservation", mine.TdmReserved is { } reserved ? reserved ? "1" : "0" : null);
        Compare("tdm_policy", mine.TdmPolicy);
        foreach (var word in (string[])["train-ai", "search"]) Compare(word, Word(mine.ContentUsage, word, "allow", "disallow"));
        if (!expect.TryGetProperty("signals", out var signals)) return;
        foreach (var signal in signals.EnumerateObject())
        {
            var said = Word(mine.ContentSignals, signal.Name, "yes", "no");
            tally.Require(said == signal.Value.GetString(), () => $"{id}: {signal.Name} is {said}, expected {signal.Value}");
        }
    }

    private static string Word(IReadOnlyDictionary<string, bool?> said, string word, string yes, string no) => said.GetValueOrDefault(word) switch { true => yes, false => no, null => "unknown" };
}
