using System.Numerics;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>Counts 64-bit hashes by open addressing; cleared in constant time, so that one serves millions of texts. Not for several threads at once.</summary>
internal sealed class HashTally
{
    /// <summary>Slots that are kept when a text needs fewer; a page of a hundred thousand words comes with these.</summary>
    private const int Kept = 1 << 18;

    private ulong[] keys = new ulong[1024];
    private int[] counts = new int[1024];
    private int[] rounds = new int[1024];
    private int round = 1;
    private int used;

    /// <summary>Forgets everything; room for <paramref name="most"/> different hashes is made beforehand.</summary>
    public void Clear(int most)
    {
        used = 0;
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(1024, most * 2));
        if (size > keys.Length || (keys.Length > Kept && size <= Kept))
        {
            (keys, counts, rounds) = (new ulong[size], new int[size], new int[size]);
            round = 1;
        }
        else if (++round == int.MaxValue)
        {
            Array.Clear(rounds);
            round = 1;
        }
    }

    /// <summary>Different hashes that there is room for.</summary>
    public int Room => keys.Length / 2;

    /// <summary>Different hashes so far.</summary>
    public int Distinct => used;

    /// <summary>Counts a hash once more and says how often it has been seen now. No more different ones than <see cref="Clear"/> made room for.</summary>
    public int Add(ulong hash)
    {
        var mask = keys.Length - 1;
        var at = (int)((hash * 0x9E3779B97F4A7C15ul) >> 32) & mask;
        while (rounds[at] == round)
        {
            if (keys[at] == hash) return ++counts[at];
            at = (at + 1) & mask;
        }
        (keys[at], counts[at], rounds[at]) = (hash, 1, round);
        used++;
        return 1;
    }

    /// <summary>Every count, in no order.</summary>
    public IEnumerable<int> Counts
    {
        get
        {
            for (var i = 0; i < keys.Length; i++)
                if (rounds[i] == round) yield return counts[i];
        }
    }
}
