namespace LoraFactory.Images.Scenes;

/// <summary>
/// SplitMix64 (Steele, Lea, Flood 2014): a stream of random numbers that is the same on every machine and .NET version,
/// and cheap to begin at any (seed, index), so that scene number n needs none of those before it.
/// </summary>
public struct SceneRandom
{
    private ulong _state;

    /// <summary>The stream of scene <paramref name="index"/> under <paramref name="seed"/>.</summary>
    public SceneRandom(long seed, long index = 0)
    {
        _state = (ulong)seed;
        _state = NextBits() ^ (ulong)index;
        _state = NextBits();
    }

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        var z = _state += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    /// <summary>An integer in 0..<paramref name="count"/>−1.</summary>
    public int Next(int count) => (int)(((NextBits() >> 32) * (ulong)count) >> 32);

    /// <summary>A real number in [0, 1).</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A real number in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public float Between(double low, double high) => (float)(low + (high - low) * NextDouble());

    /// <summary>True with probability <paramref name="p"/>.</summary>
    public bool Chance(double p) => NextDouble() < p;

    /// <summary>One of the items.</summary>
    public T Pick<T>(IReadOnlyList<T> items) => items[Next(items.Count)];

    /// <summary>A standard normal number (Box and Muller 1958; the sine half is not used).</summary>
    public float Normal() => (float)(Math.Sqrt(-2 * Math.Log(1 - NextDouble())) * Math.Cos(2 * Math.PI * NextDouble()));
}
