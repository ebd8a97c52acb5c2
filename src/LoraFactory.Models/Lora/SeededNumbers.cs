using System.Text;

namespace LoraFactory.Models.Lora;

/// <summary>
/// The project's own generator (SplitMix64, Steele et al. 2014) for what adapters need at random: the same numbers on every libtorch and
/// device, and no draw from libtorch's global state. A stream belongs to a seed and a name.
/// </summary>
internal sealed class SeededNumbers
{
    private ulong state;

    public SeededNumbers(long seed, string name)
    {
        state = 0xCBF29CE484222325 ^ Scramble((ulong)seed);
        foreach (var b in Encoding.UTF8.GetBytes(name)) state = (state ^ b) * 0x100000001B3;
        state = Scramble(state);
    }

    /// <summary>Uniform in [0, 1), 53 bits.</summary>
    public double Next()
    {
        state += 0x9E3779B97F4A7C15;
        return (Scramble(state) >> 11) * (1.0 / (1UL << 53));
    }

    private static ulong Scramble(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
