using System.Text;

namespace LoraFactory.Models.Tokenizers;

/// <summary>
/// The printable characters by which byte-level vocabularies spell bytes (GPT-2's table): bytes 33–126, 161–172, 174–255 stand for
/// themselves, the other 68 in ascending order for U+0100, U+0101, ….
/// </summary>
public static class ByteAlphabet
{
    private static readonly char[] Letters = MakeLetters();
    private static readonly int[] Bytes = MakeBytes();

    /// <summary>The character of a byte.</summary>
    public static char LetterOf(byte value) => Letters[value];

    /// <summary>The byte of a character; -1 for one that stands for none.</summary>
    public static int ByteOf(char letter) => letter < Bytes.Length ? Bytes[letter] : -1;

    /// <summary>The text that spelled tokens stand for; broken UTF-8 becomes U+FFFD. A token with a character outside the alphabet is taken as it is.</summary>
    public static string Decode(IEnumerable<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (var token in tokens)
        {
            if (token.All(letter => ByteOf(letter) >= 0)) bytes.AddRange(token.Select(letter => (byte)ByteOf(letter)));
            else bytes.AddRange(Encoding.UTF8.GetBytes(token));
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static char[] MakeLetters()
    {
        var letters = new char[256];
        var next = 0x100;
        for (var b = 0; b < 256; b++)
            letters[b] = b is >= 33 and <= 126 or >= 161 and <= 172 or >= 174 ? (char)b : (char)next++;
        return letters;
    }

    private static int[] MakeBytes()
    {
        var bytes = new int[0x100 + 68];
        Array.Fill(bytes, -1);
        for (var b = 0; b < 256; b++) bytes[Letters[b]] = b;
        return bytes;
    }
}
