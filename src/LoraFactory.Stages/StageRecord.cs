using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>A file that a stage's result depends on.</summary>
/// <param name="Path">Relative to the run when it lies there or in its project, otherwise absolute.</param>
/// <param name="Sha256">SHA-256 (hex); "absent" when there is no such file.</param>
public sealed record StageInput(string Path, string Sha256);

/// <summary>What <c>stage.json</c> says about a finished stage. It is written last: where it is, the stage is whole.</summary>
public sealed record StageRecord
{
    /// <summary>The stage.</summary>
    public required StageName Stage { get; init; }
    /// <summary>SHA-256 (hex) over name, version, options and inputs; while it stays the same, the stage is skipped.</summary>
    public required string Hash { get; init; }
    /// <summary>Version of the project.</summary>
    public required string Version { get; init; }
    /// <summary>.NET and operating system.</summary>
    public required string Runtime { get; init; }
    /// <summary>UTC time when the process that finished the stage began it.</summary>
    public required DateTimeOffset Started { get; init; }
    /// <summary>UTC time of its end.</summary>
    public required DateTimeOffset Finished { get; init; }
    /// <summary>Seconds of the process that finished it.</summary>
    public required double Seconds { get; init; }
    /// <summary>How many processes worked on it; above 1 when earlier ones were interrupted.</summary>
    public required int Attempts { get; init; }
    /// <summary>Items in.</summary>
    public required int In { get; init; }
    /// <summary>Items out.</summary>
    public required int Out { get; init; }
    /// <summary>Items dropped, by reason.</summary>
    public required IReadOnlyDictionary<string, int> Dropped { get; init; }
    /// <summary>One line for people.</summary>
    public required string Summary { get; init; }
    /// <summary>Files that it depended on.</summary>
    public required IReadOnlyList<StageInput> Inputs { get; init; }
    /// <summary>Files that it left, relative to the stage's directory.</summary>
    public required IReadOnlyList<string> Outputs { get; init; }

    /// <summary>Name of the file.</summary>
    public const string FileName = "stage.json";
}

/// <summary>Lies in a stage's directory while the stage works: which hash, how many processes tried, whether the user had asked for it anew, and whether it failed.</summary>
internal sealed record StageMarker(string Hash, int Attempts, DateTimeOffset Started, bool Forced = false, bool Failed = false)
{
    public const string FileName = ".working.json";

    /// <summary>Whether the same command goes on from it: what is forced begins anew, unless a forced run left it and was interrupted or ran out of room.</summary>
    public bool GoesOn(string hash, bool forced) => Hash == hash && (!forced || this is { Forced: true, Failed: false });
}
