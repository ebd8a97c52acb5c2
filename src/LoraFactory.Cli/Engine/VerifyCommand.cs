using System.CommandLine;
using LoraFactory.Cli.Engine.Conformance;
using LoraFactory.Flow;
using LoraFactory.Models.Parity;

namespace LoraFactory.Cli.Engine;

/// <summary><c>lora verify DIR</c>: recomputes golden cases, and judges public corpora by topic, and compares both with what is expected.</summary>
public sealed class VerifyCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Engine;

    /// <inheritdoc/>
    public int Order => 20;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var folder = new Argument<string>("DIR") { Description = "Folder with golden cases at any depth (case.json with a kind, and what it names), or with public corpora, a folder a topic: robots, urls, extraction …" };
        var kind = new Option<string[]>("--kind") { Description = "Only golden cases of this kind, or corpora of this topic; may be repeated", HelpName = "KIND", AllowMultipleArgumentsPerToken = false };
        var json = ResultLines.Option("One JSON line per golden case or corpus file, and one with the sums");
        var command = new Command("verify", "Recompute golden cases, judge public corpora, and say what is off") { folder, kind, json };
        command.SetAction((parsed, token) => Task.Run(() => VerifyAsync(parsed.GetValue(folder)!, parsed.GetValue(kind) ?? [], ResultLines.Of(world, parsed), world, token), token));
        return command;
    }

    private static async Task<int> VerifyAsync(string folder, string[] kinds, ResultLines lines, CommandWorld world, CancellationToken token)
    {
        if (!Directory.Exists(folder)) throw new LoraException($"{folder} is not a folder; give one that has cases below it, such as tests/data/golden.", ExitCode.BadUsage);
        bool Wanted(string name) => kinds.Length == 0 || kinds.Contains(name, StringComparer.Ordinal);
        var cases = GoldenChecks.Find(folder).Where(c => Wanted(c.Kind)).ToList();
        var topics = ConformanceTopics.Find(folder).Where(t => Wanted(t.Topic?.Name ?? Path.GetFileName(t.Folder))).ToList();
        if (cases.Count + topics.Count == 0)
            throw new LoraException($"No case {(kinds.Length == 0 ? "" : $"of kind {string.Join(", ", kinds)} ")}lies below {folder}: a golden case is a case.json with a \"kind\", a corpus a folder named as its topic ({string.Join(", ", ConformanceTopics.All.Select(t => t.Name))}).", ExitCode.BadUsage);
        var results = new List<CaseResult>();
        var conformance = new ConformanceRun(lines);
        using (var board = world.NewBoard())
        {
            if (cases.Count > 0) Recompute(cases, results, board, lines, token);
            if (topics.Count > 0)
            {
                using var bar = board.Begin("verify corpora", topics.Count, "topics");
                await conformance.RunAsync(topics, bar, token);
            }
        }
        lines.ForPrograms(Sums(results, conformance));
        if (!lines.Json && cases.Count > 0) WriteSums(results, world);
        if (topics.Count > 0) lines.ForPeople(conformance.Sums());
        return (int)(results.Any(IsMiss) || conformance.Missed > 0 ? ExitCode.Failed : ExitCode.Done);
    }

    private static void Recompute(List<(string File, string Kind, string Name)> cases, List<CaseResult> results, IProgressBoard board, ResultLines lines, CancellationToken token)
    {
        using var bar = board.Begin("verify", cases.Count, "cases");
        foreach (var (file, kind, name) in cases)
        {
            token.ThrowIfCancellationRequested();
            bar.Note(name);
            var result = GoldenChecks.Run(file, kind, name);
            results.Add(result);
            bar.Advance();
            lines.Write(result, Line(result));
        }
    }

    private static bool IsMiss(CaseResult r) => r.Status is not ("ok" or "unknown kind");

    private static string Line(CaseResult r) => r.Status switch
    {
        "ok" => $"ok       {r.Name} ({r.Kind}): {r.Comparisons} comparisons, at most {100 * r.Worst:0.#} % of the tolerance, {r.Seconds:0.00} s{(r.Detail.Length > 0 ? "; " + r.Detail : "")}",
        "unknown kind" => $"UNKNOWN  {r.Name}: nothing here runs cases of kind {r.Kind}",
        _ => $"{r.Status.ToUpperInvariant(),-8} {r.Name} ({r.Kind}): {r.Detail}",
    };

    private static void WriteSums(List<CaseResult> results, CommandWorld world)
    {
        world.Out.WriteLine();
        foreach (var kind in results.Where(r => r.Status != "unknown kind").GroupBy(r => r.Kind).OrderBy(g => g.Key, StringComparer.Ordinal))
            world.Out.WriteLine($"{kind.Key,-22} {kind.Count(r => r.Status == "ok"),4} of {kind.Count(),4} ok");
        var unknown = results.Where(r => r.Status == "unknown kind").GroupBy(r => r.Kind).OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        world.Out.WriteLine($"{results.Count(r => r.Status == "ok")} ok, {results.Count(IsMiss)} missed, {unknown.Sum(g => g.Count())} of unknown kind, of {results.Count} cases");
        if (unknown.Count > 0)
            world.Out.WriteLine($"NOT VERIFIED, for nothing here runs their kind: {string.Join(", ", unknown.Select(g => $"{g.Key} ({g.Count()})"))}");
    }

    private static object Sums(List<CaseResult> results, ConformanceRun conformance) => new
    {
        cases = results.Count,
        ok = results.Count(r => r.Status == "ok"),
        missed = results.Count(IsMiss),
        unknown = results.Where(r => r.Status == "unknown kind").GroupBy(r => r.Kind).ToDictionary(g => g.Key, g => g.Count()),
        corpora = new { cases = conformance.Cases, missed = conformance.Missed, unknown = conformance.Unknown },
        kinds = results.Where(r => r.Status != "unknown kind").GroupBy(r => r.Kind).ToDictionary(g => g.Key, g => new { ok = g.Count(r => r.Status == "ok"), missed = g.Count(IsMiss) }),
    };
}
