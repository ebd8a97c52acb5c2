using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// MinHash signatures (Broder 1997) of a text's runs of five words: the share of equal places estimates the Jaccard similarity of two texts' runs, with a standard
/// deviation of at most 0.5/√<see cref="Places"/>. Each place is the least of an affine permutation of 32-bit run hashes, 64-bit arithmetic, eight places at a time.
/// </summary>
internal static class MinHash
{
    /// <summary>Places of a signature.</summary>
    public const int Places = 112;

    /// <summary>Words of a run.</summary>
    public const int RunLength = 5;

    private static readonly ulong[] Factors = Draw(0x9e3779b97f4a7c15), Offsets = Draw(0xd1b54a32d192ed03);

    /// <summary>The signature of a text, 112 places; texts of fewer than five words are one run. Null for a text without words.</summary>
    public static uint[]? Of(TextTokens text)
    {
        var words = text.Words;
        if (words.Length == 0) return null;
        var runs = Math.Max(1, words.Length - RunLength + 1);
        var hashes = new ulong[runs];
        for (var i = 0; i < runs; i++) hashes[i] = text.RunHash(i, Math.Min(RunLength, words.Length - i));
        return Of(hashes);
    }

    /// <summary>The signature of a set of run hashes.</summary>
    public static uint[] Of(ReadOnlySpan<ulong> runs)
    {
        var least = new ulong[Places];
        Array.Fill(least, ulong.MaxValue);
        foreach (var run in runs) Lower(least, (run ^ (run >> 32)) * 0x9e3779b97f4a7c15 >> 32);
        var signature = new uint[Places];
        for (var i = 0; i < Places; i++) signature[i] = (uint)(least[i] >> 32);
        return signature;
    }

    /// <summary>Share of equal places, 0..1.</summary>
    public static double Similarity(ReadOnlySpan<uint> a, ReadOnlySpan<uint> b)
    {
        var same = 0;
        var i = 0;
        for (; i + Vector<uint>.Count <= Places; i += Vector<uint>.Count) same -= Vector.Sum(Vector.AsVectorInt32(Vector.Equals(new Vector<uint>(a[i..]), new Vector<uint>(b[i..]))));
        for (; i < Places; i++) same += a[i] == b[i] ? 1 : 0;
        return (double)same / Places;
    }

    // least[i] = min(least[i], factor[i]·x + offset[i] mod 2⁶⁴): the upper half of an affine map of a 32-bit value is 2-universal (Dietzfelbinger 1996).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Lower(ulong[] least, ulong x)
    {
        var factors = MemoryMarshal.Cast<ulong, Vector<ulong>>(Factors);
        var offsets = MemoryMarshal.Cast<ulong, Vector<ulong>>(Offsets);
        var places = MemoryMarshal.Cast<ulong, Vector<ulong>>(least.AsSpan());
        var value = new Vector<ulong>(x);
        for (var i = 0; i < places.Length; i++) places[i] = Vector.Min(places[i], factors[i] * value + offsets[i]);
    }

    private static ulong[] Draw(ulong seed)
    {
        var numbers = new ulong[Places];
        for (var i = 0; i < Places; i++)
        {
            // SplitMix64 (Steele et al. 2014); odd factors are one to one.
            var z = seed += 0x9e3779b97f4a7c15;
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
            z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
            numbers[i] = (z ^ (z >> 31)) | 1;
        }
        return numbers;
    }
}
