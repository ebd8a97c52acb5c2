namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>
/// Bytes that one page may ask for. Each request sets a share aside before it is sent and gives back what it did not use, so that requests side by side
/// keep within the sum; where no share is left to set aside, a request waits for others to end.
/// </summary>
/// <param name="most">The sum.</param>
/// <param name="share">Most bytes of one request.</param>
internal sealed class ByteBudget(long most, long share)
{
    private readonly Lock changing = new();
    private TaskCompletionSource givenBack = New();
    private long left = most;
    private int open;

    /// <summary>Sets bytes aside; 0 when all are used. Throws only when <paramref name="token"/> is cancelled.</summary>
    public async Task<long> TakeAsync(CancellationToken token)
    {
        while (true)
        {
            Task change;
            lock (changing)
            {
                if (left >= share || open == 0)
                {
                    var taken = Math.Min(left, share);
                    left -= taken;
                    if (taken > 0) open++;
                    return taken;
                }
                change = givenBack.Task;
            }
            await change.WaitAsync(token);
        }
    }

    /// <summary>Ends a request that had set <paramref name="taken"/> bytes aside, at least one, and used some of them.</summary>
    public void GiveBack(long taken, long used)
    {
        TaskCompletionSource change;
        lock (changing)
        {
            left += taken - Math.Clamp(used, 0, taken);
            open--;
            (change, givenBack) = (givenBack, New());
        }
        change.SetResult();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
