using System.CommandLine;
using System.Globalization;
using System.Net;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Deploy.Serving;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora check FILE…</c>: says everything that is wrong with recipes before anything starts.</summary>
public sealed class CheckCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Line;

    /// <inheritdoc/>
    public int Order => 40;

    /// <inheritdoc/>
    public Command Build(CommandWorld world) => New(world);

    internal static Command New(CommandWorld world)
    {
        var files = new Argument<string[]>("FILE") { Description = "Recipes", Arity = ArgumentArity.OneOrMore };
        var json = ResultLines.Option("One JSON line per file: ok, whether it runs_here, problems");
        var strict = new Option<bool>("--strict") { Description = "Warnings are errors" };
        var sets = RunCommand.SetOption();
        var command = new Command("check", "Say everything that is wrong with a recipe, and what it would lack on this machine, all at once") { files, json, strict, sets };
        command.SetAction(parsed => Check(parsed.GetValue(files)!, parsed.GetValue(sets) ?? [], ResultLines.Of(world, parsed), parsed.GetValue(strict)));
        return command;
    }

    private static int Check(string[] files, string[] sets, ResultLines results, bool strict)
    {
        var bad = 0;
        foreach (var file in files)
        {
            var reading = RecipeReader.Read(file, sets).Among(RunDirectory.Usual);
            var findings = OnThisMachine(reading).ToList();
            var stops = findings.Where(f => f.Severity == Severity.Error).Select(f => f.Id).ToList();
            var problems = reading.Problems.Concat(findings.Select(f => AsProblem(f, reading, Path.GetFileName(file)))).ToList();
            var ok = reading.IsValid && !(strict && problems.Exists(p => p.Severity != Severity.Note));
            if (!ok) bad++;
            results.ForPrograms(new { file, ok, RunsHere = reading.IsValid && stops.Count == 0, problems = problems.Select(Row) });
            foreach (var problem in problems) results.ForPeople(problem.ToString());
            if (stops.Count > 0 && reading.IsValid)
                results.ForPeople($"{file}: the recipe is valid, but a run would stop on this machine: {stops.Count} finding{(stops.Count == 1 ? "" : "s")} above ({string.Join(", ", stops)})");
            else if (ok) results.ForPeople($"{file}: ok");
        }
        return (int)(bad == 0 ? ExitCode.Done : ExitCode.BadUsage);
    }

    private static IEnumerable<MachineFinding> OnThisMachine(RecipeReading reading)
    {
        var faulty = reading.Problems.Where(p => p.Severity == Severity.Error).Select(p => p.Key).ToHashSet(StringComparer.Ordinal);
        if (faulty.Contains("")) return []; // of a file that could not be read nothing more can be said
        IEnumerable<MachineFinding> findings = FactoryLine.Standard().Look(reading.Recipe);
        // a run never listens there
        if (InferenceServer.PortFault(IPAddress.Loopback, reading.Recipe.Deploy.Port) is { } taken) findings = findings.Append(new("LR209", "deploy.port", $"{taken} Choose another, or 0 for a free one.", Severity.Note));
        return findings.Where(f => !faulty.Contains(f.Key));
    }

    // A recipe can be right without the models and pictures of the machine that will run it: what would stop the run here is a warning.
    private static RecipeProblem AsProblem(MachineFinding finding, RecipeReading reading, string file)
    {
        var place = reading.Origins.TryGetValue(finding.Key, out var origin) ? origin : $"{file} (default)";
        var colon = place.LastIndexOf(':');
        var inFile = int.TryParse(place.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var line) && colon > 0;
        return new()
        {
            Id = finding.Id, Severity = finding.Severity == Severity.Error ? Severity.Warning : finding.Severity, Key = finding.Key, Message = finding.Message,
            Source = inFile ? place[..colon] : place, Line = inFile ? line : 0,
        };
    }

    private static object Row(RecipeProblem p) =>
        new { id = p.Id, severity = p.Severity, key = p.Key, line = p.Line, message = p.Message, fix = p.Fix ?? (p.Valid is null ? "" : "Valid: " + p.Valid) };
}
