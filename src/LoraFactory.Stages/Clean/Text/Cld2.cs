using System.Runtime.InteropServices;
using System.Text;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>What CLD2 says of a text.</summary>
/// <param name="Languages">Up to three codes, likeliest first, with the share of the text (0..1).</param>
/// <param name="Reliable">Whether it calls the first one much likelier than the next.</param>
internal readonly record struct Cld2Finding(IReadOnlyList<(string Code, double Share)> Languages, bool Reliable);

/// <summary>
/// The language identifier CLD2 (Sites 2013) through native/cld2.cpp, liblora_cld2.so: naive Bayes over groups of four letters, tables in the library,
/// no state; any thread may call. Where the library is missing, <see cref="Find"/> answers null and the caller guesses.
/// </summary>
internal static unsafe class Cld2
{
    private const string Library = "liblora_cld2.so";
    private const int MostBytes = 1 << 20;
    private static readonly delegate* unmanaged<byte*, int, byte*, byte*, int, byte*, int*, double*, int*, int*, int> Detect = Load();

    /// <summary>Whether the library is there.</summary>
    public static bool IsThere => Detect is not null;

    /// <summary>The likeliest languages of a text, of which at most the first MiB is read; null where the library is missing or refuses it.</summary>
    /// <param name="text">Any text; lone surrogates are read as U+FFFD.</param>
    /// <param name="hint">Declared language or languages, such as "de" or "en,fr"; empty for none.</param>
    public static Cld2Finding? Find(ReadOnlySpan<char> text, string hint = "")
    {
        if (Detect is null || text.IsEmpty) return null;
        var most = Math.Min(text.Length, MostBytes / 3);
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(most)];
        var n = Encoding.UTF8.GetBytes(text[..most], bytes);
        // NUL and the other control characters are no interchange-valid text for it.
        for (var i = 0; i < n; i++)
            if (bytes[i] < 0x20 && bytes[i] is not ((byte)'\n' or (byte)'\t' or (byte)'\r') || bytes[i] == 0x7f) bytes[i] = (byte)' ';
        var hintBytes = Encoding.ASCII.GetBytes(hint.Length <= 64 ? hint + "\0" : "\0");
        Span<byte> codes = stackalloc byte[48];
        Span<int> percents = stackalloc int[3];
        Span<double> scores = stackalloc double[3];
        int letters, reliable, valid;
        fixed (byte* p = bytes, h = hintBytes, c = codes)
        fixed (int* percent = percents)
        fixed (double* score = scores)
            valid = Detect(p, n, hintBytes[0] == 0 ? null : h, null, 1, c, percent, score, &letters, &reliable);
        if (valid < n) return null;
        var found = new List<(string, double)>(3);
        for (var i = 0; i < 3; i++)
        {
            var code = codes.Slice(i * 16, 16);
            if (code[0] != 0) found.Add((Name(Encoding.ASCII.GetString(code[..code.IndexOf((byte)0)])), percents[i] / 100.0));
        }
        return new(found, reliable != 0);
    }

    // BCP-47 where CLD2 has older codes.
    private static string Name(string code) => code switch { "no" or "nn" => "nb", "iw" => "he", "in" => "id", "jw" => "jv", "zh-Hant" => "zh", "sr-ME" => "sr", _ => code };

    private static delegate* unmanaged<byte*, int, byte*, byte*, int, byte*, int*, double*, int*, int*, int> Load()
    {
        if (Place() is not { } path || !NativeLibrary.TryLoad(path, out var library)) return null;
        if (!NativeLibrary.TryGetExport(library, "lora_cld2_version", out var version) || ((delegate* unmanaged<int>)version)() != 1) return null;
        return (delegate* unmanaged<byte*, int, byte*, byte*, int, byte*, int*, double*, int*, int*, int>)NativeLibrary.GetExport(library, "lora_cld2_detect");
    }

    // Beside the door: where LORA_DOOR says, beside the program, or in build/door of a source tree above it.
    private static string? Place()
    {
        var places = new List<string>();
        if (Environment.GetEnvironmentVariable("LORA_DOOR") is { Length: > 0 } door && Path.GetDirectoryName(Path.GetFullPath(door)) is { } beside) places.Add(beside);
        for (var at = AppContext.BaseDirectory; at is not null; at = Path.GetDirectoryName(at)) places.AddRange([at, Path.Combine(at, "build", "door")]);
        return places.Select(place => Path.Combine(place, Library)).FirstOrDefault(File.Exists);
    }
}
