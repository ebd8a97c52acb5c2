using LoraFactory.Stages.Clean.Text;

namespace LoraFactory.Tests.Stages.Clean;

public sealed class HashTallyTests
{
    [Fact]
    public void A_huge_text_s_room_is_given_back()
    {
        var tally = new HashTally();
        tally.Clear(4_000_000);
        Assert.True(tally.Room >= 4_000_000);
        tally.Clear(100);
        Assert.InRange(tally.Room, 100, 1 << 18);
    }

    [Fact]
    public void Counts_are_those_of_a_dictionary_whatever_was_counted_before()
    {
        var (random, tally) = (new Random(3), new HashTally());
        foreach (var most in (int[])[10, 300_000, 5, 1000, 2, 700_000, 1])
        {
            tally.Clear(most);
            var counts = new Dictionary<ulong, int>();
            for (var i = 0; i < Math.Min(most * 3, 50_000); i++)
            {
                var hash = (ulong)random.Next(Math.Min(most, 10_000)) * 0x9E3779B97F4A7C15;
                counts[hash] = counts.GetValueOrDefault(hash) + 1;
                Assert.Equal(counts[hash], tally.Add(hash));
            }
            Assert.Equal(counts.Count, tally.Distinct);
            Assert.Equal(counts.Values.Order(), tally.Counts.Order());
        }
    }
}
