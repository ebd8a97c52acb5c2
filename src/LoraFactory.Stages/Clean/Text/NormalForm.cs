using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// NFC (UAX #15) by GLib, which comes with libvips: the runtime itself carries no Unicode tables here. Asked only for texts that hold something to compose;
/// where the library is missing they stay as they are.
/// </summary>
internal static unsafe partial class NormalForm
{
    private const string GLib = "libglib-2.0.so.0";
    private const int Nfc = 1;
    private static readonly bool IsThere = NativeLibrary.TryLoad(GLib, out _);

    /// <summary>The text in NFC; the same object where it was.</summary>
    public static string Compose(string text, TextChanges changes)
    {
        if (!IsThere || !MayCompose(text)) return text;
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        var n = Encoding.UTF8.GetBytes(text, bytes);
        byte* composed;
        fixed (byte* p = bytes) composed = g_utf8_normalize(p, n, Nfc);
        if (composed is null) return text;
        try
        {
            var result = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(composed));
            if (result == text) return text;
            changes.Add("composed");
            return result;
        }
        finally
        {
            g_free(composed);
        }
    }

    private static bool MayCompose(string text)
    {
        foreach (var c in text)
        {
            if (c < '\u0300' || c is (>= '\u0370' and <= '\u0482') or (>= '\u3105' and <= '\ud7ff')) continue;
            if (c is (>= '\u1100' and <= '\u11ff') or '\u2126' or '\u212a' or '\u212b' or (>= '\uf900' and <= '\ufaff') or (>= '\ufb1d' and <= '\ufb4e') or (>= '\ud834' and <= '\ud87f')) return true;
            if (char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark) return true;
        }
        return false;
    }

    [LibraryImport(GLib)] private static partial byte* g_utf8_normalize(byte* text, nint length, int mode);
    [LibraryImport(GLib)] private static partial void g_free(byte* memory);
}
