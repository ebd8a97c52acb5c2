using System.Runtime.InteropServices;

namespace LoraFactory.Images;

/// <summary>
/// What the decoding process may ask of the kernel (seccomp, Linux 3.17 and later): nothing that reaches the network, another process or a file's
/// contents, name or rights; files may be opened for reading, since libraries are loaded when they are first needed. What is refused fails with EPERM.
/// </summary>
internal static partial class SystemCallFilter
{
    /// <summary>An instruction of classic BPF (linux/filter.h).</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal readonly record struct Instruction(ushort Code, byte IfTrue, byte IfFalse, uint Value);

    /// <summary>Numbers of system calls on one architecture (linux/audit.h, asm/unistd.h).</summary>
    /// <param name="Architecture">AUDIT_ARCH_*.</param>
    /// <param name="Seccomp">seccomp.</param>
    /// <param name="Denied">Calls that are refused whatever they ask.</param>
    /// <param name="Open">open, with its flags in argument 1; 0 where there is none.</param>
    /// <param name="OpenAt">openat, with its flags in argument 2.</param>
    /// <param name="Spawn">clone, with its flags in argument 0.</param>
    internal sealed record Numbers(uint Architecture, nint Seccomp, IReadOnlyList<uint> Denied, uint Open, uint OpenAt, uint Spawn);

    // Load a word of the call's data; jump if equal, greater or equal, any bit set; return.
    private const ushort Load = 0x20, Equal = 0x15, AtLeast = 0x35, AnyBit = 0x45, Return = 0x06;
    internal const uint Allow = 0x7fff0000, Refuse = 0x00050001, NotThere = 0x00050026;
    // seccomp_data: number, architecture, then six arguments of eight bytes after the instruction pointer.
    private const uint NumberAt = 0, ArchitectureAt = 4, ArgumentsAt = 16, OtherNumbers = 0x40000000;
    // O_WRONLY, O_RDWR, O_CREAT, O_TRUNC; CLONE_THREAD. clone3 and openat2 keep their flags where no filter sees them; the C library does without them.
    private const uint Writes = 0x1 | 0x2 | 0x40 | 0x200, Thread = 0x10000, Clone3 = 435, OpenAt2 = 437;
    private const int SetFilter = 1;
    private const nint AllThreads = 1;

    // socket socketpair bind listen accept accept4 connect sendto sendmsg sendmmsg, execve execveat fork vfork ptrace process_vm_readv process_vm_writev kill
    // pidfd_open pidfd_getfd, unlink unlinkat rename renameat renameat2 mkdir mkdirat rmdir link linkat symlink symlinkat chmod fchmod fchmodat chown fchown lchown
    // fchownat truncate mknod mknodat creat, mount umount2 pivot_root chroot setns unshare, bpf perf_event_open io_uring × 3, init_module finit_module add_key request_key keyctl userfaultfd
    private static readonly Numbers X64 = new(0xC000003E, 317,
        [41, 53, 49, 50, 43, 288, 42, 44, 46, 307, 59, 322, 57, 58, 101, 310, 311, 62, 434, 438, 87, 263, 82, 264, 316, 83, 258, 84, 86, 265, 88, 266, 90, 91, 268, 92, 93, 94, 260, 76, 133, 259, 85,
            165, 166, 155, 161, 308, 272, 321, 298, 425, 426, 427, 175, 313, 248, 249, 250, 323], 2, 257, 56);

    private static readonly Numbers Arm64 = new(0xC00000B7, 277,
        [198, 199, 200, 201, 202, 242, 203, 206, 211, 269, 221, 281, 117, 270, 271, 129, 434, 438, 35, 38, 276, 34, 37, 36, 52, 53, 55, 54, 45, 33,
            40, 39, 41, 51, 268, 97, 280, 241, 425, 426, 427, 105, 273, 217, 218, 219, 282], 0, 56, 220);

    /// <summary>The numbers of the machine; null where they are not known here.</summary>
    internal static Numbers? Here => RuntimeInformation.ProcessArchitecture switch { Architecture.X64 => X64, Architecture.Arm64 => Arm64, _ => null };

    /// <summary>Puts the filter on every thread of this process, for good. False where the kernel or the machine does not allow it.</summary>
    public static unsafe bool Apply()
    {
        if (!OperatingSystem.IsLinux() || Here is not { } numbers) return false;
        var program = Program(numbers);
        fixed (Instruction* first = program)
        {
            var filter = new Filter { Length = (ushort)program.Length, First = (nint)first };
            return syscall(numbers.Seccomp, SetFilter, AllThreads, (nint)(&filter)) == 0;
        }
    }

    /// <summary>The filter as a program.</summary>
    internal static Instruction[] Program(Numbers numbers)
    {
        // where a jump leads is counted in instructions, at most 255: each check ends in a return of its own
        List<Instruction> program =
        [
            new(Load, 0, 0, ArchitectureAt), new(Equal, 1, 0, numbers.Architecture), new(Return, 0, 0, Refuse),
            new(Load, 0, 0, NumberAt), new(AtLeast, 0, 1, OtherNumbers), new(Return, 0, 0, Refuse),
        ];
        foreach (var number in numbers.Denied) program.AddRange([new(Equal, 0, 1, number), new(Return, 0, 0, Refuse)]);
        foreach (var number in (uint[])[Clone3, OpenAt2]) program.AddRange([new(Equal, 0, 1, number), new(Return, 0, 0, NotThere)]);
        if (numbers.Open > 0) Flags(numbers.Open, 1, refusedIf: Writes);
        Flags(numbers.OpenAt, 2, refusedIf: Writes);
        program.AddRange([new(Equal, 0, 4, numbers.Spawn), new(Load, 0, 0, ArgumentsAt), new(AnyBit, 1, 0, Thread), new(Return, 0, 0, Refuse), new(Return, 0, 0, Allow)]);
        program.Add(new(Return, 0, 0, Allow));
        return [.. program];

        void Flags(uint number, uint argument, uint refusedIf) =>
            program.AddRange([new(Equal, 0, 4, number), new(Load, 0, 0, ArgumentsAt + 8 * argument), new(AnyBit, 0, 1, refusedIf), new(Return, 0, 0, Refuse), new(Return, 0, 0, Allow)]);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Filter
    {
        public ushort Length;
        public nint First;
    }

    [LibraryImport("libc", SetLastError = true)] private static partial nint syscall(nint number, nint operation, nint flags, nint filter);
}
