namespace LoraFactory.Cli.Engine.Bench.Web;

/// <summary>A clock on which time passes faster: pauses, time-outs and latencies of a day fit into minutes, and everything else is the real thing.</summary>
/// <param name="speedup">Seconds that pass in one second, 1 to 1000.</param>
internal sealed class FastClock(double speedup) : TimeProvider
{
    private readonly long started = System.GetTimestamp();
    private readonly DateTimeOffset startedAt = System.GetUtcNow();

    public override long TimestampFrequency => System.TimestampFrequency;

    public override long GetTimestamp() => started + (long)((System.GetTimestamp() - started) * speedup);

    public override DateTimeOffset GetUtcNow() => startedAt + System.GetElapsedTime(started) * speedup;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new Timer(System.CreateTimer(callback, state, Real(dueTime), Real(period)), this);

    private TimeSpan Real(TimeSpan time) => time <= TimeSpan.Zero ? time : time / speedup;

    private sealed class Timer(ITimer real, FastClock clock) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => real.Change(clock.Real(dueTime), clock.Real(period));

        public void Dispose() => real.Dispose();

        public ValueTask DisposeAsync() => real.DisposeAsync();
    }
}
