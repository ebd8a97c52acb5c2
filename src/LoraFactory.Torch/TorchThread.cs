using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace LoraFactory.Torch;

/// <summary>
/// The one thread that does a job's tensor work. OpenMP makes a team of workers per calling thread, and gradient mode is per thread:
/// work spread over pool threads would run many teams at once and lose its mode. <see cref="TorchTeam"/> helps it with work that falls into parts.
/// </summary>
public sealed class TorchThread : IDisposable
{
    private static readonly Lazy<TorchThread> One = new(() => new TorchThread());
    private readonly BlockingCollection<Action> work = [];
    private readonly Thread thread;
    private readonly int threads;

    /// <summary>Starts it; its operators have <paramref name="threads"/> threads, 0 for <see cref="UsualThreads"/>.</summary>
    internal TorchThread(string name = "tensors", int threads = 0)
    {
        this.threads = threads;
        thread = new Thread(Loop, maxStackSize: 16 << 20) { IsBackground = true, Name = name };
        thread.Start();
    }

    /// <summary>The process's tensor thread; started at first use.</summary>
    public static TorchThread Shared => One.Value;

    /// <summary>Whether the caller is on it.</summary>
    public bool IsCurrent => Thread.CurrentThread == thread;

    /// <summary>Runs work there and waits; called from there it runs at once. Exceptions come back to the caller.</summary>
    public T Run<T>(Func<T> function)
    {
        if (IsCurrent) return function();
        T result = default!;
        ExceptionDispatchInfo? error = null;
        using var done = new ManualResetEventSlim();
        work.Add(() =>
        {
            try
            {
                result = function();
            }
            catch (Exception e)
            {
                error = ExceptionDispatchInfo.Capture(e);
            }
            done.Set();
        });
        done.Wait();
        error?.Throw();
        return result;
    }

    /// <summary>Runs work there and waits.</summary>
    public void Run(Action action) => Run(() =>
    {
        action();
        return 0;
    });

    /// <summary>Runs work there without blocking the caller's thread.</summary>
    public Task<T> RunAsync<T>(Func<T> function)
    {
        var source = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        work.Add(() =>
        {
            try
            {
                source.SetResult(function());
            }
            catch (Exception e)
            {
                source.SetException(e);
            }
        });
        return source.Task;
    }

    /// <summary>Ends the thread after the work that waits.</summary>
    public void Dispose() => work.CompleteAdding();

    private void Loop()
    {
        var first = true;
        foreach (var action in work.GetConsumingEnumerable())
        {
            if (first) SetThreads();
            first = false;
            action();
        }
    }

    /// <summary>
    /// Threads that an operator has where nobody says otherwise: OMP_NUM_THREADS, else all processors, at most 16. libtorch counts physical cores,
    /// which on a virtual machine is often half of what there is.
    /// </summary>
    public static int UsualThreads => int.TryParse(Environment.GetEnvironmentVariable("OMP_NUM_THREADS"), out var n) && n > 0 ? n : Math.Min(Environment.ProcessorCount, 16);

    private void SetThreads()
    {
        try
        {
            TorchLibrary.Threads = threads > 0 ? threads : UsualThreads;
            _ = TorchLibrary.Threads; // libtorch takes the number set last by any thread when a thread first asks for its own: ask now
        }
        catch (TorchException)
        {
            return; // the work that follows meets the same error and reports it
        }
    }
}
