using LoraFactory.Flow;
using LoraFactory.Stages;

namespace LoraFactory.Cli;

/// <summary>Turns an exception into one clear line and an exit code.</summary>
internal static class ErrorLine
{
    public static int Print(Exception failure, bool interrupted, bool debug, TextWriter error)
    {
        var (message, code) = Judge(failure, interrupted);
        error.WriteLine(message);
        if (debug) error.WriteLine(failure);
        else if (!IsExpected(failure) && !FullDisk.Met(failure) && DiskFault.Of(failure) is null && code == ExitCode.Failed) error.WriteLine("The same command with --debug shows where.");
        return (int)code;
    }

    private static (string Message, ExitCode Code) Judge(Exception failure, bool interrupted) => failure switch
    {
        AggregateException { InnerExceptions: [var only] } => Judge(only, interrupted),
        LoraException { Code: ExitCode.BadUsage } e => (e.Message, e.Code),
        LoraException e => ("lora: " + e.Message, e.Code),
        OperationCanceledException when interrupted => ("Interrupted. Run the same command again to go on.", ExitCode.Interrupted),
        _ when FullDisk.Met(failure) => ("lora: the disk is full. Free some space and run the same command again; nothing was lost.", ExitCode.Failed),
        // met while reading too, and where a folder is given for a file
        UnauthorizedAccessException => ($"lora: {failure.Message.ReplaceLineEndings(" ").TrimEnd('.')}. Change its permissions or choose another place; a folder cannot stand where a file is needed.", ExitCode.Failed),
        _ when DiskFault.Of(failure) is { } fault => ($"lora: {failure.Message.ReplaceLineEndings(" ").TrimEnd('.')}: {fault}. Make it writable, or choose another place with --runs-dir or --store.", ExitCode.Failed),
        _ => ($"lora: {failure.Message.ReplaceLineEndings(" ")}", ExitCode.Failed),
    };

    private static bool IsExpected(Exception failure) =>
        failure is LoraException || failure.GetType().Name is "ModelException" or "TorchException";
}
