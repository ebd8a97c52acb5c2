using LoraFactory.Flow;

namespace LoraFactory.Cli;

/// <summary>Progress for logs and pipes: a line when a task begins and ends, and at most one every few seconds between. Thread-safe.</summary>
public sealed class LineProgress(TextWriter writer, TimeProvider clock, TimeSpan interval) : ProgressBoard
{
    private readonly Lock gate = new();

    /// <inheritdoc/>
    public override IProgressTask Begin(string title, long? total, string unit) => new Running(this, new ProgressState(title, total, unit, clock));

    /// <inheritdoc/>
    public override void Line(string text)
    {
        lock (gate)
        {
            writer.WriteLine(text);
            writer.Flush();
        }
    }

    private sealed class Running(LineProgress board, ProgressState state) : IProgressTask
    {
        private readonly Lock gate = new();
        private long shown = board.Now;
        private bool ended;

        public void Set(long done, long? total = null)
        {
            state.Set(done, total);
            Show();
        }

        public void Advance(long by = 1)
        {
            state.Advance(by);
            Show();
        }

        public void Note(string text) => state.Note(text);

        public void Dispose()
        {
            lock (gate)
            {
                if (ended) return;
                ended = true;
            }
            board.Line($"{state.Title}: {state.Words()}");
        }

        private void Show()
        {
            lock (gate)
            {
                if (ended || board.Since(shown) < board.Interval) return;
                shown = board.Now;
            }
            board.Line($"{state.Title}: {state.Words()}");
        }
    }

    private TimeSpan Interval => interval;

    private long Now => clock.GetTimestamp();

    private TimeSpan Since(long stamp) => clock.GetElapsedTime(stamp);
}
