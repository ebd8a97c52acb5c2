using System.CommandLine;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora lineage RUN [ID]</c>: from an endpoint or adapter back to web pages.</summary>
public sealed class LineageCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Service;

    /// <inheritdoc/>
    public int Order => 40;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var run = new Argument<string>("RUN") { Description = "The run's directory, or its name below runs/" };
        var id = new Argument<string?>("ID") { Description = "Id of an endpoint, report, adapter, plan, sample, record or page; without it the newest", Arity = ArgumentArity.ZeroOrOne };
        var runs = RunsOption();
        var json = ResultLines.Option("One JSON line per noun");
        var command = new Command("lineage", "Say what something was made from, back to web pages") { run, id, runs, json };
        command.SetAction(parsed =>
        {
            var (lineage, results) = (new Lineage(Open(parsed.GetValue(run)!, parsed.GetValue(runs)!), e => AdapterStore.Of(e).StateOf(e)), ResultLines.Of(world, parsed));
            foreach (var node in lineage.Back(parsed.GetValue(id))) results.Write(node, $"{node.Kind,-8} {node.Id,-16}  {node.What}");
            if (parsed.GetValue(id) is null && lineage.Outdated is [var old, ..])
                world.Error.WriteLine($"{old.Kind} {old.Id} ({old.What}) is of an earlier round: what it was made from is being made again. lora run goes on; lineage with that id shows what is left of its own.");
            return (int)ExitCode.Done;
        });
        return command;
    }

    /// <summary>Where the runs are that are named.</summary>
    internal static Option<string> RunsOption() => new("--runs-dir") { Description = "Where the runs are", HelpName = "DIR", DefaultValueFactory = _ => RunDirectory.Usual };

    /// <summary>An existing run by name or path; a folder of the same name beside the runs is meant by ./NAME alone.</summary>
    /// <param name="run">Its name or path.</param>
    /// <param name="runs">Where the runs are.</param>
    /// <exception cref="LoraException">There is none.</exception>
    internal static RunDirectory Open(string run, string runs)
    {
        foreach (var path in new[] { Path.Combine(runs, run), run })
            if (Directory.Exists(path)) return new RunDirectory(path);
        throw new LoraException($"there is no run {run}: neither that directory nor {Path.Combine(runs, run)} exists.", ExitCode.BadUsage);
    }
}
