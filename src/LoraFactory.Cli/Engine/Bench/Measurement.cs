using System.Diagnostics;
using System.Text.Json.Nodes;
using LoraFactory.Stages.Train;
using LoraFactory.Torch;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary>How often a benchmark repeats, and on how many threads.</summary>
/// <param name="Threads">Threads of one operator, 1 or more.</param>
/// <param name="Repetitions">Timed runs, 1 or more; the fastest counts.</param>
/// <param name="Warm">Untimed runs before them, 0 or more.</param>
/// <param name="Cancellation">Ends the benchmark between two runs.</param>
public sealed record BenchSettings(int Threads = 2, int Repetitions = 3, int Warm = 1, CancellationToken Cancellation = default);

/// <summary>Times of the runs of one thing.</summary>
/// <param name="Best">Seconds of the fastest run.</param>
/// <param name="All">Seconds of every timed run, in order.</param>
/// <param name="Cpu">Least CPU seconds, of all threads, that a run took: other work on the machine moves it less than the clock.</param>
public sealed record Timing(double Best, IReadOnlyList<double> All, double Cpu);

/// <summary>
/// Clock, calibration and the JSON line of a benchmark. Field names and the order of measuring are those of the scripts that it is
/// compared with (bench/README.md): time, then peak memory, then the calibration product.
/// </summary>
internal sealed class Measurement(string name, BenchSettings settings)
{
    private const int Side = 768;
    private readonly JsonArray cpu = [];

    /// <summary>Runs <paramref name="body"/> on the tensor thread with the settings' threads, which are put back afterwards.</summary>
    public static JsonObject OnTensorThread(BenchSettings settings, Func<JsonObject> body) => TorchThread.Shared.Run(() =>
    {
        var before = TorchLibrary.Threads;
        TorchLibrary.Threads = settings.Threads;
        TorchLibrary.Seed(0);
        try
        {
            using var scope = new Scope();
            return body();
        }
        finally
        {
            TorchLibrary.Threads = before;
        }
    });

    /// <summary>Runs <paramref name="run"/> warm, then timed, each in a scope of its own.</summary>
    public Timing Best(Action run, int? repetitions = null, int? warm = null)
    {
        for (var i = 0; i < (warm ?? settings.Warm); i++) Once(run);
        var all = new List<double>();
        var least = double.MaxValue;
        for (var i = 0; i < (repetitions ?? settings.Repetitions); i++)
        {
            var used = Environment.CpuUsage.TotalTime;
            var started = Stopwatch.GetTimestamp();
            Once(run);
            all.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
            least = Math.Min(least, (Environment.CpuUsage.TotalTime - used).TotalSeconds);
        }
        cpu.Add(Rounded(least));
        return new(all.Min(), all, least);
    }

    /// <summary>The line: what was measured on, peak memory so far, the calibration now, then the benchmark's own fields.</summary>
    public JsonObject Line(JsonObject fields)
    {
        var line = new JsonObject
        {
            ["bench"] = name,
            ["torch"] = TorchLibrary.Version,
            ["threads"] = settings.Threads,
            ["load"] = Load(),
            ["cpu_s"] = cpu,
            ["peak_rss_mb"] = Math.Round(ProcessMemory.PeakMiB),
            ["calib_gflops_best_median"] = Calibrated(),
        };
        foreach (var (key, value) in fields) line[key] = value?.DeepClone();
        return line;
    }

    /// <summary>A number to four decimals.</summary>
    public static double Rounded(double value) => Math.Round(value, 4);

    /// <summary>Numbers to four decimals.</summary>
    public static JsonArray Rounded(IEnumerable<double> values) => [.. values.Select(v => (JsonNode)Rounded(v))];

    private void Once(Action run)
    {
        settings.Cancellation.ThrowIfCancellationRequested();
        using var scope = new Scope();
        run();
    }

    // GFLOP/s of a 768³ product, best and median of eight: how much of the machine this process gets at this moment.
    private static JsonArray Calibrated()
    {
        using var scope = new Scope();
        var a = Ops.Randn([Side, Side]);
        a.Matmul(a);
        var seconds = new double[8];
        for (var i = 0; i < seconds.Length; i++)
        {
            var started = Stopwatch.GetTimestamp();
            a.Matmul(a);
            seconds[i] = Stopwatch.GetElapsedTime(started).TotalSeconds;
        }
        Array.Sort(seconds);
        double Speed(double s) => Math.Round(2.0 * Side * Side * Side / s / 1e9, 1);
        return [Speed(seconds[0]), Speed(seconds[4])];
    }

    private static double? Load()
    {
        const string file = "/proc/loadavg";
        return File.Exists(file) && double.TryParse(File.ReadAllText(file).Split(' ')[0], out var load) ? Math.Round(load, 1) : null;
    }
}
