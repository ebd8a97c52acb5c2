using System.Runtime.InteropServices;
using System.Text;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>A hunspell dictionary (libhunspell 1.7 by its C functions). For one thread.</summary>
internal sealed unsafe partial class Hunspell : IDisposable
{
    private const string Library = "libhunspell-1.7.so.0";
    private const string Folder = "/usr/share/hunspell";
    private nint handle;

    private Hunspell(nint handle) => this.handle = handle;

    /// <summary>Whether library and dictionary are there.</summary>
    public static bool IsThere(string dictionary) => IsName(dictionary) && File.Exists(Place(dictionary, "dic")) && File.Exists(Place(dictionary, "aff")) && NativeLibrary.TryLoad(Library, out _);

    /// <summary>Opens a dictionary by its name, such as "en_US"; null where library or dictionary is missing, or it is not in UTF-8.</summary>
    public static Hunspell? Open(string dictionary)
    {
        if (!IsThere(dictionary)) return null;
        var opened = new Hunspell(Hunspell_create(Place(dictionary, "aff"), Place(dictionary, "dic")));
        if (opened.handle != 0 && Marshal.PtrToStringUTF8(Hunspell_get_dic_encoding(opened.handle)) == "UTF-8") return opened;
        opened.Dispose();
        return null;
    }

    /// <summary>Whether the dictionary has the word.</summary>
    public bool Knows(string word) => Hunspell_spell(handle, word) != 0;

    /// <summary>What the dictionary would write instead, best first.</summary>
    public IReadOnlyList<string> Suggest(string word)
    {
        byte** list;
        var n = Hunspell_suggest(handle, &list, word);
        if (n <= 0) return [];
        var words = new string[n];
        for (var i = 0; i < n; i++) words[i] = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(list[i]));
        Hunspell_free_list(handle, &list, n);
        return words;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (handle != 0) Hunspell_destroy(handle);
        handle = 0;
    }

    private static bool IsName(string dictionary) => dictionary.Length is > 1 and < 32 && dictionary.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');

    private static string Place(string dictionary, string ending) => Path.Combine(Folder, $"{dictionary}.{ending}");

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] private static partial nint Hunspell_create(string affixes, string words);
    [LibraryImport(Library)] private static partial void Hunspell_destroy(nint handle);
    [LibraryImport(Library)] private static partial nint Hunspell_get_dic_encoding(nint handle);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] private static partial int Hunspell_spell(nint handle, string word);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] private static partial int Hunspell_suggest(nint handle, byte*** list, string word);
    [LibraryImport(Library)] private static partial void Hunspell_free_list(nint handle, byte*** list, int count);
}
