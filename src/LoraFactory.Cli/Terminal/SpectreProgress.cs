using LoraFactory.Flow;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace LoraFactory.Cli;

/// <summary>Live bars on a terminal: title, bar, counts, rate, time left and a note for every running task. Thread-safe.</summary>
public sealed class SpectreProgress : ProgressBoard
{
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(200);

    private readonly Lock gate = new();
    private readonly List<Bar> bars = [];
    private readonly IAnsiConsole console;
    private readonly TimeProvider clock;
    private readonly CancellationTokenSource ending = new();
    private readonly Queue<string> lines = new();
    private readonly Thread painter;

    /// <summary>Begins the display on the error stream.</summary>
    public SpectreProgress(TimeProvider clock) : this(clock, AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) })) { }

    internal SpectreProgress(TimeProvider clock, IAnsiConsole console)
    {
        this.clock = clock;
        this.console = console;
        painter = new Thread(Paint) { IsBackground = true, Name = "progress" };
        painter.Start();
    }

    /// <inheritdoc/>
    public override IProgressTask Begin(string title, long? total, string unit)
    {
        var bar = new Bar(this, new ProgressState(title, total, unit, clock));
        lock (gate) bars.Add(bar);
        return bar;
    }

    /// <inheritdoc/>
    public override void Line(string text)
    {
        lock (gate) lines.Enqueue(text);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (ending.IsCancellationRequested) return;
        ending.Cancel();
        painter.Join(TimeSpan.FromSeconds(2));
    }

    private void Paint()
    {
        try
        {
            PaintUntilEnd();
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or ArgumentException)
        {
            Console.Error.WriteLine($"The progress display ended: {e.Message}"); // a strange terminal never costs the run
        }
    }

    private void PaintUntilEnd()
    {
        console.Live(new Text("")).AutoClear(true).Overflow(VerticalOverflow.Crop).Start(live =>
        {
            while (true)
            {
                var last = ending.IsCancellationRequested;
                WriteLines();
                live.UpdateTarget(Table());
                if (last) return;
                ending.Token.WaitHandle.WaitOne(Refresh);
            }
        });
    }

    private void WriteLines()
    {
        while (true)
        {
            string? text;
            lock (gate)
                if (!lines.TryDequeue(out text)) return;
            console.WriteLine(text);
        }
    }

    private Grid Table()
    {
        var grid = new Grid().AddColumn(new GridColumn().NoWrap()).AddColumn(new GridColumn().Width(26).NoWrap()).AddColumn(new GridColumn().NoWrap());
        Bar[] running;
        lock (gate) running = [.. bars];
        if (running.Length == 0) grid.AddRow(" ", " ", " "); // Spectre cannot draw a grid without rows
        foreach (var bar in running)
        {
            grid.AddRow(new Text(bar.State.Title), Drawn(bar.State), new Text(bar.State.Words()));
            foreach (var line in bar.State.Details) grid.AddRow(new Text(""), new Text(""), new Text(line, new Style(Color.Grey)));
        }
        return grid;
    }

    private static IRenderable Drawn(ProgressState state)
    {
        if (!state.HasTotal) return new Text(new string('·', 24), new Style(Color.Grey));
        var full = (int)Math.Round(24 * state.Share);
        return new Markup($"[blue]{new string('━', full)}[/][grey]{new string('─', 24 - full)}[/]");
    }

    private sealed class Bar(SpectreProgress board, ProgressState state) : IProgressTask
    {
        public ProgressState State => state;

        public void Set(long done, long? total = null) => state.Set(done, total);

        public void Advance(long by = 1) => state.Advance(by);

        public void Note(string text) => state.Note(text);

        public void Details(IReadOnlyList<string> lines) => state.Details = lines;

        public void Dispose()
        {
            lock (board.gate)
            {
                if (!board.bars.Remove(this)) return;
                board.lines.Enqueue($"{state.Title}: {state.Words()}");
            }
        }
    }
}
