using System.Collections.Concurrent;

namespace LoraFactory.Stages.Crawl;

/// <summary>One request at a time to each host, and a pause between the end of one and the start of the next.</summary>
/// <param name="clock">The clock that pauses are measured by.</param>
/// <param name="pause">Pause for hosts that ask for none.</param>
public sealed class HostGates(TimeProvider clock, TimeSpan pause)
{
    private readonly ConcurrentDictionary<string, Gate> gates = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Waits for the host's turn; disposing what is returned ends the turn and starts the pause.</summary>
    public async ValueTask<IDisposable> EnterAsync(string host, CancellationToken token)
    {
        var gate = gates.GetOrAdd(host, _ => new Gate { Pause = pause });
        await gate.Turn.WaitAsync(token);
        try
        {
            if (gate.Ended is { } ended)
            {
                var rest = gate.Pause - clock.GetElapsedTime(ended);
                // A timer may fire up to a tick early; the pause is a promise to the host.
                while (rest > TimeSpan.Zero)
                {
                    await Task.Delay(rest, clock, token);
                    rest = gate.Pause - clock.GetElapsedTime(ended);
                }
            }
            return new Turn(this, gate);
        }
        catch
        {
            gate.Turn.Release();
            throw;
        }
    }

    /// <summary>Sets the pause that a host asks for; a shorter one than the crawl's own is not taken.</summary>
    public void SetPause(string host, TimeSpan asked) =>
        gates.GetOrAdd(host, _ => new Gate { Pause = pause }).Pause = asked > pause ? asked : pause;

    /// <summary>The pause in force for a host.</summary>
    public TimeSpan PauseOf(string host) => gates.TryGetValue(host, out var gate) ? gate.Pause : pause;

    private sealed class Gate
    {
        public SemaphoreSlim Turn { get; } = new(1, 1);
        public TimeSpan Pause { get; set; }
        public long? Ended { get; set; }
    }

    private sealed class Turn(HostGates owner, Gate gate) : IDisposable
    {
        private Gate? open = gate;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref open, null) is not { } closing) return;
            closing.Ended = owner.Now();
            closing.Turn.Release();
        }
    }

    private long Now() => clock.GetTimestamp();
}
