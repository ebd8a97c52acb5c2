using System.Diagnostics;
using System.Globalization;
using LoraFactory.Images;

namespace LoraFactory.Tests.Images;

/// <summary>What the decoding process may ask of the kernel.</summary>
public sealed class SystemCallFilterTests
{
    private const uint Writing = 1, Creating = 0x42, Thread = 0x3d0f00, Process = 17;

    [Theory]
    [InlineData(41, 0, 0, 0, false)] // socket
    [InlineData(59, 0, 0, 0, false)] // execve
    [InlineData(62, 0, 0, 0, false)] // kill
    [InlineData(87, 0, 0, 0, false)] // unlink
    [InlineData(435, 0, 0, 0, false)] // clone3
    [InlineData(0x40000029, 0, 0, 0, false)] // socket by the numbers of x32
    [InlineData(0, 0, 0, 0, true)] // read
    [InlineData(1, 0, 0, 0, true)] // write
    [InlineData(9, 0, 0, 0, true)] // mmap
    [InlineData(202, 0, 0, 0, true)] // futex
    [InlineData(2, 0, 0, 0, true)] // open for reading
    [InlineData(2, 0, Creating, 0, false)]
    [InlineData(257, 0, 0, 0x80000, true)] // openat for reading, O_CLOEXEC
    [InlineData(257, 0, 0, Writing, false)]
    [InlineData(56, Thread, 0, 0, true)] // clone of a thread
    [InlineData(56, Process, 0, 0, false)] // and of a process
    public void Calls_that_reach_out_are_refused_and_the_others_are_not(uint number, uint first, uint second, uint third, bool allowed)
    {
        var numbers = new SystemCallFilter.Numbers(0xC000003E, 317, SystemCallFilter.Here is { Architecture: 0xC000003E } here ? here.Denied : [41, 59, 62, 87], 2, 257, 56);
        var answer = Run(SystemCallFilter.Program(numbers), [number, 0xC000003E, 0, 0, first, 0, second, 0, third]);
        Assert.Equal(allowed, answer == SystemCallFilter.Allow);
        Assert.Equal(SystemCallFilter.Refuse, Run(SystemCallFilter.Program(numbers), [number, 0x40000003, 0, 0, first, 0, second, 0, third])); // by a 32-bit gate
    }

    [Fact]
    public async Task The_decoding_process_wears_the_filter_and_decodes()
    {
        Assert.SkipWhen(SystemCallFilter.Here is null || !File.Exists("/proc/self/status") || !File.ReadAllText("/proc/self/status").Contains("Seccomp:", StringComparison.Ordinal), "this kernel has no seccomp");
        using var decoder = new IsolatedDecoder();
        var picture = PictureDecoderTests.Gradient(300, 200);
        foreach (var bytes in (byte[][])[PictureWriter.Png(picture), PictureWriter.Jpeg(picture, 92)])
            Assert.Equal((300, 200), (await decoder.DecodeAsync(bytes, PictureFit.Within(512), TestContext.Current.CancellationToken)) is { Width: var width, Height: var height } ? (width, height) : default);
        var workers = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(name => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out _)).Select(Status).Where(s => s.Contains($"PPid:\t{Environment.ProcessId}\n", StringComparison.Ordinal) && s.Contains("NoNewPrivs:\t1", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(workers);
        Assert.All(workers, status => Assert.Contains("Seccomp:\t2", status, StringComparison.Ordinal));
    }

    private static string Status(string? process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/status");
        }
        catch (IOException)
        {
            return ""; // it has ended
        }
    }

    // The kernel's own reading of such a program, as far as the filter uses it; data by words of four bytes.
    private static uint Run(IReadOnlyList<SystemCallFilter.Instruction> program, uint[] data)
    {
        var word = 0u;
        for (var at = 0; ; at++)
        {
            var (code, ifTrue, ifFalse, value) = program[at];
            switch (code)
            {
                case 0x20: word = data[value / 4]; break;
                case 0x15: at += word == value ? ifTrue : ifFalse; break;
                case 0x35: at += word >= value ? ifTrue : ifFalse; break;
                case 0x45: at += (word & value) != 0 ? ifTrue : ifFalse; break;
                case 0x06: return value;
                default: throw new UnreachableException($"code {code}");
            }
        }
    }
}
