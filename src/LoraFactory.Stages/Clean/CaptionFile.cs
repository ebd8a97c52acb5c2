using System.Text;

namespace LoraFactory.Stages.Clean;

/// <summary>A text file as an editor saves it: UTF-8, or what its byte order mark says (UTF-8, UTF-16 of either order).</summary>
internal static class CaptionFile
{
    private const int MaxBytes = 64 * 1024;

    /// <summary>The file's text up to 64 KiB, its white space tidied and nothing else: the words are the user's own. Null where the file is no such text.</summary>
    public static string? Read(string path)
    {
        using var stream = File.OpenRead(path);
        var bytes = new byte[(int)Math.Min(stream.Length, MaxBytes)];
        stream.ReadExactly(bytes);
        var (encoding, mark) = EncodingOf(bytes);
        var decoder = encoding.GetDecoder();
        var characters = new char[encoding.GetMaxCharCount(bytes.Length)];
        try
        {
            // a longer file may be cut within a character: that is no fault of the file's
            var text = new string(characters, 0, decoder.GetChars(bytes.AsSpan(mark), characters, flush: stream.Length == bytes.Length));
            // UTF-16 without a mark and UTF-32 show by their zeros, which no caption has
            return text.Contains('\0', StringComparison.Ordinal) ? null : string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    private static (Encoding Encoding, int Mark) EncodingOf(byte[] bytes) => bytes switch
    {
        [0xFF, 0xFE, ..] => (new UnicodeEncoding(bigEndian: false, byteOrderMark: false, throwOnInvalidBytes: true), 2),
        [0xFE, 0xFF, ..] => (new UnicodeEncoding(bigEndian: true, byteOrderMark: false, throwOnInvalidBytes: true), 2),
        [0xEF, 0xBB, 0xBF, ..] => (new UTF8Encoding(false, throwOnInvalidBytes: true), 3),
        _ => (new UTF8Encoding(false, throwOnInvalidBytes: true), 0),
    };
}
