using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using LoraFactory.Flow;

namespace LoraFactory.Cli;

/// <summary>Builds the command tree from the command files, runs one command, and turns every failure into one clear line and an exit code.</summary>
public static partial class CommandLine
{
    private static readonly Option<bool> Debug = new("--debug") { Description = "Show stack traces of errors", Recursive = true };

    /// <summary>All command files, by group and order.</summary>
    public static IReadOnlyList<ICommandFile> Files { get; } =
        [.. typeof(CommandLine).Assembly.GetTypes().Where(t => t is { IsClass: true, IsAbstract: false } && t.IsAssignableTo(typeof(ICommandFile)))
            .Select(t => (ICommandFile)Activator.CreateInstance(t)!).OrderBy(f => f.Group).ThenBy(f => f.Order).ThenBy(f => f.GetType().Name, StringComparer.Ordinal)];

    /// <summary>Runs the program; returns its exit code.</summary>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, CancellationToken token = default)
    {
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var ctrlC = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Interrupt(signal, interrupt, error));
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Interrupt(signal, interrupt, error));
        var world = new CommandWorld(output, error, TimeProvider.System);
        var parsed = Tree(world).Parse(args);
        try
        {
            if (parsed.Action is not GroupedHelp && Misuse(parsed, args) is { Count: > 0 } problems) return Misused(parsed, problems, error);
            var settings = new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return await parsed.InvokeAsync(settings, interrupt.Token);
        }
        catch (Exception e)
        {
            return ErrorLine.Print(e, interrupt.IsCancellationRequested, parsed.GetValue(Debug) || args.Contains("--debug"), error);
        }
    }

    /// <summary>The command tree.</summary>
    public static RootCommand Tree(CommandWorld world)
    {
        var root = new RootCommand("LoraFactory: a topic in, a measured and deployed LoRA adapter out.");
        var grouped = new List<(CommandGroup, Command)>();
        foreach (var file in Files)
        {
            var command = file.Build(world);
            root.Subcommands.Add(command);
            grouped.Add((file.Group, command));
        }
        root.Options.Add(Debug);
        foreach (var help in root.Options.OfType<HelpOption>()) help.Action = new GroupedHelp(grouped);
        root.SetAction(parsed => new GroupedHelp(grouped).Invoke(parsed));
        return root;
    }

    private static List<string> Misuse(ParseResult parsed, string[] args)
    {
        var problems = parsed.Errors.Select(e => TypeOfNumber().Replace(e.Message, m => m.Value.Contains("Int", StringComparison.Ordinal) ? " as a whole number" : " as a number")).Distinct().ToList();
        // System.CommandLine takes an unknown option for an argument where one has room.
        var unknown = parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens).Select(t => t.Value).FirstOrDefault(t => t.StartsWith("--", StringComparison.Ordinal));
        if (unknown is not null && !args.Contains("--")) problems.Add($"Unknown option {unknown}.");
        return problems;
    }

    // the library names .NET types; people ask for numbers
    [GeneratedRegex(@" as expected type '(?:System\.Nullable`1\[)?System\.(?:Int32|Int64|Double|Single)\]?'", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex TypeOfNumber();

    // the command and those it stands under, innermost first
    internal static IEnumerable<Command> Chain(SymbolResult? result)
    {
        for (; result is not null; result = result.Parent)
            if (result is CommandResult command) yield return command.Command;
    }

    /// <summary>The command as it is typed: "lora crawl status".</summary>
    internal static string PathOf(CommandResult result) => string.Join(' ', Chain(result).Reverse().Select(c => c is RootCommand ? "lora" : c.Name));

    private static int Misused(ParseResult parsed, List<string> problems, TextWriter error)
    {
        foreach (var problem in problems) error.WriteLine($"lora: {problem}");
        error.WriteLine($"{PathOf(parsed.CommandResult)} --help shows what it takes.");
        return (int)ExitCode.BadUsage;
    }

    private static void Interrupt(PosixSignalContext signal, CancellationTokenSource interrupt, TextWriter error)
    {
        if (interrupt.IsCancellationRequested) return; // the second Ctrl-C ends the process at once
        signal.Cancel = true;
        error.WriteLine("Stopping at the next safe place; Ctrl-C again ends at once.");
        interrupt.Cancel();
    }
}

/// <summary>Help: the root's commands by group, every other command as System.CommandLine prints it, each as it is typed.</summary>
internal sealed class GroupedHelp(IReadOnlyList<(CommandGroup Group, Command Command)> commands) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        if (parseResult.CommandResult.Command is not RootCommand root) return OfCommand(parseResult);
        var output = parseResult.InvocationConfiguration.Output;
        output.WriteLine(root.Description);
        output.WriteLine();
        output.WriteLine("Usage: lora COMMAND [arguments] [options]");
        foreach (var group in commands.GroupBy(c => c.Group))
        {
            output.WriteLine();
            output.WriteLine(Title(group.Key));
            foreach (var (_, command) in group) output.WriteLine($"  {command.Name,-11} {command.Description}");
        }
        output.WriteLine();
        output.WriteLine("lora COMMAND --help   arguments and options of a command");
        output.WriteLine("--debug               show stack traces of errors");
        output.WriteLine("--version             show the version");
        return 0;
    }

    // The library writes the arguments of all commands above into a command's usage, as if "lora crawl RECIPE status RUN" were typed, and a command's
    // own before its subcommands. This tree is for one call, so what does not belong there is taken out of it.
    private static int OfCommand(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        foreach (var above in CommandLine.Chain(parsed.CommandResult).Skip(1)) above.Arguments.Clear();
        var beside = command.Arguments.Count > 0 ? command.Subcommands.ToList() : [];
        foreach (var other in beside) command.Subcommands.Remove(other);
        var code = new HelpAction().Invoke(parsed);
        if (beside.Count == 0) return code;
        var output = parsed.InvocationConfiguration.Output;
        var rows = beside.Select(c => (Typed: $"{CommandLine.PathOf(parsed.CommandResult)} {c.Name}{string.Concat(c.Arguments.Select(a => $" <{a.Name}>"))}", c.Description)).ToList();
        output.WriteLine("Commands:");
        foreach (var (typed, description) in rows) output.WriteLine($"  {typed.PadRight(rows.Max(r => r.Typed.Length))}  {description}");
        output.WriteLine();
        return code;
    }

    private static string Title(CommandGroup group) => group switch
    {
        CommandGroup.Line => "The line",
        CommandGroup.Recipe => "Recipes",
        CommandGroup.Stages => "Single stages: crawl > clean > label > configure > train > evaluate > deploy > feedback",
        CommandGroup.Engine => "Engine",
        _ => "Service",
    };
}
