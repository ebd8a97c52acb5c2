using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace LoraFactory.Flow;

/// <summary>Ids by content: the same content has the same id in every run.</summary>
public static class ContentId
{
    /// <summary>First 16 hex digits of SHA-256 over the parts, each preceded by its length so that boundaries count.</summary>
    public static string Of(params IEnumerable<string> parts)
    {
        var bytes = new ArrayBufferWriter<byte>(256);
        foreach (var part in parts)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes.GetSpan(8), Encoding.UTF8.GetByteCount(part));
            bytes.Advance(8);
            Encoding.UTF8.GetBytes(part, bytes);
        }
        return OfBytes(bytes.WrittenSpan)[..16];
    }

    /// <summary>SHA-256 (64 hex digits) of bytes.</summary>
    public static string OfBytes(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>SHA-256 (64 hex digits) of a file, streamed.</summary>
    public static string OfFile(string path)
    {
        using var stream = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
