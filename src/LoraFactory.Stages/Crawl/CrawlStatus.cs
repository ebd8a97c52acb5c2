using LoraFactory.Flow;

namespace LoraFactory.Stages.Crawl;

/// <summary>How a crawl stands: the content of <c>1-crawl/status.json</c>, written anew about once a second while it goes on.</summary>
public sealed record CrawlStatus
{
    /// <summary>Name of the file in the stage's folder.</summary>
    public const string FileName = "status.json";

    /// <summary>Whether nobody works on it any more: it came to its end, or was interrupted.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsOver => State is Ended or Interrupted;

    internal const string Ended = "ended", Interrupted = "interrupted";

    /// <summary>When it was written, UTC.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>"crawling", "paused", "ended", or "interrupted": the same command goes on.</summary>
    public required string State { get; init; }
    /// <summary>Pages kept, and how many are kept at most.</summary>
    public required long Pages { get; init; }
    /// <summary>Pages kept at most.</summary>
    public required long MaxPages { get; init; }
    /// <summary>Pictures kept.</summary>
    public required long Pictures { get; init; }
    /// <summary>URLs that wait in the queue.</summary>
    public required long Waiting { get; init; }
    /// <summary>URLs left for another day or another limit (crawl-delay, robots-unreachable).</summary>
    public required long Deferred { get; init; }
    /// <summary>Hosts whose answer is waited for by itself.</summary>
    public required int SlowHosts { get; init; }
    /// <summary>What it waits for, in words; null where it does not.</summary>
    public string? WaitsFor { get; init; }
    /// <summary>Pages kept a second over the last minute.</summary>
    public required double PagesPerSecond { get; init; }
    /// <summary>Seconds until the pages that are known or wanted are there, at that rate; null where nothing moves.</summary>
    public double? SecondsLeft { get; init; }
    /// <summary>URLs that robots.txt forbids.</summary>
    public required long RobotsDenied { get; init; }
    /// <summary>Pages and pictures that refuse training.</summary>
    public required long OptedOut { get; init; }
    /// <summary>See <see cref="CrawlTally.Outcomes"/>.</summary>
    public required IReadOnlyDictionary<string, long> Outcomes { get; init; }
    /// <summary>See <see cref="CrawlTally.Dropped"/>.</summary>
    public required IReadOnlyDictionary<string, long> Dropped { get; init; }
    /// <summary>The busiest hosts.</summary>
    public required IReadOnlyList<HostStatus> Hosts { get; init; }
    /// <summary>Hosts that have been asked.</summary>
    public required int HostCount { get; init; }

    /// <summary>The status of a run's crawl; null where it has none yet.</summary>
    public static CrawlStatus? Of(RunDirectory run) => File.Exists(run.File(StageName.Crawl, FileName)) ? RunDirectory.ReadJson<CrawlStatus>(run.File(StageName.Crawl, FileName)) : null;
}

/// <summary>A host in a crawl's status.</summary>
/// <param name="Host">Its name.</param>
/// <param name="Urls">URLs of it that came to their end.</param>
/// <param name="PauseSeconds">The pause between two requests to it that is in force.</param>
/// <param name="Outcomes">Those URLs by outcome, as <see cref="CrawlTally.Outcomes"/> names them.</param>
public sealed record HostStatus(string Host, long Urls, double PauseSeconds, IReadOnlyDictionary<string, long> Outcomes);

/// <summary>A crawl's pause: a file in its folder. While it is there nothing new is asked; the crawl begins with none.</summary>
public static class CrawlPause
{
    /// <summary>Whether it is there.</summary>
    public static bool IsOn(RunDirectory run) => File.Exists(At(run));

    /// <summary>Asks the run's crawl to pause.</summary>
    public static void Begin(RunDirectory run) => AtomicFile.WriteText(At(run), "lora crawl resume takes this away\n");

    /// <summary>Lets it go on.</summary>
    public static void End(RunDirectory run) => File.Delete(At(run));

    private static string At(RunDirectory run) => run.File(StageName.Crawl, "pause");
}
