using System.Globalization;
using System.Runtime.InteropServices;
using LoraFactory.Images.Turbo;
using LoraFactory.Images.Vips;

namespace LoraFactory.Images;

/// <summary>
/// The decoding process: our own executable called with <see cref="Verb"/>. It reads files from standard input and answers on
/// standard output with what was asked for (measures, a cut and encoded square, pixels) until the input ends. Before the first file it caps its own memory, forbids itself to write files, to dump core, to
/// gain privileges, and where the kernel allows it to reach the network or another process (<see cref="SystemCallFilter"/>), so that a decoder that is taken over by a crafted file has little to take.
/// </summary>
public static partial class DecodeWorker
{
    /// <summary>The hidden command that starts it.</summary>
    public const string Verb = "decode-worker";

    /// <summary>Environment variable with the memory cap in MiB.</summary>
    public const string MemoryVariable = "LORA_DECODE_MEMORY_MIB";

    /// <summary>Environment variable with the seconds of processor time that one picture may take.</summary>
    public const string SecondsVariable = "LORA_DECODE_SECONDS";

    private const int MaxFileBytes = int.MaxValue - 64;

    /// <summary>Serves standard input until it ends; returns the exit code.</summary>
    public static int Run()
    {
        using var input = new BufferedStream(Console.OpenStandardInput(), 1 << 16);
        using var output = new BufferedStream(Console.OpenStandardOutput(), 1 << 16);
        return Serve(input, output);
    }

    private static int Serve(Stream input, Stream output)
    {
        try
        {
            VipsLibrary.Require();
            _ = TurboJpeg.IsAvailable;
            ShutIn();
            DecodeFrames.WriteInt(output, 0);
            output.Flush();
        }
        catch (PictureException e)
        {
            DecodeFrames.WriteFault(output, e);
            return 1;
        }
        while (true)
        {
            int length;
            try
            {
                length = DecodeFrames.ReadInt(input);
            }
            catch (EndOfStreamException)
            {
                return 0;
            }
            if (length is < 0 or > MaxFileBytes) return 1;
            var limits = new PictureLimits { MaxPixels = DecodeFrames.ReadLong(input) };
            var request = DecodeFrames.ReadRequest(input);
            var bytes = new byte[length];
            input.ReadExactly(bytes);
            AllowProcessorTime();
            Answer(output, bytes, request, limits);
            output.Flush();
        }
    }

    private static void Answer(Stream output, byte[] bytes, DecodeRequest request, PictureLimits limits)
    {
        DecodedPicture decoded;
        byte[] answer;
        try
        {
            (decoded, answer) = request.Run(bytes, limits);
        }
        catch (PictureException e)
        {
            DecodeFrames.WriteFault(output, e);
            return;
        }
        catch (OutOfMemoryException)
        {
            DecodeFrames.WriteFault(output, new PictureException(PictureFault.TooLarge, "Decoding needs more memory than it is allowed."));
            return;
        }
        DecodeFrames.WriteInt(output, 0);
        foreach (var side in (ReadOnlySpan<int>)[decoded.Width, decoded.Height, decoded.Picture.Width, decoded.Picture.Height, answer.Length]) DecodeFrames.WriteInt(output, side);
        output.Write(answer);
    }

    private static void ShutIn()
    {
        if (!OperatingSystem.IsLinux()) return;
        // A picture goes through in few pieces; where the system allows less, in more.
        foreach (var pipe in (ReadOnlySpan<int>)[0, 1]) _ = fcntl(pipe, SetPipeSize, 1 << 20);
        // What .NET has reserved already stays; only growth counts.
        var pages = long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[0], CultureInfo.InvariantCulture);
        var memory = pages * Environment.SystemPageSize + ((long)Setting(MemoryVariable, 1024) << 20);
        Limit(AddressSpace, (ulong)memory);
        // What compiles libvips' loops keeps its code in a temporary file where it may and in memory else; told so by an error, not by a deadly signal.
        _ = signal(FileSizeSignal, Ignore);
        Limit(FileSize, 0);
        Limit(CoreSize, 0);
        _ = prctl(NoNewPrivileges, 1, 0, 0, 0);
        _ = SystemCallFilter.Apply(); // one wall more, where the kernel has it
    }

    private static void AllowProcessorTime()
    {
        if (!OperatingSystem.IsLinux()) return;
        var limit = (ulong)(Environment.CpuUsage.TotalTime.TotalSeconds + Setting(SecondsVariable, 20) + 2);
        _ = setrlimit(ProcessorTime, new ResourceLimit { Soft = limit, Hard = ulong.MaxValue });
    }

    private static void Limit(int resource, ulong value)
    {
        if (setrlimit(resource, new ResourceLimit { Soft = value, Hard = value }) != 0)
            throw new PictureException(PictureFault.LibraryMissing, $"The decoding process could not limit resource {resource} to {value}: error {Marshal.GetLastPInvokeError()}.");
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : otherwise;

    // Numbers of the Linux kernel, alike on x86-64 and arm64.
    private const int ProcessorTime = 0, FileSize = 1, CoreSize = 4, AddressSpace = 9, NoNewPrivileges = 38, FileSizeSignal = 25, SetPipeSize = 1031;

    private const nint Ignore = 1;

    [StructLayout(LayoutKind.Sequential)]
    private struct ResourceLimit
    {
        public ulong Soft;
        public ulong Hard;
    }

    [LibraryImport("libc", SetLastError = true)] private static partial int setrlimit(int resource, in ResourceLimit limit);

    [LibraryImport("libc")] private static partial int fcntl(int file, int command, int value);

    [LibraryImport("libc")] private static partial nint signal(int number, nint handler);

    [LibraryImport("libc", SetLastError = true)] private static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);
}
