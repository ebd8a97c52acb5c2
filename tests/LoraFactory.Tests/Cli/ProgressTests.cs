using LoraFactory.Cli;
using LoraFactory.Flow;
using Spectre.Console;
using Xunit;

namespace LoraFactory.Tests.Cli;

/// <summary>Progress is right in its words, sparing in logs, and safe from many threads.</summary>
public sealed class ProgressTests
{
    private sealed class HandClock : TimeProvider
    {
        private long ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref ticks);

        public void Pass(double seconds) => Interlocked.Add(ref ticks, (long)(seconds * TimeSpan.TicksPerSecond));
    }

    [Fact]
    public void Lines_say_count_rate_time_left_and_note_at_most_every_few_seconds()
    {
        var clock = new HandClock();
        using var writer = new StringWriter();
        using var board = new LineProgress(writer, clock, TimeSpan.FromSeconds(5));
        using (var task = board.Begin("train", 100, "steps"))
        {
            task.Note("loss 0.5");
            for (var i = 1; i <= 40; i++)
            {
                clock.Pass(0.5);
                task.Set(i);
            }
        }
        var lines = writer.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["train: 10/100 steps  2.0 steps/s  0:45 left  loss 0.5", "train: 20/100 steps  2.0 steps/s  0:40 left  loss 0.5",
            "train: 30/100 steps  2.0 steps/s  0:35 left  loss 0.5", "train: 40/100 steps  2.0 steps/s  0:30 left  loss 0.5",
            "train: 40/100 steps  2.0 steps/s  0:30 left  loss 0.5"], lines);
    }

    [Fact]
    public void The_rate_leaves_out_what_an_earlier_process_did()
    {
        var clock = new HandClock();
        using var writer = new StringWriter();
        using var board = new LineProgress(writer, clock, TimeSpan.FromSeconds(5));
        using (var task = board.Begin("train", 200, "steps"))
        {
            task.Set(100);
            clock.Pass(10);
            task.Set(120);
        }
        Assert.Contains("train: 120/200 steps  2.0 steps/s  0:40 left", writer.ToString());
    }

    [Fact]
    public void The_rate_follows_the_last_half_minute_so_that_a_slow_start_is_soon_forgotten()
    {
        var clock = new HandClock();
        using var writer = new StringWriter();
        using var board = new LineProgress(writer, clock, TimeSpan.FromSeconds(5));
        string Last() => writer.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries)[^1];
        using (var task = board.Begin("train", 600, "steps"))
        {
            clock.Pass(90);
            task.Set(1);
            Assert.Equal("train: 1/600 steps  0.67 steps/min  14:58:30 left", Last());
            for (var i = 2; i <= 100; i++)
            {
                clock.Pass(0.5);
                task.Set(i);
            }
            Assert.StartsWith("train: 91/600 steps  2.0 steps/s  4:14 left", Last(), StringComparison.Ordinal);
            clock.Pass(300);
            task.Set(101);
            Assert.StartsWith("train: 101/600 steps  0.4 steps/min", Last(), StringComparison.Ordinal); // slower now
            for (var i = 102; i <= 600; i++)
            {
                clock.Pass(0.5);
                task.Set(i);
            }
        }
        Assert.Equal("train: 600/600 steps  0.87 steps/s  11:29", Last()); // at the end the mean of all
    }

    [Fact]
    public async Task Bars_survive_many_threads_and_end()
    {
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.Yes, Interactive = InteractionSupport.Yes, Out = new AnsiConsoleOutput(text) });
        using (var board = new SpectreProgress(TimeProvider.System, console))
        {
            await Parallel.ForAsync(0, 8, async (i, token) =>
            {
                using var task = board.Begin($"[part] {i}", 100, "pages");
                for (var j = 0; j < 100; j++)
                {
                    task.Advance();
                    task.Note($"[odd markup {j}");
                    if (j % 25 == 0) await Task.Delay(30, token);
                }
                board.Line($"line [{i}]");
            });
        }
        for (var i = 0; i < 8; i++)
        {
            Assert.Contains($"line [{i}]", text.ToString());
            Assert.Contains($"[part] {i}: 100/100 pages", text.ToString());
        }
    }
}
