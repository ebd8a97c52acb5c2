using System.Collections.Concurrent;
using System.Net;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// Turns and pauses: one request at a time to each host, a pause between the end of one and the start of the next, and a shorter one between requests
/// to one address, whatever the host. A host that is slow, or says that it is busy, is given longer pauses until it has answered well for a while.
/// Nothing makes a pause shorter than the recipe's or the host's own.
/// </summary>
/// <param name="clock">The clock that pauses are measured by.</param>
/// <param name="pause">Pause for hosts that ask for none.</param>
/// <param name="addressPause">Pause between two requests to one address; zero makes no turns of addresses.</param>
public sealed class HostGates(TimeProvider clock, TimeSpan pause, TimeSpan addressPause = default)
{
    // Answers that take longer earn a rest as long as themselves, up to the second; with more gates than these idle ones are forgotten.
    private static readonly TimeSpan Quick = TimeSpan.FromSeconds(0.25), LongestRest = TimeSpan.FromSeconds(10), LeastBackOff = TimeSpan.FromSeconds(0.5);
    /// <summary>A host is left alone for at most so long, whatever it asks for.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    private const double NewestShare = 0.25;
    private const int MostGates = 20_000;

    private readonly Lock pruning = new();
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
        var (gate, shared) = Take(host, addressPause > TimeSpan.Zero ? address : null);
        var entered = new List<Gate>(2);
        try
        {
            foreach (var each in (Gate?[])[gate, shared]) // hosts wait for addresses, never the other way round
            {
                if (each is null) continue;
                await WaitAsync(each, token);
                entered.Add(each);
            }
        }
        catch
        {
            foreach (var each in entered) each.Turn.Release();
            gate.Go();
            shared?.Go();
            throw;
        }
        return new HostTurn(clock, gate, shared);
    }

    // Whoever waits at a gate keeps it from being forgotten.
    private (Gate Host, Gate? Address) Take(string host, IPAddress? address)
    {
        lock (pruning)
        {
            var gate = Gate(host);
            gate.Come();
            var shared = address is null ? null : addresses.GetOrAdd(address, _ => new Gate { Pause = addressPause });
            shared?.Come();
            return (gate, shared);
        }
    }

    /// <summary>Sets the pause that a host asks for; a shorter one than the one in force is not taken.</summary>
    public void SetPause(string host, TimeSpan asked)
    {
        lock (pruning)
        {
            var gate = Gate(host);
            if (asked > gate.Pause) gate.Pause = asked;
        }
    }

    /// <summary>A host that says it is busy: its pause doubles, and it is not asked for <paramref name="wait"/>, up to <see cref="LongestWait"/>.</summary>
    /// <returns>How long it is left alone.</returns>
    public TimeSpan SlowDown(string host, TimeSpan wait)
    {
        lock (pruning)
        {
            var gate = Gate(host);
            var doubled = gate.Effective * 2 < LeastBackOff ? LeastBackOff : gate.Effective * 2;
            gate.BackOff = doubled < LongestRest ? doubled : LongestRest;
            wait = wait < gate.Effective ? gate.Effective : wait > LongestWait ? LongestWait : wait;
            return Extend(gate, wait);
        }
    }

    /// <summary>A host that is not asked for <paramref name="wait"/>, up to <see cref="LongestWait"/>, with its pause as it is.</summary>
    public void LeaveAlone(string host, TimeSpan wait)
    {
        lock (pruning) Extend(Gate(host), wait > LongestWait ? LongestWait : wait);
    }

    // A rest is never made shorter by another that ends before it.
    private TimeSpan Extend(Gate gate, TimeSpan wait)
    {
        if (gate.Rest(clock) is var rest && rest >= wait) return rest;
        gate.NotBefore = new(clock.GetTimestamp(), wait);
        return wait;
    }

    /// <summary>A host that was busy and answers well: what was added to its pause shrinks a little.</summary>
    public void SpeedUp(string host)
    {
        if (hosts.TryGetValue(host, out var gate) && gate.BackOff > TimeSpan.Zero) gate.BackOff = gate.BackOff * 0.8 > LeastBackOff / 4 ? gate.BackOff * 0.8 : TimeSpan.Zero;
    }

    /// <summary>The pause in force for a host.</summary>
    public TimeSpan PauseOf(string host) => hosts.TryGetValue(host, out var gate) ? gate.Effective : pause;

    /// <summary>How long it is until the host may be asked again, if nobody asks it meanwhile.</summary>
    public TimeSpan RestOf(string host) => hosts.TryGetValue(host, out var gate) ? gate.Rest(clock) : TimeSpan.Zero;

    /// <summary>An answer of the host took this long: while its answers are slow its pause is as long as they take.</summary>
    public void Took(string host, TimeSpan time)
    {
        lock (pruning)
        {
            var gate = Gate(host);
            gate.Latency = gate.Latency == TimeSpan.Zero ? time : gate.Latency * (1 - NewestShare) + time * NewestShare;
            gate.Slowness = gate.Latency <= Quick ? TimeSpan.Zero : gate.Latency < LongestRest ? gate.Latency : LongestRest;
        }
    }

    private Gate Gate(string host)
    {
        if (hosts.Count > MostGates) Prune();
        return hosts.GetOrAdd(host, _ => new Gate { Pause = pause });
    }

    // Gates that nobody waits at, whose pause is over and was never lengthened: a new one would be the same. Within the lock.
    private void Prune()
    {
        foreach (var (name, gate) in hosts)
            if (gate.Effective == pause && gate.IsEmpty && gate.Rest(clock) == TimeSpan.Zero) hosts.TryRemove(new(name, gate));
        foreach (var (address, gate) in addresses)
            if (gate.IsEmpty && gate.Rest(clock) == TimeSpan.Zero) addresses.TryRemove(new(address, gate));
    }

    private async ValueTask WaitAsync(Gate gate, CancellationToken token)
    {
        await gate.Turn.WaitAsync(token);
        try
        {
            // A timer may fire up to a tick early; the pause is a promise to the host.
            while (gate.Rest(clock) is var rest && rest > TimeSpan.Zero) await Task.Delay(rest, clock, token);
        }
        catch
        {
            gate.Turn.Release();
            throw;
        }
    }
}

/// <summary>For how long a host is left alone; one object, since it is read beside the lock.</summary>
internal sealed record Absence(long Since, TimeSpan Wait);

/// <summary>A host, or an address, in turn.</summary>
internal sealed class Gate
{
    private int visitors;

    public SemaphoreSlim Turn { get; } = new(1, 1);
    public bool IsEmpty => Volatile.Read(ref visitors) == 0;
    public TimeSpan Pause { get; set; }
    public TimeSpan BackOff { get; set; }
    public TimeSpan Latency { get; set; }
    public TimeSpan Slowness { get; set; }
    public TimeSpan Effective => Longer(Pause, Longer(BackOff, Slowness));
    public long? Ended { get; set; }
    public Absence? NotBefore { get; set; }

    private static TimeSpan Longer(TimeSpan a, TimeSpan b) => a > b ? a : b;

    public void Come() => Interlocked.Increment(ref visitors);

    public void Go() => Interlocked.Decrement(ref visitors);

    public TimeSpan Rest(TimeProvider clock)
    {
        var rest = Ended is { } ended ? Effective - clock.GetElapsedTime(ended) : TimeSpan.Zero;
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
            ending.Go();
        }
    }
}
