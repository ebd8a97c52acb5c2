using System.Net;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class HostGatesTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void A_busy_host_rests_as_long_as_it_asks_and_its_pause_grows_and_shrinks_back_but_never_below_its_own()
    {
        var gates = new HostGates(TimeProvider.System, Second);
        Assert.Equal(TimeSpan.FromSeconds(7), gates.SlowDown("a.test", TimeSpan.FromSeconds(7)));
        Assert.Equal(2 * Second, gates.PauseOf("a.test"));
        Assert.InRange(gates.RestOf("a.test"), 6 * Second, 7 * Second);
        gates.SlowDown("a.test", TimeSpan.Zero);
        Assert.Equal(4 * Second, gates.PauseOf("a.test"));
        Assert.InRange(gates.RestOf("a.test"), 6 * Second, 7 * Second); // a Retry-After of 0 makes nothing shorter
        gates.LeaveAlone("a.test", Second);
        Assert.InRange(gates.RestOf("a.test"), 6 * Second, 7 * Second); // nor does a shorter rest
        gates.LeaveAlone("a.test", 60 * Second);
        Assert.InRange(gates.RestOf("a.test"), 59 * Second, 60 * Second);
        for (var i = 0; i < 100; i++) gates.SlowDown("a.test", TimeSpan.Zero);
        Assert.Equal(10 * Second, gates.PauseOf("a.test"));
        for (var i = 0; i < 100; i++) gates.SpeedUp("a.test");
        Assert.Equal(Second, gates.PauseOf("a.test"));
        gates.SetPause("a.test", TimeSpan.FromSeconds(0.1));
        Assert.Equal(Second, gates.PauseOf("a.test"));
        gates.SetPause("a.test", 20 * Second);
        gates.SlowDown("a.test", TimeSpan.Zero);
        Assert.Equal(20 * Second, gates.PauseOf("a.test")); // what robots.txt asks for is not shortened by back-off's own limit
    }

    [Fact]
    public void A_host_is_given_a_rest_as_long_as_its_answers_take()
    {
        var gates = new HostGates(TimeProvider.System, TimeSpan.Zero);
        gates.Took("quick.test", TimeSpan.FromSeconds(0.1));
        Assert.Equal(TimeSpan.Zero, gates.PauseOf("quick.test"));
        for (var i = 0; i < 20; i++) gates.Took("slow.test", 2 * Second);
        Assert.Equal(2.0, gates.PauseOf("slow.test").TotalSeconds, 2);
        for (var i = 0; i < 40; i++) gates.Took("slow.test", TimeSpan.FromSeconds(0.05));
        Assert.Equal(TimeSpan.Zero, gates.PauseOf("slow.test"));
    }

    [Fact]
    public async Task Hosts_at_one_address_take_turns_there()
    {
        var pause = TimeSpan.FromMilliseconds(60);
        var gates = new HostGates(TimeProvider.System, TimeSpan.Zero, pause);
        var times = new List<(long Start, long End)>();
        await Task.WhenAll(Enumerable.Range(0, 5).Select(async i =>
        {
            using var turn = await gates.EnterAsync($"h{i}.test", IPAddress.Loopback, Stop);
            var start = TimeProvider.System.GetTimestamp();
            await Task.Delay(5, Stop);
            lock (times) times.Add((start, TimeProvider.System.GetTimestamp()));
        }));
        Assert.Equal(5, times.Count);
        times.Sort();
        foreach (var (before, after) in times.Zip(times.Skip(1))) Assert.True(TimeProvider.System.GetElapsedTime(before.End, after.Start) >= pause);
        using var elsewhere = await gates.EnterAsync("h9.test", IPAddress.Parse("127.0.0.2"), Stop);
    }
}
