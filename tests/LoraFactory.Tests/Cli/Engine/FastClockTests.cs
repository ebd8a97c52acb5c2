using LoraFactory.Cli.Engine.Bench.Web;
using Xunit;

namespace LoraFactory.Tests.Cli.Engine;

public sealed class FastClockTests
{
    [Fact]
    public async Task Waits_are_over_when_they_are_over_by_its_own_time()
    {
        var clock = new FastClock(200);
        var (began, at, real) = (clock.GetTimestamp(), clock.GetUtcNow(), TimeProvider.System.GetTimestamp());
        await Task.Delay(TimeSpan.FromSeconds(40), clock, TestContext.Current.CancellationToken);
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(20), clock);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Delay(Timeout.Infinite, late.Token));
        var (played, passed) = (clock.GetElapsedTime(began), TimeProvider.System.GetElapsedTime(real));
        Assert.True(played >= TimeSpan.FromSeconds(59), $"{played}");
        Assert.True(clock.GetUtcNow() - at >= TimeSpan.FromSeconds(59));
        Assert.Equal(200, played / passed, 0.05 * 200); // the two readings are a moment apart
    }
}
