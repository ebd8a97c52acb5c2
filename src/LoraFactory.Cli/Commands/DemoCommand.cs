using System.CommandLine;
using LoraFactory.Cli.Demo;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora demo</c>: plays a small web on loopback and takes it to a deployed, measured adapter.</summary>
public sealed class DemoCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Line;

    /// <inheritdoc/>
    public int Order => 20;

    private sealed record Wishes(string Site, bool OwnSite, string? Topic, string[] Sets, string Runs, bool Fresh, bool GoOn, bool KeepServing, ResultLines Results);

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var keep = new Option<bool>("--keep-serving") { Description = "Leave the endpoint up until Ctrl-C" };
        var site = new Option<string?>("--site") { Description = "Another demo web: a folder with a folder for each host", HelpName = "DIR" };
        var topic = new Option<string?>("--topic") { Description = "Another topic, in a few words", HelpName = "T" };
        var fresh = new Option<bool>("--fresh") { Description = "Forget an earlier run of the demo" };
        var goOn = new Option<bool>("--continue") { Description = "Carry out what lora feedback recipes/demo.yaml decided: train again, with another seed" };
        var sets = RunCommand.SetOption();
        var runs = RunCommand.RunsOption();
        var json = ResultLines.Option("One JSON line per stage, picture and endpoint on the standard output");
        var command = new Command("demo", "The whole line on a small web on loopback: topic to picture, offline") { keep, site, topic, fresh, goOn, sets, runs, json };
        command.SetAction(async (parsed, token) =>
        {
            var own = parsed.GetValue(site);
            var wishes = new Wishes(own ?? Path.Combine(Root(), "demo", "web"), own is not null, parsed.GetValue(topic), parsed.GetValue(sets) ?? [], parsed.GetValue(runs)!, parsed.GetValue(fresh), parsed.GetValue(goOn), parsed.GetValue(keep), ResultLines.Of(world, parsed));
            return (int)await RunAsync(world, wishes, token);
        });
        return command;
    }

    private static async Task<ExitCode> RunAsync(CommandWorld world, Wishes wishes, CancellationToken token)
    {
        if (wishes is { Fresh: true, GoOn: true }) throw new LoraException("--fresh forgets the run that --continue goes on with; give one of them.", ExitCode.BadUsage);
        await using var web = await DemoWeb.StartAsync(wishes.Site);
        await world.Error.WriteLineAsync($"The demo web is on 127.0.0.1:{web.Port}: {string.Join(", ", web.Hosts)}");
        var overrides = DemoPlan.Overrides(web, wishes.Site, wishes.OwnSite, wishes.Topic);
        var reading = RecipeReader.Read(Path.Combine(Root(), "recipes", "demo.yaml"), [.. overrides, .. wishes.Sets]).Among(wishes.Runs);
        var recipe = reading.OrThrow();
        var place = Path.Combine(wishes.Runs, recipe.Name);
        if (wishes.Fresh && Directory.Exists(place))
        {
            using var held = RunLock.Take(new RunDirectory(place)); // not under the hands of another process
            Directory.Delete(place, recursive: true);
        }
        var run = new RunDirectory(place);
        if (wishes.GoOn && Retraining.Begin(run, recipe, world.Clock.GetUtcNow()) is null)
        {
            await world.Error.WriteLineAsync(Retraining.Explain(run));
            return ExitCode.Done;
        }
        var finished = await RunCommand.RunLine(world, FactoryLine.Standard(), run, reading, new LineRequest(), wishes.Results, token);
        RunCommand.WriteResults(wishes.Results, run, finished);
        if (!File.Exists(EndpointFile.PathIn(run)))
        {
            await world.Error.WriteLineAsync("The line ended before deploy: there is no endpoint to start.");
            return ExitCode.Done;
        }
        await ServeAsync(world, wishes, recipe, run, EndpointFile.Read(run), token);
        return RunCommand.Outcome(world, run, recipe, to: null);
    }

    private static async Task ServeAsync(CommandWorld world, Wishes wishes, Recipe recipe, RunDirectory run, Endpoint endpoint, CancellationToken token)
    {
        var port = DemoEndpoint.FreePort(recipe.Deploy.Port);
        var call = new ServeCall(recipe, port);
        Uri address;
        using (var server = await DemoEndpoint.StartAsync(call.Arguments, port, Path.Combine(run.Path, "serve.log"), token))
        {
            address = server.Address;
            await DrawAsync(world, wishes, recipe, run, endpoint, server, token);
            if (wishes.KeepServing) await KeepAsync(wishes.Results, server, token);
        }
        var words = $"{"stopped",-9} the endpoint on {address}; start it again with: {call}";
        if (wishes.KeepServing) wishes.Results.ForPeople(words);
        else wishes.Results.Write(new { Serving = address, Ended = true, Again = call.ToString() }, $"{words}  (lora demo --keep-serving leaves it up)");
    }

    private static async Task DrawAsync(CommandWorld world, Wishes wishes, Recipe recipe, RunDirectory run, Endpoint endpoint, DemoEndpoint server, CancellationToken token)
    {
        var prompt = (recipe.Evaluate.Prompts is [var first, ..] ? first : "{trigger}").Replace("{trigger}", recipe.Label.Trigger, StringComparison.Ordinal);
        var refusal = await server.LoadAsync(endpoint.AdapterName, endpoint.Version, token);
        if (refusal is not null) await world.Error.WriteLineAsync($"The adapter is not served: {refusal}");
        var wanted = new[] { ("demo-base.png", prompt), ("demo-adapter.png", $"{prompt} <lora:{endpoint.AdapterName}:1>") };
        foreach (var (name, text) in wanted.Take(refusal is null ? 2 : 1))
        {
            var picture = await server.DrawAsync(text, recipe.RandomSeed, recipe.Evaluate.SamplerSteps, recipe.Evaluate.Guidance, token);
            var path = Path.Combine(run.Path, name);
            AtomicFile.Write(path, stream => stream.Write(picture));
            wishes.Results.Write(new { Picture = path, Prompt = text }, $"{"picture",-9} {path}  \"{text}\"");
        }
    }

    private static async Task KeepAsync(ResultLines results, DemoEndpoint server, CancellationToken token)
    {
        results.Write(new { Serving = server.Address, Ended = false }, $"{"serving",-9} {server.Address}  until Ctrl-C");
        try
        {
            await server.WaitForEndAsync(token);
        }
        catch (OperationCanceledException)
        {
            return; // Ctrl-C is how this is meant to end
        }
    }

    /// <summary>The folder that holds recipes/ and demo/: LORA_ROOT, which the launcher sets, or one above the program.</summary>
    private static string Root()
    {
        if (Environment.GetEnvironmentVariable("LORA_ROOT") is { Length: > 0 } named) return named;
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "recipes", "demo.yaml"))) return at.FullName;
        throw new LoraException("recipes/demo.yaml was not found above the program. Start it with ./lora from the repository.", ExitCode.BadUsage);
    }
}
