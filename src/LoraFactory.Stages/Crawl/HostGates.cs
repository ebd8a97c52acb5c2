using System.Collections.Concurrent;
using System.Net;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// Turns and pauses: one request at a time to each host, a pause between the end of one and the start of the next, and a shorter one between requests
/// to one address, whatever the host. A host that is slow, or says that it is busy, is given longer pauses; nothing shortens one again.
/// </summary>
/// <param name="clock">The clock that pauses are measured by.</param>
/// <param name="pause">Pause for hosts that ask for none.</param>
/// <param name="addressPause">Pause between two requests to one address; zero makes no turns of addresses.</param>
public sealed class HostGates(TimeProvider clock, TimeSpan pause, TimeSpan addressPause = default)
{
    // An answer that took longer earns a rest as long as itself, up to the second; more than these gates and idle ones are forgotten.
    private static readonly TimeSpan Quick = TimeSpan.FromSeconds(0.25), LongestRest = TimeSpan.FromSeconds(10);
    private const int MostGates = 20_000;

    private readonly ConcurrentDictionary<string, Gate> hosts = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<IPAddress, Gate> addresses = new();

    /// <summary>Whether addresses have turns.</summary>
    public bool HasAddressPause => addressPause > TimeSpan.Zero;

    /// <summary>Waits for the turn of host and address; disposing what is returned ends the turn and starts the pauses.</summary>
    /// <param name="host">Host name.</param>
    /// <param name="address">The address that will be dialled; null where it is not known.</param>
    /// <param name="token">Ends the waiting.</param>
    public async ValueTask<HostTurn> EnterAsync(string host, IPAddress? address, CancellationToken token)
    {
        var gate = Gate(host);
        await WaitAsync(gate, gate.Pause, token);
        Gate? shared = null;
        if (address is not null && addressPause > TimeSpan.Zero)
        {
            shared = addresses.GetOrAdd(address, _ => new Gate { Pause = addressPause });
            try
            {
                await WaitAsync(shared, addressPause, token); // hosts wait for addresses, never the other way round
            }
            catch
            {
                gate.Turn.Release();
                throw;
            }
        }
        return new HostTurn(clock, gate, shared);
    }

    /// <summary>Sets the pause that a host asks for; a shorter one than the one in force is not taken.</summary>
    public void SetPause(string host, TimeSpan asked)
    {
        var gate = Gate(host);
        if (asked > gate.Pause) gate.Pause = asked;
    }

    /// <summary>A host that says it is busy: its pause doubles, from a second on, and it is not asked for <paramref name="wait"/>.</summary>
    /// <returns>How long it is left alone.</returns>
    public TimeSpan SlowDown(string host, TimeSpan wait)
    {
        var gate = Gate(host);
        var doubled = gate.Pause * 2 < TimeSpan.FromSeconds(1) ? TimeSpan.FromSeconds(1) : gate.Pause * 2;
        gate.Pause = doubled > LongestRest && gate.Pause < LongestRest ? LongestRest : gate.Pause > LongestRest ? gate.Pause : doubled;
        if (wait < gate.Pause) wait = gate.Pause;
        gate.NotBefore = (clock.GetTimestamp(), wait);
        return wait;
    }

    /// <summary>The pause in force for a host.</summary>
    public TimeSpan PauseOf(string host) => hosts.TryGetValue(host, out var gate) ? gate.Pause : pause;

    /// <summary>How long it is until the host may be asked again, if nobody asks it meanwhile.</summary>
    public TimeSpan RestOf(string host) => hosts.TryGetValue(host, out var gate) ? gate.Rest(clock, gate.Pause) : TimeSpan.Zero;

    /// <summary>An answer of the host took this long: a slow one earns a longer pause.</summary>
    public void Took(string host, TimeSpan time)
    {
        if (time <= Quick) return;
        SetPause(host, time < LongestRest ? time : LongestRest);
    }

    private Gate Gate(string host)
    {
        if (hosts.Count > MostGates) Prune();
        return hosts.GetOrAdd(host, _ => new Gate { Pause = pause });
    }

    // Gates that nobody waits at, whose pause is over and was never lengthened: a new one would be the same.
    private void Prune()
    {
        foreach (var (name, gate) in hosts)
            if (gate.Pause == pause && gate.Turn.CurrentCount == 1 && gate.Rest(clock, gate.Pause) == TimeSpan.Zero) hosts.TryRemove(new(name, gate));
        foreach (var (address, gate) in addresses)
            if (gate.Turn.CurrentCount == 1 && gate.Rest(clock, gate.Pause) == TimeSpan.Zero) addresses.TryRemove(new(address, gate));
    }

    private async ValueTask WaitAsync(Gate gate, TimeSpan pauseNow, CancellationToken token)
    {
        await gate.Turn.WaitAsync(token);
        try
        {
            // A timer may fire up to a tick early; the pause is a promise to the host.
            while (gate.Rest(clock, pauseNow) is var rest && rest > TimeSpan.Zero) await Task.Delay(rest, clock, token);
        }
        catch
        {
            gate.Turn.Release();
            throw;
        }
    }
}

/// <summary>A host, or an address, in turn.</summary>
internal sealed class Gate
{
    public SemaphoreSlim Turn { get; } = new(1, 1);
    public TimeSpan Pause { get; set; }
    public long? Ended { get; set; }
    public (long Since, TimeSpan Wait)? NotBefore { get; set; }

    public TimeSpan Rest(TimeProvider clock, TimeSpan pause)
    {
        var rest = Ended is { } ended ? pause - clock.GetElapsedTime(ended) : TimeSpan.Zero;
        if (NotBefore is { } busy && busy.Wait - clock.GetElapsedTime(busy.Since) is var wait && wait > rest) rest = wait;
        return rest > TimeSpan.Zero ? rest : TimeSpan.Zero;
    }
}

/// <summary>A turn at a host; disposing it starts the pause.</summary>
public sealed class HostTurn : IDisposable
{
    private readonly TimeProvider clock;
    private readonly Gate gate;
    private readonly Gate? address;
    private int over;

    internal HostTurn(TimeProvider clock, Gate gate, Gate? address) => (this.clock, this.gate, this.address) = (clock, gate, address);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref over, 1) == 1) return;
        foreach (var ending in (Gate?[])[address, gate])
        {
            if (ending is null) continue;
            ending.Ended = clock.GetTimestamp();
            ending.Turn.Release();
        }
    }
}
