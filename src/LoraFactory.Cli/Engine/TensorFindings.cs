using System.Diagnostics;
using System.Text.RegularExpressions;
using LoraFactory.Cli.Doctor;
using LoraFactory.Torch;

namespace LoraFactory.Cli.Engine;

/// <summary>What doctor says about libtorch, the door and the speed of products. Only this loads them.</summary>
internal static partial class TensorFindings
{
    private const int Size = 768;

    /// <summary>Findings on libtorch, door, BLAS and, where they load, the measured float32 product.</summary>
    public static IEnumerable<Finding> All()
    {
        var named = Environment.GetEnvironmentVariable("LORA_LIBTORCH");
        var own = !string.IsNullOrEmpty(named);
        var library = own ? Path.Combine(named!, "lib", "libtorch_cpu.so") : Path.Combine(MachineFindings.Libraries, "libtorch_cpu.so");
        if (!File.Exists(library))
        {
            yield return new("libtorch", Health.Missing, $"{library} is not there", own ? "Set LORA_LIBTORCH to the folder of a libtorch that holds include/ and lib/" : "Run: apt-get install -y libtorch-dev libopenblas0-openmp libgloo-dev");
            yield break;
        }
        yield return new("libtorch", Health.Ok, $"{HeaderVersion(own ? named! : "/usr") ?? "version unknown"} at {library}");
        var blas = BlasLibrary.Resolve(Environment.GetEnvironmentVariable("LD_LIBRARY_PATH"), MachineFindings.Libraries);
        yield return BlasLibrary.Judge(blas, MachineFindings.Libraries, isUsed: !own);
        if (TorchLibrary.DoorPath is not { } door || !File.Exists(door))
        {
            yield return new("door", Health.Missing, "the door to libtorch is not built", "Run ./lora demo once: it builds the door (or ./lora test)");
            yield break;
        }
        foreach (var finding in Measured(door)) yield return finding;
    }

    private static List<Finding> Measured(string door)
    {
        try
        {
            return TorchThread.Shared.Run(() =>
            {
                var findings = new List<Finding> { new("door", Health.Ok, $"{door}, built for libtorch {TorchLibrary.Version}") };
                TorchLibrary.Load();
                if (TorchLibrary.CudaAvailable) findings.Add(new("devices", Health.Ok, $"{TorchLibrary.CudaDevices} CUDA devices"));
                findings.Add(Product());
                return findings;
            });
        }
        catch (TorchException e)
        {
            return [new("door", Health.Missing, $"{door} does not load: {e.Message}", "Delete build/ and run ./lora demo once: it builds the door again")];
        }
    }

    private static Finding Product()
    {
        using var scope = new Scope();
        var a = Ops.Randn([Size, Size]);
        var b = Ops.Randn([Size, Size]);
        var best = double.MaxValue;
        for (var round = 0; round < 8; round++)
        {
            using var inner = new Scope();
            var started = Stopwatch.GetTimestamp();
            a.Matmul(b);
            best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }
        var speed = 2.0 * Size * Size * Size / best / 1e9;
        var value = $"{speed:0} GFLOP/s in a {Size}×{Size}×{Size} float32 product on {TorchLibrary.Threads} threads";
        return speed >= 10 * Math.Min(TorchLibrary.Threads, 4)
            ? new("product", Health.Ok, value)
            : new("product", Health.Warning, value, "Products should reach at least 10 GFLOP/s a thread: see the line on blas, and stop other programs");
    }

    private static string? HeaderVersion(string prefix)
    {
        var header = Path.Combine(prefix, "include/torch/csrc/api/include/torch/version.h");
        if (!File.Exists(header)) return null;
        var parts = VersionPart().Matches(File.ReadAllText(header)).Select(m => m.Groups["n"].Value).ToList();
        return parts.Count >= 3 ? string.Join('.', parts.Take(3)) : null;
    }

    [GeneratedRegex(@"#define TORCH_VERSION_(MAJOR|MINOR|PATCH) (?<n>\d+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex VersionPart();
}
