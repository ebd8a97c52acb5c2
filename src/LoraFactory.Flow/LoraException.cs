namespace LoraFactory.Flow;

/// <summary>Exit codes of the program.</summary>
public enum ExitCode
{
    /// <summary>Done.</summary>
    Done = 0,
    /// <summary>Failed.</summary>
    Failed = 1,
    /// <summary>Bad usage or recipe.</summary>
    BadUsage = 2,
    /// <summary>Refused by policy: consent, certificate, gate.</summary>
    Refused = 3,
    /// <summary>Interrupted; the run can be resumed.</summary>
    Interrupted = 130,
}

/// <summary>An error that a user can act on. The message is one sentence: what, where, valid range, what to do.</summary>
public sealed class LoraException : Exception
{
    /// <summary>A failure with the exit code that the program ends with.</summary>
    public LoraException(string message, ExitCode code = ExitCode.Failed, Exception? inner = null) : base(message, inner) => Code = code;

    /// <summary>Exit code of the program.</summary>
    public ExitCode Code { get; }
}
