namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>What a page is after its scripts have run.</summary>
/// <param name="Html">Its markup; null where it could not be had.</param>
/// <param name="Url">Its address then: a script may have changed what follows the host.</param>
/// <param name="Targets">Where its scripts wanted to lead: they were not let, and the crawl may go there by itself.</param>
/// <param name="Failure">Why there is no markup, "" where there is.</param>
public sealed record RenderedPage(string? Html, Uri Url, IReadOnlyList<Uri> Targets, string Failure);

/// <summary>Limits of one page in the browser.</summary>
/// <param name="ScriptTime">Time its scripts are given, without the waiting for answers.</param>
/// <param name="MaxCharacters">Longest markup.</param>
/// <param name="MaxBytes">Bytes of all that it asks for.</param>
/// <param name="MaxBytesOfAnswer">Bytes of one answer.</param>
public sealed record RenderLimits(TimeSpan ScriptTime, long MaxCharacters, long MaxBytes, long MaxBytesOfAnswer)
{
    /// <summary>Time that passes for its clocks and timers once it is loaded: a clock of its own, which runs ahead as fast as the scripts do.</summary>
    public static readonly TimeSpan PageTime = TimeSpan.FromSeconds(5);

    /// <summary>A page is given up after so long, whatever it waits for: five minutes, or what is left to its domain.</summary>
    public TimeSpan Longest { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Pages of one registered domain may take so long in all, beyond what is fair: <see cref="ScriptTime"/> and a few pauses each.</summary>
    public static readonly TimeSpan LongestOfSite = TimeSpan.FromMinutes(10);

    /// <summary>Pauses of the recipe's that are fair.</summary>
    public const int FairPauses = 5;

    /// <summary>How long the browser may take to show what it was handed.</summary>
    public static readonly TimeSpan Load = TimeSpan.FromSeconds(30);

    /// <summary>How long one command may take the browser.</summary>
    public static readonly TimeSpan Command = TimeSpan.FromSeconds(10);

    /// <summary>Answers that a page gets from servers at most, and questions of any kind after which it is taken as it is.</summary>
    public const int MaxAnswers = 100, MaxQuestions = 2000;

    /// <summary>Dialogs, such as those about leaving it, after which a page is given up.</summary>
    public const int MaxDialogs = 50;
}
