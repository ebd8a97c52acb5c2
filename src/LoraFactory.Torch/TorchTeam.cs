using System.Runtime.ExceptionServices;

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
    /// one after the other on the calling thread where that is one. Every part opens a scope and sets the gradient mode that it needs, and tensors
    /// that it returns are its caller's to dispose. All parts are run; where some throw, the exception of the first of them comes back, and
    /// what the others returned is given to <paramref name="release"/>.
    /// </summary>
    public static T[] Run<T>(int parts, Func<int, T> part, Action<T>? release = null)
    {
        var (results, errors) = (new T[parts], new ExceptionDispatchInfo?[parts]);
        void Some(int first, int step)
        {
            for (var i = first; i < parts; i += step)
            {
                try
                {
                    results[i] = part(i);
                }
                catch (Exception e)
                {
                    errors[i] = ExceptionDispatchInfo.Capture(e);
                }
            }
        }
        var threads = Math.Min(parts, TorchLibrary.Threads);
        if (threads < 2) Some(0, 1);
        else RunOn(threads, m => Some(m, threads));
        if (Array.Find(errors, e => e is not null) is not { } error) return results;
        for (var i = 0; i < parts; i++)
            if (errors[i] is null) release?.Invoke(results[i]);
        error.Throw();
        return results;
    }

    private static void RunOn(int threads, Action<int> work)
    {
        var flushes = TorchLibrary.FlushesDenormals;
        // each task is waited for on its own event: no thread of the pool is needed
        Task.WaitAll([.. Of(threads).Select((member, m) => member.RunAsync(() =>
        {
            if (TorchLibrary.FlushesDenormals != flushes) TorchLibrary.FlushDenormals(flushes);
            work(m);
            return 0;
        }))]);
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
