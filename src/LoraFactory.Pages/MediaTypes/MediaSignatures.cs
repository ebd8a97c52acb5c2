using System.Buffers.Binary;
using System.Text;

namespace LoraFactory.Pages;

/// <summary>Bytes by which kinds of files are known (MIME Sniffing Standard §6 and §7.1), and a few of files in use that its table lacks.</summary>
internal static class MediaSignatures
{
    private static readonly byte[][] Tags =
    [
        .. new[] { "<!DOCTYPE HTML", "<HTML", "<HEAD", "<SCRIPT", "<IFRAME", "<H1", "<DIV", "<FONT", "<TABLE", "<A", "<STYLE", "<TITLE", "<B", "<BODY", "<BR", "<P" }.Select(Encoding.ASCII.GetBytes),
    ];

    /// <summary>Does the text, blanks before it left out, begin as a page does: with one of these tags, ended by a blank or ">", or with a comment?</summary>
    public static bool IsHtml(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith("<!--"u8)) return true;
        foreach (var tag in Tags)
            if (text.Length > tag.Length && text[tag.Length] is (byte)' ' or (byte)'>' && Ascii.EqualsIgnoreCase(text[..tag.Length], tag)) return true;
        return false;
    }

    public static string? Image(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith((ReadOnlySpan<byte>)[0, 0, 1, 0]) || head.StartsWith((ReadOnlySpan<byte>)[0, 0, 2, 0])) return "image/x-icon";
        if (head.StartsWith("BM"u8)) return "image/bmp";
        if (head.StartsWith("GIF87a"u8) || head.StartsWith("GIF89a"u8)) return "image/gif";
        if (head.StartsWith("RIFF"u8) && At(head, 8, "WEBPVP"u8)) return "image/webp";
        if (head.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A])) return "image/png";
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF])) return "image/jpeg";
        return null;
    }

    public static string? AudioOrVideo(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith("FORM"u8) && At(head, 8, "AIFF"u8)) return "audio/aiff";
        if (head.StartsWith("ID3"u8)) return "audio/mpeg";
        if (head.StartsWith("OggS\0"u8)) return "application/ogg";
        if (head.StartsWith("MThd\0\0\0\u0006"u8)) return "audio/midi";
        if (head.StartsWith("RIFF"u8) && At(head, 8, "AVI "u8)) return "video/avi";
        if (head.StartsWith("RIFF"u8) && At(head, 8, "WAVE"u8)) return "audio/wave";
        return IsMp4(head) ? "video/mp4" : IsWebM(head) ? "video/webm" : IsMp3(head) ? "audio/mpeg" : null;
    }

    public static string? Archive(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 0x08])) return "application/x-gzip";
        if (head.StartsWith((ReadOnlySpan<byte>)[(byte)'P', (byte)'K', 3, 4])) return "application/zip";
        // the standard's table has a blank where files have "!"
        if (head.StartsWith("Rar!\u001A\u0007"u8) || head.StartsWith("Rar \u001A\u0007\0"u8)) return "application/x-rar-compressed";
        return null;
    }

    private static bool At(ReadOnlySpan<byte> head, int offset, ReadOnlySpan<byte> mark) => head.Length >= offset + mark.Length && head[offset..].StartsWith(mark);

    // A file type box (ISO/IEC 14496-12) whose main or compatible brands begin with "mp4".
    private static bool IsMp4(ReadOnlySpan<byte> head)
    {
        if (head.Length < 12) return false;
        var size = BinaryPrimitives.ReadUInt32BigEndian(head);
        if (size > head.Length || size % 4 != 0 || !At(head, 4, "ftyp"u8)) return false;
        if (At(head, 8, "mp4"u8)) return true;
        for (var at = 16; at + 4 <= size; at += 4)
            if (At(head, at, "mp4"u8)) return true;
        return false;
    }

    // An EBML header whose document type is "webm".
    private static bool IsWebM(ReadOnlySpan<byte> head)
    {
        if (!head.StartsWith((ReadOnlySpan<byte>)[0x1A, 0x45, 0xDF, 0xA3])) return false;
        for (var at = 4; at < head.Length - 2 && at < 38; at++)
        {
            if (head[at] != 0x42 || head[at + 1] != 0x82) continue;
            var name = at + 2;
            // a number's length is told by the place of its first set bit
            name += System.Numerics.BitOperations.LeadingZeroCount((uint)head[name]) - 24 + 1;
            while (name < head.Length && head[name] == 0) name++;
            return At(head, name, "webm"u8);
        }
        return false;
    }

    // A frame header of MPEG audio (ISO/IEC 11172-3), and another one where that frame ends.
    private static bool IsMp3(ReadOnlySpan<byte> head)
    {
        var frame = FrameLength(head);
        return frame > 0 && frame < head.Length && FrameLength(head[frame..]) > 0;
    }

    private static int FrameLength(ReadOnlySpan<byte> head)
    {
        ReadOnlySpan<short> rates1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
        ReadOnlySpan<short> rates2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
        ReadOnlySpan<int> samples = [44100, 48000, 32000];
        if (head.Length < 4 || head[0] != 0xFF || (head[1] & 0xE0) != 0xE0) return 0;
        var (version, layer, rate, frequency) = (head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3);
        if (version == 1 || layer != 1 || rate is 0 or 15 || frequency == 3) return 0;
        var hertz = samples[frequency] >> (version switch { 3 => 0, 2 => 1, _ => 2 });
        return (version == 3 ? 144_000 * rates1[rate] : 72_000 * rates2[rate]) / hertz + (head[2] >> 1 & 1);
    }
}
