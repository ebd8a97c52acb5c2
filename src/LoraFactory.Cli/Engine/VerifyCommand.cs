using System.CommandLine;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Models.Parity;

namespace LoraFactory.Cli.Engine;

/// <summary><c>lora verify DIR</c>: recomputes golden cases and compares them with what is expected.</summary>
public sealed class VerifyCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Engine;

    /// <inheritdoc/>
    public int Order => 20;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var folder = new Argument<string>("DIR") { Description = "Folder with cases at any depth: case.json with a kind, and what it names" };
        var kind = new Option<string[]>("--kind") { Description = "Only cases of this kind; may be repeated", HelpName = "KIND", AllowMultipleArgumentsPerToken = false };
        var json = ResultLines.Option("One JSON line per case, and one with the sums");
        var command = new Command("verify", "Recompute the golden cases below a folder and say how far each is off") { folder, kind, json };
        command.SetAction((parsed, token) => Task.Run(() => Verify(parsed.GetValue(folder)!, parsed.GetValue(kind) ?? [], ResultLines.Of(world, parsed), world, token), token));
        return command;
    }

    private static int Verify(string folder, string[] kinds, ResultLines lines, CommandWorld world, CancellationToken token)
    {
        if (!Directory.Exists(folder)) throw new LoraException($"{folder} is not a folder; give one that has cases below it, such as tests/data/golden.", ExitCode.BadUsage);
        var cases = GoldenChecks.Find(folder).Where(c => kinds.Length == 0 || kinds.Contains(c.Kind, StringComparer.Ordinal)).ToList();
        if (cases.Count == 0)
            throw new LoraException($"No case {(kinds.Length == 0 ? "" : $"of kind {string.Join(", ", kinds)} ")}lies below {folder}: a case is a case.json with a \"kind\".", ExitCode.BadUsage);
        var results = new List<CaseResult>();
        using (var board = world.NewBoard())
        using (var bar = board.Begin("verify", cases.Count, "cases"))
        {
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
        lines.ForPrograms(Sums(results));
        if (!lines.Json) WriteSums(results, world);
        return (int)(results.Any(IsMiss) ? ExitCode.Failed : ExitCode.Done);
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

    private static object Sums(List<CaseResult> results) => new
    {
        cases = results.Count,
        ok = results.Count(r => r.Status == "ok"),
        missed = results.Count(IsMiss),
        unknown = results.Where(r => r.Status == "unknown kind").GroupBy(r => r.Kind).ToDictionary(g => g.Key, g => g.Count()),
        kinds = results.Where(r => r.Status != "unknown kind").GroupBy(r => r.Kind).ToDictionary(g => g.Key, g => new { ok = g.Count(r => r.Status == "ok"), missed = g.Count(IsMiss) }),
    };
}
