using System.CommandLine;
using LoraFactory.Flow;

namespace LoraFactory.Cli;

/// <summary>Where a command stands in <c>lora --help</c>.</summary>
public enum CommandGroup
{
    /// <summary>The whole line.</summary>
    Line,
    /// <summary>Recipes.</summary>
    Recipe,
    /// <summary>Single stages, in the order of the line.</summary>
    Stages,
    /// <summary>Tensors and models.</summary>
    Engine,
    /// <summary>Endpoint, machine and provenance.</summary>
    Service,
}

/// <summary>
/// One command in one file. Every class that implements this and has a constructor without parameters is found
/// by <see cref="CommandLine"/>: a new command needs no other change.
/// </summary>
public interface ICommandFile
{
    /// <summary>Group in the help.</summary>
    CommandGroup Group { get; }

    /// <summary>Place within the group, ascending; for a stage its number.</summary>
    int Order { get; }

    /// <summary>
    /// The command with its arguments, options and action. The action returns an <see cref="ExitCode"/> as int; it throws
    /// <see cref="LoraException"/> for what a user can mend and <see cref="OperationCanceledException"/> when interrupted.
    /// Nothing may be loaded here that --help does not need: never touch tensors outside the action.
    /// </summary>
    Command Build(CommandWorld world);
}

/// <summary>What commands are given: where they print, the clock, the directory they work in.</summary>
/// <param name="Out">Results. Nothing else goes here, so that it can be piped.</param>
/// <param name="Error">Progress, warnings and errors.</param>
/// <param name="Clock">The clock.</param>
public sealed record CommandWorld(TextWriter Out, TextWriter Error, TimeProvider Clock)
{
    /// <summary>A board that shows bars on a terminal and lines elsewhere; dispose it to end the display.</summary>
    public ProgressBoard NewBoard() => ProgressBoard.For(Error, Clock);
}
