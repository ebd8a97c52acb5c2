using System.Text.Json.Nodes;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary>A safetensors file mapped as tensors, and mapped and summed so that every page is read. The file lies in the page cache.</summary>
public static class LoadBench
{
    private const int TensorMiB = 16;
    private const int SavedMiB = 128;
    private const int Rows = 1024;
    private const int Columns = 4096;

    /// <summary>
    /// Measures a file of <paramref name="mib"/> MiB, a multiple of 16. <paramref name="path"/>: made there when it is missing or of another
    /// size, and kept; null makes it among the temporary files and deletes it. "gb_per_s" is mapping alone, "read_gb_per_s" with every byte summed;
    /// "save_128mb_s" writes, flushes to the disk and renames.
    /// </summary>
    public static JsonObject Run(int mib, string? path, BenchSettings settings)
    {
        var kept = path is not null;
        var file = path ?? Path.Combine(Path.GetTempPath(), $"lora-bench-{Guid.NewGuid():N}.safetensors");
        try
        {
            return Measurement.OnTensorThread(settings, () => Measured(mib, file, settings));
        }
        finally
        {
            if (!kept) File.Delete(file);
            File.Delete(file + ".out");
        }
    }

    private static JsonObject Measured(int mib, string file, BenchSettings settings)
    {
        if (!File.Exists(file) || Math.Abs(new FileInfo(file).Length / (double)(1 << 20) - mib) >= 1) Write(file, mib, Ops.Randn([Rows, Columns]));
        var measurement = new Measurement("safetensors_load", settings);
        Read(file, sum: true); // into the page cache
        var load = measurement.Best(() => Read(file, sum: false));
        var total = measurement.Best(() => Read(file, sum: true));
        var line = new JsonObject
        {
            ["mb"] = mib,
            ["load_s"] = Math.Round(load.Best, 6),
            ["gb_per_s"] = Measurement.Rounded(mib / 1024.0 / load.Best),
            ["load_and_sum_s"] = Measurement.Rounded(total.Best),
            ["read_gb_per_s"] = Measurement.Rounded(mib / 1024.0 / total.Best),
        };
        if (mib >= SavedMiB)
        {
            var ones = Ops.Ones([Rows, Columns]);
            line["save_128mb_s"] = Measurement.Rounded(measurement.Best(() => Write(file + ".out", SavedMiB, ones)).Best);
        }
        return measurement.Line(line);
    }

    private static void Write(string file, int mib, Tensor tensor) =>
        SafetensorsWriter.Write(file, Enumerable.Range(0, mib / TensorMiB).Select(i => tensor.ToWrite($"w{i}")));

    private static void Read(string file, bool sum)
    {
        using var source = WeightSource.Open(file);
        foreach (var weight in source.Weights)
        {
            using var scope = new Scope();
            var tensor = weight.ToTensor();
            if (sum && double.IsNaN(tensor.Sum().Item())) throw new LoraFactory.Models.ModelException($"{file} holds a value that is not a number: it is damaged. Delete it and run the benchmark again.");
        }
    }
}
