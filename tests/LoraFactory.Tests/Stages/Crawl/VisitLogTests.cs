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
            log.Add(3, [7]);
            log.End(2, waits: true);
            log.End(3, waits: true);
            log.Commit();
            log.Add(3, [8]);
            log.End(1, waits: false);
            log.Rollback(); // what ended it did not come to pass
        }
        using var next = new VisitLog(path);
        Assert.Equal([5, 6], next.Find(1));
        Assert.Null(next.Find(2));
        Assert.Equal([8], next.Find(3));
        next.Keep(key => key == 2);
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
            for (var key = 0; key < 5; key++) log.End(key, waits: false);
            log.Commit();
            Assert.True(new FileInfo(path).Length < 2_000_000);
        }
    }

    [Fact]
    public void One_record_that_is_needed_for_long_does_not_keep_the_file_large()
    {
        var path = folder.File("log");
        var visit = new byte[4_000_000];
        using (var log = new VisitLog(path))
        {
            log.Add(0, [1, 2, 3]);
            for (var key = 1; key < 40; key++)
            {
                log.Add(key, visit);
                log.End(key, waits: false);
                log.Commit();
                Assert.Equal([1, 2, 3], log.Find(0));
                Assert.True(new FileInfo(path).Length < 75_000_000);
            }
        }
        using var next = new VisitLog(path);
        Assert.Equal([1, 2, 3], next.Find(0));
    }

    [Fact]
    public void What_a_commit_that_fails_was_to_record_is_still_kept()
    {
        var item = Item("/x");
        using (var frontier = Frontier.Open(folder.File("f.db"), "k"))
        {
            frontier.Commit(() => frontier.Add(item));
            frontier.KeepVisit(item, [1]);
            Assert.Throws<InvalidDataException>(() => frontier.Commit(() =>
            {
                frontier.Done(item);
                throw new InvalidDataException();
            }));
        }
        using var next = Frontier.Open(folder.File("f.db"), "k");
        Assert.Equal([1], next.KeptVisit(item));
    }

    [Fact]
    public void What_was_kept_for_a_host_that_is_closed_is_not_needed()
    {
        using var frontier = Frontier.Open(folder.File("f.db"), "k");
        var item = Item("/x");
        frontier.Commit(() => frontier.Add(item));
        frontier.KeepVisit(item, [1]);
        frontier.Commit(() => frontier.CloseHost("a.test", new(Frontier.Unreachable)));
        Assert.False(frontier.HasKeptVisits);
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
