namespace LoraFactory.Torch;

/// <summary>
/// Threads beside the tensor thread that do parts of one job at the same time, each with operators of one thread. Where tensors are small,
/// the threads of an operator wait for each other most of the time; parts that share nothing do not.
/// </summary>
public static class TorchTeam
{
    private static readonly List<TorchThread> Members = [];

    /// <summary>
    /// Results of parts 0 to <paramref name="parts"/> − 1, in this order; as many at a time as an operator of the calling thread may have threads,
    /// one after the other on the calling thread where that is one. A part starts in no scope, with gradients recorded; tensors that it returns are
    /// its caller's to dispose. The first part's exception comes back once all have ended.
    /// </summary>
    public static T[] Run<T>(int parts, Func<int, T> part)
    {
        var threads = Math.Min(parts, TorchLibrary.Threads);
        if (threads < 2) return [.. Enumerable.Range(0, parts).Select(part)];
        var results = new T[parts];
        var running = Of(threads).Select((member, m) => member.RunAsync(() =>
        {
            for (var i = m; i < parts; i += threads) results[i] = part(i);
            return 0;
        })).ToArray();
        Task.WhenAll(running).GetAwaiter().GetResult();
        return results;
    }

    private static List<TorchThread> Of(int count)
    {
        lock (Members)
        {
            if (Members.Count >= count) return Members[..count];
            var mine = TorchLibrary.Threads;
            while (Members.Count < count) Members.Add(new($"tensors {Members.Count + 1}", 1));
            foreach (var member in Members) member.Run(() => { }); // each has set its threads, and with them the number that threads to come start with:
            TorchLibrary.Threads = mine;
            return Members[..count];
        }
    }
}
