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
    private readonly Lock gate = new();
    private readonly long begun = clock.GetTimestamp();
    private long? total = total;
    private long done;
    private long resumedAt = -1;
    private string note = "";

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
            if (resumedAt < 0) resumedAt = value > 1 ? value : 0; // work of an earlier process does not count into the rate
            done = value;
            total = newTotal ?? total;
        }
    }

    public void Advance(long by)
    {
        lock (gate)
        {
            if (resumedAt < 0) resumedAt = 0;
            done += by;
        }
    }

    public void Note(string text)
    {
        lock (gate) note = text.ReplaceLineEndings(" ");
    }

    /// <summary>e.g. "120/250 steps  2.1 steps/s  1:02 left  loss 0.041".</summary>
    public string Words()
    {
        lock (gate)
        {
            var seconds = clock.GetElapsedTime(begun).TotalSeconds;
            var rate = seconds > 0.5 ? (done - Math.Max(0, resumedAt)) / seconds : 0;
            var parts = new List<string> { total is null ? $"{done} {unit}" : $"{done}/{total} {unit}" };
            if (rate > 0) parts.Add(rate >= 0.1 ? $"{rate:0.0#} {unit}/s" : $"{60 * rate:0.0#} {unit}/min");
            if (rate > 0 && total > done) parts.Add(Clock((total.Value - done) / rate) + " left");
            else parts.Add(Clock(seconds));
            if (note.Length > 0) parts.Add(note);
            return string.Join("  ", parts);
        }
    }

    private static string Clock(double seconds)
    {
        var span = TimeSpan.FromSeconds(Math.Min(seconds, 8.64e7));
        return span.TotalHours >= 1 ? $"{(int)span.TotalHours}:{span.Minutes:00}:{span.Seconds:00}" : $"{span.Minutes}:{span.Seconds:00}";
    }
}
