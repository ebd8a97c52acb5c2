using System.Globalization;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Crawl;

/// <summary>Says how a crawl stands: on its bar, and in <c>status.json</c>.</summary>
internal sealed class CrawlReporter(StageContext context, Frontier frontier, HostGates gates) : IDisposable
{
    private const int HostsInFile = 50, HostsOnBar = 3;
    private static readonly TimeSpan Often = TimeSpan.FromSeconds(1), Window = TimeSpan.FromMinutes(1);

    private readonly CrawlOptions options = context.Recipe.Crawl;
    private readonly IProgressTask bar = context.Progress.Begin("pages", context.Recipe.Crawl.MaxPages, "pages");
    private readonly Queue<(long At, long Pages)> marks = new();
    private long written;
    private int late;
    private string waits = "";
    private string outcome = CrawlStatus.Interrupted;

    /// <summary>Shows it; writes the file where the last one is a second old.</summary>
    /// <param name="lateHosts">Hosts whose answer is waited for by itself.</param>
    /// <param name="waitsFor">What it waits for, in words (<see cref="CrawlWaits"/>); empty where it does not.</param>
    /// <param name="paused">Whether it is paused.</param>
    public void Show(int lateHosts, string waitsFor, bool paused = false)
    {
        (late, waits) = (lateHosts, waitsFor);
        var pages = frontier.Pages;
        bar.Note(paused ? "paused: lora crawl resume lets it go on" : Words());
        bar.Set(pages, Wanted(pages)); // after the note, which is printed with it
        if (written != 0 && context.Clock.GetElapsedTime(written) < Often) return;
        bar.Details(Details());
        Write(paused ? "paused" : "crawling");
    }

    /// <summary>It came to its end.</summary>
    public void Ended() => outcome = CrawlStatus.Ended;

    /// <summary>Writes how it ended.</summary>
    public void Dispose()
    {
        try
        {
            Write(outcome);
        }
        finally
        {
            bar.Dispose();
        }
    }

    private long Wanted(long pages) => Math.Min(options.MaxPages, Math.Max(pages + frontier.Queued, 1));

    private string Words()
    {
        var words = new List<string> { string.Create(CultureInfo.InvariantCulture, $"{frontier.Pictures} pictures, {frontier.Queued} queued") };
        words.AddRange(Commonest(frontier.Tally.Dropped, 4));
        if (waits.Length > 0) words.Add(waits);
        return string.Join(", ", words);
    }

    private List<string> Details() =>
        [string.Join(" · ", Commonest(frontier.Tally.Outcomes, 8)), .. frontier.Tally.Hosts(HostsOnBar).Select(h => $"{h.Host}: {string.Join(", ", Commonest(h.Outcomes, 4))}")];

    private static IEnumerable<string> Commonest(IReadOnlyDictionary<string, long> counts, int most) =>
        counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal).Take(most).Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Value} {c.Key}"));

    private void Write(string state)
    {
        written = context.Clock.GetTimestamp();
        var pages = frontier.Pages;
        marks.Enqueue((written, pages));
        while (marks.Count > 2 && context.Clock.GetElapsedTime(marks.Peek().At, written) > Window) marks.Dequeue();
        var (first, before) = marks.Peek();
        var seconds = context.Clock.GetElapsedTime(first, written).TotalSeconds;
        var rate = seconds > 0 ? (pages - before) / seconds : 0;
        var tally = frontier.Tally;
        var status = new CrawlStatus
        {
            At = context.Clock.GetUtcNow(),
            State = state,
            Pages = pages,
            MaxPages = options.MaxPages,
            Pictures = frontier.Pictures,
            Waiting = frontier.Queued,
            Deferred = tally.Deferred,
            SlowHosts = late,
            WaitsFor = state == "crawling" && waits.Length > 0 ? waits : null,
            PagesPerSecond = Math.Round(rate, 3),
            SecondsLeft = state == "crawling" && rate > 0 ? Math.Round((Wanted(pages) - pages) / rate) : null,
            RobotsDenied = tally.RobotsDenied,
            OptedOut = frontier.OptedOut,
            Outcomes = tally.Outcomes,
            Dropped = tally.Dropped,
            Hosts = [.. tally.Hosts(HostsInFile).Select(h => new HostStatus(h.Host, h.Urls, Math.Round(gates.PauseOf(h.Host).TotalSeconds, 3), h.Outcomes))],
            HostCount = tally.HostCount,
        };
        AtomicFile.Write(context.Run.File(StageName.Crawl, CrawlStatus.FileName), stream => System.Text.Json.JsonSerializer.Serialize(stream, status, RunDirectory.Json), durable: false);
    }
}
