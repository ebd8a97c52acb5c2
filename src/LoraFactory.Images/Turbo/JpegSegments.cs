using System.Buffers.Binary;

namespace LoraFactory.Images.Turbo;

/// <summary>What stands before a JPEG's pixels (ITU-T T.81 annex B, Exif 2.3).</summary>
internal static class JpegSegments
{
    private const int MostSegments = 256, MostScans = 20, Orientation = 0x0112, Short = 3, Upright = 1;

    /// <summary>
    /// Whether its pixels, transformed and turned to RGB, are the picture: baseline or progressive, 8 bits, grey or three colours, upright, without a colour profile.
    /// False where anything is unusual; reads each byte at most twice.
    /// </summary>
    public static bool IsPlain(ReadOnlySpan<byte> bytes)
    {
        int at = 2, exifs = 0;
        var framed = false;
        for (var segment = 0; segment < MostSegments && at + 4 <= bytes.Length && bytes[at] == 0xFF; segment++)
        {
            var kind = bytes[at + 1];
            var length = BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 2)..]);
            if (kind is < 0xC0 or (>= 0xD0 and <= 0xD9) or 0xFF || length < 2 || at + 2 + length > bytes.Length) return false;
            if (kind == 0xDA) return framed && HasFewScans(bytes[at..]);
            var body = bytes.Slice(at + 4, length - 2);
            switch (kind)
            {
                case 0xC0 or 0xC1 or 0xC2 when !framed && body is [8, _, _, _, _, 1 or 3, ..]:
                    framed = true;
                    break;
                case >= 0xC0 and <= 0xCF and not 0xC4:
                    return false;
                case 0xE1 when body.StartsWith("Exif"u8):
                    if (++exifs > 1 || !IsUpright(body)) return false;
                    break;
                case 0xE2 when body.StartsWith("ICC_PROFILE"u8):
                    return false;
            }
            at += 2 + length;
        }
        return false;
    }

    // A few bytes may ask for thousands of passes over a large picture; encoders make about ten.
    private static bool HasFewScans(ReadOnlySpan<byte> bytes)
    {
        for (var scans = 0; scans <= MostScans; scans++)
        {
            var next = bytes.IndexOf((ReadOnlySpan<byte>)[0xFF, 0xDA]);
            if (next < 0) return true;
            bytes = bytes[(next + 2)..];
        }
        return false;
    }

    // Whether the first directory can be read and says nothing of the orientation, or 1.
    private static bool IsUpright(ReadOnlySpan<byte> body)
    {
        if (body.Length < 16 || !body.StartsWith("Exif\0\0"u8)) return false;
        var tiff = body[6..];
        bool little = tiff is [(byte)'I', (byte)'I', 42, 0, ..], big = tiff is [(byte)'M', (byte)'M', 0, 42, ..];
        if (!little && !big) return false;
        int Word(ReadOnlySpan<byte> from) => little ? BinaryPrimitives.ReadUInt16LittleEndian(from) : BinaryPrimitives.ReadUInt16BigEndian(from);
        uint Long(ReadOnlySpan<byte> from) => little ? BinaryPrimitives.ReadUInt32LittleEndian(from) : BinaryPrimitives.ReadUInt32BigEndian(from);
        var start = Long(tiff[4..]);
        if (start < 8 || start + 2 > tiff.Length) return false;
        var entries = Word(tiff[(int)start..]);
        var table = tiff[((int)start + 2)..];
        if (entries * 12 > table.Length) return false;
        var found = 0;
        for (var entry = 0; entry < entries; entry++)
        {
            var here = table.Slice(entry * 12, 12);
            if (Word(here) != Orientation) continue;
            if (++found > 1 || Word(here[2..]) != Short || Long(here[4..]) != 1 || Word(here[8..]) != Upright) return false;
        }
        return true;
    }
}
