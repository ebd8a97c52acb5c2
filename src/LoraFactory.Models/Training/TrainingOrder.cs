using System.Numerics;
using LoraFactory.Models.Lora;

namespace LoraFactory.Models.Training;

/// <summary>
/// Everything random of a training run as a function of its seed and of what is asked for, never of what was drawn before: a run that is
/// resumed at any step goes on with the same numbers, and pictures drawn in between change nothing.
/// </summary>
public static class TrainingRandom
{
    /// <summary>A seed for libtorch's generator, 0 to 2^53 − 1.</summary>
    public static long Seed(long seed, string purpose, long index) => (long)(new SeededNumbers(seed, $"{purpose}:{index}").Next() * (1L << 53));

    /// <summary>Uniform numbers in [0, 1).</summary>
    public static double[] Uniform(long seed, string purpose, long index, int count)
    {
        var numbers = new SeededNumbers(seed, $"{purpose}:{index}");
        var drawn = new double[count];
        for (var i = 0; i < count; i++) drawn[i] = numbers.Next();
        return drawn;
    }
}

/// <summary>The endless order in which samples are seen: one shuffle after the other, each sample once in each, or as often as its repeats say.</summary>
/// <param name="count">Number of samples, at least 1.</param>
/// <param name="seed">Seed of the run.</param>
public sealed class TrainingOrder(int count, long seed)
{
    /// <summary>Longest shuffle that is drawn, in samples with their repeats: some 160 MB of memory.</summary>
    public const int LongestRound = 10_000_000;

    private readonly int[] rows = [.. Enumerable.Range(0, count)];
    private long shuffled = -1;
    private int[] permutation = [];

    /// <summary>
    /// An order in which sample i stands <paramref name="repeats"/>[i] times in each shuffle, each at least 1; only their ratios count, so that ten
    /// repeats of all are one of each.
    /// </summary>
    /// <exception cref="ModelException">A shuffle would be longer than <see cref="LongestRound"/>.</exception>
    public TrainingOrder(IReadOnlyList<int> repeats, long seed) : this(Rows(repeats), seed) { }

    private TrainingOrder(int[] rows, long seed) : this(rows.Length, seed) => this.rows = rows;

    /// <summary>Indices of <paramref name="length"/> samples from position <paramref name="first"/> of the order on.</summary>
    public int[] Take(long first, int length)
    {
        var taken = new int[length];
        for (var i = 0; i < length; i++)
        {
            var (epoch, at) = Math.DivRem(first + i, count);
            if (epoch != shuffled) Shuffle(epoch);
            taken[i] = rows[permutation[at]];
        }
        return taken;
    }

    /// <summary>Samples in one shuffle of these repeats, each at least 1, over their common divisor.</summary>
    public static long RoundOf(IReadOnlyList<int> repeats) => repeats.Sum(times => (long)times) / Math.Max(1, Common(repeats));

    private static int Common(IReadOnlyList<int> repeats) => repeats.Aggregate(0, (a, b) => (int)BigInteger.GreatestCommonDivisor(a, b));

    private static int[] Rows(IReadOnlyList<int> repeats)
    {
        if (RoundOf(repeats) is > LongestRound and var round) throw new ModelException($"One round of the training pictures with their repeats would be {round} pictures long; at most {LongestRound} are drawn: make the repeats smaller, where there are many pictures first, since only their ratios count.");
        var common = Common(repeats);
        return [.. repeats.SelectMany((times, row) => Enumerable.Repeat(row, times / common))];
    }

    // Fisher and Yates, from the epoch's own numbers.
    private void Shuffle(long epoch)
    {
        var numbers = TrainingRandom.Uniform(seed, "order", epoch, count);
        permutation = [.. Enumerable.Range(0, count)];
        for (var i = count - 1; i > 0; i--)
        {
            var j = (int)(numbers[i] * (i + 1));
            (permutation[i], permutation[j]) = (permutation[j], permutation[i]);
        }
        shuffled = epoch;
    }
}
