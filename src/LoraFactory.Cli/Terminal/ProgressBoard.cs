using LoraFactory.Flow;

namespace LoraFactory.Cli;

/// <summary>A progress board with an end. <see cref="For"/> chooses bars for a terminal and lines elsewhere.</summary>
public abstract class ProgressBoard : IProgressBoard, IDisposable
{
    /// <summary>Bars when <paramref name="error"/> is the process's error stream on a terminal, otherwise a line every few seconds.</summary>
    public static ProgressBoard For(TextWriter error, TimeProvider clock) =>
        ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "dumb")
            ? new SpectreProgress(clock)
            : new LineProgress(error, clock, TimeSpan.FromSeconds(5));

    /// <inheritdoc/>
    public abstract IProgressTask Begin(string title, long? total, string unit);

    /// <inheritdoc/>
    public abstract void Line(string text);

    /// <summary>Ends the display.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends the display.</summary>
    protected virtual void Dispose(bool disposing) { }
}

/// <summary>The state of one bar and its words: counts, rate, time left. Thread-safe.</summary>
internal sealed class ProgressState(string title, long? total, string unit, TimeProvider clock)
{
    private const double Window = 30; // seconds

    private readonly record struct Mark(double At, long Done);

    private readonly Lock gate = new();
    private readonly long begun = clock.GetTimestamp();
    private long? total = total;
    private long done;
    private readonly Queue<Mark> marks = new();
    private Mark first;
    private double last;
    private double newest;
    private string note = "";
    private IReadOnlyList<string> details = [];

    public string Title => title;

    public double Share
    {
        get
        {
            lock (gate) return total is > 0 ? Math.Clamp((double)done / total.Value, 0, 1) : 0;
        }
    }

    public bool HasTotal
    {
        get
        {
            lock (gate) return total is > 0;
        }
    }

    public void Set(long value, long? newTotal)
    {
        lock (gate)
        {
            // work of an earlier process does not count into the rate
            if (marks.Count == 0) Start(value == 1 ? new(0, 0) : new(Now, value));
            total = newTotal ?? total;
            Reach(value);
        }
    }

    public void Advance(long by)
    {
        lock (gate)
        {
            if (marks.Count == 0) Start(new(0, 0));
            Reach(done + by);
        }
    }

    private void Start(Mark mark)
    {
        first = mark;
        marks.Enqueue(mark);
    }

    // The marks: one a second at most, the first of them as old as the window or the only one that is older.
    private void Reach(long value)
    {
        done = value;
        last = Now;
        if (last - newest < 1) return;
        newest = last;
        marks.Enqueue(new(last, value));
        while (marks.ElementAt(1).At <= last - Window) marks.Dequeue();
    }

    // Units a second of the last half minute, so that a slow start is soon forgotten; while nothing moves for longer than that took, it falls. At the end the mean of all.
    private double Rate()
    {
        if (!marks.TryPeek(out var from)) return 0;
        if (total <= done) from = first;
        var seconds = Math.Max(last - from.At, Now - last);
        return seconds > 0.5 ? (done - from.Done) / seconds : 0;
    }

    public void Note(string text)
    {
        lock (gate) note = text.ReplaceLineEndings(" ");
    }

    public IReadOnlyList<string> Details
    {
        get
        {
            lock (gate) return details;
        }
        set
        {
            lock (gate) details = [.. value.Select(line => line.ReplaceLineEndings(" "))];
        }
    }

    /// <summary>e.g. "120/250 steps  2.1 steps/s  1:02 left  loss 0.041".</summary>
    public string Words()
    {
        lock (gate)
        {
            var rate = Rate();
            var parts = new List<string> { total is null ? $"{done} {unit}" : $"{done}/{total} {unit}" };
            if (rate > 0) parts.Add(rate >= 0.1 ? $"{rate:0.0#} {unit}/s" : $"{60 * rate:0.0#} {unit}/min");
            if (rate > 0 && total > done) parts.Add(Clock((total.Value - done) / rate) + " left");
            else parts.Add(Clock(Now));
            if (note.Length > 0) parts.Add(note);
            return string.Join("  ", parts);
        }
    }

    private double Now => clock.GetElapsedTime(begun).TotalSeconds;

    private static string Clock(double seconds)
    {
        var span = TimeSpan.FromSeconds(Math.Min(seconds, 8.64e7));
        return span.TotalHours >= 1 ? $"{(int)span.TotalHours}:{span.Minutes:00}:{span.Seconds:00}" : $"{span.Minutes}:{span.Seconds:00}";
    }
}
