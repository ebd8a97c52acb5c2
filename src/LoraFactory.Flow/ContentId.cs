using System.Security.Cryptography;
using System.Text;

namespace LoraFactory.Flow;

/// <summary>Ids by content: the same content has the same id in every run.</summary>
public static class ContentId
{
    /// <summary>First 16 hex digits of SHA-256 over the parts, each preceded by its length so that boundaries count.</summary>
    public static string Of(params IEnumerable<string> parts)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts)
        {
            var bytes = Encoding.UTF8.GetBytes(part);
            sha.AppendData(BitConverter.GetBytes(bytes.LongLength));
            sha.AppendData(bytes);
        }
        return Convert.ToHexStringLower(sha.GetHashAndReset())[..16];
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
