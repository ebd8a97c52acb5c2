using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using LoraFactory.Stages.Crawl.Rendering;

namespace LoraFactory.Cli.Doctor;

/// <summary>What can be said about the machine without loading any native library.</summary>
internal static class MachineFindings
{
    private const double GiB = 1024.0 * 1024 * 1024;

    /// <summary>Folder of system libraries, e.g. /usr/lib/x86_64-linux-gnu.</summary>
    public static string Libraries { get; } =
        $"/usr/lib/{(RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "aarch64" : "x86_64")}-linux-gnu";

    public static IEnumerable<Finding> All(string directory)
    {
        yield return Sdk();
        yield return Processor();
        yield return Memory();
        yield return Disk(directory);
        yield return Present("libvips", Path.Combine(Libraries, "libvips.so.42"), "pictures cannot be decoded", "apt-get install -y libvips42");
        yield return Present("libturbojpeg", Path.Combine(Libraries, "libturbojpeg.so.0"), "JPEGs are decoded and encoded at half the speed", "apt-get install -y libturbojpeg0", Health.Warning);
        yield return Present("wordnet", "/usr/share/wordnet/index.noun", "topics are not expanded", "apt-get install -y wordnet-base", Health.Warning);
        yield return Browser();
        yield return Cuda();
        yield return Port(7860);
    }

    private static Finding Sdk()
    {
        var found = Output("dotnet", "--list-sdks").Split('\n').Where(l => l.StartsWith("10.", StringComparison.Ordinal)).Select(l => l.Split(' ')[0]).LastOrDefault();
        return found is null
            ? new("sdk", Health.Warning, $".NET runtime {Environment.Version}, no .NET 10 SDK", "Install the .NET 10 SDK; the program runs, but cannot be built again")
            : new("sdk", Health.Ok, $".NET SDK {found}, runtime {Environment.Version}");
    }

    private static Finding Processor()
    {
        var policy = Environment.GetEnvironmentVariable("OMP_WAIT_POLICY");
        var value = $"{Environment.ProcessorCount} processors, OMP_WAIT_POLICY={policy ?? "not set"}";
        return string.Equals(policy, "PASSIVE", StringComparison.OrdinalIgnoreCase)
            ? new("processor", Health.Ok, value)
            : new("processor", Health.Warning, value, "Start the program with ./lora, or export OMP_WAIT_POLICY=PASSIVE: spinning waits cost 5 to 10 times when anything else runs");
    }

    private static Finding Memory()
    {
        var available = ReadKiB("/proc/meminfo", "MemAvailable:") * 1024.0;
        var total = ReadKiB("/proc/meminfo", "MemTotal:") * 1024.0;
        if (CgroupLimit() is { } limit && limit < total)
        {
            total = limit;
            available = Math.Min(available, limit);
        }
        var value = $"{available / GiB:0.0} of {total / GiB:0.0} GiB free";
        return available >= 3 * GiB
            ? new("memory", Health.Ok, value)
            : new("memory", Health.Warning, value, "The demo needs about 3 GiB, SD1.5 about 12: close other programs or lower train.batch_size");
    }

    private static Finding Disk(string directory)
    {
        try
        {
            var drive = new DriveInfo(Path.GetFullPath(directory));
            var value = $"{drive.AvailableFreeSpace / GiB:0.0} GiB free on {drive.Name}";
            return drive.AvailableFreeSpace >= 2 * GiB
                ? new("disk", Health.Ok, value)
                : new("disk", Health.Warning, value, "The demo needs about 1 GiB, SD1.5 about 10: free some space or use --runs-dir");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return new("disk", Health.Warning, $"unknown: {e.Message}", "Check that the directory can be written");
        }
    }

    // Wanted by crawl.render alone, so that its absence is no fault.
    private static Finding Browser() =>
        new("chromium", Health.Ok, ChromiumProgram.Find() is { } path ? $"{path} for crawl.render" : "not there; only crawl.render needs it (apt-get install -y chromium)");

    private static Finding Cuda()
    {
        if (!File.Exists("/dev/nvidia0")) return new("cuda", Health.Ok, "no CUDA device; the processor does the work");
        var torch = Environment.GetEnvironmentVariable("LORA_LIBTORCH");
        return !string.IsNullOrEmpty(torch) && File.Exists(Path.Combine(torch, "lib", "libtorch_cuda.so"))
            ? new("cuda", Health.Ok, $"a device, and a libtorch with CUDA at {torch}")
            : new("cuda", Health.Warning, "a device, but this libtorch is for processors only", "Set LORA_LIBTORCH to the folder of a libtorch built for CUDA, then run ./lora again");
    }

    private static Finding Port(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return new("port", Health.Ok, $"{port} is free for lora serve");
        }
        catch (SocketException e)
        {
            return new("port", Health.Warning, $"{port} is taken ({e.SocketErrorCode})", "Use another with --set deploy.port=0, or stop the program that has it");
        }
    }

    private static Finding Present(string name, string path, string without, string command, Health health = Health.Missing) =>
        File.Exists(path) ? new(name, Health.Ok, path) : new(name, health, $"{path} is not there: {without}", $"Run: {command}");

    private static double ReadKiB(string path, string key)
    {
        var line = File.Exists(path) ? File.ReadLines(path).FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal)) : null;
        return line is null ? 0 : double.Parse(line[key.Length..].Replace("kB", "").Trim(), CultureInfo.InvariantCulture);
    }

    private static double? CgroupLimit()
    {
        const string path = "/sys/fs/cgroup/memory.max";
        return File.Exists(path) && double.TryParse(File.ReadAllText(path).Trim(), CultureInfo.InvariantCulture, out var limit) ? limit : null;
    }

    private static string Output(string program, string argument)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, argument) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
            var text = process.StandardOutput.ReadToEnd();
            process.WaitForExit(5000);
            return text;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "";
        }
    }
}
