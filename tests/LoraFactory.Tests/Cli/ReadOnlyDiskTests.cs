using LoraFactory.Cli;
using LoraFactory.Flow;
using LoraFactory.Stages.Deploy;
using LoraFactory.Stages.Feedback;

namespace LoraFactory.Tests.Cli;

/// <summary>A disk that cannot be written is called by its name, with the path and what to do, and not taken for another process.</summary>
public sealed class ReadOnlyDiskTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_file_system_that_is_read_only_is_told_from_a_lock_and_a_full_disk()
    {
        Assert.Equal("its file system is read-only", DiskFault.Of(new IOException("x", 30)));
        Assert.Equal("the disk is full", DiskFault.Of(new IOException("x", 28)));
        Assert.Equal("there is no permission to write there", DiskFault.Of(new UnauthorizedAccessException()));
        Assert.Null(DiskFault.Of(new IOException("locked", 11)));
    }

    [Fact]
    public void A_folder_that_is_read_as_a_file_is_not_called_a_place_to_write()
    {
        var failure = Assert.Throws<UnauthorizedAccessException>(() => File.OpenRead(folder.Path));
        using var error = new StringWriter();
        Assert.Equal(1, ErrorLine.Print(failure, interrupted: false, debug: false, error));
        Assert.Equal($"lora: Access to the path '{folder.Path}' is denied. Change its permissions or choose another place; a folder cannot stand where a file is needed.", error.ToString().TrimEnd());
    }

    [Fact]
    public async Task Commands_on_a_read_only_disk_say_so()
    {
        var disk = Directory.CreateDirectory(folder.File("disk")).FullName;
        var mount = await PrivateMount.FindAsync(disk, "a read-only disk");
        if (mount is null) return;
        var source = Directory.CreateDirectory(folder.File("source")).FullName;
        await File.WriteAllTextAsync(Path.Combine(source, "style.yaml"), "name: style\nseed:\n  topic: ink\n  urls: [http://a.example/]\n", TestContext.Current.CancellationToken);
        Directory.CreateDirectory(Path.Combine(source, "runs", "style"));
        RunDirectory.WriteJson(Path.Combine(source, "store", "style", "versions.json"), new[] { Version(1, "retired"), Version(2, "champion") });
        new FeedbackStore(FeedbackStore.PathIn(Path.Combine(source, "store"))).Dispose();
        const string Script = """
            exec 2>&1
            disk=$1; source=$2; lora=$3
            mount -t tmpfs -o size=10m tmpfs "$disk"
            cp -r "$source"/. "$disk"
            mount -o remount,ro "$disk"
            echo "== run"; dotnet "$lora" crawl "$disk"/style.yaml --runs-dir "$disk"/runs; echo "= $?"
            echo "== new run"; dotnet "$lora" crawl "$disk"/style.yaml --runs-dir "$disk"/others; echo "= $?"
            echo "== rollback"; dotnet "$lora" adapters rollback style --store "$disk"/store; echo "= $?"
            echo "== ratings"; dotnet "$lora" feedback "$disk"/style.yaml --runs-dir "$disk"/runs --set deploy.store="$disk"/store; echo "= $?"
            echo "== init"; dotnet "$lora" init "$disk"/new.yaml; echo "= $?"
            """;
        await using var shell = LoraProcess.StartProgram(mount[0], [.. mount.Skip(1), "sh", "-c", Script, "sh", disk, source, LoraProcess.Program]);
        Assert.Equal(0, await shell.EndAsync());
        var parts = shell.Text.Split("== ").Skip(1).ToDictionary(p => p.Split('\n')[0]);
        void Said(string what, params string[] words)
        {
            Assert.All(words, w => Assert.Contains(w, parts[what], StringComparison.Ordinal));
            Assert.Contains("read-only", parts[what], StringComparison.Ordinal);
            Assert.EndsWith("= 1", parts[what].TrimEnd(), StringComparison.Ordinal);
            Assert.Equal(3, parts[what].Split('\n', StringSplitOptions.RemoveEmptyEntries).Length); // one sentence
            Assert.DoesNotContain("process", parts[what], StringComparison.Ordinal);
        }
        Said("run", $"{disk}/runs/style cannot be written: its file system is read-only.", "--runs-dir");
        Said("new run", $"{disk}/others/style cannot be made: its file system is read-only.", "--runs-dir");
        Said("rollback", $"{disk}/store cannot be written: its file system is read-only.", "--store");
        Said("ratings", disk);
        Said("init", $"{disk}/", "its file system is read-only");
    }

    private static StoredAdapter Version(int version, string state) => new()
    {
        Name = "style", Version = version, State = state, Sha256 = $"{version}", AdapterId = "a", ReportId = "r", Base = "pocket-sd", Run = "runs/style", Why = "a test", StoredAt = DateTimeOffset.UnixEpoch,
    };
}
