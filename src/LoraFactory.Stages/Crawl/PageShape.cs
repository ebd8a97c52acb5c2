using System.Buffers.Binary;
using System.Numerics;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// What a page says, in 64 bits: pages with nearly the same words have signatures that differ in few bits (SimHash, Charikar 2002; three bits for
/// web pages, Manku, Jain and Das Sarma, WWW 2007), digits not counted, since dates and page numbers are what near-identical pages differ in.
/// </summary>
/// <param name="Words">Signature of the words.</param>
/// <param name="Pictures">Hash of the addresses of its pictures: pages that show others are never alike.</param>
public readonly record struct PageSignature(long Words, long Pictures)
{
    private const int NearBits = 3, Sampled = 256;

    /// <summary>Signature of a page's text and pictures.</summary>
    public static PageSignature Of(string text, IEnumerable<string> pictures)
    {
        var hashes = new List<ulong>(256);
        Collect(text, hashes);
        // a long text is sampled by its own hashes, so that a near-identical one is sampled alike
        var keep = 1UL;
        while ((ulong)hashes.Count / keep > Sampled * 2) keep *= 2;
        // planes[p] holds bit p of 64 counters, one for each bit of a hash: adding a hash is a carry through two of them on average
        Span<ulong> planes = stackalloc ulong[32];
        planes.Clear();
        var taken = 0;
        foreach (var hash in hashes)
        {
            if (keep > 1 && (hash >> 32) % keep != 0) continue;
            taken++;
            var carry = hash;
            for (var p = 0; carry != 0; p++)
            {
                var both = planes[p] & carry;
                planes[p] ^= carry;
                carry = both;
            }
        }
        var words = 0L;
        for (var bit = 0; bit < 64; bit++)
        {
            var ones = 0L;
            for (var p = 0; p < planes.Length; p++) ones |= (long)(planes[p] >> bit & 1) << p;
            if (ones * 2 > taken) words |= 1L << bit;
        }
        var shown = pictures.Order(StringComparer.Ordinal).Aggregate(0UL, (hash, url) => TextHash.Of(url, hash));
        return new(words, (long)shown);
    }

    /// <summary>Whether the words are nearly the same.</summary>
    public static bool AreNear(long a, long b) => BitOperations.PopCount((ulong)(a ^ b)) <= NearBits;

    // Each word with the one before it.
    private static void Collect(string text, List<ulong> hashes)
    {
        Span<char> word = stackalloc char[32];
        var (length, before) = (0, 0UL);
        for (var i = 0; i <= text.Length; i++)
        {
            var c = i < text.Length ? text[i] : ' ';
            if (char.IsLetter(c))
            {
                if (length < word.Length) word[length++] = char.ToLowerInvariant(c);
                continue;
            }
            if (length == 0 || char.IsDigit(c)) continue;
            var hash = TextHash.Of(word[..length], before);
            hashes.Add(hash);
            before = TextHash.Of(word[..length]);
            length = 0;
        }
    }
}

/// <summary>Pages of one shape on a host: addresses that differ in numbers alone, such as the days of a calendar.</summary>
public static class PageShape
{
    /// <summary>Key of a URL's shape: its path with each run of digits as one sign, and the names of its query's parameters.</summary>
    public static long Of(Uri url)
    {
        Span<char> shape = stackalloc char[512];
        var length = 0;
        var (digits, value) = (false, false);
        foreach (var c in url.PathAndQuery)
        {
            if (length == shape.Length) break;
            if (c == '?') value = false;
            else if (c == '=') value = true;
            else if (c == '&') value = false;
            else if (value) continue;
            if (char.IsAsciiDigit(c))
            {
                if (!digits) shape[length++] = '#';
                digits = true;
                continue;
            }
            digits = false;
            shape[length++] = c;
        }
        return (long)TextHash.Of(shape[..length]);
    }
}

/// <summary>What the pages of one shape brought so far.</summary>
/// <param name="Seen">Pages fetched.</param>
/// <param name="Novel">Of them, those unlike the ones before.</param>
/// <param name="Signatures">The last few signatures, 16 octets each.</param>
public sealed record ShapeHistory(int Seen, int Novel, byte[] Signatures)
{
    // A shape is a trap when it was looked at often enough and at most a quarter of it was new.
    private const int Kept = 16, LookedAt = 8, NovelShare = 4;

    /// <summary>Nothing yet.</summary>
    public static ShapeHistory None { get; } = new(0, 0, []);

    /// <summary>Whether more pages of the shape are not worth asking for.</summary>
    public bool IsTrap => Seen >= LookedAt && Novel * NovelShare <= Seen;

    /// <summary>With one more page; <paramref name="novel"/> says whether it is unlike the last few.</summary>
    public ShapeHistory With(PageSignature signature, out bool novel)
    {
        novel = true;
        for (var at = 0; at + 16 <= Signatures.Length && novel; at += 16)
        {
            novel = BinaryPrimitives.ReadInt64LittleEndian(Signatures.AsSpan(at + 8)) != signature.Pictures
                || !PageSignature.AreNear(BinaryPrimitives.ReadInt64LittleEndian(Signatures.AsSpan(at)), signature.Words);
        }
        if (!novel) return this with { Seen = Seen + 1 };
        var all = new byte[Math.Min(Signatures.Length + 16, Kept * 16)];
        Signatures.AsSpan(Math.Max(0, Signatures.Length + 16 - all.Length)).CopyTo(all);
        BinaryPrimitives.WriteInt64LittleEndian(all.AsSpan(all.Length - 16), signature.Words);
        BinaryPrimitives.WriteInt64LittleEndian(all.AsSpan(all.Length - 8), signature.Pictures);
        return new(Seen + 1, Novel + 1, all);
    }
}
