using System.Buffers.Binary;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class VisitLogTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void What_is_kept_is_found_by_the_next_process_until_it_is_ended()
    {
        var path = folder.File("log");
        using (var log = new VisitLog(path))
        {
            Assert.True(log.IsEmpty);
            log.Add(1, [1, 2, 3]);
            log.Add(2, [4]);
            log.Add(1, [5, 6]); // the later one counts
            log.End(2);
            Assert.Equal(2, log.Settled); // the first is superseded, the second ended, the third needed
        }
        using var next = new VisitLog(path);
        next.Keep(settled: 2, _ => true);
        Assert.Equal([5, 6], next.Find(1));
        Assert.Null(next.Find(2));
        next.Keep(settled: 2, key => key != 1);
        Assert.True(next.IsEmpty);
    }

    [Theory]
    [InlineData(0)] // cut within the second record's octets
    [InlineData(1)] // within its head
    [InlineData(2)] // its length is beyond the file
    [InlineData(3)] // one of its octets is another
    [InlineData(4)] // zeros where a record should begin, as after a power cut
    public void A_record_that_is_not_whole_is_cut_off_and_those_before_it_stay(int fault)
    {
        var path = folder.File("log");
        byte[] visit = [.. Enumerable.Range(0, 100).Select(i => (byte)i)];
        using (var log = new VisitLog(path))
        {
            log.Add(1, visit);
            log.Add(2, visit);
        }
        var bytes = File.ReadAllBytes(path);
        var second = bytes.Length / 2;
        switch (fault)
        {
            case 0: bytes = bytes[..^1]; break;
            case 1: bytes = bytes[..(second + 5)]; break;
            case 2: BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(second), int.MaxValue); break;
            case 3: bytes[^7] ^= 1; break;
            default: Array.Clear(bytes, second, second); break;
        }
        File.WriteAllBytes(path, bytes);
        using (var log = new VisitLog(path))
        {
            Assert.Equal(visit, log.Find(1));
            Assert.Null(log.Find(2));
            log.Add(3, [9]);
        }
        using var again = new VisitLog(path);
        Assert.Equal((visit.Length, 1), (again.Find(1)!.Length, again.Find(3)!.Length));
    }

    [Fact]
    public void The_file_does_not_grow_with_what_was_recorded()
    {
        var path = folder.File("log");
        using var log = new VisitLog(path);
        var visit = new byte[100_000];
        for (var round = 0; round < 50; round++)
        {
            for (var key = 0; key < 5; key++) log.Add(key, visit);
            for (var key = 0; key < 5; key++) log.End(key);
            log.Shorten();
            Assert.True(new FileInfo(path).Length < 2_000_000);
        }
        Assert.Equal(250, log.Settled);
    }

    [Fact]
    public void Of_a_killed_crawl_neither_what_was_recorded_nor_what_is_to_be_tried_again_counts_as_fetched()
    {
        var (recorded, failed, pending) = (Item("/recorded"), Item("/failed"), Item("/pending"));
        using (var frontier = Frontier.Open(folder.File("f.db"), "k"))
        {
            frontier.Commit(() =>
            {
                foreach (var item in (FrontierUrl[])[recorded, failed, pending]) frontier.Add(item);
            });
            frontier.KeepVisit(recorded, [1]);
            frontier.KeepVisit(failed, [2]);
            frontier.Commit(() =>
            {
                frontier.Done(recorded);
                frontier.TryAgain(failed, new("bad-status", "503"));
                frontier.ForgetVisit(failed);
            });
            frontier.KeepVisit(pending, [3]);
            foreach (var file in Directory.GetFiles(folder.Path, "f.db*")) File.Copy(file, file.Replace("f.db", "killed.db", StringComparison.Ordinal)); // as a kill leaves them
        }
        using var next = Frontier.Open(folder.File("killed.db"), "k");
        Assert.True(next.HasKeptVisits);
        Assert.Null(next.KeptVisit(recorded));
        Assert.Null(next.KeptVisit(failed));
        Assert.Equal([3], next.KeptVisit(pending));
    }

    private static FrontierUrl Item(string path) => new(new Uri("http://a.test" + path), UrlKind.Page, 1, 0.5);
}
