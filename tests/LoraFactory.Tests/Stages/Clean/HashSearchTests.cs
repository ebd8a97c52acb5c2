using System.Numerics;
using LoraFactory.Stages.Clean;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public class HashSearchTests
{
    public static TheoryData<int> Distances => [.. Enumerable.Range(0, 25), 32, 63, 64];

    [Theory]
    [MemberData(nameof(Distances))]
    public void It_finds_what_looking_at_all_finds(int distance)
    {
        var random = new Random(distance);
        // Random hashes, and neighbours of each at every distance around the one asked for.
        var hashes = new List<ulong>();
        for (var i = 0; i < 400; i++)
        {
            var hash = (ulong)random.NextInt64() ^ ((ulong)random.NextInt64() << 1);
            hashes.Add(hash);
            foreach (var bits in (int[])[distance - 1, distance, distance + 1])
            {
                var other = hash;
                foreach (var bit in Enumerable.Range(0, 64).OrderBy(_ => random.Next()).Take(Math.Clamp(bits, 0, 64))) other ^= 1UL << bit;
                hashes.Add(other);
            }
        }
        foreach (var expected in (int[])[100, 10_000_000])
        {
            // The number expected decides between looking up parts and looking at all.
            var search = new HashSearch(distance, expected);
            var found = 0;
            for (var i = 0; i < hashes.Count; i++)
            {
                var near = new List<int>();
                search.Find(hashes[i], near);
                near.Sort();
                Assert.Equal(Enumerable.Range(0, i).Where(j => BitOperations.PopCount(hashes[j] ^ hashes[i]) <= distance), near);
                found += near.Count;
                search.Add(hashes[i]);
            }
            Assert.True(found >= 800, $"{found}");
            if (distance <= 14 && expected > 1000) Assert.True(search.Parts > 0);
            if (distance >= 12 && expected < 1000) Assert.Equal(0, search.Parts);
        }
    }
}
