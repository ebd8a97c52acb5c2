using LoraFactory.Cli;
using System.IO.Compression;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;
using LoraFactory.Tests.Cli;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class ConceptImportTests : IDisposable
{
    private const int Edges = 120_000;
    private readonly TemporaryFolder folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_import_that_was_stopped_goes_on_and_ends_as_one_that_was_not(bool packed)
    {
        var csv = Generated(packed);
        var (straight, stopped) = (folder.File("straight.db"), folder.File("stopped.db"));
        Assert.Equal(new ConceptImport(Edges, Edges, 0), ConceptStore.Import(csv, straight, token: Stop));
        using var cancelled = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => ConceptStore.Import(csv, stopped, bar: new StopsAt(1, cancelled), token: cancelled.Token));
        Assert.False(File.Exists(stopped));
        Assert.Equal(new ConceptImport(Edges, Edges, 0) { Before = 100_000 }, ConceptStore.Import(csv, stopped, token: Stop));
        Assert.False(File.Exists(stopped + ".importing"));
        using var one = ConceptStore.Open(straight);
        using var other = ConceptStore.Open(stopped);
        Assert.Equal((one.Count, one.Totals), (other.Count, other.Totals));
        Assert.Equal(one.Relations, other.Relations);
        Assert.Equal(one.Of("term 7"), other.Of("term 7"));
        Assert.NotEmpty(one.Of("term 7"));
    }

    [Fact]
    public async Task An_import_that_was_killed_goes_on()
    {
        var (csv, store) = (Generated(packed: false, repeat: 4), folder.File("killed.db"));
        await using (var lora = LoraProcess.Start(["concepts", "import", csv, "--to", store]))
        {
            for (var i = 0; i < 600 && !Begun(store); i++) await Task.Delay(50, Stop);
            await lora.KillAsync();
        }
        Assert.True(File.Exists(store + ".importing"), "it was killed after its end; make it longer");
        var done = ConceptStore.Import(csv, store, token: Stop);
        Assert.Equal((Edges * 4, Edges * 4, 0), (done.Lines, done.Edges, done.Skipped));
        Assert.InRange(done.Before, 100_000, Edges * 4 - 1);
        using var read = ConceptStore.Open(store);
        Assert.Equal(Edges * 4, read.Count);
    }

    [Fact]
    public void Another_file_or_language_begins_anew()
    {
        var csv = Generated(packed: false);
        using var cancelled = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => ConceptStore.Import(csv, folder.File("c.db"), bar: new StopsAt(1, cancelled), token: cancelled.Token));
        File.AppendAllText(csv, "/a/x\t/r/IsA\t/c/en/extra\t/c/en/thing\t{}\n");
        Assert.Equal(new ConceptImport(Edges + 1, Edges + 1, 0), ConceptStore.Import(csv, folder.File("c.db"), token: Stop));
        Assert.Equal(new ConceptImport(Edges + 1, 0, 0), ConceptStore.Import(csv, folder.File("c.db"), language: "fr", token: Stop));
    }

    [Fact]
    public void Lines_that_are_no_edges_are_counted_and_the_rest_is_kept()
    {
        var about = "\t{\"weight\": 2.5, \"sources\": [{\"a\": [1, {}]}], \"dataset\": \"/d/x\", \"license\": \"cc:by/4.0\"}";
        File.WriteAllText(folder.File("a.csv"), $"/a/1\t/r/IsA\t/c/en/a\t/c/en/b{about}\r\n\n/a/2\t/r/IsA\t/c/en/{new string('x', 3 << 20)}\t/c/en/b{about}\n/a/3\t/r/IsA\t/c/en/a/n\t/c/en/c{about}x\n/a/4\t/r/IsA\t/c/en/a/n/wn/animal\t/c/en/d{about}");
        Assert.Equal(new ConceptImport(5, 2, 3), ConceptStore.Import(folder.File("a.csv"), folder.File("c.db"), token: Stop));
        using var store = ConceptStore.Open(folder.File("c.db"));
        Assert.Equal([new ConceptEdge("b", "/r/IsA", 2.5, "cc:by/4.0"), new ConceptEdge("d", "/r/IsA", 2.5, "cc:by/4.0")], store.Of("A"));
        File.WriteAllText(folder.File("none.db"), "");
        Assert.Throws<LoraException>(() => ConceptStore.Open(folder.File("none.db")));
    }

    private static bool Begun(string store) => File.Exists(store + ".importing-wal") && new FileInfo(store + ".importing").Length > 4 << 20;

    private string Generated(bool packed, int repeat = 1)
    {
        var path = folder.File(packed ? "a.csv.gz" : "a.csv");
        using Stream file = packed ? new GZipStream(File.Create(path), CompressionLevel.Fastest) : File.Create(path);
        using var writer = new StreamWriter(file, new UTF8Encoding(false));
        for (var i = 0; i < Edges * repeat; i++) writer.Write($"/a/{i}\t/r/{(i % 3 == 0 ? "IsA" : "RelatedTo")}\t/c/en/term_{i % 997}\t/c/en/term_{i % 1009}\t{{\"weight\": {i % 5 + 1}}}\n");
        return path;
    }

    private sealed class StopsAt(int batch, CancellationTokenSource stop) : IProgressTask
    {
        private int batches;

        public void Set(long done, long? total = null)
        {
            if (++batches == batch) stop.Cancel();
        }

        public void Advance(long by = 1) { }

        public void Note(string text) { }

        public void Dispose() { }
    }

    [Theory]
    [InlineData("", "en")]
    [InlineData("a,b,c\nd,e,f\n", "en")]
    [InlineData("/a/[/r/IsA/,/c/en/cat/,/c/en/animal/]\t/r/IsA\t/c/en/cat\t/c/en/animal\t{\"weight\": 1.0}\n", "english")]
    public async Task A_file_that_brings_nothing_is_no_success(string lines, string language)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("a.csv"), lines);
        using var said = new StringWriter();
        Assert.Equal(1, await CommandLine.RunAsync(["concepts", "import", folder.File("a.csv"), "--to", folder.File("c.db"), "--language", language], said, said, TestContext.Current.CancellationToken));
        Assert.Contains("no edge", said.ToString(), StringComparison.Ordinal);
        Assert.Equal(["a.csv"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));

        // and what an import before has brought stays
        File.WriteAllText(folder.File("good.csv"), "/a/[/r/IsA/,/c/en/cat/,/c/en/animal/]\t/r/IsA\t/c/en/cat\t/c/en/animal\t{\"weight\": 1.0}\n");
        Assert.Equal(0, await CommandLine.RunAsync(["concepts", "import", folder.File("good.csv"), "--to", folder.File("c.db")], said, said, TestContext.Current.CancellationToken));
        Assert.Equal(1, await CommandLine.RunAsync(["concepts", "import", folder.File("a.csv"), "--to", folder.File("c.db"), "--language", language], said, said, TestContext.Current.CancellationToken));
        Assert.Contains("c.db stays as it was", said.ToString(), StringComparison.Ordinal);
        using var store = ConceptStore.Open(folder.File("c.db"));
        Assert.NotEmpty(store.Of("cat"));
    }
}
