using System.Runtime.InteropServices;

namespace LoraFactory.Pages;

/// <summary>
/// Internationalised domain names as the DNS knows them: "domain to ASCII" of the URL Standard (§3.3), which is UTS #46 without transitional
/// processing, length and hyphen checks, with checks of direction, joiners and Punycode. The tables are those of ICU (Debian's libicu, which libvips
/// brings along), or of libidn2 where there is none (which refuses some odd names more).
/// </summary>
public static unsafe class DomainToAscii
{
    // What ICU reports and the URL Standard does not ask for: empty labels, lengths, hyphens.
    private const uint Tolerated = 0x3F;
    private const uint CheckBidi = 4, CheckContextJ = 8, NonTransitional = 0x10 | 0x20;
    private const int NewestIcu = 120, OldestIcu = 55, MaxLength = 2048;

    private static readonly Icu? Tables = Icu.Load();
    private static readonly delegate* unmanaged[Cdecl]<byte*, byte**, int, int> Idn2 = Tables is null ? LoadIdn2() : null;

    /// <summary>Which library maps names: "libicuuc.so.72", "libidn2.so.0"; null when there is none, and names with letters beyond ASCII are refused.</summary>
    public static string? Library => Tables?.Name ?? (Idn2 is null ? null : "libidn2.so.0");

    /// <summary>The name in ASCII and lower case ("xn--…" for labels beyond ASCII), or null when it is no valid name. Forbidden ASCII characters are not looked for.</summary>
    public static string? Map(string domain)
    {
        ArgumentNullException.ThrowIfNull(domain);
        if (domain.Length > MaxLength) return null;
        if (System.Text.Ascii.IsValid(domain) && !HasPunycode(domain)) return domain.Length == 0 ? null : domain.ToLowerInvariant();
        var mapped = Tables is not null ? Tables.Map(domain) : Idn2 is not null ? MapIdn2(domain) : null;
        return mapped is null or "" ? null : mapped;
    }

    private static bool HasPunycode(ReadOnlySpan<char> domain)
    {
        for (; ; )
        {
            if (domain.StartsWith("xn--", StringComparison.OrdinalIgnoreCase)) return true;
            var dot = domain.IndexOf('.');
            if (dot < 0) return false;
            domain = domain[(dot + 1)..];
        }
    }

    private static string? MapIdn2(string domain)
    {
        const int NfcInput = 1, Nontransitional = 8;
        var utf8 = System.Text.Encoding.UTF8.GetBytes(domain + '\0');
        byte* output = null;
        fixed (byte* input = utf8)
            if (Idn2(input, &output, NfcInput | Nontransitional) != 0) return null;
        var ascii = Marshal.PtrToStringAnsi((nint)output);
        NativeMemory.Free(output); // the library's own free is malloc's
        return ascii;
    }

    private static delegate* unmanaged[Cdecl]<byte*, byte**, int, int> LoadIdn2() =>
        NativeLibrary.TryLoad("libidn2.so.0", out var library) && NativeLibrary.TryGetExport(library, "idn2_to_ascii_8z", out var map)
            ? (delegate* unmanaged[Cdecl]<byte*, byte**, int, int>)map : null;

    [StructLayout(LayoutKind.Sequential)]
    private struct Info
    {
        public short Size;
        public byte IsTransitionalDifferent, Reserved1;
        public uint Errors;
        public int Reserved2, Reserved3;
    }

    // ICU's names carry its version: uidna_openUTS46_72 of libicuuc.so.72. Its object may be used by many threads.
    private sealed class Icu
    {
        private readonly nint uts46;
        private readonly delegate* unmanaged[Cdecl]<nint, char*, int, char*, int, Info*, int*, int> map;

        private Icu(string name, nint uts46, nint map)
        {
            Name = name;
            this.uts46 = uts46;
            this.map = (delegate* unmanaged[Cdecl]<nint, char*, int, char*, int, Info*, int*, int>)map;
        }

        public string Name { get; }

        public static Icu? Load()
        {
            for (var version = NewestIcu; version >= OldestIcu; version--)
            {
                var name = $"libicuuc.so.{version}";
                if (!NativeLibrary.TryLoad(name, out var library)) continue;
                if (!NativeLibrary.TryGetExport(library, $"uidna_openUTS46_{version}", out var open) || !NativeLibrary.TryGetExport(library, $"uidna_nameToASCII_{version}", out var map)) continue;
                var error = 0;
                var uts46 = ((delegate* unmanaged[Cdecl]<uint, int*, nint>)open)(CheckBidi | CheckContextJ | NonTransitional, &error);
                if (error <= 0 && uts46 != 0) return new(name, uts46, map);
            }
            return null;
        }

        public string? Map(string domain)
        {
            // a character becomes at most 18 others, and those at most a few ASCII ones each
            var output = new char[64 + domain.Length * 24];
            var info = new Info { Size = (short)sizeof(Info) };
            var error = 0;
            int length;
            fixed (char* from = domain)
            fixed (char* to = output) length = map(uts46, from, domain.Length, to, output.Length, &info, &error);
            return error > 0 || (info.Errors & ~Tolerated) != 0 || length > output.Length ? null : new string(output, 0, length);
        }
    }
}
