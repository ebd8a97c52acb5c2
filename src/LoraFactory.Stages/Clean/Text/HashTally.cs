using System.Numerics;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>Counts 64-bit hashes by open addressing; cleared in constant time, so that one serves millions of texts. Not for several threads at once.</summary>
internal sealed class HashTally
{
    /// <summary>Slots that are kept when a text needs fewer; a page of a hundred thousand words comes with these.</summary>
    private const int Kept = 1 << 18;

    private Slot[] slots = new Slot[1024];
    private int round = 1;
    private int used;

    // Side by side, so that a look takes one line of the cache.
    private struct Slot
    {
        public ulong Key;
        public int Count, Round;
    }

    /// <summary>Forgets everything; room for <paramref name="most"/> different hashes is made beforehand.</summary>
    public void Clear(int most)
    {
        used = 0;
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(1024, most * 2));
        if (size > slots.Length || (slots.Length > Kept && size <= Kept))
        {
            slots = new Slot[size];
            round = 1;
        }
        else if (++round == int.MaxValue)
        {
            Array.Clear(slots);
            round = 1;
        }
    }

    /// <summary>Different hashes that there is room for.</summary>
    public int Room => slots.Length / 2;

    /// <summary>Different hashes so far.</summary>
    public int Distinct => used;

    /// <summary>Counts a hash once more and says how often it has been seen now. No more different ones than <see cref="Clear"/> made room for.</summary>
    public int Add(ulong hash)
    {
        var all = slots;
        var mask = all.Length - 1;
        for (var at = (int)((hash * 0x9E3779B97F4A7C15ul) >> 32) & mask; ; at = (at + 1) & mask)
        {
            ref var slot = ref all[at];
            if (slot.Round != round)
            {
                (slot.Key, slot.Count, slot.Round) = (hash, 1, round);
                used++;
                return 1;
            }
            if (slot.Key == hash) return ++slot.Count;
        }
    }

    /// <summary>Every count, in no order.</summary>
    public IEnumerable<int> Counts
    {
        get
        {
            for (var i = 0; i < slots.Length; i++)
                if (slots[i].Round == round) yield return slots[i].Count;
        }
    }
}
