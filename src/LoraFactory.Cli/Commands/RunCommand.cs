using System.CommandLine;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora run RECIPE</c>: the whole line, from where it stopped.</summary>
public sealed class RunCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Line;

    /// <inheritdoc/>
    public int Order => 10;

    /// <summary>The repeatable <c>--set KEY=VALUE</c>.</summary>
    internal static Option<string[]> SetOption() =>
        new("--set") { Description = "Override a key, e.g. --set train.rank=8; may be repeated", HelpName = "KEY=VALUE", AllowMultipleArgumentsPerToken = false };

    /// <summary>Where runs lie.</summary>
    internal static Option<string> RunsOption() =>
        new("--runs-dir") { Description = "Directory of all runs; versions are kept in its folder store unless deploy.store names another", HelpName = "DIR", DefaultValueFactory = _ => RunDirectory.Usual };

    /// <summary>What commands that run stages print for programs.</summary>
    internal static Option<bool> JsonOption() => ResultLines.Option("One JSON line per stage on the standard output");

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var recipe = new Argument<string>("RECIPE") { Description = "The recipe's file" };
        var from = StageOption("--from", "Run this stage and those after it again, even when nothing changed");
        var to = StageOption("--to", "End after this stage");
        var sets = SetOption();
        var runs = RunsOption();
        var json = JsonOption();
        var goOn = new Option<bool>("--continue") { Description = "Carry out what lora feedback decided: train again on more data, with another seed" };
        var command = new Command("run", "Run a recipe: crawl to deploy, from where it stopped") { recipe, from, to, sets, runs, json, goOn };
        command.SetAction(async (parsed, token) =>
        {
            var reading = RecipeReader.Read(parsed.GetValue(recipe)!, parsed.GetValue(sets)).Among(parsed.GetValue(runs)!);
            foreach (var problem in reading.Problems.Where(p => p.Severity == Severity.Warning)) await world.Error.WriteLineAsync(problem.ToString());
            var chosen = reading.OrThrow();
            var run = new RunDirectory(Path.Combine(parsed.GetValue(runs)!, chosen.Name));
            var request = new LineRequest(parsed.GetValue(from), parsed.GetValue(to));
            if (parsed.GetValue(goOn))
            {
                if (Retraining.Begin(run, chosen, world.Clock.GetUtcNow()) is null)
                {
                    await world.Error.WriteLineAsync(Retraining.Explain(run));
                    return (int)ExitCode.Done;
                }
            }
            var results = ResultLines.Of(world, parsed);
            var finished = await RunLine(world, FactoryLine.Standard(), run, reading, request, results, token);
            WriteResults(results, run, finished);
            return (int)Outcome(world, run, chosen, request.To);
        });
        return command;
    }

    /// <summary>Runs a line with progress; every stage that ran or was found unchanged. Also what <c>lora demo</c> does.</summary>
    internal static async Task<IReadOnlyList<StageResult>> RunLine(CommandWorld world, FactoryLine line, RunDirectory run, RecipeReading reading, LineRequest request, ResultLines results, CancellationToken token)
    {
        if (line.Names.Count == 0) throw new LoraException("this build has no stages.");
        using var board = world.NewBoard();
        var given = reading;
        if (Retraining.Of(run) is { } continuation)
        {
            board.Line(continuation.Summary);
            reading = continuation.Applied(reading);
            if (Retraining.Pending(run) is { } pending && !(request.From <= pending) && !(request.To < pending)) request = request with { From = pending };
        }
        var context = new StageContext { Run = run, Recipe = reading.Recipe, Given = given.Recipe, Progress = board, Clock = world.Clock, Seed = reading.Recipe.RandomSeed, Rescore = request.Rescore };
        return await line.RunAsync(context, request, given.Origins, result =>
        {
            results.ForPrograms(new { result.Record.Stage, result.Skipped, result.Record.In, result.Record.Out, result.Record.Dropped, result.Record.Seconds, result.Record.Summary, Run = run.Path });
            if (!results.Json) board.Line(Describe(result));
        }, token);
    }

    /// <summary>e.g. "✔ clean      94 of 212 kept (near-duplicate 60, off-topic 58)  3.2 s".</summary>
    internal static string Describe(StageResult result)
    {
        var record = result.Record;
        var drops = record.Dropped.Where(d => d.Value > 0).OrderByDescending(d => d.Value).Select(d => $"{d.Key} {d.Value}").ToList();
        var dropped = drops.Count == 0 ? "" : $" (dropped: {string.Join(", ", drops.Take(4))}{(drops.Count > 4 ? ", …" : "")})";
        return $"✔ {record.Stage.ToString().ToLowerInvariant(),-10} {record.Summary}{dropped}  {(result.Skipped ? "unchanged, not run again" : $"{record.Seconds:0.0} s")}";
    }

    /// <summary>
    /// Refused, with one sentence on the error output, where the line went as far as deploy and left an adapter that is not in service: a script
    /// that only reads the exit code must not take it for a success.
    /// </summary>
    internal static ExitCode Outcome(CommandWorld world, RunDirectory run, Recipe recipe, StageName? to)
    {
        if (to < StageName.Deploy || !File.Exists(EndpointFile.PathIn(run))) return ExitCode.Done;
        var endpoint = EndpointFile.Read(run);
        var store = new AdapterStore(recipe.Deploy.Store);
        var state = store.StateOf(endpoint);
        if (state is not ("refused" or "candidate")) return ExitCode.Done;
        world.Error.WriteLine($"lora: {endpoint.AdapterName} version {endpoint.Version} is not in service: " + (state == "refused" ? $"its certificate was refused, see {endpoint.Certificate}."
            : $"it is a candidate whose gates do not all hold, see {Path.Combine(run.Of(StageName.Evaluate), "report.html")}; lora adapters promote {endpoint.AdapterName} --version {endpoint.Version}{store.Option} --force puts it in service anyway."));
        return ExitCode.Refused;
    }

    /// <summary>Where the results lie of the stages that this call ran or found unchanged: what an older plan left behind them is not this call's.</summary>
    internal static void WriteResults(ResultLines results, RunDirectory run, IReadOnlyList<StageResult> finished)
    {
        (string What, StageName Stage, string File)[] files =
        [
            ("adapter", StageName.Train, "adapter.safetensors"),
            ("report", StageName.Evaluate, "report.html"),
            ("endpoint", StageName.Deploy, "endpoint.json"),
        ];
        foreach (var (what, stage, file) in files)
        {
            var path = run.PathOf(stage, file);
            if (finished.Any(f => f.Record.Stage == stage) && File.Exists(path)) results.ForPeople($"{what,-9} {path}");
        }
        results.ForPeople($"{"run",-9} {run.Path}");
    }

    private static Option<StageName?> StageOption(string name, string effect)
    {
        var option = new Option<StageName?>(name)
        {
            Description = effect,
            HelpName = "STAGE",
            CustomParser = argument =>
            {
                var word = argument.Tokens[0].Value;
                if (word.All(char.IsLetter) && Enum.TryParse<StageName>(word, ignoreCase: true, out var stage)) return stage;
                argument.AddError($"{name} {word} is not a stage. Valid: {string.Join(", ", Enum.GetNames<StageName>().Select(n => n.ToLowerInvariant()))}.");
                return null;
            },
        };
        return option;
    }
}
